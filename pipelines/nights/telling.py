"""Who is told of a night: the webhook that the audit names. That it cannot be reached fails no night."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from specs.schemas.retraining_audit import RetrainingAuditStudy
from tasks.core.errors import UserError
from tasks.core.places import shown_uri, tracking_uri
from tasks.core.secret import revealed
from tasks.privacy.ledger.nights import Night

TIMEOUT = 10.0
TRIES = 3


def tell(study: RetrainingAuditStudy, night: Night) -> None:
    """POST the night where the audit asks for its decision: what was decided and why, and where the records are; no record of the data."""
    if study.notify is None or night.decision not in study.notify.on:
        return
    said = f"{night.study}, night {night.number}: {night.decision}. {'; '.join(night.reasons)}"
    about = {"study": night.study, "night": night.number, "at": night.at, "snapshot": night.snapshot, "decision": night.decision}
    message = {"text": said, **about, "reasons": list(night.reasons), "notes": list(night.notes), "mlflow_run": night.run, "records": shown_uri(tracking_uri())}
    try:
        address = revealed(study.notify.webhook)
        with _unlogged(), httpx.Client(transport=httpx.HTTPTransport(retries=TRIES), timeout=TIMEOUT) as client:
            answer = client.post(address, json=message)
        problem = f"HTTP {answer.status_code}" if answer.is_error else ""
    except UserError as error:
        problem = str(error)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:  # its message may hold the address, which is a secret
        problem = type(error).__name__
    if problem:
        warn(f"the webhook of {study.name} was not told ({problem})")


@contextmanager
def _unlogged() -> Iterator[None]:
    """Inside, the client logs nothing: it would name the address."""
    loggers = [logging.getLogger(name) for name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def warn(text: str) -> None:
    """A line of the flow run's log; outside of one, of Assay's own."""
    try:
        get_run_logger().warning("%s", text)
    except MissingContextError:
        get_logger("assay").warning("%s", text)
