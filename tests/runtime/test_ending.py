"""Runs that a killed coordinator left open are found and marked; what has ended stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from mlflow import MlflowClient

from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.ending import end_open_runs, open_submissions
from tasks.runtime.mlflow_.runs import Recorder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    """One real store for the tests of this file: making one takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
        patch.setenv("ASSAY_HOME", str(home))
        yield open_client()


@pytest.fixture
def recorder(store: MlflowClient) -> Iterator[Recorder]:
    yield Recorder.of(store, "tickets")
    for submission in open_submissions():
        end_open_runs(submission.run, "KILLED")


def submitted(recorder: Recorder, key: str, seeds: int = 3) -> tuple[str, list[str]]:
    parent = recorder.open_study(key, "tickets", "", {"kind": "dp-training"}, new=True)
    return parent, [recorder.open_trial(parent, f"main seed {seed}", "", "main", seed, {}) for seed in range(seeds)]


def status(client: MlflowClient, run: str) -> str:
    return str(client.get_run(run).info.status)


@pytest.mark.parametrize("marked", ["KILLED", "FAILED"])
def test_what_is_open_is_ended_and_what_has_ended_stays(recorder: Recorder, marked: Literal["KILLED", "FAILED"]) -> None:
    parent, (first, second, third) = submitted(recorder, "k")
    other, others = submitted(recorder, "other")
    recorder.finish(first, "FINISHED")
    recorder.client.update_run(third, status="SCHEDULED")
    assert end_open_runs(parent, marked) == 3
    assert [status(recorder.client, run) for run in (parent, first, second, third)] == [marked, "FINISHED", marked, marked]
    assert {status(recorder.client, run) for run in (other, *others)} == {"RUNNING"}, "another submission was ended"
    assert end_open_runs(parent, "FAILED") == 0
    assert status(recorder.client, parent) == marked


def test_a_child_that_its_ended_parent_left_open_is_ended(recorder: Recorder) -> None:
    parent, children = submitted(recorder, "k")
    recorder.finish(parent, "FINISHED")
    assert end_open_runs(parent, "KILLED") == len(children)
    assert status(recorder.client, parent) == "FINISHED" and {status(recorder.client, run) for run in children} == {"KILLED"}


def test_open_submissions_are_listed_over_all_studies(recorder: Recorder) -> None:
    elsewhere = Recorder.of(recorder.client, "mails")
    first, _ = submitted(recorder, "k1")
    second, _ = submitted(recorder, "k2")
    third, _ = submitted(elsewhere, "k3")
    recorder.finish(second, "FINISHED")
    found = {submission.run: submission for submission in open_submissions()}
    assert {run: (one.study, one.study_key) for run, one in found.items()} == {first: ("tickets", "k1"), third: ("mails", "k3")}
    assert found[first].tags["kind"] == "dp-training"
    for parent in found:
        end_open_runs(parent, "KILLED")
    assert open_submissions() == []


def test_more_than_a_page_is_seen(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    real = MlflowClient.search_runs

    def paged(self: MlflowClient, ids: list[str], condition: str, max_results: int = 2, **rest: Any) -> object:
        return real(self, ids, condition, max_results=max_results, **rest)

    monkeypatch.setattr(MlflowClient, "search_runs", paged)
    parent, children = submitted(recorder, "k", seeds=5)
    submitted(recorder, "k2", seeds=0)
    submitted(recorder, "k3", seeds=0)
    assert len(open_submissions()) == 3
    assert end_open_runs(parent, "KILLED") == len(children) + 1
