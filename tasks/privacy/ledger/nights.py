"""What each night of a retraining audit decided, and which model is the champion: one transaction holds both, so that no model is promoted twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, func, select

from tasks.core.errors import UserError
from tasks.privacy.ledger.database import now, reading, writing
from tasks.privacy.ledger.tables import CHAMPIONS, NIGHTS

Decision = Literal["promoted", "refused", "failed", "skipped"]


class ChampionMoved(UserError):
    """Another night moved the champion while this one compared with it: its gates looked at a model that is the champion no more."""


@dataclass(frozen=True)
class Champion:
    """The model that is in use.

    Args:
        name: of the registered model.
        version: how often it was moved.
        run: the MLflow run that logged it.
        artifact: its key in the store.
        at: since when.
    """

    name: str
    version: int
    run: str
    artifact: str
    at: str


@dataclass(frozen=True)
class Night:
    """One night.

    Args:
        study: the audit's name.
        night: what tells it from every other night: its snapshot, its spec and its submission.
        snapshot: the data in words.
        decision: what became of the model; ``failed`` where none could be judged, ``skipped`` where there was nothing to judge.
        reasons: why, in sentences.
        notes: what else people must know of it: that it began late, that the spec had changed.
        numbers: what the history draws: metric to value.
        spec: the audit as it was then, as JSON.
        run: the MLflow run of the night.
        version: the champion's version after it; None where there is none.
        number: from 1 in the order of decisions.
        at: when it was decided.
    """

    study: str
    night: str
    snapshot: str
    decision: Decision
    reasons: Sequence[str]
    numbers: Mapping[str, float] = field(default_factory=dict)
    run: str = ""
    notes: Sequence[str] = ()
    spec: str = ""
    version: int | None = None
    number: int = 0
    at: str = ""


@dataclass(frozen=True)
class Nights:
    """The nights and champions of a ledger's database."""

    engine: Engine

    def champion(self, name: str) -> Champion | None:
        """The champion of a registered model; None where none was promoted."""
        with reading(self.engine) as connection:
            return _champion(connection, name)

    def find(self, study: str, night: str) -> Night | None:
        """A night that is in the history."""
        with reading(self.engine) as connection:
            return _find(connection, study, night)

    def history(self, study: str) -> list[Night]:
        """All nights of an audit, in the order of their decisions."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(NIGHTS).where(NIGHTS.c.study == study).order_by(NIGHTS.c.number)).all()
        return [_night(row) for row in rows]

    def decide(self, night: Night, name: str, expected: int | None, artifact: str) -> Night:
        """Write down what a night decided and, where it promotes, move the champion: both or neither, once.

        A night that was decided before keeps that decision; one that failed and was gone on with is decided now, and its failure becomes a note.
        Raises ChampionMoved.

        Args:
            night: the decision.
            name: the registered model.
            expected: the version of the champion that the night compared with; None where it found none.
            artifact: the key of the night's model.
        """
        with writing(self.engine) as connection:
            known = _find(connection, night.study, night.night)
            if known is not None and known.decision != "failed":
                return known
            at, found = now(), _champion(connection, name)
            current = found.version if found is not None else None
            if night.decision == "promoted":
                if current != expected:
                    raise ChampionMoved(f"{name} is at version {current or 'none'}, not {expected or 'none'}, with which this night compared: run it again")
                current = 1 if found is None else found.version + 1
                _move(connection, Champion(name, current, night.run, artifact, at), found is None)
            _write(connection, replace(night, version=current, at=at), known)
            decided = _find(connection, night.study, night.night)
            assert decided is not None
            return decided


def _write(connection: Connection, night: Night, failed: Night | None) -> None:
    """One row: a new one, or in the place of the night's own failure."""
    if failed is not None:
        notes = (*failed.notes, f"failed before, {failed.at}: {'; '.join(failed.reasons)}", *night.notes)
        night = replace(night, number=failed.number, notes=tuple(dict.fromkeys(notes)))
        connection.execute(NIGHTS.delete().where(NIGHTS.c.study == night.study, NIGHTS.c.night == night.night))
    else:
        last = select(func.coalesce(func.max(NIGHTS.c.number), 0)).where(NIGHTS.c.study == night.study)
        night = replace(night, number=1 + int(connection.execute(last).scalar_one()))
    texts = {"reasons": json.dumps(list(night.reasons)), "notes": json.dumps(list(night.notes)), "numbers": json.dumps(dict(night.numbers))}
    connection.execute(NIGHTS.insert().values(**{**vars(night), **texts}))


def _move(connection: Connection, champion: Champion, first: bool) -> None:
    values = {"version": champion.version, "run": champion.run, "artifact": champion.artifact, "at": champion.at}
    if first:
        connection.execute(CHAMPIONS.insert().values(name=champion.name, **values))
    else:
        connection.execute(CHAMPIONS.update().where(CHAMPIONS.c.name == champion.name).values(**values))


def _champion(connection: Connection, name: str) -> Champion | None:
    row = connection.execute(select(CHAMPIONS).where(CHAMPIONS.c.name == name)).first()
    return None if row is None else Champion(**row._mapping)


def _find(connection: Connection, study: str, night: str) -> Night | None:
    row = connection.execute(select(NIGHTS).where(NIGHTS.c.study == study, NIGHTS.c.night == night)).first()
    return None if row is None else _night(row)


def _night(row: Row[Any]) -> Night:
    values = {**row._mapping, "reasons": tuple(json.loads(row.reasons)), "notes": tuple(json.loads(row.notes)), "numbers": json.loads(row.numbers)}
    return Night(**values)
