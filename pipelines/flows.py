"""What the flows of every kind share: a study read where it may be read, run, and ended in a state that says what a person needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import State
from prefect.states import Completed

from pipelines.arranging import Arranged, Skipped, arrange
from pipelines.coordinator import RecordsLost, coordinate
from pipelines.flowpage import FlowPage, name_run, publish
from pipelines.hooks import cancelled, crashed
from pipelines.makers import Makers
from pipelines.narrating import study_after
from pipelines.outcome import Outcome
from pipelines.parameters import filled_in
from pipelines.planning import Plan, make_plan
from pipelines.progress import Display, Several, Terminal
from pipelines.refusing import MENDABLE, deployed, failed, refused
from pipelines.verdict import headline, links
from specs.loading import Loaded, load, load_mapping
from specs.schemas.study import Study
from tasks.core.errors import UserError
from tasks.core.places import checkout, home
from tasks.core.roots import outside, roots
from tasks.runtime.mlflow_.client import wait_for_records

SETTINGS: dict[str, Any] = {"validate_parameters": False, "persist_result": False, "on_cancellation": [cancelled], "on_crashed": [crashed]}
"""Of the flow of every kind: parameters are validated by the spec's own loader, whose errors say file, line and what to do."""
TRIAL_SETTINGS: dict[str, Any] = {"validate_parameters": False, "persist_result": False}
MOST_OUTAGES = 3
"""Times that a flow run waits for records that are away before it gives up."""


@dataclass(frozen=True)
class Audience:
    """Who watches a flow run: somebody at a terminal, and whoever opens its page on a server that outlives it."""

    terminal: bool = False
    quiet: bool = False
    page: bool = True


_audience: ContextVar[Audience | None] = ContextVar("audience", default=None)


@contextmanager
def watched_by(audience: Audience) -> Iterator[None]:
    """Flows that are called inside are watched so."""
    token = _audience.set(audience)
    try:
        yield
    finally:
        _audience.reset(token)


def run_study(kind: str, study: Path | str | Study | Mapping[str, Any], execution: Mapping[str, Any] | None, new: bool) -> State[Any]:
    """Inside a flow run: load, plan, make what is missing, record, compare. The state carries the Outcome and the line that says it.

    What a person can mend ends a deployed run as Failed with that line alone; called from Python it is raised.
    """
    if isinstance(study, Path | str):
        name_run(Path(study).stem)  # should it be refused before its name is known
    try:
        loaded = _load(kind, study, filled_in(dict(execution or {})))
        name_run(loaded.study.name)
        arranged = arrange(loaded, begin=True, new=new)
        if isinstance(arranged, Skipped):
            return Completed(data=arranged, message=arranged.sentence)
        plan, outcome = _through_outages(arranged, new)
    except MENDABLE as error:
        return refused(error)
    if (_audience.get() or Audience()).page:
        registered = outcome.registered.sentence if outcome.registered is not None else None
        publish(loaded.study.name, study_after(plan, outcome.comparison, registered), links(outcome))
    said = headline(outcome)
    return Completed(data=outcome, message=said) if outcome.exit_code == 0 else failed(said, outcome)


def outcome_of(state: State[Any]) -> Outcome | Skipped:
    """The outcome that a flow's state carries. Raises what the flow raised."""
    found = state.result(raise_on_failure=False)
    if isinstance(found, BaseException):
        raise found
    assert isinstance(found, Outcome | Skipped)
    return found


def _through_outages(arranged: Arranged, new: bool) -> tuple[Plan, Outcome]:
    """Run a study; where the records go away under a deployed run, wait for them and go on from what is made."""
    for outage in range(MOST_OUTAGES + 1):
        try:
            plan = make_plan(arranged.loaded, begin=True, new=new and not outage)
            study = plan.loaded.study
            return plan, coordinate(plan, new and not outage, _display(study), Makers.of(study), arranged.conclude)
        except RecordsLost:
            if not deployed() or outage == MOST_OUTAGES:
                raise
            wait_for_records()
    raise AssertionError("unreachable")


def _display(study: Study) -> Display:
    audience = _audience.get() or Audience()
    displays: list[Display] = []
    if audience.terminal:
        displays.append(Terminal(audience.quiet))
    if audience.page:
        displays.append(FlowPage(study.name))
    return Several(*displays)


def _load(kind: str, study: Path | str | Study | Mapping[str, Any], execution: Mapping[str, Any]) -> Loaded:
    allowed = roots() if deployed() else None
    if isinstance(study, Path | str):
        loaded = load(_found(Path(study), allowed), execution, allowed, shown=str(study))
    else:
        values = study.model_dump(mode="json") if isinstance(study, Study) else filled_in(study)
        loaded = load_mapping(values, str(values.get("name", "study")), home(), execution, allowed)
    if loaded.study.kind != kind:
        raise UserError(f"the study '{loaded.study.name}' is of kind {loaded.study.kind}: submit it to {loaded.study.kind}/default")
    return loaded


def _found(path: Path, allowed: tuple[Path, ...] | None) -> Path:
    """The file of a study: relative to the home folder, a root, or the code. Raises UserError where a server may not read it."""
    if allowed is None:
        return path
    places = [path] if path.is_absolute() else [folder / path for folder in (home(), *allowed, checkout())]
    readable = [place for place in places if outside(place, allowed) is None]
    if not readable:
        raise UserError(f"study: {outside(places[0], allowed)}")
    return next((place for place in readable if place.is_file()), readable[0])
