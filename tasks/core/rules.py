"""Rules: one soundness condition each. A rule refuses a study, or labels every number it touches, with its reason and source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["refuse", "label"]
Stage = Literal["spec", "data", "network"]


class Facts:
    """What a rule may look at: the resolved trial as plain values by dotted path, and at later stages also ``facts``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a dotted path (``model.tokenizer.kind``), or the default where any part of the path is missing or empty."""
        value: Any = self._values
        for part in path.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return default
            value = value[part]
        return default if value is None else value

    def kinds(self, path: str) -> tuple[str, ...]:
        """The kinds of a list of components, e.g. ``utility``."""
        return tuple(item["kind"] for item in self.get(path) or () if isinstance(item, Mapping) and "kind" in item)


@dataclass(frozen=True)
class Rule:
    """One soundness condition.

    Args:
        id: stable name shown to people, e.g. ``DATA-02``.
        when: true where the rule applies.
        verdict: ``refuse`` stops the study, ``label`` marks its numbers.
        sentence: what is wrong and what to do, one line.
        source: paper, section or measurement that says so.
        path: the dotted path of the spec that an error points at.
        stage: ``spec`` rules need the study alone, ``data`` rules also the facts of the data (n, group sizes), ``network`` rules the
            privacy block and the facts of the network as it was built.
    """

    id: str
    when: Callable[[Facts], bool]
    verdict: Verdict
    sentence: str
    source: str
    path: str
    stage: Stage = "spec"


@dataclass(frozen=True)
class Finding:
    """A rule that applies to a study."""

    rule: Rule

    def __str__(self) -> str:
        return f"{self.rule.sentence} [{self.rule.id}]"


def check(rules: Iterable[Rule], facts: Facts, stage: Stage) -> list[Finding]:
    """The rules of one stage that apply, in the order given."""
    return [Finding(rule) for rule in rules if rule.stage == stage and rule.when(facts)]
