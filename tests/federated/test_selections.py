"""What every strategy keeps: who can be drawn, what a cohort says, functions of (view, seed, round), resuming from history alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.core.component import kind_of
from tasks.federated.history import Heard, History
from tasks.federated.selection import SELECTIONS, Selection, View
from tests.federated.views import ACTIVITY, AWAY, COHORT, EVERY, generator, heard, history, same, selection, told, view

CHECKOUT = Path(__file__).resolve().parents[2]
NO_CHANCE = ("top-m", "round-robin", "least-recent", "divfl-all")
"""Strategies in which nothing is left to chance on these devices."""
VARIABLE = ("poisson", "poisson-capped", "multinomial", "multinomial-root", "clustered-by-size")


def test_every_kind_is_tested() -> None:
    assert {block["kind"] for block in EVERY.values()} == set(SELECTIONS.members())


def test_every_kind_states_its_facts() -> None:
    for kind, member in SELECTIONS.members().items():
        assert issubclass(member, Selection) and kind_of(member) == kind
        assert member.unbiased.endswith(".") and member.__doc__
        assert all(field.description for name, field in member.model_fields.items() if name != "kind")
        SELECTIONS.parse({"kind": kind})
    facts = {kind: member for kind, member in SELECTIONS.members().items() if issubclass(member, Selection)}
    assert {kind for kind, member in facts.items() if member.exact} == {
        "uniform",
        "activity-proportional",
        "multinomial",
        "clustered-by-size",
        "top-m",
        "threshold",
    }
    assert {kind for kind, member in facts.items() if not member.positive} == {"top-m", "threshold", "power-of-choice", "oort", "divfl"}
    extra = {"candidate losses", "gradients"}
    assert {kind for kind, member in facts.items() if extra & set(member.needs)} == {"power-of-choice", "divfl"}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("rounds", [0, 1, 45])
def test_cohorts_are_well_formed(name: str, rounds: int) -> None:
    strategy, seen = selection(**EVERY[name]), view(away=AWAY, rounds=history(rounds))
    for number in range(30):
        cohort = strategy.draw(seen, COHORT, generator(number))
        assert cohort.clients.dtype == np.int64 and cohort.draws.dtype == np.int64
        assert np.all(np.diff(cohort.clients) > 0) and np.all(cohort.draws >= 1)
        assert np.all(seen.available[cohort.clients]) and np.all(seen.activity[cohort.clients] > 0)
        if name not in VARIABLE:
            assert len(cohort.clients) == COHORT
        if name.startswith(("multinomial", "clustered")):
            assert cohort.draws.sum() == COHORT
        else:
            assert np.all(cohort.draws == 1)


@pytest.mark.parametrize("name", EVERY)
def test_expected_draws_are_those_of_the_cohort(name: str) -> None:
    strategy, seen = selection(**EVERY[name]), view(away=AWAY, rounds=history(20))
    expected, cohort = strategy.expected_draws(seen, COHORT), strategy.draw(seen, COHORT, generator(3))
    assert (expected is not None) == strategy.exact == (cohort.origin == "exact")
    if expected is not None:
        assert cohort.expected is not None and np.array_equal(cohort.expected, expected[cohort.clients])
        assert expected.shape == ACTIVITY.shape and not expected[~seen.available].any()
        assert expected.sum() == pytest.approx(COHORT, rel=1e-9)
        assert np.all(expected[seen.available] > 0) == strategy.positive
    elif name == "participation-history":
        assert cohort.origin.startswith("estimated: ") and cohort.expected is not None and np.all((cohort.expected > 0) & (cohort.expected <= 1))
    else:
        assert cohort.origin.startswith("none: ") and cohort.expected is None


@pytest.mark.parametrize("name", EVERY)
def test_a_function_of_seed_and_round(name: str) -> None:
    strategy, seen = selection(**EVERY[name]), view(away=AWAY, rounds=history(30))
    cohorts = [strategy.draw(seen, COHORT, generator(number)) for number in range(8)]
    assert all(same(strategy.draw(seen, COHORT, generator(number)), cohort) for number, cohort in enumerate(cohorts))
    members = {tuple(cohort.clients) for cohort in cohorts}
    others = {tuple(strategy.draw(seen, COHORT, generator(number, seed=1)).clients) for number in range(8)}
    if name in NO_CHANCE:
        assert len(members | others) == 1
    else:
        assert len(members) > 4 and members != others


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_changed_by_a_draw(name: str) -> None:
    strategy, seen = selection(**EVERY[name]), view(away=AWAY, rounds=history(30))
    activity, available, losses = seen.activity.copy(), seen.available.copy(), seen.history.mean_loss.copy()
    strategy.draw(seen, COHORT, generator(0))
    assert np.array_equal(activity, seen.activity) and np.array_equal(available, seen.available)
    assert np.array_equal(losses, seen.history.mean_loss, equal_nan=True)


@pytest.mark.parametrize("name", EVERY)
def test_resuming_needs_history_alone(name: str) -> None:
    strategy, devices = selection(**EVERY[name]), told(len(ACTIVITY))
    grown = History(len(ACTIVITY))
    for number in range(50):
        # Losses fall and a third are away each time, so that every part of every strategy comes to act.
        available = (ACTIVITY > 0) & (np.random.default_rng(number).random(len(ACTIVITY)) < 0.67)
        seen = View(number, ACTIVITY, available, grown, devices, 4)
        cohort = strategy.draw(seen, COHORT, generator(number))
        again = View(number, ACTIVITY, available, History(len(ACTIVITY), list(grown.rounds)), devices, 4)
        assert same(cohort, selection(**EVERY[name]).draw(again, COHORT, generator(number)))
        grown.extend([heard(cohort.clients, number, mean_loss=np.full(len(cohort.clients), 2 / (1 + number)))])


@pytest.mark.parametrize("name", EVERY)
def test_fewer_available_than_asked_for(name: str) -> None:
    strategy = selection(**EVERY[name])
    seen = view([3, 0, 4, 7, 5, 9], away=[4, 5])
    for number in range(5):
        cohort = strategy.draw(seen, COHORT, generator(number))
        if name.startswith(("multinomial", "clustered")):
            assert set(cohort.clients) <= {0, 2, 3} and cohort.draws.sum() == COHORT
        else:
            assert cohort.clients.tolist() == [0, 2, 3]
            assert cohort.expected is None or np.all(cohort.expected == 1)


@pytest.mark.parametrize("name", EVERY)
def test_nobody_available(name: str) -> None:
    strategy, seen = selection(**EVERY[name]), view([3, 0, 4], away=[0, 2])
    cohort = strategy.draw(seen, COHORT, generator(0))
    assert len(cohort.clients) == len(cohort.draws) == 0 and (cohort.expected is None or len(cohort.expected) == 0)


@pytest.mark.parametrize("name", EVERY)
def test_devices_without_records_are_not_drawn_even_if_called_available(name: str) -> None:
    strategy, held = selection(**EVERY[name]), np.array([5, 0, 5, 0, 5, 0, 5, 0])
    seen = View(0, held, np.ones(8, dtype=bool), History(8), told(8))
    for number in range(20):
        assert set(strategy.draw(seen, 6, generator(number)).clients) <= {0, 2, 4, 6}


def test_round_robin_rotates() -> None:
    rounds: list[Heard] = []
    turns = []
    for number in range(5):
        turns.append(selection("round-robin").draw(view([1] * 10, rounds=rounds), 4, generator(number)).clients.tolist())
        rounds.append(heard(turns[-1]))
    assert turns == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 8, 9], [2, 3, 4, 5], [6, 7, 8, 9]]


def test_turns_of_a_device_that_was_away() -> None:
    rounds: list[Heard] = [heard([0, 1]), heard([2, 3]), heard([0, 1]), heard([2, 3])]
    back = view([1] * 5, rounds=rounds)
    assert selection("round-robin").draw(back, 2, generator(0)).clients.tolist() == [0, 4]
    rounds.append(heard([], asked=[0, 4]))  # neither answered; asking is what counts
    assert selection("round-robin").draw(view([1] * 5, rounds=rounds), 2, generator(0)).clients.tolist() == [1, 4]
    assert selection("least-recent").draw(view([1] * 5, rounds=rounds), 2, generator(0)).clients.tolist() == [1, 2]


def test_reading_selections_imports_nothing_heavy() -> None:
    code = (
        "import sys; from tasks.federated.selection import SELECTIONS; SELECTIONS.members();"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'pandas', 'scipy', 'torch', 'sklearn', 'transformers', 'datasets'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", SELECTIONS.members())
def test_every_strategy_states_what_it_asks_its_probabilities_and_its_bias(kind: str) -> None:
    member = SELECTIONS.members()[kind]
    assert issubclass(member, Selection)
    said = member.stated()
    assert set(said) == {"needs", "inclusion probabilities", "unbiased"} and all(said.values())
    assert said["inclusion probabilities"].startswith("exact") is member.exact
