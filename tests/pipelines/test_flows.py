"""What flows do on their own account: find a study, end with the line that a person needs, wait for what is away."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.exceptions import FailedRun
from prefect.states import Failed

from pipelines import flows, patience, refusing
from pipelines.arranging import Arranged
from pipelines.coordinator import RecordsLost
from pipelines.patience import patiently
from specs.errors import SpecErrors
from tasks.core.errors import UserError

SPEC = "kind: dp-training\nname: found\ndata: {kind: synthetic-assistant}\nmodel: {kind: bilstm}\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    for name in ("ASSAY_ROOTS", "MLFLOW_TRACKING_URI", "ASSAY_DATABASE", "ASSAY_STORE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "specs").mkdir()
    return tmp_path


@pytest.fixture
def through_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (flows, refusing):
        monkeypatch.setattr(module, "deployed", lambda: True)
    monkeypatch.setattr(refusing, "get_run_logger", lambda: logging.getLogger("silent"))


def load(study: object, kind: str = "dp-training") -> Any:
    return flows._load(kind, study, {})  # type: ignore[arg-type]


def test_a_path_is_found_from_the_home_from_a_root_and_from_the_code(
    home: Path, through_a_server: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "specs" / "mine.yaml").write_text(SPEC)
    assert load("specs/mine.yaml").study.name == "found"
    assert load("specs/quickstart.yaml").study.name == "quickstart"
    root = tmp_path_factory.mktemp("root")
    (root / "theirs.yaml").write_text(SPEC)
    monkeypatch.setenv("ASSAY_ROOTS", str(root))
    assert load("theirs.yaml").study.name == "found"


def test_an_error_names_the_file_as_it_was_submitted(home: Path, through_a_server: None) -> None:
    (home / "specs" / "bad.yaml").write_text(SPEC + "traning: {}\n")
    with pytest.raises(SpecErrors) as raised:
        load("specs/bad.yaml")
    assert str(raised.value.errors[0]).startswith("specs/bad.yaml:5:1: traning: ")
    with pytest.raises(SpecErrors, match=r"specs/none\.yaml"):
        load("specs/none.yaml")


def test_a_study_of_another_kind_is_told_where_to_go(home: Path) -> None:
    with pytest.raises(UserError, match="submit it to dp-training/default"):
        load({"kind": "dp-training", "name": "x", "data": {"kind": "synthetic-assistant"}, "model": {"kind": "bilstm"}}, kind="privacy-audit")


def test_what_a_person_can_mend_is_a_line_and_from_python_an_error(through_a_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    state = refusing.refused(UserError("the store cannot be reached"))
    assert state.is_failed() and state.message == "the store cannot be reached"
    record = logging.LogRecord("prefect.flow_runs", logging.ERROR, "", 0, "unexpected", None, (FailedRun, FailedRun("x"), None))
    assert not logging.getLogger("prefect.flow_runs").filter(record), "the traceback of a Failed state is logged"
    record.exc_info = (ValueError, ValueError("x"), None)
    assert logging.getLogger("prefect.flow_runs").filter(record)
    monkeypatch.setattr(refusing, "deployed", lambda: False)
    with pytest.raises(UserError, match="cannot be reached"):
        refusing.refused(UserError("the store cannot be reached"))


def test_what_a_state_carries_is_raised_or_returned() -> None:
    with pytest.raises(UserError, match="mended"):
        flows.outcome_of(Failed(data=UserError("can be mended"), message="can be mended"))


@pytest.mark.parametrize(("outages", "answered"), [(1, True), (flows.MOST_OUTAGES, True), (flows.MOST_OUTAGES + 1, False)])
def test_lost_records_are_waited_for_and_not_for_ever(
    home: Path, through_a_server: None, monkeypatch: pytest.MonkeyPatch, outages: int, answered: bool
) -> None:
    begun: list[bool] = []

    def coordinate(plan: object, new: bool, display: object, makers: object, conclude: object) -> str:
        begun.append(new)
        if len(begun) <= outages:
            raise RecordsLost("the database went away")
        return "done"

    monkeypatch.setattr(flows, "coordinate", coordinate)
    monkeypatch.setattr(flows, "_display", lambda study: None)
    monkeypatch.setattr(flows, "wait_for_records", lambda: None)
    (home / "specs" / "mine.yaml").write_text(SPEC)
    if answered:
        assert flows._through_outages(Arranged(load("specs/mine.yaml")), new=True)[1] == "done"  # type: ignore[comparison-overlap]
        assert begun == [True] + [False] * outages, "a study that goes on after an outage is no new submission"
    else:
        with pytest.raises(RecordsLost):
            flows._through_outages(Arranged(load("specs/mine.yaml")), new=True)


def test_a_server_that_is_away_is_asked_again_and_a_refusal_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0.0)
    request = httpx.Request("GET", "http://127.0.0.1/api")
    answers: list[Exception | str] = [
        httpx.ConnectError("refused"),
        httpx.HTTPStatusError("busy", request=request, response=httpx.Response(503, request=request)),
        "found",
    ]

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask) == "found"
    answers.append(httpx.HTTPStatusError("no such deployment", request=request, response=httpx.Response(404, request=request)))
    with pytest.raises(httpx.HTTPStatusError, match="no such"):
        patiently(ask)
    monkeypatch.setattr(patience, "OUTAGE_SECONDS", -1.0)
    answers.append(httpx.ConnectError("refused"))
    with pytest.raises(httpx.ConnectError):
        patiently(ask)
