"""The JSON Schema that editors use agrees with the loader: it accepts what loads, and refuses what is wrong in shape."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from specs.errors import SpecErrors
from specs.loading import load, load_mapping
from specs.reading import parse
from tests.cli.running import assay
from tests.specs.bad_specs import BAD
from tests.specs.given import TABLE, write
from tests.specs.mutating import CHECKOUT, mutated_values, specimens

SHIPPED = sorted((CHECKOUT / "specs").rglob("*.yaml"))

WRONG_IN_SHAPE = (
    *("unknown kind of study", "no kind of study", "name with capitals", "name too long", "name is a number", "no name, data, model", "unknown key"),
    *("version zero", "version is a truth", "question too long", "unknown randomness", "several at once", "unknown model", "model without a kind"),
    *("model is text", "model is empty", "unknown adapter", "unknown key of an adapter", "tokenizer without a corpus", "negative epochs", "epochs in words"),
    *("half a batch", "unknown optimizer", "quoted number", "unknown mechanism", "unknown metric", "device gpu", "no processes", "processes in words"),
    *("unknown task", "unknown word for a column", "claim that is not better", "gate of an unknown number"),
)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(assay("schema").out)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems(validator: Draft202012Validator, values: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)]


def test_specs_are_shipped() -> None:
    assert CHECKOUT / "specs" / "quickstart.yaml" in SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=[str(path.relative_to(CHECKOUT)) for path in SHIPPED])
def test_a_shipped_spec_loads_and_fits_the_schema(validator: Draft202012Validator, path: Path) -> None:
    found = load(path)
    assert not problems(validator, found.raw)
    assert found.study.question and found.trials


@pytest.mark.parametrize("path", SHIPPED, ids=[str(path.relative_to(CHECKOUT)) for path in SHIPPED])
def test_a_shipped_spec_names_its_own_command(path: Path) -> None:
    assert f"assay run {path.relative_to(CHECKOUT)}" in path.read_text()


def test_every_resolved_trial_fits_the_schema(validator: Draft202012Validator) -> None:
    for path in SHIPPED:
        for trial in {trial.arm: trial for trial in load(path).trials}.values():
            assert not problems(validator, trial.study.model_dump(mode="json", exclude_none=True))


@pytest.mark.parametrize("name", WRONG_IN_SHAPE)
def test_the_schema_refuses_what_is_wrong_in_shape(validator: Draft202012Validator, name: str) -> None:
    assert problems(validator, parse(BAD[name].text, "f").value)


def test_the_schema_of_one_kind_is_that_kind_alone() -> None:
    one = Draft202012Validator(json.loads(assay("schema", "dp-training").out))
    values = parse((CHECKOUT / "specs" / "quickstart.yaml").read_text(), "f").value
    assert not problems(one, values)
    assert problems(one, {**values, "kind": "other"})


def test_whatever_loads_fits_the_schema(validator: Draft202012Validator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, TABLE, "t.csv")
    monkeypatch.chdir(tmp_path)
    loading = 0
    for seed in range(400):
        choose = random.Random(seed)
        values = mutated_values(choose, choose.choice(specimens()))
        try:
            load_mapping(values, folder=tmp_path)
        except SpecErrors:
            continue
        loading += 1
        assert not problems(validator, values), f"seed {seed}"
    assert loading >= 14
