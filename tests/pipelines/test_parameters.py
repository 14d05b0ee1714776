"""The form of a deployment: every block and choice of a spec in words that Prefect's page can draw, and nothing that the person did not say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from prefect.utilities.callables import parameter_schema

from pipelines.dp_training import dp_training
from pipelines.parameters import filled_in, form_schema
from specs.kinds import kinds, study_class
from specs.loading import load_mapping
from specs.schemas.dp_training import DpTrainingStudy

UNKNOWN = ("$ref", "$defs", "oneOf", "discriminator")
"""Words of a JSON Schema that the page does not draw a field for."""


def schema() -> dict[str, Any]:
    return parameter_schema(dp_training).model_dump_for_openapi()


def form() -> dict[str, Any]:
    found: dict[str, Any] = next(choice for choice in schema()["properties"]["study"]["anyOf"] if choice["title"] == "Form")
    return found


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from parts(item)
    elif isinstance(value, list):
        for item in value:
            yield from parts(item)


def test_parameters_have_order_titles_and_descriptions() -> None:
    found = schema()["properties"]
    assert sorted(found, key=lambda name: found[name]["position"]) == ["study", "execution", "new"]
    assert all(found[name]["description"] for name in found)
    assert [choice["title"] for choice in found["study"]["anyOf"]] == ["File", "Form"]


def test_the_form_has_only_words_that_the_page_draws() -> None:
    assert not [word for part in parts(form()) for word in UNKNOWN if word in part]
    assert [word for part in parts(DpTrainingStudy.model_json_schema()) for word in UNKNOWN if word in part], "the check can find nothing"


def test_blocks_stand_in_the_order_in_which_a_person_thinks() -> None:
    fields = form()["properties"]
    order = sorted(fields, key=lambda name: fields[name]["position"])
    assert order[:7] == ["kind", "name", "question", "data", "model", "training", "privacy"] and order[-1] == "execution"
    assert set(order) == set(DpTrainingStudy.model_fields)


def test_components_are_chosen_by_kind_which_is_filled_in() -> None:
    models = {choice["title"]: choice for choice in form()["properties"]["model"]["anyOf"]}
    assert {"linear", "bilstm", "bert", "gpt2", "pretrained"} <= set(models)
    assert models["bilstm"]["properties"]["kind"]["default"] == "bilstm"
    assert all(field.get("description") for name, field in models["bilstm"]["properties"].items() if name != "kind")


def test_a_large_choice_inside_a_component_is_given_as_json_and_a_small_one_is_drawn() -> None:
    """Else the data and the models of every fairness metric would be drawn again in each: 2.6 MB."""
    fields = form()["properties"]
    gaps = next(choice for choice in next(part for part in fields["fairness"]["anyOf"] if "items" in part)["items"]["anyOf"] if choice["title"] == "rate-gaps")
    data = next(choice for choice in gaps["properties"]["data"]["anyOf"] if choice.get("type") != "null")
    assert data["type"] == "object" and "properties" not in data and "anyOf" not in data
    model = next(choice for choice in fields["model"]["anyOf"] if choice["title"] == "bilstm")
    assert {choice["title"] for choice in model["properties"]["tokenizer"]["anyOf"]} >= {"hashing", "trained"}
    assert len(json.dumps(form())) < 400_000


def test_what_is_left_at_default_is_not_said() -> None:
    """The page sends the first choice of every optional field, which must not be a component."""
    fields = form()["properties"]
    for name in ("privacy", "utility", "attacks", "fairness", "sweep"):
        assert fields[name]["anyOf"][0] == {"type": "null", "title": "default"}
    sent = {
        "kind": "dp-training",
        "name": "sent",
        "data": {"kind": "synthetic-assistant", "limit": None, "public_size": None},
        "model": {"kind": "bilstm", "tokenizer": None},
        "privacy": None,
        "fairness": None,
        "sweep": {"seeds": [0], "arms": {"a": {"model.dropout": None}}},
    }
    jsonschema.validate(sent, form())
    given = load_mapping(filled_in(sent)).study
    plain = {"kind": "dp-training", "name": "sent", "data": {"kind": "synthetic-assistant"}, "model": {"kind": "bilstm"}}
    assert given.model_dump(exclude={"sweep"}) == load_mapping(plain).study.model_dump(exclude={"sweep"})
    assert given.sweep.arms == {"a": {"model.dropout": None}}, "a null of an arm removes a key"


@pytest.mark.parametrize("name", ["device", "processes", "processes_per_training", "runner", "physical_batch_size", "log_models"])
def test_execution_overrides_nothing_unasked(name: str) -> None:
    overrides = schema()["properties"]["execution"]["anyOf"][0]
    assert "default" not in overrides["properties"][name]
    assert overrides["properties"]["runner"]["enum"] == ["processes", "work-pool"]


def test_references_are_followed_however_deep() -> None:
    deep = {
        "$defs": {"A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}, "required": ["b"]}, "B": {"type": "integer", "title": "B"}},
        "$ref": "#/$defs/A",
    }
    assert form_schema(deep)["properties"]["b"] == {"type": "integer", "title": "B", "position": 0}


@pytest.mark.parametrize("kind", kinds())
def test_the_form_of_every_kind_has_only_words_that_the_page_draws(kind: str) -> None:
    found = form_schema(study_class(kind).model_json_schema())
    assert not [word for part in parts(found) for word in UNKNOWN if word in part]
    assert set(found["properties"]) == set(study_class(kind).model_fields)
    said = [name for name, field in found["properties"].items() if not field.get("description") and name not in ("kind",)]
    assert not said


def test_a_federated_study_is_filled_in_by_its_form() -> None:
    found = form_schema(study_class("fl-selection").model_json_schema())
    order = sorted(found["properties"], key=lambda name: found["properties"][name]["position"])
    assert order[:7] == ["kind", "name", "question", "data", "partition", "model", "federation"]
    sent = {
        "kind": "fl-selection",
        "name": "sent",
        "data": {"kind": "synthetic-assistant", "task": "intent"},
        "partition": {"kind": "iid", "devices": 10},
        "model": {"kind": "linear"},
        "federation": {"rounds": 3, "selection": {"kind": "uniform"}, "correction": None, "timeline": None},
        "evaluation": None,
    }
    jsonschema.validate(sent, found)
    plain = {name: value for name, value in sent.items() if value is not None} | {"federation": {"rounds": 3, "selection": {"kind": "uniform"}}}
    assert load_mapping(filled_in(sent)).study == load_mapping(plain).study
