"""The private step: its noise has its law, its sum moves by the clip norm at most, and nothing else of it follows from how many records there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor

from tasks.core.step import StepRun
from tasks.privacy.clip_rules.flat import Flat
from tasks.privacy.engine import ENGINES, Engine
from tasks.privacy.sampler import Schedule
from tasks.training.noising import NoiseSource
from tasks.training.private_gradient import physical_batch
from tasks.training.steps import train
from tests.conftest import NewRun, Prepare
from tests.models.samples import farthest
from tests.privacy.clipping import clipped, flat, size
from tests.training.private import KINDS, Begun, asked, begun, block, config, neighbour
from tests.training.trainings import BILSTM

FALSE_ALARM = 1e-6
STILL = {**BILSTM, "dropout": 0.0}
NORM = 0.5
OF_EXAMPLES = [kind for kind, member in sorted(ENGINES.members().items()) if issubclass(member, Engine) and member.moves == 1]
"""Engines that clip every example."""


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def still(prepare: Prepare, run: StepRun, engine: str = "opacus-ghost", key: int = 5, randomness: str = "reproducible") -> Begun:
    """Without dropout: what is summed can be had from another engine."""
    return begun(config(STILL, engine, randomness, norm=NORM), prepare(block("joint")), run, key)


def mechanism_of(made: Begun, epochs: float) -> dict[str, Any]:
    """Everything of a training that must not follow from the number of records."""
    account, trained, found, gradient = made
    network, steps = trained.started.network, max(1, round(epochs * found.batches.per_epoch))
    parameters = dict(network.named_parameters())
    return {
        "account": account.record(),
        "steps": steps,
        "divisor": gradient.divisor,
        "multipliers": gradient.multipliers,
        "pieces": gradient.physical_batch_size,
        "weights": {name: value.detach().numpy().tobytes() for name, value in parameters.items()},
        "noise": [value.numpy().tobytes() for step in (0, steps - 1) for value in gradient.source(step, 1.0).values()],
    }


def moved(first: Begun, second: Begun, epochs: float = 1) -> set[str]:
    """What differs."""
    one, other = mechanism_of(first, epochs), mechanism_of(second, epochs)
    return {name for name in one if one[name] != other[name]}


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("name", ["bilstm", "gpt2"])
def test_nothing_follows_from_the_number_of_records(name: str, change: int, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    """And everybody else's coins stay as they are."""
    task, model, engine = KINDS[name]
    data, settings = prepare(block(task)), config(model, engine)
    other = neighbour(data, tmp_path / "other", change)
    first, second = begun(settings, data, new_run()), begun(settings, other, new_run())
    assert len(other.split("train")) - len(data.split("train")) == change and moved(first, second) == set()
    records = [made[1].encoded.records for made in (first, second)]
    common = min(int(one.max()) for one in records)
    for step in range(30):
        taken = [made[2].batches[step] for made in (first, second)]
        assert torch.equal(*(batch[each[batch] <= common] for batch, each in zip(taken, records, strict=True)))


def leaking(made: Begun, fault: str) -> Begun:
    """A mechanism with something that follows from the records."""
    account, trained, found, gradient = made
    count = len(trained.encoded)
    if fault == "divisor":
        gradient = replace(gradient, divisor=count * account.schedule.rate)  # type: ignore[arg-type]
    elif fault == "multipliers":
        gradient = replace(gradient, multipliers=tuple(value * count / 120 for value in gradient.multipliers))
    elif fault == "account":
        assert isinstance(account.schedule, Schedule)
        account = replace(account, schedule=replace(account.schedule, public_size=count))
    else:
        gradient = replace(gradient, key=gradient.key + count)
    return account, trained, found, gradient


