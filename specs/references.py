"""Names: what claims and gates refer to, arms that the sweep makes and metrics that its trials record, and that no two metrics share one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from specs.errors import SpecPath, did_you_mean, one_line
from specs.schemas.study import Claim, Gate, Study
from specs.wording import listed
from tasks.core.measures import Measurement

LABEL = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def wrong_references(study: Study, arms: Sequence[str], metrics: Iterable[str] | None) -> Iterator[tuple[SpecPath, str]]:
    """Path and message of each arm or metric that does not exist, and of claims that share an id.

    ``arms`` are the names with grid points; the arm as written names all its points. ``metrics`` are the names, or their
    beginnings, that some trial records; None where that is unknown, because some arm has errors of its own.
    """
    known = tuple(dict.fromkeys((*study.sweep.arm_names, *arms)))
    recorded = tuple(dict.fromkeys(metrics)) if metrics is not None else None
    for index, claim in enumerate(study.claims):
        yield from _of_claim(claim, ("claims", index), known, recorded)
        if any(claim.id == earlier.id for earlier in study.claims[:index]):
            yield ("claims", index, "id"), f"two claims have the id '{one_line(claim.id, 60)}'"
    for index, gate in enumerate(study.gates):
        yield from _of_gate(gate, ("gates", index), known, recorded)
        if gate.not_worse_than is not None and not study.has_champion:
            yield ("gates", index, "not_worse_than"), f"a study of kind '{study.kind}' has no champion to compare with"
    yield from _of_registration(study, known, recorded)
    yield from study.unfit()


def unfit_names(trial: Study) -> Iterator[tuple[SpecPath, str]]:
    """Path and message of each measurement whose numbers would be recorded under an earlier one's name, or under none that MLflow takes."""
    for field in type(trial).model_fields:
        entries = getattr(trial, field)
        told: set[str] = set()
        for index, entry in enumerate(entries if isinstance(entries, tuple) else ()):
            if isinstance(entry, Measurement):
                if entry.label is not None and not re.fullmatch(LABEL, entry.label):
                    yield (field, index, "label"), "must be 1 to 64 letters, digits, '.', '_' and '-': it stands in the names of metrics"
                name = entry.name
                if name in told:
                    yield (field, index), f"an earlier entry is recorded as '{one_line(name, 80)}' too; give one of them a label"
                told.add(name)


def _of_registration(study: Study, known: Sequence[str], recorded: Sequence[str] | None) -> Iterator[tuple[SpecPath, str]]:
    wanted = study.execution.register_model
    if wanted is None:
        return
    path = ("execution", "register_model")
    if wanted.arm is not None:
        yield from _arm(wanted.arm, (*path, "arm"), known)
    if recorded is not None and not any(name.startswith("utility/") for name in recorded):
        yield path, "the best model is chosen by the first utility metric, and no trial records one"


def _of_claim(claim: Claim, path: SpecPath, known: Sequence[str], recorded: Sequence[str] | None) -> Iterator[tuple[SpecPath, str]]:
    yield from _metric(claim.metric, (*path, "metric"), recorded)
    if claim.arm == claim.versus:
        yield (*path, "versus"), "is the same as 'arm'"
    for field, named in (("arm", claim.arm), ("versus", claim.versus)):
        if isinstance(named, str):
            yield from _arm(named, (*path, field), known)
        else:
            for position, name in enumerate(named or ()):
                yield from _arm(name, (*path, field, position), known)


def _of_gate(gate: Gate, path: SpecPath, known: Sequence[str], recorded: Sequence[str] | None) -> Iterator[tuple[SpecPath, str]]:
    yield from _metric(gate.metric, (*path, "metric"), recorded)
    for position, name in enumerate(gate.arms or ()):
        yield from _arm(name, (*path, "arms", position), known)


def _arm(name: str, path: SpecPath, known: Sequence[str]) -> Iterator[tuple[SpecPath, str]]:
    if name not in known:
        yield path, f"no arm is named '{one_line(name, 80)}'{did_you_mean(name, known) or f'; the arms are {listed(known)}'}"


def _metric(name: str, path: SpecPath, recorded: Sequence[str] | None) -> Iterator[tuple[SpecPath, str]]:
    if recorded is not None and not any(name == metric or name.startswith(f"{metric}/") for metric in recorded):
        hint = did_you_mean(name, recorded) or f"; they record {listed(recorded)}"
        yield path, f"no trial records '{one_line(name, 80)}'{hint}"
