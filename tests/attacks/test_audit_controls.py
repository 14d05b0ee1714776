"""Audits of models that the train step made: missing noise is flagged by every audit, half of it by gdp, and a mechanism as it is exceeds its claim no
more often than a bound may.

A share above the claim is held to 5% by a binomial test whose false alarm is 1e-4; where noise is missing, every training must be above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tasks.attacks.attack import ATTACKS
from tasks.attacks.audit import Audit
from tasks.core.measures import Row
from tasks.data.audit_records import AuditRecords
from tasks.data.inserting import write_inserted
from tasks.models.predicting import write_predictions
from tasks.training.noising import NoiseSource
from tasks.training.steps import TrainConfig, train
from tests.attacks.made import Quiet
from tests.conftest import NewRun, Prepare

FALSE_ALARM = 1e-4
SIZE, STEPS, DELTA = 60, 4, 1e-5
DATA = {"kind": "synthetic-assistant", "examples": 75, "users": 10, "intents": 4, "task": "intent", "public_size": SIZE}
FULL = {"epochs": STEPS, "expected_batch_size": SIZE, "optimizer": {"kind": "sgd", "learning_rate": 0.05}}
"""Every record in each of four steps: the last weights are all that a step released, and one record's own words are nearly all of its gradient."""
MU = {"noise_multiplier": STEPS**0.5, "delta": DELTA}
"""With the above a 1-GDP mechanism, whose epsilon is 4.377."""
ONE = {"target_epsilon": 1.0, "delta": DELTA}
ONCE = ("one-run", "one-run-f-dp", "gdp")


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def model(buckets: int) -> dict[str, Any]:
    return {"kind": "linear", "bigram_buckets": buckets, "tokenizer": {"kind": "hashing", "buckets": buckets, "max_tokens": 32}}


class Trainings:
    """Trainings of one mechanism on the same audit records, with coins and noise of their own; ``noise`` is the part of it that is really drawn."""

    def __init__(self, prepare: Prepare, new_run: NewRun, privacy: dict[str, Any], count: int, noise: float = 1.0, training: dict[str, Any] = FULL) -> None:
        self.prepared, self.new_run, self.count, self.noise = prepare(DATA), new_run, count, noise
        fields = {"model": model(64 if count == 1 else 1 << 15), "training": training, "privacy": {"kind": "dp-sgd", **privacy}}
        self.config = TrainConfig.model_validate({**fields, "randomness": "reproducible"})
        self.own_users = "unit" in privacy

    def one(self, seed: int) -> tuple[Path, Path, Path]:
        """The model, its data, and what it says of the records."""
        data, run, said = (self.new_run() for _ in range(3))
        records = AuditRecords(kind="audit-records", count=self.count, own_users=self.own_users, texts=7)
        write_inserted(records, self.prepared, seed, data.folder)
        with pytest.MonkeyPatch.context() as patch:
            draw = NoiseSource.draw
            patch.setattr(NoiseSource, "draw", lambda source, name, piece, step, out, deviation: draw(source, name, piece, step, out, self.noise * deviation))
            train(self.config, {"data": data.folder}, seed, run)
        write_predictions("canaries", run.folder, data.folder, said)
        return run.folder, data.folder, said.folder

    def audited(self, seeds: Sequence[int], *kinds: str, **fields: Any) -> list[dict[str, Row]]:
        """What each audit says of the models together, its rows by their last word."""
        made = [self.one(seed) for seed in seeds]
        needed: dict[str, Path] = {}
        for index, (_, data, said) in enumerate(made):
            needed |= {f"audited/{index}": said, f"audited/{index}/data": data}
        found = []
        for kind in kinds:
            audit = ATTACKS.parse({"kind": kind, **({"runs": len(seeds)} if kind == "clopper-pearson" else {"canaries": self.count}), **fields})
            assert isinstance(audit, Audit)
            found.append({row.name.rsplit("/", 1)[1]: row for row in audit.measure(made[0][0], needed, made[0][1], 0, Quiet()).rows})
        return found


def value(rows: dict[str, Row], name: str) -> float:
    found = rows[name].value
    assert found is not None
    return found


def holds(count: int, repeats: int) -> bool:
    return bool(stats.binomtest(count, repeats, 0.05, alternative="greater").pvalue > FALSE_ALARM)


