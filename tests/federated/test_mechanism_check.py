"""The step that checks a federation's mechanism: it works beside the training, with its config, and uses up nothing; what it writes are numbers."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tasks.data.prepared import PreparedData
from tasks.federated.alone import Alone
from tasks.federated.local import Layout
from tasks.federated.mechanism_check import CHECK_FEDERATION, CheckFederationConfig, check_federation
from tasks.federated.neighbours import fewer
from tasks.federated.population import Population
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.federated.steps import FEDERATE
from tasks.federated.totals import RunningTotal
from tasks.privacy.clip_rules.flat import Flat
from tasks.training.mechanism_check import FACTS
from tasks.training.watched import apart
from tests.attacks.checked import failed, rows_of
from tests.conftest import NewRun, Prepare
from tests.federated.checked import ACTIVE, BANDED, COINS, FLAT, RESTED, Inputs, config, inputs_of, judged
from tests.federated.layouts import jobs, started, work


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def inputs(prepare: Prepare, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return inputs_of(prepare, tmp_path_factory.mktemp("population"))


def test_a_secret_federation_is_checked_by_the_seed_and_nothing_is_charged(inputs: Inputs, new_run: NewRun) -> None:
    open_, secret = (config(FLAT, randomness=randomness) for randomness in ("reproducible", "secret"))
    checks = [CheckFederationConfig.of(settings, 2) for settings in (open_, secret.model_copy(update={"submission": "s1"}))]
    assert checks[0] == checks[1] and checks[0].trial.randomness == "reproducible" and checks[0].trial.submission is None
    assert CHECK_FEDERATION.charge is None and FEDERATE.charge is not None
    run = new_run()
    check_federation(checks[1], inputs, 3, run)
    assert not list(run.checkpoint.rglob("*")) and [path.name for path in run.folder.iterdir()] == [FACTS]
    written = (run.folder / FACTS).read_text()
    assert not any(f'"{value}"' in written for name in ("id", "text", "user") for value in PreparedData(inputs["data"]).split("train")[name])
    again = new_run()
    check_federation(checks[0], inputs, 3, again)
    assert (again.folder / FACTS).read_text() == written


def test_a_federation_without_privacy_has_nothing_to_test(inputs: Inputs, new_run: NewRun) -> None:
    rows = judged(config({}, selection=COINS), inputs, new_run)
    assert {(row.status, row.value) for row in rows.values()} == {("unsupported", None)}


def test_rounds_in_which_nobody_took_part_are_told(inputs: Inputs, new_run: NewRun) -> None:
    rows = judged(config(FLAT, selection={**ACTIVE, "public_activity": 1e6}), inputs, new_run)
    assert rows["violations"].reason == "no device took part in the first 4 rounds: raise steps" and rows["noise_ratio"].status == "ok"


def test_another_record_of_the_trained_model_is_told(inputs: Inputs, new_run: NewRun) -> None:
    """That its devices take part less often than those of the check."""
    run = new_run()
    settings = config(BANDED, **RESTED)
    check_federation(CheckFederationConfig.of(settings, 2), inputs, 3, run)
    facts = json.loads((run.folder / FACTS).read_text())
    record = {**facts["record"], "participation": {**facts["record"]["participation"], "most": 2}}
    assert failed(rows_of(facts, record, run.folder, 2)) == ["the trained model's record says another participation"]


def test_a_population_with_a_device_less(inputs: Inputs) -> None:
    """The one that is named last; the others keep their numbers, and what they hold."""
    prepared, population = PreparedData(inputs["data"]), Population.load(inputs["population"])
    part, left = fewer(prepared, population)
    last = population.names[-1]
    records = part.split("train")
    assert left.names == population.names[:-1] and last not in set(records["user"]) and last in set(prepared.split("train")["user"])
    assert (left.activity == population.activity[:-1]).all() and part.facts["counts"]["train"] == len(records) == len(left.train)
    assert [left.names[device] for device in left.train] == records["user"].tolist()
    assert left.test.max() < len(left.names) and len(left.test) == len(population.test)


@pytest.mark.parametrize(
    ("optimizer", "proximal"), [({"kind": "sgd", "learning_rate": 0.3}, 0.05), ({"kind": "adamw", "learning_rate": 0.01}, 0.0)], ids=["sgd", "adamw"]
)
def test_the_twin_does_what_the_layouts_do(optimizer: dict[str, Any], proximal: float) -> None:
    """On a network of its own; and where its weights are others, it does not. Adam with FedProx's term is left out: a key's bias has no gradient but rounding,
    which both make as long as any other.
    """
    for stacked in (False, True):
        made, encoded = started("bert")
        twin_network = copy.deepcopy(made.network.double())
        made.model.open_up(made.network)
        block = work(made, encoded, optimizer=optimizer, proximal=proximal)
        given = jobs(block.client)
        rule = Flat(kind="flat", l2_clip_norm=0.1)
        total = RunningTotal(block.sent(), rule, 4.0)
        layout: Layout = Stacked(block, 3) if stacked else Sequential(block)
        layout.train(given, total)
        twin = Alone(twin_network, block, rule, 4.0)
        alone, balance = twin.clipped_sum(given, 0.1)
        error = apart(alone, dict(zip(block.trained, total.sum(), strict=True)))
        assert error < 2.1e-6 * len(given) * 0.1 and balance == total.unclipped - total.received / 2
        assert sum(float(value.square().sum()) for value in alone.values()) ** 0.5 > 0.1
        with torch.no_grad():
            next(twin_network.parameters()).normal_(generator=torch.Generator().manual_seed(0))
        assert apart(alone, twin.clipped_sum(given, 0.1)[0]) > 1e-3
