"""Loading: a YAML file, or a mapping, becomes a validated study with all its trials, or every error at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from specs import reading, sweep
from specs.errors import MOST_ERRORS, SpecError, SpecErrors, SpecPath, did_you_mean, dotted, one_line, shown
from specs.kinds import kinds, study_class
from specs.places import Place
from specs.reading import Document
from specs.references import unfit_names, wrong_references
from specs.schemas.study import Study, Sweep
from specs.soundness import findings
from specs.sweep import Arm, SweepError, Trial
from specs.wording import explain, listed, unknown_key
from tasks.core.roots import CONTEXT
from tasks.core.rules import Finding

__all__ = ["Label", "Loaded", "SpecError", "SpecErrors", "Trial", "load", "load_mapping"]

Wrong = tuple[SpecPath, str]
Roots = tuple[Path, ...] | None


@dataclass(frozen=True)
class Label:
    """A rule that marks the numbers of some arms."""

    finding: Finding
    arms: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.finding} (arms: {', '.join(self.arms)})"


@dataclass(frozen=True)
class Loaded:
    """A valid spec.

    Args:
        study: the study with every default filled in.
        raw: the values as written.
        path: its file; None for a mapping.
        text: the spec as given, byte for byte where it is a file.
        positions: line and column, from 1, by path.
        trials: every trial, arms in the order written, then seeds.
        labels: rules that mark numbers, with the arms they mark.
    """

    study: Study
    raw: Mapping[str, Any]
    path: Path | None
    text: str
    positions: Mapping[SpecPath, tuple[int, int]]
    trials: tuple[Trial, ...]
    labels: tuple[Label, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms with their grid points, in order."""
        return tuple(dict.fromkeys(trial.arm for trial in self.trials))


def load(path: Path | str, execution: Mapping[str, Any] | None = None, roots: Roots = None, shown: str | None = None) -> Loaded:
    """The study that a YAML file holds. Raises SpecErrors with every error of the file.

    Args:
        path: the file.
        execution: overrides its block of that name.
        roots: the folders that it may name files of; None where it may name any.
        shown: the file's name in errors, where that is not the path.
    """
    path = Path(path)
    file = one_line(shown or str(path))
    document = _overridden(reading.read(path, file), execution or {})
    return _Loading(document, file, path.parent.absolute(), roots).loaded(path)


def load_mapping(
    mapping: Mapping[str, Any], name: str = "study", folder: Path | None = None, execution: Mapping[str, Any] | None = None, roots: Roots = None
) -> Loaded:
    """The study that plain values hold; ``folder`` is where its relative paths begin, ``roots`` as in `load`. Raises SpecErrors."""
    try:
        text = json.dumps(mapping, indent=2, allow_nan=False, ensure_ascii=False)
        text.encode()
        values = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecErrors([SpecError(name, None, None, "", f"is not made of plain values: {one_line(str(error))}")]) from None
    if not isinstance(values, dict):
        raise SpecErrors([SpecError(name, None, None, "", "a spec is a block of keys, beginning with 'kind:'")])
    if _deeper_than(values, reading.DEEPEST):
        raise SpecErrors([SpecError(name, None, None, "", f"is nested deeper than {reading.DEEPEST} levels")])
    document = _overridden(Document(values, text, {}, ()), execution or {})
    return _Loading(document, name, folder or Path.cwd(), roots).loaded(None)


def _deeper_than(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    below = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in below)


def _overridden(document: Document, execution: Mapping[str, Any]) -> Document:
    """The document with some keys of its block ``execution`` replaced; they change no result and enter no key."""
    block = document.value.get("execution", {})
    if not execution or not isinstance(block, dict):
        return document
    return replace(document, value={**document.value, "execution": {**block, **execution}})


