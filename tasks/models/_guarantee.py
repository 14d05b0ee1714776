"""What ``privacy.json`` says, in the words of a model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Standing = Literal["none", "unknown", "not a guarantee", "simulated", "guarantee"]

ABSENT = "not recorded"

CONDITIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("epsilon", ("epsilon",)),
    ("delta", ("delta",)),
    ("unit", ("unit.kind", "unit")),
    ("adjacency", ("adjacency",)),
    ("sampler", ("sampler.kind", "sampler")),
    ("sampling rate", ("rate", "sampler.rate")),
    ("steps", ("steps",)),
    ("noise multiplier", ("noise_multiplier",)),
    ("clip norm (L2)", ("sensitivity", "clipping.l2_clip_norm", "clipping.rule.l2_clip_norm", "l2_clip_norm")),
    ("accountant", ("accountant",)),
    ("accountants asked", ("accountants",)),
    ("public size", ("public_size",)),
    ("randomness", ("randomness",)),
)
"""Without any one of these an epsilon means nothing: each with the places where it may stand, the first that is there counts."""

FURTHER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("engine", ("clipping.engine.kind", "clipping.engine", "engine.kind", "engine")),
    ("clip rule", ("clipping.rule.kind",)),
    ("epsilon of a whole micro-batch, a weaker unit", ("micro_batch.epsilon",)),
    ("divisor of the noisy sum", ("divisor",)),
    ("repetition", ("repetition",)),
    ("generator", ("generator",)),
    ("agreement of accountants", ("agreement",)),
)
"""Shown where they are recorded."""


def standing(privacy: Mapping[str, Any]) -> Standing:
    """What the recorded guarantee is worth. Whatever was drawn from a seed is simulated, whatever its words say."""
    recorded = privacy.get("guarantee")
    if not isinstance(recorded, str) or not recorded.strip():
        return "unknown"
    text = recorded.strip().lower()
    if text.startswith("none"):
        return "none"
    if "not a guarantee" in text:
        return "not a guarantee"
    return "simulated" if "simulated" in text or privacy.get("randomness") == "reproducible" else "guarantee"


def conditions(privacy: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values of the conditions; one that is not recorded says so. Keys that are not known are passed over."""
    needed = [(name, _first(privacy, places)) for name, places in CONDITIONS]
    further = [(name, found) for name, places in FURTHER if (found := _first(privacy, places)) is not None]
    return [(name, ABSENT if found is None else words(found)) for name, found in (*needed, *further)]


def said(value: Any) -> bool:
    """Whether a recorded value says anything: neither nothing nor an empty list."""
    return value is not None and value not in ([], (), {})


def words(value: Any) -> str:
    """A recorded value as one reads it; numbers keep all their digits, since a rounded epsilon would be another one."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {words(one)}" for name, one in value.items() if said(one))
    if isinstance(value, list | tuple):
        parts = list(dict.fromkeys(words(one) for one in value))
        return " to ".join(parts) if len(value) == 2 else ", ".join(parts)
    return repr(value) if isinstance(value, float) else str(value)


def _first(privacy: Mapping[str, Any], places: tuple[str, ...]) -> Any:
    return next((found for place in places if (found := _at(privacy, place)) is not None), None)


def _at(value: Any, place: str) -> Any:
    """The value at a dotted path, or None."""
    for part in place.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
