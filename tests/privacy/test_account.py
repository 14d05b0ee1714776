"""An account: an epsilon is never seen without its conditions, and never rounded down."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.privacy.account import Account, rounded_up
from tasks.privacy.mechanism import Mechanism, Release, Repetition
from tasks.privacy.mechanisms.dp_sgd import DpSgd
from tasks.privacy.privacy import PRIVACY, Setting, guarantee
from tasks.privacy.sampler import Schedule

ACCOUNT = Account(
    mechanism=Mechanism((Release(0.8, 64 / 1300, 203),)),
    schedule=Schedule(1300, 64, 10),
    noise_multiplier=0.8,
    delta=1 / 13000,
    epsilons={"pld": 2.9941, "rdp": 3.2, "prv": 3.001},
    reported="pld",
    unit="example",
    level="example-level",
    sampler="poisson",
    randomness="secret",
)

CONDITIONS = ("unit", "adjacency", "delta", "accountant")


def test_the_tag_holds_every_condition() -> None:
    assert ACCOUNT.guarantee == "example-level (3, 7.7e-05)-DP, add/remove"
    assert set(ACCOUNT.conditions) == set(CONDITIONS)
    assert ACCOUNT.conditions == {"unit": "example", "adjacency": "add-remove", "delta": "7.7e-05", "accountant": "pld"}
    assert set(CONDITIONS) <= set(ACCOUNT.record())


@pytest.mark.parametrize(("adjacency", "words"), [("add-remove", "add/remove"), ("replace-one", "replace one"), ("zero-out", "zero-out")])
def test_the_tag_names_the_neighbours(adjacency: Any, words: str) -> None:
    changed = replace(ACCOUNT, mechanism=replace(ACCOUNT.mechanism, adjacency=adjacency))
    assert changed.guarantee.endswith(f"-DP, {words}")
    assert changed.conditions["adjacency"] == changed.record()["adjacency"] == adjacency


@pytest.mark.parametrize(
    "changed",
    [
        replace(ACCOUNT, unit="user"),
        replace(ACCOUNT, mechanism=replace(ACCOUNT.mechanism, adjacency="zero-out")),
        replace(ACCOUNT, delta=1e-5),
        replace(ACCOUNT, reported="rdp"),
    ],
    ids=CONDITIONS,
)
def test_two_epsilons_are_compared_only_under_equal_conditions(changed: Account) -> None:
    assert changed.conditions != ACCOUNT.conditions
    assert replace(ACCOUNT, epsilons={"pld": 1.0}, noise_multiplier=2.0).conditions == ACCOUNT.conditions


def test_with_a_seed_for_a_key_a_guarantee_is_simulated() -> None:
    assert replace(ACCOUNT, randomness="reproducible").guarantee == f"simulated: {ACCOUNT.guarantee}"
    assert "simulated" not in ACCOUNT.guarantee


def test_without_a_mechanism_nothing_is_promised() -> None:
    assert guarantee(None) == "none"
    assert guarantee(ACCOUNT) == ACCOUNT.guarantee


def test_the_tag_is_of_the_reported_epsilon() -> None:
    assert replace(ACCOUNT, reported="prv").guarantee.startswith("example-level (3.01, ")
    assert replace(ACCOUNT, reported="rdp").epsilon == 3.2


def test_who_vouches_for_the_number_is_told() -> None:
    assert ACCOUNT.agreement == "agrees with rdp and prv"
    assert replace(ACCOUNT, epsilons={"rdp": 3.2}, reported="rdp").agreement == "single accountant"


@given(some.floats(min_value=1e-300, max_value=1e300))
def test_a_rounded_number_is_never_below_and_hardly_above(value: float) -> None:
    assert value <= float(rounded_up(value)) <= value * 1.01


def test_rounding_to_the_nearest_would_be_noticed() -> None:
    assert float(f"{2.9941:.3g}") < 2.9941 <= float(rounded_up(2.9941))


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (2.9941, "3"), (2.981, "2.99"), (0.9999, "1"), (1e-5, "1e-05"), (1 / 13000, "7.7e-05"), (3.0000000001, "3.01"), (9.995, "10"), (0.1, "0.1")],
)
def test_three_digits_are_shown(value: float, text: str) -> None:
    assert rounded_up(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (-0.0, "0"), (float("inf"), "inf"), (float("nan"), "nan")])
def test_what_is_no_amount_is_still_told(value: float, text: str) -> None:
    assert rounded_up(value) == text


@pytest.mark.parametrize("repetition", [None, Repetition(10.0, 1.0), Repetition(10.0, 0.0)])
def test_the_record_is_json_and_comes_back(repetition: Repetition | None) -> None:
    account = replace(ACCOUNT, mechanism=replace(ACCOUNT.mechanism, repetition=repetition))
    record = account.record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["events"] == [{"noise_multiplier": 0.8, "rate": 64 / 1300, "count": 203}]
    assert record["repetition"] == (None if repetition is None else {"mean": 10.0, "shape": repetition.shape})
    assert (record["epsilon"], record["delta"], record["guarantee"]) == (2.9941, 1 / 13000, ACCOUNT.guarantee)
    assert (record["divisor"], record["steps"], record["rate"], record["public_size"]) == (64, 203, 64 / 1300, 1300)
    assert "not cryptographic" in record["generator"] and record["randomness"] == "secret"


def test_rate_steps_divisor_and_delta_follow_from_the_public_size_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    block = PRIVACY.parse({"kind": "dp-sgd", "noise_multiplier": 2.0, "accountant": "rdp", "adjacency": "zero-out"})
    assert isinstance(block, DpSgd)
    account = block.account(Setting(1000, 100, 2.5, "secret"))
    assert (account.schedule.rate, account.schedule.steps, account.schedule.expected_batch_size, account.delta) == (0.1, 25, 100, 1e-4)
    assert account.mechanism == Mechanism((Release(2.0, 0.1, 25),), "zero-out")
    assert "records" not in Schedule.__dataclass_fields__ and "records" not in Setting.__dataclass_fields__
