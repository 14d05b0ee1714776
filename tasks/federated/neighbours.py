"""The neighbouring-populations test: what of a private federation may not follow from how many devices there are, nor from what one of them holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data.prepared import PreparedData
from tasks.federated.aggregation import PrivateAggregation
from tasks.federated.history import Heard
from tasks.federated.log import Log
from tasks.federated.population import Population
from tasks.federated.rounds import Rounds
from tasks.federated.selection import Cohort
from tasks.federated.stragglers import asked_size
from tasks.federated.totals import Asked
from tasks.privacy.account import Account
from tasks.training.neighbours import Part, digest

ROUNDS = 256
"""Of so many rounds the coins of the other devices are compared, though the training may have fewer: a rate that is a little off changes few draws."""


def fewer(prepared: PreparedData, population: Population) -> tuple[PreparedData, Population]:
    """The data and the population without the device that is named last, and all that it holds. The others keep their numbers."""
    last = len(population.names) - 1
    train = population.train != last
    ids = population.train_ids
    left = replace(
        population,
        names=population.names[:last],
        train=population.train[train],
        train_window=population.train_window[train],
        train_ids=None if ids is None else ids[train],
        test=np.where(population.test == last, -1, population.test),
    )
    return Part(prepared.folder, train), left


def public_numbers(rounds: Rounds, account: Account, last: int) -> dict[str, Any]:
    """Everything of a federation that is the same, to the bit, between populations with and without the device of number ``last``: by name, as numbers and
    digests. Leaves no trace.

    Of a cohort of nobody a round releases noise over the divisor alone, so whatever of the two follows from who is there is seen.
    """
    aggregation = rounds.aggregation
    assert isinstance(aggregation, PrivateAggregation)
    total, kept = aggregation.begin(rounds.work.sent(), Asked(0, ())), aggregation.kept
    nobody = aggregation.end(total, 0) or []
    aggregation.kept = kept
    rates, weights = _of_everybody(rounds, last)
    return {
        "the account": account.record(),
        "the divisor": total.divisor,
        "the deviation of the noise": [aggregation.deviation(number) for number in range(account.schedule.steps)],
        "the first weights": digest(dict(rounds.work.network.named_parameters())),
        "what a round without devices releases": digest({str(place): part for place, part in enumerate(nobody)}),
        "the rates of the others": rates,
        "the weights of the others": weights,
        "the draws of the others": _draws(rounds, last),
    }


def rates_of(rounds: Rounds) -> NDArray[np.float64]:
    """(N,) the rate of each device's coin in the first round, as it is drawn by; 0 for who cannot be asked."""
    block = rounds.federation
    found = block.selection.expected_draws(rounds.view(0), asked_size(block.cohort_size, block.stragglers))
    assert found is not None  # rules refuse selections without
    return found


def _of_everybody(rounds: Rounds, last: int) -> tuple[list[float], list[float]]:
    """The rates of the other devices, and what their updates would weigh if everybody were asked."""
    rates = rates_of(rounds)
    clients = np.flatnonzero(rates > 0)
    cohort = Cohort(clients, np.ones(len(clients), dtype=np.int64), rates[clients], "everybody")
    weights = rounds.weights(cohort, np.ones(len(clients), dtype=np.bool_))
    return rates[:last].tolist(), weights[clients < last].tolist()


def _draws(rounds: Rounds, last: int) -> list[list[int]]:
    """Whose update of the other devices would be used in each round."""
    found = []
    for number in range(ROUNDS):
        drawn = rounds.draw(number)
        asked = drawn.cohort.clients
        used = asked[drawn.answered]
        nothing = np.zeros(len(used))
        rounds.log.history.extend([Heard(asked, used, nothing, nothing, nothing.astype(np.int64), nothing)])
        found.append(used[used < last].tolist())
    rounds.log = Log(len(rounds.activity))
    return found
