"""A night begins: its data, its champion, and whether there is anything to do. What it decides is in `pipelines.nights.deciding`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import runtime

from pipelines.arranging import Arranged, Skipped
from pipelines.nights.champion import follow, incumbent
from pipelines.nights.deciding import Deciding
from pipelines.nights.telling import tell, warn
from pipelines.refusing import deployed
from specs.loading import Loaded, load_mapping
from specs.schemas.retraining_audit import Incumbent, RetrainingAuditStudy
from tasks.comparison.results import CANDIDATE, CHAMPION
from tasks.core.errors import UserError
from tasks.core.fingerprint import digest
from tasks.core.places import data_folder, home
from tasks.core.roots import CONTEXT, roots
from tasks.data.snapshot import Found
from tasks.privacy.ledger.ledger import Ledger, open_ledger
from tasks.privacy.ledger.nights import Night, Nights
from tasks.privacy.ledger.spent import Budget
from tasks.runtime.mlflow_.registry import UnknownModel, study_status
from tasks.runtime.mlflow_.runs import flatten

JUDGED = ("promoted", "refused")
LATE = timedelta(minutes=10)
MOST_CHANGES = 5
NO_CHAMPION = "there is no champion yet"
VOLATILE = {"night", "sweep", "execution", "notify", "question", "gates"}


def tonight(loaded: Loaded, begin: bool, new: bool) -> Arranged | Skipped:
    """The audit as tonight's study, or why there is nothing to do. Raises UserError."""
    study = loaded.study
    assert isinstance(study, RetrainingAuditStudy)
    if study.night is not None:
        raise UserError("night: is filled in when a night begins: leave it out")
    ledger = open_ledger()
    nights = Nights(ledger.engine)
    past = nights.history(study.name)
    if begin:
        _prepare(study, ledger, nights)
    unfinished = _unfinished(past)
    if unfinished is not None and not new:
        return _gone_on(loaded, unfinished, begin)
    found = _found(loaded, study, nights, past, begin)
    night = _night(study, found)
    judged = next((earlier for earlier in past if earlier.night == night and earlier.decision in JUDGED), None)
    if judged is not None and not new:
        return _skipped(study, nights, judged, begin)
    notes = [*_late(), *_changed(study, past)]
    held = nights.champion(study.champion.name)
    try:
        champion, absent = incumbent(study.champion.name, held), NO_CHAMPION
    except UnknownModel as error:
        champion, absent = None, f"the champion cannot be loaded ({error})"
        if study.champion.incomparable == "refuse":
            said = f"{absent}: restore its MLflow run, or write champion: {{incomparable: pass}}, and the other gates decide alone"
            if begin:
                _say_failed(study, nights, night, found.words, said)
            raise UserError(f"{study.name}: {said}") from None
        notes.append(absent)
    name = f"{night}/{uuid.uuid4().hex[:8]}" if judged is not None else night
    told = {"expected": None if held is None else held.version, "absent": "" if champion is not None else absent}
    resolved = _resolved(loaded, study, found, champion, told)
    return Arranged(resolved, Deciding(name, tuple(notes)) if begin else None, tuple(notes))


def _prepare(study: RetrainingAuditStudy, ledger: Ledger, nights: Nights) -> None:
    """The budget stands in the ledger before anything trains, and the alias is where the champion is."""
    ledger.set_budget(study.population, Budget(study.budget.epsilon, study.budget.delta))
    champion = nights.champion(study.champion.name)
    if champion is not None:
        version = follow(champion)
        if version is not None:
            warn(f"the alias {CHAMPION} of {champion.name} pointed elsewhere: it was set to version {version} again")


def _unfinished(past: Sequence[Night]) -> Night | None:
    """The last night where it was decided and killed before its report was written."""
    if not past or past[-1].decision not in JUDGED or not past[-1].run:
        return None
    return past[-1] if study_status(past[-1].run) in ("RUNNING", "KILLED") else None


def _gone_on(loaded: Loaded, night: Night, begin: bool) -> Arranged:
    note = f"night {night.number} was decided and its report is still to be written"
    again = _reloaded(loaded, json.loads(night.spec))
    return Arranged(again, Deciding(night.night, tuple(night.notes)) if begin else None, (note,))


def _found(loaded: Loaded, study: RetrainingAuditStudy, nights: Nights, past: Sequence[Night], begin: bool) -> Found:
    """Tonight's data. A night that finds none has failed."""
    judged = {_identity(night) for night in past if night.decision in JUDGED}
    try:
        return study.snapshot.tonight(study.data, _context(loaded), data_folder(), judged.__contains__)
    except UserError as error:
        if begin:
            _say_failed(study, nights, f"without data {datetime.now(UTC).date()}", "none", str(error))
        raise


