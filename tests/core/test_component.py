"""Families are built by scanning; whatever could hide a component raises."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ValidationError

from tasks.core import component as module
from tasks.core.component import Component, ComponentError, Family, OneOf, components_in

HEAD = "from typing import Literal\nfrom tasks.core.component import Component\nfrom toys_base import Toy\n"


class Toy(Component):
    """Base of the toy family."""


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Family:
    """A family in a folder of its own, whose name no other test has."""
    package = f"toys_{abs(hash(request.node.nodeid))}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    base = type(sys)("toys_base")
    base.Toy = Toy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toys_base", base)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Family("toy", package, Toy)


def add(family: Family, file: str, kind: str, body: str = "    size: int = 1\n") -> None:
    folder = Path(sys.path[0]) / family.package
    (folder / file).write_text(f'{HEAD}\nclass Part(Toy):\n    kind: Literal["{kind}"]\n{body}')


def test_a_file_is_all_it_takes(family: Family) -> None:
    add(family, "b.py", "ball")
    add(family, "a.py", "top")
    add(family, "_hidden.py", "hidden")
    assert list(family.members()) == ["ball", "top"]
    assert family.parse({"kind": "ball", "size": 3}).model_dump() == {"kind": "ball", "size": 3}


def test_a_duplicate_kind_raises(family: Family) -> None:
    add(family, "a.py", "ball")
    add(family, "b.py", "ball")
    with pytest.raises(ComponentError, match="two toy components are of kind 'ball'"):
        family.members()


def test_a_failing_import_raises(family: Family) -> None:
    add(family, "a.py", "ball", "    size: int = missing_name\n")
    with pytest.raises(NameError):
        family.members()


def test_a_defaulted_kind_raises(family: Family) -> None:
    folder = Path(sys.path[0]) / family.package
    (folder / "a.py").write_text(f'{HEAD}\nclass Part(Toy):\n    kind: Literal["ball"] = "ball"\n')
    with pytest.raises(ComponentError, match="kind must be required"):
        family.members()


def test_other_distributions_join_by_entry_point(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    class Kite(Toy):
        kind: Literal["kite"]

    class Stranger(Component):
        kind: Literal["stranger"]

    entries = [EntryPoint("kite", "x:Kite", module.ENTRY_POINT_GROUP), EntryPoint("stranger", "x:Stranger", module.ENTRY_POINT_GROUP)]
    monkeypatch.setattr(EntryPoint, "load", lambda entry: {"kite": Kite, "stranger": Stranger}[entry.name])
    monkeypatch.setattr(module, "entry_points", lambda group: entries)
    assert family.members() == {"kite": Kite}


def test_an_entry_point_that_cannot_be_loaded_raises(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "entry_points", lambda group: [EntryPoint("kite", "no_such_module:Kite", group)])
    with pytest.raises(ComponentError, match="cannot be loaded"):
        family.members()


def test_a_field_holds_one_member(family: Family) -> None:
    add(family, "a.py", "ball")

    class Box(BaseModel):
        toy: Annotated[Toy, OneOf(family)]

    assert Box.model_validate({"toy": {"kind": "ball"}}).toy.kind == "ball"
    with pytest.raises(ValidationError, match="ball"):
        Box.model_validate({"toy": {"kind": "bell"}})
    assert "ball" in str(Box.model_json_schema())


def test_an_empty_family_refuses_everything(family: Family) -> None:
    class Box(BaseModel):
        toys: tuple[Annotated[Toy, OneOf(family)], ...] = ()

    assert Box().toys == ()
    with pytest.raises(ValidationError, match="no toy component is available"):
        Box.model_validate({"toys": [{"kind": "ball"}]})
    Box.model_json_schema()


def test_components_are_found_wherever_they_stand() -> None:
    class Inner(Component):
        kind: Literal["inner"]

    class Outer(Component):
        kind: Literal["outer"]
        parts: tuple[Inner, ...]

    inner = Inner(kind="inner")
    assert [part.kind for part in components_in({"a": [Outer(kind="outer", parts=(inner, inner))]})] == ["outer", "inner", "inner"]


def test_components_are_frozen_and_refuse_unknown_fields() -> None:
    class Part(Component):
        kind: Literal["part"]

    with pytest.raises(ValidationError):
        Part(kind="part", colour="red")  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Part(kind="part").kind = "other"  # type: ignore[assignment,misc]
