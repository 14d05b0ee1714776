"""From one spec to its trials: arms by dotted path, crossed with a grid and with seeds. Pure: no file is read.

A change is a dotted path and a value. A value with a ``kind`` replaces the whole component, a mapping without one is
merged, null removes the key, anything else replaces the value. Arm names never enter seeds, so arms are paired.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from pydantic import ValidationError

from specs.errors import SpecPath, did_you_mean, one_line
from specs.schemas.study import Study, Sweep
from tasks.core.rules import Finding

MOST_TRIALS = 1000
FIXED = ("kind", "name", "version", "question", "randomness", "sweep", "gates", "claims", "execution")
"""What belongs to the whole study and cannot differ between its trials."""


@dataclass(frozen=True)
class Trial:
    """One arm with one seed. ``study`` is the trial's own resolved study: the arm applied, no sweep but the seed.

    Args:
        arm: name with its grid point, ``eps-8[training.epochs=5]``.
        seed: the seed of the trial.
        study: the resolved study of the trial, runnable by itself.
        base_arm: the arm as written in the spec, ``eps-8``.
        point: grid values by dotted path, empty without a grid.
        labels: rules that mark the trial's numbers.
    """

    arm: str
    seed: int
    study: Study
    base_arm: str
    point: Mapping[str, Any]
    labels: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Change:
    """One applied change: the path it sets in the trial, and the path of the spec where it is written."""

    target: SpecPath
    source: SpecPath
    removes: bool


@dataclass(frozen=True)
class Arm:
    """An arm at one grid point: the trial as plain values and where its changes are written."""

    name: str
    base_arm: str
    point: Mapping[str, Any]
    values: dict[str, Any]
    changes: tuple[Change, ...]

    def source(self, path: SpecPath, written: Any) -> SpecPath:
        """The path of the spec that a path of the trial comes from; ``written`` is the spec's own value tree."""
        over = [change for change in self.changes if path[: len(change.target)] == change.target]
        if over:
            nearest = max(over, key=lambda change: len(change.target))
            return (*nearest.source, *path[len(nearest.target) :])
        if not _exists(written, path):
            under = [change for change in self.changes if change.target[: len(path)] == path]
            if under:
                return under[0].source
        return path


