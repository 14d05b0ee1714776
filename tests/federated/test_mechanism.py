"""The test of a federation's mechanism: every mechanism that the rules allow passes, and each planted fault is flagged by the test that is made for it.

A correct mechanism fails with probability 1e-6; seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from tasks.federated import aggregation, rounds, totals
from tasks.federated.aggregation import PrivateAggregation
from tasks.federated.contributions import Contribution, contribution
from tasks.federated.corrections.equal import Equal
from tasks.federated.selection import Cohort, View
from tasks.federated.selections._rates import capped_rates
from tasks.federated.selections.activity_proportional import ActivityProportional
from tasks.federated.totals import Total
from tasks.privacy.clip_rule import ClipRule
from tasks.training.noising import NoiseSource
from tests.attacks.checked import BERT, failed
from tests.conftest import NewRun, Prepare
from tests.federated.checked import ADAPTIVE, AUTOMATIC, BANDED, COINS, FLAT, RESTED, Inputs, config, inputs_of, judged

DEVIATION, LAW, OTHER_ROUNDS = (
    "the noise does not have the accounted deviation",
    "the noise is not normal",
    "the noise of a round follows from that of other rounds",
)
LONGER, FURTHER = "a clipped contribution is longer than the clip norm", "one unit moves the sum further than the account allows"
OTHER_SUM, OFTENER = "the clipped sum is not that of contributions added up one by one", "a unit takes part more often than the account says"
COUNT, COUNT_FURTHER = "the noise on the count does not have the accounted deviation", "one unit moves the count further than the account allows"
RATES, WEIGHTS, DRAWS = "the rates of the others", "the weights of the others", "the draws of the others"


def follows(*names: str) -> str:
    return f"with a unit less there is another value of {', '.join(names)}"


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def inputs(prepare: Prepare, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return inputs_of(prepare, tmp_path_factory.mktemp("population"))


CORRECT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "flat": (FLAT, {"selection": COINS}),
    "flat, by activity": (FLAT, {"availability": {"kind": "bernoulli", "probability": 0.7}}),
    "flat, weighted": ({**FLAT, "public_records": 260}, {"correction": {"kind": "horvitz-thompson"}, "client": {"proximal": 0.1}}),
    "adaptive": (ADAPTIVE, {}),
    "banded": (BANDED, RESTED),
    "adaptive, banded": ({**ADAPTIVE, "noise": {"kind": "banded", "bands": 3}}, RESTED),
    "automatic": (AUTOMATIC, {"client": {"optimizer": {"kind": "adamw", "learning_rate": 0.01}}}),
}


@pytest.mark.parametrize("layout", ["sequential", "stacked"])
@pytest.mark.parametrize("way", CORRECT)
def test_a_correct_mechanism_passes(way: str, layout: str, inputs: Inputs, new_run: NewRun) -> None:
    privacy, changes = CORRECT[way]
    rows = judged(config(privacy, layout, **changes), inputs, new_run)
    assert failed(rows) == []
    ratio, p, moved = (rows[name].value for name in ("noise_ratio", "noise_p_value", "sensitivity_ratio"))
    assert ratio is not None and 0.9 < ratio < 1.1 and p is not None and p >= 1e-6
    assert moved is not None and 0.9 < moved <= 1 + 1e-5  # what clips is near its bound, so that a bound which is not kept would be seen
    assert rows["noise_ratio"].conditions == {
        "unit": "user",
        "adjacency": "add-remove",
        "delta": "0.001",
        "protocol": "the first 4 rounds at the first weights",
    }


def test_a_network_with_dropout_is_looked_at_without(inputs: Inputs, new_run: NewRun) -> None:
    assert failed(judged(config(FLAT, "stacked", BERT, client={"optimizer": {"kind": "sgd", "learning_rate": 0.1}}), inputs, new_run, 2)) == []


Patched = Callable[[pytest.MonkeyPatch], None]
ENDED = PrivateAggregation.end


def noise_halved(patch: pytest.MonkeyPatch) -> None:
    drawn = NoiseSource.draw
    patch.setattr(NoiseSource, "draw", lambda self, name, piece, step, out, deviation: drawn(self, name, piece, step, out, deviation / 2))


def noise_drawn_once(patch: pytest.MonkeyPatch) -> None:
    """Every round has the first one's noise."""
    drawn = NoiseSource.draw
    patch.setattr(NoiseSource, "draw", lambda self, name, piece, step, out, deviation: drawn(self, name, piece, 0, out, deviation))


def noise_of_each_round_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aggregation, "NoiseSource", lambda key, trained, coefficients: NoiseSource(key, trained))


def noise_by_who_came(patch: pytest.MonkeyPatch) -> None:
    """Its deviation follows the realised cohort."""
    asked = PrivateAggregation.deviation

    def end(self: PrivateAggregation, total: Total, number: int) -> list[Tensor] | None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(PrivateAggregation, "deviation", lambda one, round: asked(one, round) * total.received / total.divisor)
            return ENDED(self, total, number)

    patch.setattr(PrivateAggregation, "end", end)


