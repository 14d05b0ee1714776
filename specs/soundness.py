"""Soundness: every rule of every domain, gathered by scanning, and checked on the facts of each trial."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

import specs.rules
import tasks
from tasks.core.component import ComponentError
from tasks.core.rules import Facts, Finding, Rule, Stage, check


@cache
def all_rules() -> Mapping[str, Rule]:
    """Every rule by its id, sorted. Raises ComponentError where two rules share an id."""
    found: dict[str, Rule] = {}
    for rule in (*specs.rules.RULES, *_of_domains()):
        if rule.id in found and found[rule.id] is not rule:
            raise ComponentError(f"two rules have the id '{rule.id}'")
        found[rule.id] = rule
    return dict(sorted(found.items()))


def findings(trial: Mapping[str, Any], stage: Stage = "spec") -> list[Finding]:
    """The rules that apply to a resolved trial; at stage ``data`` the trial carries the facts of its data under ``facts``."""
    return check(all_rules().values(), Facts(trial), stage)


def _of_domains() -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for domain in sorted(pkgutil.iter_modules(tasks.__path__), key=lambda module: module.name):
        if not domain.ispkg or domain.name == "core":
            continue
        package = importlib.import_module(f"tasks.{domain.name}")
        for module in sorted(found.name for found in pkgutil.iter_modules(package.__path__) if not found.ispkg):
            if module == "rules" or module.endswith("_rules"):
                rules.extend(importlib.import_module(f"tasks.{domain.name}.{module}").RULES)
    return tuple(rules)