Resolve = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""The values of a study with every default, or None where they are no valid study."""


class SweepError(Exception):
    """A sweep that cannot be expanded, at a path of the spec."""

    def __init__(self, path: SpecPath, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def count(sweep: Sweep) -> int:
    """The number of trials."""
    return len(sweep.arm_names) * prod(len(values) for values in sweep.grid.values()) * len(sweep.seeds)


def problems(sweep: Sweep) -> Iterator[SweepError]:
    """What is wrong with the sweep as a whole."""
    if count(sweep) > MOST_TRIALS:
        parts = [f"{len(sweep.arm_names):,} arms", *(f"{len(values):,} values of {path}" for path, values in sweep.grid.items()), f"{len(sweep.seeds):,} seeds"]
        yield SweepError(("sweep",), one_line(f"makes {count(sweep):,} trials ({' x '.join(parts)}); at most {MOST_TRIALS:,} are allowed"))
        return
    if sweep.baseline is not None and sweep.baseline not in sweep.arm_names:
        hint = did_you_mean(sweep.baseline, sweep.arm_names) or f"; the arms are {', '.join(sweep.arm_names[:10])}"
        yield SweepError(("sweep", "baseline"), f"no arm is named '{one_line(sweep.baseline, 80)}'{hint}")
    for index, seed in enumerate(sweep.seeds):
        if seed in sweep.seeds[:index]:
            yield SweepError(("sweep", "seeds", index), f"the seed {seed} is given twice")
    for path, values in sweep.grid.items():
        names = [value_name(value, values) for value in values]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield SweepError(("sweep", "grid", path, index), "the value is given twice")


def arm_points(sweep: Sweep, base: Mapping[str, Any], resolve: Resolve) -> Iterator[Arm | SweepError]:
    """Every arm at every grid point, in the order written; an arm that cannot be applied comes as its error.

    ``base`` is the spec as written. ``resolve`` fills in defaults, so that a path such as ``model.tokenizer.buckets`` is
    found although the spec does not mention the tokenizer.
    """
    shared = {key: value for key, value in base.items() if key not in ("sweep", "gates", "claims")}
    unwritten = _unwritten(resolve(shared) or {}, shared)
    for name, indices in _points(sweep):
        try:
            yield _arm(sweep, name, indices, shared, _Defaults(resolve, unwritten))
        except SweepError as error:
            yield error


def point_names(sweep: Sweep) -> tuple[str, ...]:
    """The names of all arms with their grid points, in the order of ``arm_points``."""
    return tuple(point_name(sweep, name, _values(sweep, indices)) for name, indices in _points(sweep))


def point_name(sweep: Sweep, arm: str, point: Mapping[str, Any]) -> str:
    """``eps-8[training.epochs=5]``, keys sorted; the arm alone without a grid."""
    if not point:
        return arm
    settings = ",".join(f"{path}={value_name(point[path], sweep.grid[path])}" for path in sorted(point))
    return f"{arm}[{settings}]"


def value_name(value: Any, among: tuple[Any, ...]) -> str:
    """A grid value in a name: a component by its kind, with its settings where another value has the same kind."""
    if isinstance(value, str):
        return one_line(value, 60)
    if isinstance(value, dict) and "kind" in value:
        kinds = [other.get("kind") for other in among if isinstance(other, dict)]
        if kinds.count(value["kind"]) == 1:
            return one_line(str(value["kind"]), 60)
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def changed(study: Study, changes: Mapping[str, Any]) -> Study:
    """A study with some dotted paths changed, as an arm changes them. Raises SweepError, or ValidationError for a wrong value."""
    values = study.model_dump(mode="json")

    def resolve(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        try:
            return type(study).model_validate_json(json.dumps(values), strict=True).model_dump(mode="json")
        except ValidationError:
            return None

    for path, value in sorted(changes.items(), key=lambda item: item[0].count(".")):
        list(_apply(values, _Defaults(resolve, {}), path, value, (path,)))
    return type(study).model_validate_json(json.dumps(values), strict=True)


@dataclass
class _Defaults:
    """What holds where a trial says nothing.

    It follows from the trial as changed so far. Where that is no valid study yet, what the base leaves unsaid stands in
    for it, inside components of the same kind.
    """

    resolve: Resolve
    unwritten: Mapping[str, Any]
    valid: bool = True

    def at(self, path: Sequence[str], values: Mapping[str, Any]) -> Any:
        """The default at a path, or None."""
        resolved = self.resolve(values) if self.valid else None
        self.valid = resolved is not None
        found: Any = self.unwritten if resolved is None else resolved
        block: Any = values
        for key in path:
            same = isinstance(found, Mapping) and (not isinstance(block, Mapping) or block.get("kind", found.get("kind")) == found.get("kind"))
            if not same:
                return None
            found, block = found.get(key), block.get(key) if isinstance(block, Mapping) else None
        return found


def _unwritten(resolved: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """The resolved values without those written, kinds apart."""
    left = {}
    for key, value in resolved.items():
        if key == "kind" or key not in written:
            left[key] = value
        elif isinstance(value, Mapping) and isinstance(written[key], Mapping):
            left[key] = _unwritten(value, written[key])
    return left


def _points(sweep: Sweep) -> Iterator[tuple[str, dict[str, int]]]:
    """Each arm with each grid point, as indices by path."""
    paths = sorted(sweep.grid)
    for name in sweep.arm_names:
        for indices in itertools.product(*(range(len(sweep.grid[path])) for path in paths)):
            yield name, dict(zip(paths, indices, strict=True))


def _values(sweep: Sweep, indices: Mapping[str, int]) -> dict[str, Any]:
    return {path: sweep.grid[path][index] for path, index in indices.items()}


def _arm(sweep: Sweep, name: str, indices: Mapping[str, int], shared: Mapping[str, Any], defaults: _Defaults) -> Arm:
    point = _values(sweep, indices)
    values: dict[str, Any] = dict(shared)
    changes: list[Change] = []
    within: dict[SpecPath, Change] = {}
    own = sweep.arms.get(name) or {}
    for path, value in sorted(own.items(), key=lambda item: item[0].count(".")):
        changes.extend(_apply(values, defaults, path, value, ("sweep", "arms", name, path)))
    _note(changes, within)
    for path, value in sorted(point.items(), key=lambda item: item[0].count(".")):
        source: SpecPath = ("sweep", "grid", path, indices[path])
        hidden = within.get(tuple(path.split(".")))
        if hidden is not None:
            raise SweepError(("sweep", "grid", path), f"also changes what '{one_line('.'.join(map(str, hidden.source[2:])), 100)}' sets")
        own_changes = list(_apply(values, defaults, path, value, source))
        _note(own_changes, within)
        changes.extend(own_changes)
    return Arm(point_name(sweep, name, point), name, point, values, tuple(changes))


def _note(changes: Iterable[Change], within: dict[SpecPath, Change]) -> None:
    """Keep the first change at or below each path."""
    for change in changes:
        for length in range(1, len(change.target) + 1):
            within.setdefault(change.target[:length], change)


def _apply(values: dict[str, Any], defaults: _Defaults, path: str, value: Any, source: SpecPath) -> Iterator[Change]:
    """Set one dotted path inside ``values``, in copies of the blocks on the way, which arms share; say what was changed."""
    keys = path.split(".")
    if not all(keys):
        raise SweepError(source, "is no dotted path such as 'training.epochs'")
    if keys[0] in FIXED:
        raise SweepError(source, f"'{keys[0]}' belongs to the whole study and cannot vary")
    block = values
    for depth, key in enumerate(keys[:-1]):
        below = block.get(key)
        if below is None:
            default = defaults.at(keys[: depth + 1], values)
            below = {} if default is None else default
        if not isinstance(below, dict):
            what = "a list, which is replaced as a whole" if isinstance(below, list) else "a value, not a block of keys"
            raise SweepError(source, f"'{'.'.join(keys[: depth + 1])}' is {what}")
        below = dict(below)
        block[key] = below
        block = below
    yield from _set(block, value, tuple(keys), source, lambda path: defaults.at(path, values))


def _set(block: dict[str, Any], value: Any, target: tuple[str, ...], source: SpecPath, default: Callable[[Sequence[str]], Any]) -> Iterator[Change]:
    key = target[-1]
    if value is None:
        block.pop(key, None)
        yield Change(target, source, removes=True)
    elif isinstance(value, dict) and "kind" not in value:
        if not isinstance(block.get(key), dict):
            found = default(target) if block.get(key) is None else None
            block[key] = found if isinstance(found, dict) else {}
            yield Change(target, source, removes=False)
        block[key] = dict(block[key])
        for name, item in value.items():
            yield from _set(block[key], item, (*target, name), (*source, name), default)
    else:
        block[key] = value
        yield Change(target, source, removes=False)


def _exists(value: Any, path: SpecPath) -> bool:
    for part in path:
        in_block = isinstance(value, Mapping) and part in value
        in_list = isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
        if not (in_block or in_list):
            return False
        value = value[part]
    return True