class _Loading:
    """One reading of one spec: collects errors at their places until nothing more can be said."""

    def __init__(self, document: Document, file: str, folder: Path, roots: Roots) -> None:
        self.document = document
        self.file = file
        self.context = {"folder": folder, **({CONTEXT: roots} if roots is not None else {})}
        self.errors = dict.fromkeys(document.errors)
        self.unreadable = {error.path for error in document.errors}

    def loaded(self, path: Path | None) -> Loaded:
        kind = self._kind()
        study, wrong = self._validated(kind, self.document.value)
        self._refuse(wrong)
        found = self._sweep(study)
        self._trials = sweep.count(found) if found is not None else 1
        self._seeds = len(found.seeds) if found is not None else 1
        self._claims = len(study.claims) if study is not None else 0
        arms = list(self._arms(kind, found)) if found is not None else []
        if study is not None and found is not None:
            names = sweep.point_names(found)
            metrics = [metric for _, trial in arms for metric in trial.metrics()] if len(arms) == len(names) else None
            self._refuse(wrong_references(study, names, metrics))
        checked = [(arm, trial, self._findings(arm, trial)) for arm, trial in arms]
        if self.errors or study is None:
            raise SpecErrors(self.errors)
        trials = tuple(_trial(arm, trial, seed, labels) for arm, trial, labels in checked for seed in study.sweep.seeds)
        text, positions = self.document.text, self.document.positions
        return Loaded(study, self.document.value, path, text, positions, trials, _labels(checked))

    def _kind(self) -> type[Study]:
        """The class that the key ``kind`` names. Without it nothing else can be said."""
        kind = self.document.value.get("kind")
        if isinstance(kind, str) and kind in kinds():
            return study_class(kind)
        if "kind" not in self.document.value:
            near = [((key,), f"unknown key{hint}") for key in self.document.value if (hint := did_you_mean(key, ("kind",)))]
            self._refuse([((), f"needs a 'kind': {listed(kinds())}"), *near])
        elif isinstance(kind, str):
            hint = did_you_mean(kind, kinds()) or f"; the kinds of study are {listed(kinds())}"
            self._refuse([(("kind",), f"unknown kind '{one_line(kind, 60)}'{hint}")])
        else:
            self._refuse([(("kind",), f"must be one of {listed(kinds())} (got {shown(kind)})")])
        raise SpecErrors(self.errors)

    def _validated(self, kind: type[Study], values: Mapping[str, Any]) -> tuple[Study | None, list[Wrong]]:
        try:
            return kind.model_validate_json(json.dumps(values), strict=True, context=self.context), []
        except ValidationError as error:
            return None, list(islice(explain(error, kind, values), MOST_ERRORS + 2))
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return None, [((), f"names a file that cannot be read: {one_line(reason or str(error))}")]

    def _sweep(self, study: Study | None) -> Sweep | None:
        """The sweep, also of a study with errors elsewhere; None where it cannot be expanded."""
        found = study.sweep if study is not None else self._sweep_alone()
        if found is None:
            return None
        problems = list(sweep.problems(found))
        self._refuse([(problem.path, problem.message) for problem in problems])
        return found if sweep.count(found) <= sweep.MOST_TRIALS else None

    def _sweep_alone(self) -> Sweep | None:
        try:
            return Sweep.model_validate_json(json.dumps(self.document.value.get("sweep", {})), strict=True)
        except ValidationError:
            return None

    def _arms(self, kind: type[Study], found: Sweep) -> Iterator[tuple[Arm, Study]]:
        """Every arm that is a valid study; the errors of the others are kept."""

        def resolve(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
            study = self._validated(kind, values)[0]
            return study.model_dump(mode="json") if study is not None else None

        for arm in sweep.arm_points(found, self.document.value, resolve):
            if isinstance(arm, SweepError):
                self._refuse([(arm.path, arm.message)])
                continue
            trial, wrong = self._validated(kind, arm.values)
            wrong += [(change.target, unknown_key(parent, str(change.target[-1]))) for change, parent in _removed_nothing(kind, arm)]
            wrong += unfit_names(trial) if trial is not None else ()
            self._refuse((arm.source(path, self.document.value), message) for path, message in wrong)
            if trial is not None:
                yield arm, trial

    def _findings(self, arm: Arm, trial: Study) -> tuple[Finding, ...]:
        """The labels of an arm; its refusals become errors."""
        trainings = 1 if trial.has_champion else self._trials
        found = findings({**trial.facts(), "sweep": {"trials": trainings, "seeds": self._seeds, "claims": self._claims}})
        refused = [finding for finding in found if finding.rule.verdict == "refuse"]
        paths = [trial.place_of(finding.rule.path) for finding in refused]
        self._refuse([(arm.source(path, self.document.value), str(finding)) for path, finding in zip(paths, refused, strict=True)])
        return tuple(finding for finding in found if finding.rule.verdict == "label")

    def _refuse(self, wrong: Iterable[Wrong]) -> None:
        for path, message in wrong:
            if dotted(path) not in self.unreadable:
                line, column = self._position(path)
                self.errors[SpecError(self.file, line, column, dotted(path), message)] = None
            if len(self.errors) > MOST_ERRORS + 1:
                raise SpecErrors(self.errors)

    def _position(self, path: SpecPath) -> tuple[int | None, int | None]:
        """Where a path stands, or the nearest thing above it."""
        positions = self.document.positions
        for length in range(len(path), -1, -1):
            if path[:length] in positions:
                return positions[path[:length]]
        return None, None


def _removed_nothing(kind: type[Study], arm: Arm) -> Iterator[tuple[sweep.Change, Place | None]]:
    """Changes that remove a key which the block does not have."""
    for change in arm.changes:
        if change.removes:
            parent = Place(kind, arm.values).at(change.target[:-1])
            if parent is not None and parent.keys is not None and change.target[-1] not in parent.keys:
                yield change, parent


def _trial(arm: Arm, study: Study, seed: int, labels: tuple[Finding, ...]) -> Trial:
    alone = study.model_copy(update={"sweep": Sweep(seeds=(seed,))})
    return Trial(arm.name, seed, alone, arm.base_arm, arm.point, labels)


def _labels(checked: list[tuple[Arm, Study, tuple[Finding, ...]]]) -> tuple[Label, ...]:
    arms: dict[str, list[str]] = {}
    rules: dict[str, Finding] = {}
    for arm, _, labels in checked:
        for finding in labels:
            rules.setdefault(finding.rule.id, finding)
            arms.setdefault(finding.rule.id, []).append(arm.name)
    return tuple(Label(rules[rule], tuple(names)) for rule, names in arms.items())
