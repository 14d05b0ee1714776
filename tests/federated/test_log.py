"""The log of rounds: read back, it is the same, and so is what strategies see of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.federated.log import COLUMNS, Log, RoundLog


def entry(asked: int, generator: np.random.Generator, devices: int = 9) -> RoundLog:
    clients = np.sort(generator.choice(devices, size=asked, replace=False))
    answered = generator.random(asked) < 0.7
    numbers: dict[str, Any] = {name: generator.random(asked) for name in ("expected", "weight", "mean_loss", "rms_loss", "seconds")}
    counts: dict[str, Any] = {name: generator.integers(1, 9, size=asked) for name in ("draws", "activity", "examples", "steps")}
    return RoundLog(client=clients, answered=answered, **numbers, **counts)


def test_a_log_is_read_back_with_empty_rounds_and_its_history() -> None:
    generator = np.random.default_rng(0)
    log = Log(9)
    for asked in (3, 0, 5, 1, 0):
        log.add(entry(asked, generator))
    back = Log.of(9, 5, log.arrays())
    assert len(back.rounds) == 5
    for one, other in zip(log.rounds, back.rounds, strict=True):
        for name in COLUMNS:
            assert np.array_equal(getattr(one, name), getattr(other, name)) and getattr(one, name).dtype == getattr(other, name).dtype
    for name in ("times_asked", "times_heard", "last_heard", "mean_loss", "rms_loss", "seconds"):
        assert np.array_equal(getattr(log.history, name), getattr(back.history, name), equal_nan=True)


def test_history_remembers_the_last_answer_of_each_device_and_nothing_of_those_that_dropped_out() -> None:
    generator = np.random.default_rng(1)
    log = Log(9)
    for _ in range(6):
        log.add(entry(4, generator))
    for client in range(9):
        asked = [number for number, found in enumerate(log.rounds) if client in found.client]
        heard = [number for number in asked if log.rounds[number].answered[log.rounds[number].client == client].all()]
        assert log.history.times_asked[client] == len(asked) and log.history.times_heard[client] == len(heard)
        assert log.history.last_heard[client] == (heard[-1] if heard else -1)
        if heard:
            last = log.rounds[heard[-1]]
            assert log.history.mean_loss[client] == last.mean_loss[last.client == client][0]
        else:
            assert np.isnan(log.history.mean_loss[client])


def test_a_log_without_rounds_has_every_column() -> None:
    assert set(Log(3).arrays()) == {"round", *COLUMNS} and not len(Log.of(3, 0, Log(3).arrays()).rounds)
