"""Components: the swappable parts of a study, and the families they stand in.

A component is a frozen value. Its fields are what a person writes in YAML (public facts); its methods are the algorithm.
A family is one folder: every public module in it is imported in sorted order and each component class found is a member.
Other distributions join through the entry point group ``assay.components``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

ENTRY_POINT_GROUP = "assay.components"


class Component(BaseModel):
    """A swappable part named by ``kind``. Frozen; unknown fields are errors; ``kind`` is required and never defaulted."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, protected_namespaces=())

    kind: str

    def content_digest(self) -> str | None:
        """Digest of the outside bytes that this component reads (files, weights, a pinned download), or None.

        Read at planning, so it must be quick and must not import a heavy library. It enters the key of every step whose
        config holds the component.
        """
        return None


def unkeyed(**settings: Any) -> Any:
    """A pydantic field that is no part of a step's key: a path whose bytes ``content_digest`` covers, an alias."""
    return Field(json_schema_extra={"fingerprint": False}, **settings)


class ComponentError(Exception):
    """A family cannot be built: a duplicate kind, a failing import or a badly declared component."""


@dataclass(frozen=True)
class Family:
    """A folder of components that can stand in one place of a spec.

    Args:
        name: the word for it in messages, e.g. ``model``.
        package: dotted name of the folder that is scanned, e.g. ``tasks.models.architectures``.
        base: the class that every member derives from.
    """

    name: str
    package: str
    base: type[Component]

    def members(self) -> Mapping[str, type[Component]]:
        """Every member by its kind, sorted. Raises ComponentError on a duplicate or a failing import."""
        return _members(self)

    def parse(self, value: Mapping[str, Any]) -> Component:
        """The component that a plain mapping (``kind`` and fields) describes."""
        return self.members()[value["kind"]].model_validate(value)


class OneOf:
    """Pydantic annotation: the field holds one member of a family. ``model: Annotated[Model, OneOf(MODELS)]``."""

    def __init__(self, family: Family) -> None:
        self.family = family

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        members = self.family.members()
        if not members:
            return core_schema.no_info_plain_validator_function(self._refuse)
        choices = {kind: handler.generate_schema(member) for kind, member in members.items()}
        return core_schema.tagged_union_schema(choices=choices, discriminator="kind")

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: Any) -> dict[str, Any]:
        if not self.family.members():
            return {"not": {}, "description": f"no {self.family.name} component is available"}
        described: dict[str, Any] = handler(schema)
        return described

    def _refuse(self, value: Any) -> Any:
        if isinstance(value, self.family.base):
            return value
        raise PydanticCustomError("empty_family", "no {family} component is available in this version", {"family": self.family.name})


def components_in(value: Any) -> Iterator[Component]:
    """Every component inside a resolved config, depth first, in field order."""
    if isinstance(value, Component):
        yield value
    if isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from components_in(getattr(value, field))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from components_in(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from components_in(item)


def kind_of(member: type[Component]) -> str | None:
    """The literal ``kind`` of a component class, or None for an abstract one."""
    annotation = member.model_fields["kind"].annotation
    if get_origin(annotation) is not Literal:
        return None
    return str(get_args(annotation)[0])


@cache
def _members(family: Family) -> Mapping[str, type[Component]]:
    found: dict[str, type[Component]] = {}
    for member in (*_scanned(family), *_from_entry_points(family)):
        kind = kind_of(member)
        if kind is None:
            continue
        if not member.model_fields["kind"].is_required():
            raise ComponentError(f"{member.__module__}.{member.__qualname__}: kind must be required, never defaulted")
        if kind in found and found[kind] is not member:
            other = found[kind]
            raise ComponentError(
                f"two {family.name} components are of kind '{kind}': {other.__module__}.{other.__qualname__} and {member.__module__}.{member.__qualname__}"
            )
        found[kind] = member
    return dict(sorted(found.items()))


def _scanned(family: Family) -> Iterator[type[Component]]:
    package = importlib.import_module(family.package)
    for module_info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{family.package}.{module_info.name}")
        for _, member in sorted(inspect.getmembers(module, inspect.isclass)):
            if issubclass(member, family.base) and member is not family.base and member.__module__ == module.__name__:
                yield member


def _from_entry_points(family: Family) -> Iterator[type[Component]]:
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            member = entry.load()
        except Exception as error:
            raise ComponentError(f"the entry point '{entry.name} = {entry.value}' cannot be loaded: {error}") from error
        if not (inspect.isclass(member) and issubclass(member, Component)):
            raise ComponentError(f"the entry point '{entry.name} = {entry.value}' is not a component class")
        if issubclass(member, family.base):
            yield member


def member_field(family: Family, kind: str, description: str | None = None) -> Any:
    """A field whose default is one member of a family."""

    def made() -> Component:
        return family.parse({"kind": kind})

    return Field(default_factory=made, description=description)
