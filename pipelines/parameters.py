"""The parameters of flows as the form of a deployment shows them: titles, descriptions, order, choices.

Prefect's page draws a field for each property of a JSON Schema and knows fewer words of it than an editor does, so what the spec's
own schema says is said again in the words it knows. The form refuses nothing: the spec's own loader does, and says what to do.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import WithJsonSchema

from specs.kinds import study_class
from specs.schemas.study import Execution

FIRST = ("kind", "name", "question", "study", "snapshot", "champion", "data", "partition", "models", "model", "training", "federation", "privacy")
LAST = ("night", "sweep", "claims", "gates", "randomness", "version", "execution")
"""The order of a study's blocks for somebody who fills them in; what is in neither stands between."""
MOST_NESTED = 10_000
"""Characters of a choice of components inside a component: a larger one (data of a metric) is given as JSON, or forms would have megabytes."""


def study_form(kind: str) -> WithJsonSchema:
    """What the form asks for a study: a file of the worker's machine, or the study itself. ``study: Annotated[Any, study_form("dp-training")]``."""
    file = {"type": "string", "format": "path", "title": "File"}
    return WithJsonSchema({"anyOf": [file, {**form_schema(study_class(kind).model_json_schema()), "title": "Form"}]})


def execution_form() -> WithJsonSchema:
    """What the form asks for ``execution``: every field may be left out and then stays as the study says."""
    fields = _without_defaults(form_schema(Execution.model_json_schema()))
    return WithJsonSchema({"anyOf": [{**fields, "title": "Overrides"}, {"type": "null"}]})


def form_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema in the words of Prefect's form: no references, ``anyOf`` for choices, a constant filled in, fields in order."""
    return dict(_said(schema, schema.get("$defs", {})))


def _said(part: Any, definitions: dict[str, Any], inside: bool = False) -> Any:
    """``inside``: within a component."""
    if isinstance(part, list):
        return [_said(item, definitions, inside) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        named = definitions[part["$ref"].rpartition("/")[2]]
        return _said({**named, **{name: value for name, value in part.items() if name != "$ref"}}, definitions, inside)
    said = {name: _said(value, definitions, inside) for name, value in part.items() if name not in ("$defs", "discriminator", "oneOf")}
    if "oneOf" in part:
        said["anyOf"] = [_titled(_said(choice, definitions, True)) for choice in part["oneOf"]]
        if inside and len(json.dumps(said)) > MOST_NESTED:
            return {**{name: said[name] for name in ("title", "description", "default") if name in said}, "type": "object"}
    if "anyOf" in part:
        said["anyOf"] = [{**choice, "title": str(choice["const"])} if "const" in choice else choice for choice in said["anyOf"]]
    if "const" in part:
        said.setdefault("default", part["const"])
    if isinstance(said.get("properties"), dict):
        required = part.get("required", ())
        fields = {name: field if name in required else _may_be_left(field) for name, field in said["properties"].items()}
        said["properties"] = _in_order(fields)
    return said


def _may_be_left(field: dict[str, Any]) -> dict[str, Any]:
    """An optional field whose default the schema does not tell, since it depends on other fields: the form would fill in its first choice."""
    if "default" in field:
        return field
    about: dict[str, Any] = {name: field[name] for name in ("title", "description") if name in field}
    choices = field.get("anyOf", [{**{name: value for name, value in field.items() if name not in about}, "title": "given"}])
    return {**about, "anyOf": [{"type": "null", "title": "default"}, *choices]}


def _titled(choice: dict[str, Any]) -> dict[str, Any]:
    """A component is chosen by its kind, the word that stands in YAML."""
    kind = choice.get("properties", {}).get("kind", {}).get("const")
    return {**choice, "title": kind} if kind else choice


def _without_defaults(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_defaults(item) for item in part]
    return {name: _without_defaults(value) for name, value in part.items() if name != "default"} if isinstance(part, dict) else part


def filled_in(values: Any) -> Any:
    """What a form sent without the fields that were left at ``default``; in ``sweep`` a null means something."""
    if isinstance(values, list):
        return [filled_in(item) for item in values]
    if not isinstance(values, dict):
        return values
    return {name: value if name == "sweep" else filled_in(value) for name, value in values.items() if value is not None}


def _in_order(properties: dict[str, Any]) -> dict[str, Any]:
    first = [name for name in FIRST if name in properties]
    last = [name for name in LAST if name in properties]
    names = [*first, *(name for name in properties if name not in {*first, *last}), *last]
    return {name: {**properties[name], "position": position} for position, name in enumerate(names)}
