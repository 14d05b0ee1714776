"""What the Prefect page of a flow run shows: progress with time left, then the verdict and where to look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import runtime
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from pipelines.progress import LINE_EVERY, Standing

UPDATE_EVERY = 5.0
UNREACHED = (httpx.HTTPError, PrefectException, OSError)
"""What the way to the Prefect server can raise. What the page shows never fails a study."""


class FlowPage:
    """A progress artifact of the running flow run, and lines in its log.

    Args:
        study: names the artifact, so that the artifacts page keeps one history per study.
    """

    def __init__(self, study: str) -> None:
        self._key = f"{study}-progress"
        self._artifact: UUID | None = None
        self._updated = self._logged = time.monotonic()
        self._log = get_run_logger()

    @contextmanager
    def live(self) -> Iterator[FlowPage]:
        """The artifact stands from here on; at the end it says 100%."""
        try:
            self._artifact = cast(UUID, create_progress_artifact(0.0, self._key, "planning"))
        except UNREACHED as error:
            self._log.warning("progress cannot be shown (%s)", type(error).__name__)
        yield self
        self._update(100.0, "done")

    def say(self, text: str) -> None:
        """A line of the log."""
        self._log.info(text)

    def tick(self, standing: Standing) -> None:
        """Move the artifact every five seconds, say a line every ten."""
        now = time.monotonic()
        if now - self._updated > UPDATE_EVERY:
            self._updated = now
            self._update(min(standing.percent, 100.0), str(standing))
        if now - self._logged > LINE_EVERY:
            self._logged = now
            self._log.info("%s", standing)

    def _update(self, percent: float, said: str) -> None:
        if self._artifact is None:
            return
        try:
            update_progress_artifact(self._artifact, percent, said)
        except UNREACHED as error:
            self._log.warning("progress cannot be shown (%s)", type(error).__name__)


def name_run(name: str) -> None:
    """Give the running flow run the name of its study, which is known once it is read."""
    client: Any = get_client(sync_client=True)
    try:
        with client:
            client.update_flow_run(runtime.flow_run.id, name=name)
    except UNREACHED as error:
        get_run_logger().warning("the flow run cannot be named (%s)", type(error).__name__)


def publish(study: str, verdict: str, links: dict[str, str]) -> None:
    """The verdict in Markdown, and links into the records, as artifacts of the running flow run."""
    _try(create_markdown_artifact, verdict, f"{study}-verdict", "What the study found, with its conditions")
    for text, link in links.items():
        _try(create_link_artifact, link, text, f"{study}-{text.lower().replace(' ', '-')}", f"{text} of {study}, on MLflow's page")


def _try(create: Any, *arguments: str) -> None:
    try:
        create(*arguments)
    except UNREACHED as error:
        get_run_logger().warning("an artifact cannot be shown (%s)", type(error).__name__)