@pytest.mark.parametrize("fault", ["divisor", "multipliers", "account", "noise"])
def test_a_mechanism_that_follows_from_the_records_would_be_seen(fault: str, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    data, settings = prepare(block("joint")), config(STILL, "opacus-ghost")
    made = [leaking(begun(settings, one, new_run()), fault) for one in (data, neighbour(data, tmp_path / "other", -1))]
    assert fault in moved(made[0], made[1])


def by_loop(made: Begun, indices: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The clipped sum and the losses of some examples by the loop, on a network of its own."""
    trained = made[1]
    twin = trained.started.model.start(trained.shape, {}, 3).network
    twin.load_state_dict(trained.started.network.state_dict())
    trained.started.model.open_up(twin)
    if not len(indices):
        return {name: torch.zeros_like(value) for name, value in twin.named_parameters()}, torch.zeros(0)
    sums, piece = clipped("loop", twin.train(), trained.encoded.batch(indices), flat(NORM))
    return sums, piece.losses


def residuals(made: Begun, step: int, indices: Tensor) -> dict[str, Tensor]:
    """What is left of an update, by weight, when the clipped sum is taken away, in deviations: the sum by the loop, the amounts from the account."""
    account, trained, _, gradient = made
    update, (sums, _) = asked(gradient, trained.started.network, indices, step), by_loop(made, indices)
    return {name: (value * account.schedule.expected_batch_size - sums[name]) / (account.noise_multiplier * NORM) for name, value in update.items()}


def unlikely(first: dict[str, Tensor], second: dict[str, Tensor]) -> set[str]:
    """What speaks against standard normal noise, drawn anew for two steps: Kolmogorov and Smirnov's test, and normal ones of correlations between
    steps and between weights of one shape. Each has the false-alarm rate.
    """
    found = set()
    flats = [torch.cat([value.flatten() for value in one.values()]).double() for one in (first, second)]
    if min(stats.kstest(values.numpy(), "norm").pvalue for values in flats) < FALSE_ALARM / 2:
        found.add("law")
    if related(*flats):
        found.add("steps")
    if related(first["layers.0.forwards.ih.weight"].flatten().double(), first["layers.0.backwards.ih.weight"].flatten().double()):
        found.add("weights")
    return found


def related(first: Tensor, second: Tensor) -> bool:
    return float(2 * stats.norm.sf(abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) * len(first) ** 0.5)) < FALSE_ALARM


@pytest.mark.parametrize("engine", OF_EXAMPLES)
@pytest.mark.parametrize("count", [0, 1, 30])
def test_noise_is_normal_of_the_accounted_deviation_whatever_the_batch(engine: str, count: int, prepare: Prepare, new_run: NewRun) -> None:
    made = still(prepare, new_run(7), engine)
    assert unlikely(residuals(made, 0, torch.arange(count)), residuals(made, 1, torch.arange(count))) == set()


class Faulty(NoiseSource):
    """Noise with a fault."""

    fault = ""

    def draw(self, name: str, piece: int, step: int, out: Tensor, deviation: float) -> None:
        super().draw("one name" if self.fault == "weights" else name, piece, 0 if self.fault == "steps" else step, out, deviation)
        if self.fault in ("half", "none"):
            out.mul_({"half": 0.5, "none": 0.0}[self.fault])
        elif self.fault == "cut":
            out.clamp_(-1.5 * deviation, 1.5 * deviation)


@pytest.mark.parametrize(
    ("fault", "seen"), [("half", {"law"}), ("none", {"law"}), ("cut", {"law"}), ("steps", {"steps"}), ("weights", {"weights"}), ("", set())]
)
def test_noise_that_is_too_small_or_drawn_twice_would_be_seen(fault: str, seen: set[str], prepare: Prepare, new_run: NewRun) -> None:
    made = still(prepare, new_run())
    made[3].source = Faulty(made[3].key, made[3].clipper.trained)
    made[3].source.fault = fault
    told = unlikely(residuals(made, 0, torch.arange(20)), residuals(made, 1, torch.arange(20)))
    assert seen <= told and bool(told) == bool(fault)


def test_noise_follows_from_key_step_and_weight_alone(prepare: Prepare, new_run: NewRun) -> None:
    """A process that begins at a step draws what one draws that was there all the time; another key is another noise."""
    walked, fresh, other = (still(prepare, new_run(), key=key) for key in (2**200, 2**200, 2**200 + 1))
    indices = torch.arange(9)
    updates = [asked(walked[3], walked[1].started.network, indices, step) for step in range(4)]
    torch.manual_seed(8)
    resumed, different = (asked(made[3], made[1].started.network, indices, 3) for made in (fresh, other))
    assert farthest(resumed, updates[3]) == 0 and farthest(different, updates[3]) > 0.01


class Unclipped(Flat):
    """No clipping at all."""

    def factors(self, norms: Tensor) -> Tensor:
        return torch.ones_like(norms)


def noiseless(made: Begun, indices: Tensor) -> dict[str, Tensor]:
    """The clipped sum, as the step has it."""
    silent = replace(made[3], multipliers=(0.0,))
    return {name: value.double() * silent.divisor for name, value in asked(silent, made[1].started.network, indices, 0).items()}


def farthest_step(made: Begun, count: int) -> float:
    """How far one example moves the sum at most, over the clip norm."""
    whole = noiseless(made, torch.arange(count))
    without = [noiseless(made, torch.arange(count)[torch.arange(count) != left_out]) for left_out in range(count)]
    return max(size({name: whole[name] - one[name] for name in whole}) for one in without) / NORM


@pytest.mark.parametrize("engine", OF_EXAMPLES)
def test_one_example_moves_the_sum_by_the_clip_norm_at_most(engine: str, prepare: Prepare, new_run: NewRun) -> None:
    """Though it changes which examples share a piece and how far they are padded."""
    made = still(prepare, new_run(4), engine)
    assert 0.99 < farthest_step(made, 7) <= 1 + 1e-6
    made[3].clipper.rule = Unclipped(kind="flat", l2_clip_norm=NORM)
    assert farthest_step(made, 7) > 1.1


def test_an_empty_batch_is_noise_alone(prepare: Prepare, new_run: NewRun) -> None:
    _, trained, _, gradient = still(prepare, new_run())
    network = trained.started.network
    update = asked(gradient, network, torch.zeros(0, dtype=torch.long), 2)
    assert update.keys() == {name for name, _ in network.named_parameters()}
    for name, noise in gradient.source(2, gradient.deviation(2)).items():
        torch.testing.assert_close(update[name], noise / 12)
    assert gradient(network, torch.zeros(0, dtype=torch.long), 3) is None


def off(made: Begun, divisor: float, counts: tuple[int, ...]) -> float:
    """How far the sums are from the loop's when updates are multiplied with the public divisor."""
    account, trained, _, gradient = made
    found = []
    for count in counts:
        silent = replace(gradient, multipliers=(0.0,), divisor=divisor or count)  # type: ignore[arg-type]
        update = asked(silent, trained.started.network, torch.arange(count), 0)
        found.append(farthest({name: value * account.schedule.expected_batch_size for name, value in update.items()}, by_loop(made, torch.arange(count))[0]))
    return max(found)


def test_the_divisor_is_the_expected_batch_size_whatever_the_batch_is(prepare: Prepare, new_run: NewRun) -> None:
    made = still(prepare, new_run(8))
    assert made[3].divisor == 12
    assert off(made, 12, (1, 5, 12, 40)) < 1e-4
    assert off(made, 0, (12,)) < 1e-4 and off(made, 0, (5,)) > 1e-3  # a divisor that is the batch's own size is seen


def test_the_loss_is_told_where_it_may_be(prepare: Prepare, new_run: NewRun) -> None:
    for randomness in ("reproducible", "secret"):
        made = still(prepare, new_run(3), randomness=randomness)
        found = made[3](made[1].started.network, torch.arange(8), 0)
        assert (found is None) == (randomness == "secret")
        if found is not None:
            assert float(found) == pytest.approx(float(by_loop(made, torch.arange(8))[1].mean()), abs=1e-5)


@pytest.mark.parametrize("randomness", ["reproducible", "secret"])
def test_a_secret_training_says_no_loss(randomness: str, prepare: Prepare, new_run: NewRun) -> None:
    data, run = prepare(block("joint")), new_run()
    train(config(STILL, "opacus-ghost", randomness), {"data": data.folder}, 3, run)
    said = {json.loads(line)["name"] for line in (run.report.folder / "metrics.jsonl").read_text().splitlines()}
    assert said == {"train/learning_rate"} | ({"train/loss"} if randomness == "reproducible" else set())
    assert ("loss" in (run.report.folder / "progress.json").read_text()) == (randomness == "reproducible")


def test_a_piece_holds_as_many_gradients_as_fit() -> None:
    assert (physical_batch(7, 10**9, True), physical_batch(None, 10**9, False), physical_batch(None, 10, True)) == (7, 256, 256)
    assert physical_batch(None, 2**20, True) == 64 and physical_batch(None, 10**9, True) == 1
