"""What a private federation costs whom: the guarantee, which is that of the device most often asked, and what devices of each decile of activity pay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.measures import Row
from tasks.federated.charging import price_of_checks
from tasks.federated.population import Population
from tasks.privacy.account import Account, rounded_up
from tasks.privacy.accounts import together
from tasks.privacy.measuring import account_rows
from tasks.privacy.mechanisms.dp_fedavg import Cohorts, DpFedAvg

if TYPE_CHECKING:
    from tasks.federated.steps import FederateConfig

NOT_RELEASED = "personalised, not for release"


def private_rows(config: FederateConfig, account: Account, population: Population) -> tuple[Row, ...]:
    """The account with its conditions, then rates and epsilons by decile, where devices differ in them."""
    return (*account_rows(account), *_deciles(config, account, population))


def evaluation_rows(config: FederateConfig, public_size: int | None) -> tuple[Row, ...]:
    """What private checks cost by themselves, whether or not the model is private."""
    price = price_of_checks(config.federation, config.evaluation, public_size)
    if price is None:
        return ()
    conditions = {
        "unit": config.unit,
        "adjacency": "add-remove",
        "delta": rounded_up(price.delta),
        "accountant": "pld",
        "status": "guarantee" if config.randomness == "secret" else "simulated",
        "covers": "the checks alone; not the model, nor what is measured at the end",
    }
    return (Row(name="privacy/epsilon_evaluation", value=price.epsilon, direction="lower", lowest=0, conditions=conditions),)


def _deciles(config: FederateConfig, account: Account, population: Population) -> Iterator[Row]:
    """Of each decile the largest rate of any of its devices, and the epsilon of a device of that rate. A device's own epsilon depends on its activity, which
    is private: the largest one among those present is no bound for anybody who is not.
    """
    federation, size = config.federation, account.schedule.public_size
    rates = federation.selection.public_rates(population.activity, federation.cohort_size, size)
    if rates is None or np.ptp(rates) == 0:
        return
    decile = population.deciles()
    for number in range(1, 11):
        inside = decile == number
        if not inside.any():
            continue
        rate = min(1.0, float(rates[inside].max()))
        conditions = {**account.conditions, "accountant": "pld", "release": NOT_RELEASED, "counted": "devices"}
        common = {"n": int(inside.sum()), "lowest": 0.0, "conditions": conditions}
        yield Row.model_validate({"name": f"federated/rate/decile_{number}", "value": rate, "highest": 1.0, **common})
        yield Row.model_validate({"name": f"privacy/epsilon/decile_{number}", "value": epsilon_at(config, account, rate), "direction": "lower", **common})


def epsilon_at(config: FederateConfig, account: Account, rate: float) -> float:
    """Of a device of some rate, at the noise of the account: the same or less than the account's. Rates are rounded up to three digits, so that few are
    worked out.
    """
    privacy, setting = config.privacy, account.schedule
    assert isinstance(privacy, DpFedAvg) and isinstance(setting, Cohorts)
    up = min(1.0, setting.rate, float(rounded_up(rate)))
    return together(Counter([replace(setting, rate=up).mechanism(privacy.noise, account.noise_multiplier, privacy.adjacency)]), account.delta)
