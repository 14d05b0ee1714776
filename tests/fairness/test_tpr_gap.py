"""Gaps in true positive rates: against fairlearn and real shuffles, on a planted gap and none, and where records are too few."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.numpy import save_file
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from tasks.core.measures import FineTuned, Measures, Predictions, PreparedOther, Row
from tasks.core.seeds import uniform
from tasks.data._stereotype_words import PLACES, THINGS
from tasks.data.prepared import PreparedData
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.metrics.tpr_gap import TprGap
from tasks.models.model import TaskShape
from tasks.models.probing import Probe
from tests.conftest import Prepare
from tests.fairness.test_classifiers import numbers

LABELS = ("cook", "nurse", "pilot", "tailor")
OVERALL = ("difference", "max/difference")


def metric(**fields: Any) -> TprGap:
    found = FAIRNESS.parse({"kind": "tpr-gap", **fields})
    assert isinstance(found, TprGap)
    return found


def records(seed: int, n: int = 400, gap: float = 0.0, labels: Sequence[str] = LABELS) -> pd.DataFrame:
    """Answers (columns id, label, group, predicted) that are right with 0.7, by ``gap`` more for women with an even label and for men with an odd one."""
    generator = np.random.default_rng(seed)
    place, group = generator.integers(len(labels), size=n), generator.choice(["female", "male"], size=n)
    favoured = (place % 2 == 0) == (group == "female")
    right = generator.random(n) < 0.7 + np.where(favoured, gap / 2, -gap / 2)
    said = np.where(right, place, (place + 1) % len(labels))
    names = np.asarray(labels, dtype=object)
    return pd.DataFrame({"id": [f"r{number}" for number in range(n)], "label": names[place], "group": group, "predicted": names[said]})


def measured(table: pd.DataFrame, folder: Path, seed: int = 0, labels: Sequence[str] | None = None, task: str = "intent", **fields: Any) -> Measures:
    """What the metric says of answers in a folder, as the predict step leaves them."""
    folder.mkdir(exist_ok=True)
    names = sorted(set(table["label"]) | set(table["predicted"])) if labels is None else list(labels)
    logits = np.asarray([[float(name == said) for name in names] for said in table["predicted"]], dtype=np.float32)
    (folder / "labels.json").write_text(json.dumps({"labels": names}))
    (folder / "predictions.json").write_text(json.dumps({"task": task, "data": "d"}))
    save_file({"intent": logits}, folder / "logits.safetensors")
    table.to_parquet(folder / "predictions.parquet", index=False)
    return metric(**fields).measure(folder, {"predictions/test": folder}, folder, seed, None)


def rows(table: pd.DataFrame, folder: Path, **fields: Any) -> dict[str, Row]:
    return numbers(measured(table, folder, **fields), "tpr_gap")


def signed(table: pd.DataFrame) -> pd.Series:
    """Female less male share of right answers by label."""
    right = (table["label"] == table["predicted"]).groupby([table["label"], table["group"]]).mean().unstack()
    return right["female"] - right["male"]


def null(row: Row) -> tuple[float, float]:
    """What the shuffles give on average, and in 95 of 100 at most."""
    words = str(row.reason).split("shuffled groups give ")[1].split()
    return float(words[0].rstrip(",")), float(words[2])


@pytest.mark.parametrize("labels", [LABELS, LABELS[:2]])
def test_gaps_are_those_of_another_library_label_by_label(labels: Sequence[str], tmp_path: Path) -> None:
    table = records(1, gap=0.3, labels=labels)
    table.loc[:30, "group"] = None
    table.loc[31:50, "group"] = "female|male"
    table.loc[51:70, "group"] = "other"
    found = rows(table, tmp_path)
    kept = table[table["group"].isin(["female", "male"])]
    frame = MetricFrame(
        metrics=accuracy_score, y_true=kept["label"], y_pred=kept["predicted"], sensitive_features=kept["group"], control_features=kept["label"]
    )
    apart = frame.difference().to_numpy(dtype=float)
    assert found["difference"].value == pytest.approx(np.sqrt(np.mean(apart**2))) and found["max/difference"].value == pytest.approx(apart.max())
    assert set(found) == {*OVERALL, *(f"by_group/{label}" for label in labels)}
    for label, gap in signed(kept).items():
        row, mine = found[f"by_group/{label}"], kept[kept["label"] == label]
        assert row.value == pytest.approx(gap) and row.n == len(mine) and row.low is not None and row.low < gap
        for group in ("female", "male"):
            own = mine[mine["group"] == group]
            assert f"{group} {(own['label'] == own['predicted']).mean():.3f} of {len(own)}" in str(row.reason)
    assert found["difference"].n == len(kept) == found["max/difference"].n


def test_the_other_group_first_turns_every_sign_and_nothing_else(tmp_path: Path) -> None:
    table = records(2, gap=0.3)
    found, turned = rows(table, tmp_path), rows(table, tmp_path, groups=["male", "female"])
    assert all(turned[name].value == pytest.approx(-row.value if "by_group" in name else row.value) for name, row in found.items() if row.value is not None)


def test_rows_carry_directions_bounds_and_conditions(tmp_path: Path) -> None:
    table = records(3, gap=0.3)
    found = rows(table, tmp_path)
    assert {name: (row.direction, row.lowest, row.highest) for name, row in found.items()} == {
        **dict.fromkeys(OVERALL, ("lower", 0.0, 1.0)),
        **dict.fromkeys((f"by_group/{label}" for label in LABELS), ("none", -1.0, 1.0)),
    }
    sizes = table["group"].value_counts()
    for name, row in found.items():
        said = {"data": "d", "split": "test", "groups": f"female {sizes['female']}, male {sizes['male']}", "labels": "4 of 4"}
        assert said.items() <= row.conditions.items() and "positive" not in row.conditions
        assert row.conditions.get("ideal") == ("0" if name in OVERALL else None)
        assert row.low is not None and row.high is not None and row.value is not None and row.low <= row.value <= row.high
    items = measured(table, tmp_path).items
    assert set(items) == {"id", "cluster", "correct"} and list(items["correct"]) == (table["label"] == table["predicted"]).astype(int).tolist()


def test_the_null_is_that_of_groups_that_are_really_shuffled_within_labels(tmp_path: Path) -> None:
    """2,000 shuffles here and 1,000 there. Each tolerance is four standard errors of the two: a false alarm in 16,000."""
    table = records(4, n=500, gap=0.4)
    generator, places = np.random.default_rng(0), [np.flatnonzero(table["label"] == label) for label in LABELS]
    right, female = (table["label"] == table["predicted"]).to_numpy(), (table["group"] == "female").to_numpy()
    drawn = []
    for _ in range(2000):
        shuffled = [generator.permutation(female[place]) for place in places]
        drawn.append([right[place][mine].mean() - right[place][~mine].mean() for place, mine in zip(places, shuffled, strict=True)])
    apart = np.asarray(drawn)
    found = rows(table, tmp_path)
    for name, chance in (("difference", np.sqrt((apart**2).mean(axis=1))), ("max/difference", np.abs(apart).max(axis=1))):
        mean, most = null(found[name])
        assert mean == pytest.approx(chance.mean(), abs=0.005 if name == "difference" else 0.008)
        assert most == pytest.approx(np.quantile(chance, 0.95), abs=0.011 if name == "difference" else 0.015)
        value = found[name].value
        assert value is not None and value > most


def test_without_a_gap_alarms_are_as_rare_as_said_and_signed_intervals_hold_nothing(tmp_path: Path) -> None:
    """30 draws without a gap, at 5%: 6 or more alarms have a chance of 1 in 300; that fewer than 102 of 120 intervals hold 0, of 1 in 1,400 (at 93%)."""
    alarms = held = 0
    for seed in range(30):
        found = rows(records(100 + seed), tmp_path, seed=seed)
        value = found["difference"].value
        assert value is not None and value > 0
        alarms += value > null(found["difference"])[1]
        held += sum(row.low is not None and row.high is not None and row.low <= 0 <= row.high for name, row in found.items() if name not in OVERALL)
    assert alarms < 6 and held >= 102


def answered(found: PreparedData, words: Sequence[str] | None = None) -> pd.DataFrame:
    """The test records with what a logistic regression of counted words answers; of all words, or of some."""
    train, test = found.split("train"), found.split("test")
    count = CountVectorizer(vocabulary=words)
    model = LogisticRegression(max_iter=200).fit(count.fit_transform(train["text"]), train["label"])
    return test.assign(predicted=model.predict(count.transform(test["text"])))


def test_a_gap_grows_with_what_was_planted_and_is_gone_where_gender_is_not_read(prepare: Prepare, tmp_path: Path) -> None:
    made = {skew: prepare({"kind": "synthetic-bios", "skew": skew}) for skew in (0.0, 0.7, 1.0)}
    tables = {skew: answered(data) for skew, data in made.items()}
    found = {skew: rows(table, tmp_path)["difference"] for skew, table in tables.items()}
    values = [row.value or 0.0 for row in found.values()]
    assert values == sorted(values) and values[0] < null(found[0.0])[1] and values[1] > 1.5 * null(found[0.7])[1] and values[2] > 3 * null(found[1.0])[1]
    generator = np.random.default_rng(0)
    shuffled = tables[1.0].assign(group=tables[1.0].groupby("label")["group"].transform(lambda group: generator.permutation(group.to_numpy())))
    blind = answered(made[1.0], [*THINGS, *PLACES])
    for table in (shuffled, blind):
        row = rows(table, tmp_path)["difference"]
        assert row.value is not None and row.value < null(row)[1] < values[1]
    assert 0.5 < (blind["label"] == blind["predicted"]).mean() < 0.9, "hints tell much, and not all"


def sized(cells: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """So many women and men of each label, of whom every other is answered rightly."""
    made = [(label, group) for label, sizes in cells.items() for group, size in zip(("female", "male"), sizes, strict=True) for _ in range(size)]
    table = pd.DataFrame(made, columns=["label", "group"])
    said = np.where(np.arange(len(table)) % 2 == 0, table["label"], "nobody")
    return table.assign(id=[f"r{number}" for number in range(len(table))], predicted=said)


def test_labels_with_too_few_are_left_out_by_name_with_their_counts(tmp_path: Path) -> None:
    table = sized({"cook": (10, 10), "nurse": (40, 9), "pilot": (12, 30), "tailor": (0, 3)})
    found = rows(table, tmp_path)
    assert set(found) == {*OVERALL, "by_group/cook", "by_group/pilot"} and found["difference"].n == 62
    for name in OVERALL:
        assert str(found[name].reason).endswith("left out for want of records: nurse (female 40, male 9), tailor (female 0, male 3)")
    assert found["difference"].conditions["labels"] == "2 of 4" and found["difference"].conditions["groups"] == "female 22, male 40"
    assert "by_group/nurse" in rows(table, tmp_path, minimum=9)


def test_fewer_than_two_labels_are_no_evidence_and_never_zero(tmp_path: Path) -> None:
    found = rows(sized({"cook": (10, 10), "nurse": (40, 9)}), tmp_path)
    assert set(found) == set(OVERALL)
    for row in found.values():
        assert (row.value, row.low, row.status, row.n) == (None, None, "insufficient_evidence", 69)
        assert row.reason == "1 labels have 10 test records of each group, 2 are needed; left out for want of records: nurse (female 40, male 9)"
    absent = rows(sized({"cook": (20, 20), "nurse": (20, 20)}), tmp_path, groups=["women", "male"])
    assert "cook (women 0, male 20)" in str(absent["difference"].reason) and absent["difference"].value is None


def test_of_bold_s_professions_it_says_that_they_are_too_few(catalogue: Path, prepare: Prepare, tmp_path: Path) -> None:
    test = prepare({"kind": "bold-professions"}, cache=catalogue).split("test")
    row = rows(test.assign(predicted=test["label"]), tmp_path)["difference"]
    assert row.status == "insufficient_evidence" and row.value is None and "writing_occupations (female 5, male 3)" in str(row.reason)


def test_where_all_answers_are_right_there_is_no_gap_and_no_false_interval(tmp_path: Path) -> None:
    table = records(5)
    found = rows(table.assign(predicted=table["label"]), tmp_path)
    assert {row.value for row in found.values()} == {0.0} and {row.low for row in found.values()} == {None}
    assert all("no interval: every resample is alike" in str(row.reason) for row in found.values()) and null(found["difference"]) == (0.0, 0.0)


def test_users_are_drawn_whole(tmp_path: Path) -> None:
    """Eight like answers a user: the interval of a gap is wider by the root of eight, up to a fifth for two bootstraps."""
    few = records(6, n=120, labels=LABELS[:2]).assign(user=lambda table: table["id"])
    many = pd.concat([few.assign(id=few["id"] + f"-{copy}") for copy in range(8)], ignore_index=True)
    whole, alone = rows(many, tmp_path)["by_group/cook"], rows(many.drop(columns="user"), tmp_path)["by_group/cook"]
    widths = [(row.high or 0) - (row.low or 0) for row in (whole, alone)]
    assert whole.value == alone.value and widths[0] / widths[1] == pytest.approx(np.sqrt(8), rel=0.2)


def test_the_same_seed_gives_the_same_rows_and_labels_become_names(tmp_path: Path) -> None:
    table = records(7, labels=["a b", "a/b", "a_b"])
    found = [measured(table, tmp_path, seed=seed).rows for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert [row.name for row in measured(table, tmp_path, label="gender").rows][2:] == [
        f"fairness/gender/by_group/{slug}" for slug in ("a_b", "a_b_2", "a_b_3")
    ]


@pytest.mark.parametrize(
    ("table", "task", "reason"), [(records(8), "lm", "task 'lm' has no labels"), (records(8).assign(group=None), "intent", "names no groups")]
)
def test_what_has_no_labels_or_groups_is_not_supported(table: pd.DataFrame, task: str, reason: str, tmp_path: Path) -> None:
    found = rows(table, tmp_path, task=task)
    assert set(found) == set(OVERALL) and all(row.status == "unsupported" and reason in str(row.reason) for row in found.values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"groups": ["male", "male"]}, "both are 'male'"),
        ({"groups": ["male"]}, "groups"),
        ({"positive": "nurse"}, "leave it out"),
        ({"minimum": 0}, "minimum"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        metric(**fields)


class Answers:
    """A classifier in the place of an opened one: its answer to a text is drawn by a key."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.shape = TaskShape("intent", tuple(labels))

    def classify(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.asarray([[uniform(0, label, text) for label in self.shape.labels] for text in texts])


@pytest.mark.parametrize("route", ["test_data", "data", "both"])
def test_other_data_is_judged_by_a_model_as_it_is_or_fine_tuned(route: str, tmp_path: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = (prepare({"kind": "synthetic-bios", "examples": 400, "seed": seed}) for seed in (1, 2))
    opened: list[Path] = []
    monkeypatch.setattr(Probe, "open", lambda folder, device: opened.append(folder) or Answers(own.labels))  # type: ignore[func-returns-value]
    block = {"kind": "synthetic-bios", "examples": 400, "seed": 2}
    fields = {"test_data": {"test_data": block}, "data": {"data": block}, "both": {"data": {**block, "seed": 1}, "test_data": block}}[route]
    needs = metric(**fields).needs({})
    assert [type(need) for need in needs] == {"test_data": [PreparedOther], "data": [FineTuned], "both": [FineTuned, PreparedOther]}[route]
    tuned = {"fine-tuned": tmp_path / "tuned", "fine-tuned/data": (own if route == "both" else other).folder}
    needed = {**(tuned if route != "test_data" else {}), **({"data/test": other.folder} if route != "data" else {})}
    found = numbers(metric(**fields, minimum=1).measure(tmp_path / "target", needed, own.folder, 0, None), "tpr_gap")
    test = other.split("test")
    said = np.asarray(own.labels)[Answers(own.labels).classify(test["text"].tolist()).argmax(axis=1)]
    expected = {f"by_group/{label}": gap for label, gap in signed(test.assign(predicted=said)).dropna().items()}
    assert {name: row.value for name, row in found.items() if name not in OVERALL} == pytest.approx(expected)
    assert len(expected) > 8 and any(expected.values()) and found["difference"].conditions["data"] == other.facts["split_digests"]["test"]
    assert opened == [tmp_path / ("target" if route == "test_data" else "tuned")]


def test_without_other_data_it_asks_for_the_model_s_own_answers() -> None:
    assert metric().needs({}) == (Predictions(split="test"),) and metric().reads_own_data
