"""Places in a schema: which block, list or family stands at a path of a spec, given the values written there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from specs.errors import SpecPath
from tasks.core.component import Family, OneOf


@dataclass(frozen=True)
class Place:
    """What the schema expects somewhere, and the value that is written there."""

    annotation: Any
    value: Any

    @property
    def family(self) -> Family | None:
        """The family whose member stands here, or None."""
        if get_origin(self.annotation) is Annotated:
            for extra in get_args(self.annotation)[1:]:
                if isinstance(extra, OneOf):
                    return extra.family
        return None

    @property
    def block(self) -> type[BaseModel] | None:
        """The class of the block that stands here: a component by its written kind, or a plain block."""
        if self.family is not None:
            kind = self.value.get("kind") if isinstance(self.value, Mapping) else None
            return self.family.members().get(kind) if isinstance(kind, str) else None
        blocks = self._blocks()
        if len(blocks) == 1:
            return blocks[0]
        kind = self.value.get("kind") if isinstance(self.value, Mapping) else None
        return next((block for block in blocks if kind in _kinds_of(block)), None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that may stand here: of a family, or of a choice of plain blocks."""
        if self.family is not None:
            return tuple(self.family.members())
        return tuple(kind for block in self._blocks() for kind in _kinds_of(block))

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The keys that may stand here, or None where this is no block or any key may."""
        return tuple(self.block.model_fields) if self.block is not None else None

    def below(self, part: str | int) -> Place | None:
        """The place one key or index deeper; None where the schema has no such thing."""
        if isinstance(part, int):
            return self._item(part)
        value = self.value.get(part) if isinstance(self.value, Mapping) else None
        if self.block is not None:
            field = self.block.model_fields.get(part)
            if field is None:
                return None
            return Place(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation, value)
        for choice in self._choices():
            if get_origin(choice) is dict:
                return Place(get_args(choice)[1], value)
        return None

    def at(self, path: SpecPath) -> Place | None:
        """The place at a path from here."""
        place: Place | None = self
        for part in path:
            place = place.below(part) if place is not None else None
        return place

    def _item(self, index: int) -> Place | None:
        for choice in self._choices():
            if get_origin(choice) in (tuple, list):
                value = self.value[index] if isinstance(self.value, list) and 0 <= index < len(self.value) else None
                return Place(get_args(choice)[0], value)
        return None

    def _blocks(self) -> list[type[BaseModel]]:
        return [choice for choice in self._choices() if isinstance(choice, type) and issubclass(choice, BaseModel)]

    def _choices(self) -> list[Any]:
        """The members of a union without None, the annotation itself where it is none; ``Annotated`` is taken off."""
        bare = get_args(self.annotation)[0] if get_origin(self.annotation) is Annotated else self.annotation
        if get_origin(bare) not in (Union, UnionType):
            return [bare]
        return [choice for member in get_args(bare) if member is not NoneType for choice in Place(member, self.value)._choices()]


def _kinds_of(block: type[BaseModel]) -> tuple[str, ...]:
    field = block.model_fields.get("kind")
    return get_args(field.annotation) if field is not None else ()
