"""The kinds of study, found by file name: ``schemas/dp_training.py`` holds ``dp-training``. Only the one asked for is imported."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import specs.schemas
from specs.schemas.study import Study
from tasks.core.component import ComponentError

_SHARED = "study"


def kinds() -> tuple[str, ...]:
    """The names of all kinds, sorted; nothing is imported."""
    names = (module.name for module in pkgutil.iter_modules(specs.schemas.__path__))
    return tuple(sorted(name.replace("_", "-") for name in names if name != _SHARED and not name.startswith("_")))


def study_class(kind: str) -> type[Study]:
    """The class of a kind's studies. Raises KeyError for an unknown kind, ComponentError where its file holds no such class."""
    if kind not in kinds():
        raise KeyError(kind)
    module = importlib.import_module(f"specs.schemas.{kind.replace('-', '_')}")
    for _, member in inspect.getmembers(module, inspect.isclass):
        if issubclass(member, Study) and member.__module__ == module.__name__:
            return member
    raise ComponentError(f"{module.__name__} holds no class of studies")