def divided_by_who_came(patch: pytest.MonkeyPatch) -> None:
    def end(self: PrivateAggregation, total: Total, number: int) -> list[Tensor] | None:
        found = ENDED(self, total, number)
        return None if found is None else [part * total.divisor / max(1, total.received) for part in found]

    patch.setattr(PrivateAggregation, "end", end)


def weights_of_who_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Equal, "weights", lambda self, cohort, shares, cohort_size: cohort.draws / max(1, len(cohort.draws)))


def weights_of_all_records(patch: pytest.MonkeyPatch) -> None:
    found = rounds.Rounds.weights

    def weights(self: rounds.Rounds, cohort: Cohort, answered: NDArray[np.bool_]) -> NDArray[np.float64]:
        self.public_records = None
        return found(self, cohort, answered)

    patch.setattr(rounds.Rounds, "weights", weights)


def contributions_that(make: Callable[[Sequence[Tensor], Sequence[Tensor], float, ClipRule | None], Contribution]) -> Patched:
    return lambda patch: patch.setattr(totals, "contribution", make)


def weighted_late(trained: Sequence[Tensor], sent: Sequence[Tensor], scale: float, rule: ClipRule | None) -> Contribution:
    """The weight is applied after the clip."""
    found = contribution(trained, sent, 1.0, rule)
    return replace(found, tensors=[scale * part for part in found.tensors])


def clipped_to_twice(trained: Sequence[Tensor], sent: Sequence[Tensor], scale: float, rule: ClipRule | None) -> Contribution:
    return contribution(trained, sent, scale, None if rule is None else rule.model_copy(update={"l2_clip_norm": 2 * rule.sensitivity}))


def solved(self: ActivityProportional, view: View, cohort_size: int) -> NDArray[np.float64]:
    """Rates that follow from everybody's activity."""
    return capped_rates(np.where(view.available, np.minimum(view.activity, 15), 0).astype(np.float64), cohort_size)


def uncapped(self: ActivityProportional, view: View, cohort_size: int) -> NDArray[np.float64]:
    return np.minimum(1.0, np.where(view.available, view.activity, 0) * cohort_size / 220)


def rates_that(make: Callable[[ActivityProportional, View, int], NDArray[np.float64]]) -> Patched:
    return lambda patch: patch.setattr(ActivityProportional, "expected_draws", make)


class Still:
    """A generator whose only draw is nothing."""

    def standard_normal(self) -> float:
        return 0.0


def counted_without_noise(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aggregation, "numpy_generator", lambda *_: Still())


def counted_off_centre(patch: pytest.MonkeyPatch) -> None:
    """Who is not clipped counts 1, and who is nothing."""

    def end(self: PrivateAggregation, total: Total, number: int) -> list[Tensor] | None:
        total.received = 0
        return ENDED(self, total, number)

    patch.setattr(PrivateAggregation, "end", end)


WEIGHTED: tuple[dict[str, Any], dict[str, Any]] = CORRECT["flat, weighted"]
PLAIN: tuple[dict[str, Any], dict[str, Any]] = (FLAT, {})
CONTROLS: dict[str, tuple[Patched, tuple[dict[str, Any], dict[str, Any]], set[str]]] = {
    "noise halved": (noise_halved, PLAIN, {DEVIATION, LAW}),
    "noise drawn once": (noise_drawn_once, PLAIN, {OTHER_ROUNDS}),
    "banded noise that is not": (noise_of_each_round_alone, CORRECT["banded"], {DEVIATION}),
    "noise by who came": (noise_by_who_came, PLAIN, {DEVIATION, FURTHER}),
    "divided by who came": (divided_by_who_came, PLAIN, {DEVIATION, FURTHER}),
    "weights of who came": (weights_of_who_came, PLAIN, {follows(WEIGHTS)}),
    "weights of all records": (weights_of_all_records, WEIGHTED, {follows(WEIGHTS)}),
    "weights after the clip": (contributions_that(weighted_late), PLAIN, {LONGER, FURTHER}),
    "unequal weights after the clip": (contributions_that(weighted_late), WEIGHTED, {LONGER, FURTHER, OTHER_SUM}),
    "clipped to twice the norm": (contributions_that(clipped_to_twice), PLAIN, {LONGER, FURTHER, OTHER_SUM}),
    "rates of all activity": (rates_that(solved), PLAIN, {follows(RATES, DRAWS)}),
    "rates above the cap": (rates_that(uncapped), PLAIN, {OFTENER}),
    "count without noise": (counted_without_noise, (ADAPTIVE, {}), {COUNT}),
    "count off its centre": (counted_off_centre, (ADAPTIVE, {}), {COUNT_FURTHER}),
}


@pytest.mark.parametrize("fault", CONTROLS)
def test_a_fault_is_flagged(fault: str, inputs: Inputs, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    patched, (privacy, changes), expected = CONTROLS[fault]
    patched(monkeypatch)
    rows = judged(config(privacy, **changes), inputs, new_run)
    assert expected <= set(failed(rows)), rows["violations"].reason
    if FURTHER in expected:
        assert (rows["sensitivity_ratio"].value or 0) > 1.1