def _say_failed(study: RetrainingAuditStudy, nights: Nights, night: str, snapshot: str, why: str) -> None:
    """Into the history, and to whoever is told of failures."""
    row = Night(study.name, night, snapshot, "failed", (why,), notes=tuple(_late()), spec=json.dumps(study.model_dump(mode="json")))
    tell(study, nights.decide(row, study.champion.name, None, ""))


def _identity(night: Night) -> str:
    return str((json.loads(night.spec).get("night") or {}).get("identity", "")) if night.spec else ""


def _night(study: RetrainingAuditStudy, found: Found) -> str:
    """The same data under the same spec is the same night; a changed gate or training makes it another."""
    values = study.model_dump(mode="json", exclude={"night", "execution", "notify", "question"})
    return digest([values, found.identity])[:24]


def _skipped(study: RetrainingAuditStudy, nights: Nights, judged: Night, begin: bool) -> Skipped:
    """No new data: nothing is trained, nothing is spent; the history says so, once a day."""
    champion = nights.champion(study.champion.name)
    stands = f"the champion stays version {champion.version}" if champion is not None else "there is no champion"
    said = f"no new data since night {judged.number} ({judged.snapshot}, {judged.decision}): nothing was trained, nothing was spent, {stands}"
    if begin:
        row = Night(study.name, f"skipped {datetime.now(UTC).date()}", judged.snapshot, "skipped", (said,), notes=tuple(_late()))
        tell(study, nights.decide(row, study.champion.name, None, ""))
    return Skipped(study.name, said)


def _late() -> list[str]:
    """That a scheduled run began long after its time."""
    planned = runtime.flow_run.scheduled_start_time if deployed() else None
    late = datetime.now(UTC) - planned if planned is not None else timedelta()
    if late < LATE:
        return []
    hours, minutes = divmod(int(late.total_seconds()) // 60, 60)
    return [f"it began {hours} h {minutes:02d} min after its time, on the data that was newest then"]


def _changed(study: RetrainingAuditStudy, past: Sequence[Night]) -> list[str]:
    """What of the spec is not as it was the last time."""
    before = next((night.spec for night in reversed(past) if night.spec), "")
    if not before:
        return []
    values, gates = [], []
    for whole in (json.loads(before), study.model_dump(mode="json")):
        values.append(flatten({name: value for name, value in whole.items() if name not in VOLATILE}))
        gates.append([{**gate, "arms": None} for gate in whole["gates"]])
    old, now = values
    changes = [f"{path} {old.get(path)} -> {now.get(path)}" for path in sorted(old.keys() | now.keys()) if old.get(path) != now.get(path)]
    changes += ["gates"] if gates[0] != gates[1] else []
    more = [f"{len(changes) - MOST_CHANGES} more"] if len(changes) > MOST_CHANGES else []
    return [f"the spec changed since the night before: {'; '.join([*changes[:MOST_CHANGES], *more])}"] if changes else []


def _context(loaded: Loaded) -> dict[str, Any]:
    folder = loaded.path.parent.absolute() if loaded.path is not None else home()
    return {"folder": folder, **({CONTEXT: roots()} if deployed() else {})}


def _resolved(loaded: Loaded, study: RetrainingAuditStudy, found: Found, incumbent: Incumbent | None, told: Mapping[str, Any]) -> Loaded:
    """The audit with the night filled in, and its arms."""
    data, champion = found.data.model_dump(mode="json"), None if incumbent is None else incumbent.model_dump(mode="json")
    night = {"role": CANDIDATE, "identity": found.identity, "snapshot": found.words, "data": data, "champion": champion, **told}
    arms = {CANDIDATE: {}, **({CHAMPION: {"night.role": CHAMPION}} if champion is not None else {})}
    values = study.model_dump(mode="json")
    gates = [{**gate, "arms": [CANDIDATE]} for gate in values["gates"]]
    sweep = {"seeds": list(study.study.sweep.seeds), "arms": arms, "baseline": CHAMPION if champion is not None else CANDIDATE}
    return _reloaded(loaded, {**values, "night": night, "gates": gates, "sweep": sweep})


def _reloaded(loaded: Loaded, values: Mapping[str, Any]) -> Loaded:
    """The resolved audit, with the text and the file of the one that a person wrote."""
    context = _context(loaded)
    found = load_mapping(values, loaded.study.name, context["folder"], roots=context.get(CONTEXT))
    return replace(found, text=loaded.text, path=loaded.path)
