"""Audits on made-up models: which rows under which conditions, at the confidence that the run's audits share, from scores that do not see the coins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from scipy import special

from specs.loading import SpecErrors, load_mapping
from tasks.attacks._audit_bounds import LowerBound, clopper_pearson_bound, gdp_bound, one_run_bound, one_run_fdp_bound
from tasks.attacks._audited import audited, log_odds_of_all
from tasks.attacks.attack import ATTACKS
from tasks.attacks.audit import Audit
from tasks.core.measures import InsertedRecords, Row
from tests.attacks.made import Quiet, audited_folders, target_folders

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SPECS = Path(__file__).parents[2] / "specs"
DELTA = 1e-4
CLAIM = {"epsilon": 1.0, "delta": DELTA, "unit": "example"}
BOUNDS: dict[str, Callable[[Floats, Bools, float, float], LowerBound]] = {
    "one-run": one_run_bound,
    "one-run-f-dp": one_run_fdp_bound,
    "gdp": gdp_bound,
    "clopper-pearson": clopper_pearson_bound,
}
ASSUMED = {"one-run-f-dp": "a Gaussian trade-off curve", "gdp": "independent scores, a Gaussian trade-off curve"}


def audit(kind: str, **fields: Any) -> Audit:
    found = ATTACKS.parse({"kind": kind, **fields})
    assert isinstance(found, Audit)
    return found


def losses(count: int = 240, shift: float = 2.0, seed: int = 0) -> pd.DataFrame:
    """Normal losses, smaller by ``shift`` for records whose coin is heads."""
    draw = np.random.default_rng(seed)
    included = draw.random(count) < 0.5
    return pd.DataFrame({"id": [f"inserted-audit-{index}" for index in range(count)], "included": included, "loss": draw.normal(size=count) - shift * included})


@dataclass
class Models:
    """What the audited models say of some records: one model of all, or for the audit by many models each of one."""

    kind: str
    table: pd.DataFrame
    folder: Path

    @cached_property
    def needed(self) -> dict[str, Path]:
        tables = [self.table.iloc[[index]] for index in range(len(self.table))] if self.kind == "clopper-pearson" else [self.table]
        return audited_folders(tables, self.folder)

    def rows(self, claim: Mapping[str, Any] = CLAIM, public_size: int | None = None, **fields: Any) -> dict[str, Row]:
        """What the audit says, by the last word of a name."""
        model, data = target_folders(self.folder, public_size, **claim)
        count = {"runs": len(self.table)} if self.kind == "clopper-pearson" else {"canaries": len(self.table)}
        found = audit(self.kind, **count, **fields).measure(model, self.needed, data, 0, Quiet())
        return {row.name.rsplit("/", 1)[1]: row for row in found.rows}

    def bound(self, **fields: Any) -> float:
        found = self.rows(**fields)["epsilon_lower"].value
        assert found is not None
        return found

    def expected(self, confidence: float, delta: float = DELTA) -> LowerBound:
        """The statistic itself."""
        return BOUNDS[self.kind](-self.table["loss"].to_numpy(), self.table["included"].to_numpy(), delta, confidence)


@pytest.fixture(scope="module", params=BOUNDS)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(request.param, losses(), tmp_path_factory.mktemp("models"))


def test_a_private_target_has_three_rows_and_their_conditions(models: Models) -> None:
    rows, expected = models.rows({**CLAIM, "unit": "user"}, family=4), models.expected(1 - 0.05 / 4)
    assert {row.name for row in rows.values()} == {f"privacy/{models.kind.replace('-', '_')}/{end}" for end in rows}
    assert list(rows) == ["epsilon_lower", "epsilon_ceiling", "exceeds_claim"]
    assert [row.value for row in rows.values()] == [expected.epsilon, expected.ceiling, 1.0]
    assert [row.direction for row in rows.values()] == ["lower", "none", "lower"]
    assert all(row.lowest == 0 and row.n == expected.guesses for row in rows.values()) and [row.highest for row in rows.values()] == [None, None, 1.0]
    assumed = {"assumes": ASSUMED[models.kind]} if models.kind in ASSUMED else {}
    conditions = {"delta": "0.0001", "unit": "user", "adjacency": "add-remove", "confidence": "0.95 over 4 audits", **assumed}
    assert all(row.conditions == conditions for row in rows.values())
    said = f"{expected.right} of {expected.guesses} guesses right, of 240 records"
    assert [row.reason for row in rows.values()] == [said, said, f"{said}; bound {expected.epsilon:.3g}, claimed 1"]


@pytest.mark.parametrize(("public_size", "delta"), [(5000, 1 / 50_000), (None, 1e-5)])
def test_a_target_without_privacy_claims_nothing_and_has_the_delta_of_a_mechanism_on_its_data(public_size: int | None, delta: float, tmp_path: Path) -> None:
    made = Models("one-run", losses(), tmp_path)
    rows = made.rows({}, public_size, label="first")
    assert [row.name for row in rows.values()] == ["privacy/first/epsilon_lower", "privacy/first/epsilon_ceiling"]
    assert rows["epsilon_lower"].value == made.expected(0.95, delta).epsilon
    assert rows["epsilon_lower"].conditions == {"delta": f"{delta:g}", "unit": "example", "adjacency": "add-remove", "confidence": "0.95 over 1 audits"}


def test_a_bound_exceeds_the_claim_only_where_it_is_larger(models: Models) -> None:
    bound = models.bound()
    assert bound > 0.5
    for claimed, exceeds in ((bound - 1e-9, 1.0), (bound, 0.0), (bound + 1, 0.0)):
        assert models.rows({**CLAIM, "epsilon": claimed})["exceeds_claim"].value == exceeds


def test_with_more_audits_each_bound_is_surer_and_lower(models: Models) -> None:
    """Of k audits each is the statistic at 1 - (1 - confidence) / k."""
    found = [models.bound(family=family, confidence=0.9) for family in (1, 3, 10)]
    assert found == [models.expected(confidence).epsilon for confidence in (0.9, 1 - 0.1 / 3, 0.99)]
    assert found == sorted(found, reverse=True) and found[0] > found[2]


@pytest.mark.parametrize("kind", BOUNDS)
def test_a_loss_that_is_not_finite_is_the_largest(kind: str, tmp_path: Path) -> None:
    """Of members it lowers the bound as any large loss would."""
    table = losses(150)
    for member in (False, True):
        few = table.index[table["included"] == member][:20]
        found = []
        for name, values in (("odd", [np.nan, np.inf]), ("large", [1e6])):
            changed = table["loss"].copy()
            changed[few] = np.resize(values, len(few))
            found.append(Models(kind, table.assign(loss=changed), tmp_path / f"{member}-{name}").bound())
        assert found[0] == found[1]
    assert found[0] < Models(kind, table, tmp_path / "as-it-was").bound()


def test_records_are_told_by_their_ids_and_models_in_turn(tmp_path: Path) -> None:
    """The list of coins is shuffled; another coin changes no score."""
    tables = [losses(count, seed=count) for count in (30, 1, 50)]
    scores, included = audited(audited_folders(tables, tmp_path), 3, Quiet())
    assert np.array_equal(scores, -np.concatenate([table["loss"] for table in tables]))
    assert np.array_equal(included, np.concatenate([table["included"] for table in tables]))
    others = [table.assign(included=~table["included"]) for table in tables]
    again, swapped = audited(audited_folders(others, tmp_path), 3, Quiet())
    assert np.array_equal(again, scores) and np.array_equal(swapped, ~included)


@pytest.mark.parametrize(
    ("fields", "unit", "expected"),
    [
        ({"kind": "one-run", "canaries": 300}, "example", InsertedRecords(count=300, runs=1)),
        ({"kind": "one-run-f-dp"}, None, InsertedRecords(count=1000, runs=1)),
        ({"kind": "gdp", "canaries": 7}, "user", InsertedRecords(count=7, runs=1, own_users=True)),
        ({"kind": "clopper-pearson", "runs": 12}, "user", InsertedRecords(count=1, runs=12, own_users=True)),
    ],
)
def test_records_are_of_users_of_their_own_where_users_are_protected(fields: dict[str, Any], unit: str | None, expected: InsertedRecords) -> None:
    study = {"privacy": {"kind": "none"} if unit is None else {"kind": "dp-sgd", "unit": {"kind": unit}}}
    assert audit(**fields).needs(study) == (expected,)
    assert unit is not None or audit(**fields).needs({}) == (expected,)


def with_intents(count: int, labels: int, shift: float, favour: float, seed: int = 0) -> tuple[pd.DataFrame, Floats]:
    """Logits of a model that favours some labels on every text, and of members their own label by ``shift``."""
    draw = np.random.default_rng(seed)
    table = losses(count, seed=seed)
    places = draw.integers(labels, size=count)
    logits = draw.normal(size=(count, labels)) + favour * draw.normal(size=labels)
    logits[np.arange(count), places] += shift * table["included"]
    logits = logits.astype(np.float32).astype(float)
    own = special.log_softmax(logits, axis=1)[np.arange(count), places]
    return table.assign(label=[f"l{place}" for place in places], loss=-own), logits


def slow_scores(table: pd.DataFrame, logits: Floats) -> Floats:
    """Label by label, in words: log odds of the own label less the median over records with other labels, less what else the record loses."""
    found = []
    for loss, label, row in zip(table["loss"], table["label"], logits, strict=True):
        place = int(label[1:])
        odds = [line[place] - special.logsumexp(np.delete(line, place)) for line in logits]
        usual = np.median([value for value, other in zip(odds, table["label"], strict=True) if other != label])
        own = row[place] - special.logsumexp(np.delete(row, place))
        found.append(own - usual - (loss + special.log_softmax(row)[place]))
    return np.array(found)


@pytest.mark.parametrize("slots", [0.0, 1.0])
def test_an_intents_score_is_its_slow_twins(slots: float, tmp_path: Path) -> None:
    """Alone, and beside a loss of slots."""
    table, logits = with_intents(40, 5, 2.0, 2.0)
    table = table.assign(loss=table["loss"] + slots * np.random.default_rng(1).exponential(size=40))
    scores, _ = audited(audited_folders([table], tmp_path, logits, labels=[f"l{place}" for place in range(5)]), 1, Quiet())
    assert scores == pytest.approx(slow_scores(table, logits), abs=1e-9)


def test_labels_that_are_favoured_on_every_text_hide_no_member(tmp_path: Path) -> None:
    """Less what is usual of the label, three times as much is proved as by losses."""
    table, logits = with_intents(2000, 30, 2.0, 4.0)
    scores, included = audited(audited_folders([table], tmp_path, logits, labels=[f"l{place}" for place in range(30)]), 1, Quiet())
    by_loss, found = (one_run_bound(given, included, DELTA, 0.95).epsilon for given in (-table["loss"].to_numpy(), scores))
    assert found > 3 * by_loss and found > 2.0


def test_the_only_record_or_label_of_a_model_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    logits = np.array([[1.0, -2.0, 0.5]])
    table = pd.DataFrame({"id": ["a"], "included": [True], "label": ["l1"], "loss": -special.log_softmax(logits, axis=1)[:, 1]})
    scores, _ = audited(audited_folders([table], tmp_path, logits, labels=["l0", "l1", "l2"]), 1, Quiet())
    assert scores == pytest.approx([-2.0 - special.logsumexp([1.0, 0.5])])


def test_logits_that_are_not_finite_give_the_smallest_score_and_change_no_other(tmp_path: Path) -> None:
    table, logits = with_intents(30, 3, 1.0, 1.0)
    labels = [f"l{place}" for place in range(3)]
    odd = table.assign(loss=[np.nan, np.nan, *table["loss"][2:]])
    broken = logits.copy()
    broken[0], broken[1, 2] = np.nan, np.inf
    scores, _ = audited(audited_folders([odd], tmp_path, broken, labels=labels), 1, Quiet())
    assert np.isneginf(scores[:2]).all()
    assert scores[2:] == pytest.approx(slow_scores(table.iloc[2:], logits[2:]), abs=1e-9)


def test_log_odds_are_exact_where_one_label_has_all_the_weight() -> None:
    logits = np.array([[300.0, 0.0, 1.0], [-2.0, -2.0, -2.0], [0.0, 60.0, -700.0]])
    expected = [[row[place] - special.logsumexp(np.delete(row, place)) for place in range(3)] for row in logits]
    assert log_odds_of_all(logits) == pytest.approx(np.array(expected), rel=1e-12)


AUDITS: list[dict[str, Any]] = [{"kind": "one-run"}, {"kind": "gdp", "canaries": 50}, {"kind": "one-run", "label": "fewer", "canaries": 100}]


def smoke(kind: str) -> dict[str, Any]:
    """The shipped smoke study of a kind, with three audits among its attacks; gates on what other attacks find are left out."""
    found: dict[str, Any] = yaml.safe_load((SPECS / kind.replace("-", "_") / "smoke.yaml").read_text())
    gates = [gate for gate in found.get("gates", ()) if gate["metric"].startswith("utility/")]
    return {**found, "attacks": [{"kind": "loss-threshold"}, *AUDITS], "gates": gates}


def families(study: Any) -> list[int | None]:
    return [attack.family for attack in study.attacks if isinstance(attack, Audit)]


@pytest.mark.parametrize("kind", ["dp-training", "privacy-audit", "fl-selection", "debiased-distillation", "retraining-audit"])
def test_every_kind_tells_its_audits_how_many_they_are(kind: str) -> None:
    """Also where the resolved study is read once more."""
    loaded = load_mapping(smoke(kind))
    assert all(families(trial.study) == [3, 3, 3] for trial in loaded.trials)
    resolved = loaded.trials[0].study
    assert type(resolved).model_validate_json(resolved.model_dump_json()) == resolved


def test_a_retraining_audit_counts_its_own_audits_or_those_of_the_study_it_trains() -> None:
    outer = smoke("retraining-audit")
    inner = {**outer["study"], "attacks": AUDITS[:2]}
    inherited: Any = load_mapping({name: value for name, value in {**outer, "study": inner}.items() if name != "attacks"}).study
    own: Any = load_mapping({**outer, "study": inner}).study
    assert families(inherited) == families(inherited.trained) == [2, 2] and families(own) == families(own.trained) == [3, 3, 3]


def test_an_arm_with_attacks_of_its_own_counts_those() -> None:
    spec = smoke("privacy-audit")
    arms = {"all": {}, "one": {"attacks": AUDITS[:1]}, "two": {"attacks": AUDITS[:2]}}
    loaded = load_mapping({**spec, "sweep": {"arms": arms}})
    assert {trial.arm: families(trial.study) for trial in loaded.trials} == {"all": [3, 3, 3], "one": [1], "two": [2, 2]}


def test_a_family_counts_at_least_the_audits_of_the_run() -> None:
    """Fewer is refused in one line; more is what one who runs several studies writes."""
    spec = smoke("privacy-audit")
    with pytest.raises(SpecErrors) as caught:
        load_mapping({**spec, "attacks": [{**AUDITS[0], "family": 2}, *AUDITS[1:]]})
    [error] = caught.value.errors
    assert (error.path, error.message) == ("attacks", "one-run: family is 2, and the run has 3 audits: leave it out, or count them all")
    more: Any = load_mapping({**spec, "attacks": [{**one, "family": 12} for one in AUDITS]}).study
    assert families(more) == [12, 12, 12]
