"""Who is told of a night, what they are told, and that no secret gets out on the way; a night that begins late says so."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pipelines.nights import beginning, telling
from pipelines.nights.beginning import _late
from specs.loading import load_mapping
from specs.schemas.retraining_audit import RetrainingAuditStudy
from tasks.privacy.ledger.nights import Night
from tests.pipelines.nights.auditing import audit

ADDRESS = "https://example.org/hidden-token"
NIGHT = Night("nightly", "n", "day-3.csv", "refused", ("worse",), {}, "run-1", ("it began late",), number=3, at="2026-11-27T03:00:00+00:00")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """Requests that would have been sent; the answer is 200 unless a test says otherwise."""
    found: list[httpx.Request] = []
    answer = SimpleNamespace(status=200)

    class Transport(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            found.append(request)
            if "down" in request.url.host:
                raise httpx.ConnectError(f"cannot reach {request.url}")
            return httpx.Response(500 if "broken" in request.url.host else answer.status)

    monkeypatch.setattr(httpx, "HTTPTransport", lambda **settings: Transport())
    return found


def told(**notify: Any) -> None:
    study = load_mapping(audit(notify={"webhook": "${ASSAY_TEST_HOOK}", **notify})).study
    assert isinstance(study, RetrainingAuditStudy)
    telling.tell(study, NIGHT)


def test_a_refusal_is_told_with_its_reasons(asked: list[httpx.Request], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("ASSAY_TEST_HOOK", ADDRESS)
    with caplog.at_level(logging.DEBUG):
        told()
    assert "hidden-token" not in caplog.text
    [request] = asked
    message = json.loads(request.content)
    assert str(request.url) == ADDRESS and (message["night"], message["decision"], message["reasons"], message["notes"]) == (
        3,
        "refused",
        ["worse"],
        ["it began late"],
    )
    assert message["text"] == "nightly, night 3: refused. worse" and message["mlflow_run"] == "run-1"


def test_a_decision_that_nobody_asked_for_is_not_told(asked: list[httpx.Request], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_TEST_HOOK", ADDRESS)
    told(on=["promoted"])
    assert asked == []


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://down.example.org/hidden-token", "ConnectError"),
        ("https://broken.example.org/hidden-token", "HTTP 500"),
        ("no address: hidden-token", "ValueError"),
        (None, "the environment has no ASSAY_TEST_HOOK"),
    ],
)
def test_a_webhook_that_cannot_be_told_fails_nothing_and_leaks_nothing(
    address: str | None, why: str, asked: list[httpx.Request], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ASSAY_TEST_HOOK", raising=False)
    if address is not None:
        monkeypatch.setenv("ASSAY_TEST_HOOK", address)
    said: list[str] = []
    monkeypatch.setattr(telling, "warn", said.append)
    with caplog.at_level(logging.DEBUG):
        told()
    assert len(said) == 1 and why in said[0] and "hidden-token" not in said[0] + caplog.text


@pytest.mark.parametrize(("minutes", "words"), [(3, []), (130, ["it began 2 h 10 min after its time, on the data that was newest then"])])
def test_a_night_that_begins_long_after_its_time_says_so(minutes: int, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run = SimpleNamespace(flow_run=SimpleNamespace(scheduled_start_time=datetime.now(UTC) - timedelta(minutes=minutes, seconds=5)))
    monkeypatch.setattr(beginning, "runtime", run)
    monkeypatch.setattr(beginning, "deployed", lambda: True)
    assert _late() == words
    monkeypatch.setattr(beginning, "deployed", lambda: False)
    assert _late() == []