@pytest.mark.parametrize("more", [{}, {"unit": {"kind": "user"}}], ids=["example", "user"])
def test_noise_removed_is_flagged_by_every_audit_of_one_training(more: dict[str, Any], prepare: Prepare, new_run: NewRun) -> None:
    """Epsilon 1 is claimed of each record, or user; the four audits of a run share the confidence."""
    for rows in Trainings(prepare, new_run, {**ONE, **more}, 600, noise=0.0).audited([0], *ONCE, family=4):
        assert value(rows, "exceeds_claim") == 1.0 and value(rows, "epsilon_lower") > 3.5
        assert rows["exceeds_claim"].conditions["unit"] == ("user" if more else "example")


def test_noise_removed_is_flagged_by_many_trainings_and_the_noise_as_it_is_is_not(prepare: Prepare, new_run: NewRun) -> None:
    """Forty models with one record each and no wrong guess prove 1.17."""
    for noise, exceeds in ((0.0, 1.0), (1.0, 0.0)):
        [rows] = Trainings(prepare, new_run, ONE, 1, noise).audited(range(40), "clopper-pearson")
        assert value(rows, "exceeds_claim") == exceeds
        assert (value(rows, "epsilon_lower") == value(rows, "epsilon_ceiling") == pytest.approx(1.17, abs=0.2)) is (exceeds == 1.0)


def test_noise_halved_is_flagged_by_gdp_and_not_by_one_run(prepare: Prepare, new_run: NewRun) -> None:
    """Claimed is mu 1 and true is 2: the median of one-run is below the claim, for it has not the power, as the reference says."""
    trainings = Trainings(prepare, new_run, MU, 1000, noise=0.5)
    found = [trainings.audited([seed], *ONCE) for seed in range(8)]
    assert all(value(gdp, "exceeds_claim") == 1.0 for _, _, gdp in found)
    assert np.median([value(once, "epsilon_lower") for once, _, _ in found]) < 4.377


def test_a_mechanism_as_it_is_exceeds_its_claim_no_more_often_than_it_may(prepare: Prepare, new_run: NewRun) -> None:
    """And what is proved is not little: gdp finds above half of the true epsilon, so that half of the noise could not hide."""
    trainings = Trainings(prepare, new_run, MU, 1000)
    found = [trainings.audited([seed], *ONCE) for seed in range(20)]
    for place in range(len(ONCE)):
        assert holds(sum(round(value(rows[place], "exceeds_claim")) for rows in found), len(found))
    assert np.median([value(gdp, "epsilon_lower") for _, _, gdp in found]) > 4.377 / 2


SAMPLED = {**FULL, "epochs": 8, "expected_batch_size": SIZE // 2}
ADAM = {**FULL, "optimizer": {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "privacy"), [(FULL, MU), (SAMPLED, {"target_epsilon": 3.0, "delta": DELTA}), (ADAM, MU)], ids=["full", "sampled", "adamw"]
)
def test_mechanisms_as_they_are_hold_over_two_hundred_trainings_and_without_noise_none_does(
    training: dict[str, Any], privacy: dict[str, Any], prepare: Prepare, new_run: NewRun
) -> None:
    trainings = Trainings(prepare, new_run, privacy, 600, training=training)
    found = [trainings.audited([seed], *ONCE) for seed in range(200)]
    assert all(holds(sum(round(value(rows[place], "exceeds_claim")) for rows in found), len(found)) for place in range(len(ONCE)))
    without = Trainings(prepare, new_run, privacy, 600, 0.0, training)
    assert all(value(gdp, "exceeds_claim") == 1.0 for _, _, gdp in (without.audited([seed], *ONCE) for seed in range(10)))


@pytest.mark.slow
def test_many_trainings_of_a_mechanism_as_it_is_hold_and_without_noise_never_do(prepare: Prepare, new_run: NewRun) -> None:
    """Forty audits of forty models each, at epsilon 1."""
    for noise, right in ((1.0, True), (0.0, False)):
        trainings = Trainings(prepare, new_run, ONE, 1, noise)
        found = [trainings.audited(range(40 * first, 40 * first + 40), "clopper-pearson") for first in range(40 if right else 4)]
        exceeding = sum(round(value(rows, "exceeds_claim")) for [rows] in found)
        assert holds(exceeding, len(found)) if right else exceeding == len(found)
