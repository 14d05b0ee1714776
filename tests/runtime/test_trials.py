"""A recorded trial is found by study, arm and seed in the newest submission that was compared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.history import COMPARISON_FOLDER, UnknownStudy
from tasks.runtime.mlflow_.runs import Recorder
from tasks.runtime.mlflow_.trials import UnknownTrial, find_trial, recorded_trial

ARMS = {"plain": (10, 2), "plain[model.source=a/b]": (0,), "a/b": (1, 2), "a": (7,)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str, int], str]]:
    """Run ids by submission, arm and seed: an older and a newer compared submission, and a newest one without a comparison."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
        patch.setenv("ASSAY_HOME", str(home))
        (home / "files").mkdir()
        (home / "files" / "comparison.json").write_text("{}")
        recorder, made = Recorder.of(open_client(), "tickets"), {}
        for key in ("older", "newer", "begun"):
            parent = recorder.open_study(key, "tickets", "", {"git_commit": key, "version.torch": "2.13"}, new=True)
            for arm, seeds in ARMS.items():
                for seed in seeds:
                    made[key, arm, seed] = recorder.open_trial(parent, f"{arm} {seed}", "", arm, seed, {"guarantee": "none"})
            if key != "begun":
                recorder.log_folder(parent, home / "files", COMPARISON_FOLDER)
        Recorder.of(open_client(), "begun-only").open_study("k", "begun-only", "", {}, new=True)
        yield made


@pytest.mark.parametrize(
    ("named", "arm", "seed"),
    [
        ("plain", "plain", 2),
        ("plain/10", "plain", 10),
        ("plain/", "plain", 2),
        ("plain[model.source=a/b]", "plain[model.source=a/b]", 0),
        ("plain[model.source=a/b]/0", "plain[model.source=a/b]", 0),
        ("a/b", "a/b", 1),
        ("a/b/2", "a/b", 2),
        ("a", "a", 7),
        ("a/7", "a", 7),
    ],
)
def test_a_trial_is_found_in_the_newest_compared_submission(named: str, arm: str, seed: int, runs: dict[tuple[str, str, int], str]) -> None:
    assert find_trial("tickets", named) == runs["newer", arm, seed]


@pytest.mark.parametrize(
    ("named", "line"),
    [
        ("plane", "study 'tickets' has no arm 'plane'; did you mean 'plain'?"),
        ("plane/2", "study 'tickets' has no arm 'plane'; did you mean 'plain'?"),
        ("zzz", "study 'tickets' has no arm 'zzz'; its arms are a, a/b, plain, plain[model.source=a/b]"),
        ("plain/3", "arm 'plain' of study 'tickets' has no seed '3'; its seeds are 2, 10"),
        ("plain/100", "arm 'plain' of study 'tickets' has no seed '100'; did you mean '10'?"),
        ("plain/02", "arm 'plain' of study 'tickets' has no seed '02'; did you mean '2'?"),
    ],
)
def test_what_is_not_there_brings_the_nearest_name(named: str, line: str, runs: dict[tuple[str, str, int], str]) -> None:
    with pytest.raises(UnknownTrial) as caught:
        find_trial("tickets", named)
    assert str(caught.value) == line


def test_a_study_that_is_not_there_brings_the_nearest_name(runs: dict[tuple[str, str, int], str]) -> None:
    with pytest.raises(UnknownStudy, match="no study 'ticket' was recorded; did you mean 'tickets'"):
        find_trial("ticket", "plain")
    with pytest.raises(UnknownStudy, match="study 'begun-only' has no comparison yet"):
        find_trial("begun-only", "plain")


def test_a_trial_says_what_it_and_its_submission_recorded(runs: dict[tuple[str, str, int], str]) -> None:
    found = recorded_trial(runs["older", "plain", 2])
    assert found.study == "tickets" and found.tags["arm"] == "plain" and found.study_tags["git_commit"] == "older"


def test_more_trials_than_a_page_are_all_seen(runs: dict[tuple[str, str, int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    real = MlflowClient.search_runs

    def paged(self: MlflowClient, ids: list[str], condition: str, order_by: list[str] | None = None, page_token: str | None = None) -> object:
        return real(self, ids, condition, max_results=2, order_by=order_by, page_token=page_token)

    monkeypatch.setattr(MlflowClient, "search_runs", paged)
    assert all(find_trial("tickets", f"{arm}/{seed}") == runs["newer", arm, seed] for arm, seeds in ARMS.items() for seed in seeds)
