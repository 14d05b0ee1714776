"""The services of a home in which the quickstart was run by the README's command, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.pages.browsing import Browser, browser, program
from tests.pipelines.faults import Home
from tests.pipelines.served import Served, served, write_study
from tests.pipelines.watching import watched

SMALL = """
kind: dp-training
name: small
question: Is a higher rate better?
data: {kind: synthetic-assistant, examples: 400, task: intent}
model: {kind: bilstm, hidden_size: 8, embedding_size: 8}
training: {epochs: 2}
sweep: {arms: {plain: {}, faster: {training.optimizer.learning_rate: 0.05}}}
"""


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Running services, watched."""
    program()
    folder = tmp_path_factory.mktemp("pages")
    home = Home(folder / "home", watched(folder))
    write_study(home.folder, "small", SMALL)
    with served(home) as running:
        yield running


@dataclass(frozen=True)
class Quickstart:
    """The quickstart as the README's command ran it: what the command printed, the flow run, and the parent run in MLflow."""

    said: str
    flow_run: str
    experiment: str
    parent: str


@pytest.fixture(scope="session")
def quickstart(up: Served) -> Quickstart:
    """`prefect deployment run dp-training/quickstart --param study=specs/quickstart.yaml --watch`."""
    said = up.prefect("deployment", "run", "dp-training/quickstart", "--param", "study=specs/quickstart.yaml", "--watch")
    parent = next(run for run in up.runs("quickstart") if run.data.tags["assay.role"] == "study")
    return Quickstart(said, str(parent.data.tags["prefect_flow_run"]), str(parent.info.experiment_id), str(parent.info.run_id))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all pages."""
    with browser(tmp_path_factory.mktemp("pictures")) as found:
        yield found
