"""Every family of components that a study can hold, found by following the schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from specs.kinds import kinds, study_class
from tasks.core.component import Family, OneOf


def families() -> Mapping[str, Family]:
    """Family by name, sorted."""
    found: dict[str, Family] = {}
    seen: set[type[BaseModel]] = set()
    for kind in kinds():
        _visit(study_class(kind), found, seen)
    return dict(sorted(found.items()))


def _visit(block: type[BaseModel], found: dict[str, Family], seen: set[type[BaseModel]]) -> None:
    if block in seen:
        return
    seen.add(block)
    for field in block.model_fields.values():
        annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        for part in _parts(annotation):
            if isinstance(part, OneOf):
                found[part.family.name] = part.family
                for member in part.family.members().values():
                    _visit(member, found, seen)
            elif isinstance(part, type) and issubclass(part, BaseModel):
                _visit(part, found, seen)


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation taken apart, with what ``Annotated`` carries."""
    yield annotation
    if get_origin(annotation) is not None:
        for argument in get_args(annotation):
            if not isinstance(argument, list):
                yield from _parts(argument)
