"""Soundness rules of secure aggregation: what the server must not see, and what does not fit."""

from __future__ import annotations

from tasks.core.errors import UserError
from tasks.core.rules import Facts, Rule
from tasks.federated.secure_aggregation import SecureAggregation
from tasks.federated.selection import SELECTIONS, Selection
from tasks.federated.stragglers import Stragglers, asked_size


def _block(facts: Facts) -> SecureAggregation | None:
    found = facts.get("federation.secure_aggregation")
    return None if found is None else SecureAggregation.model_validate(found)


def _asked(facts: Facts) -> tuple[int, int]:
    """How many devices are asked, and how many of them to spare."""
    cohort = int(facts.get("federation.cohort_size", 50))
    asked = asked_size(cohort, Stragglers.model_validate(facts.get("federation.stragglers") or {}))
    return asked, asked - cohort


def _per_device(facts: Facts) -> bool:
    found = SELECTIONS.members().get(str(facts.get("federation.selection.kind")))
    needs = found.needs if found is not None and issubclass(found, Selection) else ()
    return _block(facts) is not None and any(need in ("losses", "candidate losses", "gradients") for need in needs)


def _elsewhere(facts: Facts) -> bool:
    return _block(facts) is not None and facts.get("federation.engine.kind", "in-process") != "in-process"


def _too_wide(facts: Facts) -> bool:
    block = _block(facts)
    return block is not None and block.width(_asked(facts)[0]) is None


def _impossible(facts: Facts) -> bool:
    """Whether a round of the expected size has no graph that would do."""
    block = _block(facts)
    if block is None:
        return False
    try:
        block.neighbours_of(*_asked(facts))
    except UserError:
        return True
    return False


def _too_few(facts: Facts) -> bool:
    block = _block(facts)
    if block is None or isinstance(block.neighbours, str) or _impossible(facts):
        return False
    asked, away = _asked(facts)
    return min(block.neighbours, asked - 1) < block.needed(asked, away)


RULES = (
    Rule(
        id="FED-30",
        when=_per_device,
        verdict="refuse",
        sentence="this selection looks at losses or gradients of single devices, and under secure aggregation the server must not see one device's: "
        "select by activity, history or chance",
        source="a device's loss or gradient tells of its records what secure aggregation hides (Bonawitz et al., CCS 2017)",
        path="federation.selection",
    ),
    Rule(
        id="FED-31",
        when=_elsewhere,
        verdict="refuse",
        sentence="secure aggregation is part of the in-process engine alone: write federation.engine: {kind: in-process}",
        source="Flower's SecAgg+ is a workflow of its legacy interface, which its engines here do not use",
        path="federation.secure_aggregation",
    ),
    Rule(
        id="FED-32",
        when=lambda facts: _block(facts) is not None,
        verdict="label",
        sentence="simulated: all devices run in this process, so what their masks hide from the server's part is not hidden from who runs the study",
        source="the protocol protects a device from a server that follows it (Bonawitz et al., CCS 2017; Bell et al., CCS 2020)",
        path="federation.secure_aggregation",
    ),
    Rule(
        id="FED-33",
        when=_too_wide,
        verdict="refuse",
        sentence="the sum over the devices asked of numbers up to clip_range, with so many fraction bits, does not fit 64 bits: lower clip_range or bits",
        source="a sum beyond the modulus wraps around and is another number; Flower only warns",
        path="federation.secure_aggregation",
    ),
    Rule(
        id="FED-34",
        when=_impossible,
        verdict="refuse",
        sentence="with so few devices, or so many that drop out, rounds of secure aggregation fail or hide nothing: ask at least three, and lower "
        "threshold, dropouts or over_selection",
        source="each device that answers needs the threshold of neighbours that answer too (Bell et al., CCS 2020)",
        path="federation.secure_aggregation",
    ),
    Rule(
        id="FED-35",
        when=_too_few,
        verdict="refuse",
        sentence="with so few neighbours some device's masks may be taken off, or a round may fail: write neighbours: auto, or more",
        source="hypergeometric tails after Bell et al., CCS 2020: 2^-40 for secrecy where a fifth of the devices are corrupt, 2^-30 for success",
        path="federation.secure_aggregation.neighbours",
    ),
    Rule(
        id="FED-36",
        when=lambda facts: _block(facts) is not None and facts.get("privacy.kind", "none") != "none",
        verdict="label",
        sentence="epsilon holds where devices clip as they are told: the server sees sums, and cannot look at the length of one device's update",
        source="what is hidden from the server is hidden from its checks (Bonawitz et al., CCS 2017, leave well-formed inputs open)",
        path="federation.secure_aggregation",
    ),
)
