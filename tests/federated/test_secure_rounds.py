"""Trainings with secure aggregation: the same model as without to the stated precision, dropouts brought back, nothing logged of one device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.core.errors import UserError
from tasks.federated.contributions import Contribution
from tasks.federated.jobs import Job
from tasks.federated.rounds import Rounds
from tasks.federated.secure.device import Device
from tasks.federated.secure.fixed_point import FixedPoint
from tasks.federated.secure.messages import MaskedVector, Roster, SealedShares
from tasks.federated.secure.protocol import simulated
from tasks.federated.secure.server import Server, TooFewDevices
from tasks.federated.secure.total import SecureTotal
from tasks.federated.secure_aggregation import SecureAggregation
from tasks.federated.totals import Asked, LongerThanTheClip, RunningTotal
from tasks.privacy.clip_rules.flat import Flat
from tests.federated.trained import training, weights

COHORTS: dict[str, dict[str, Any]] = {
    "all answer": {},
    "some are late": {"cohort_size": 6, "stragglers": {"over_selection": 1.5}},
    "random size": {"cohort_size": 6, "selection": {"kind": "activity-proportional", "alpha": 0.5, "design": "poisson"}, "correction": {"kind": "hajek"}},
}


def pair(folder: Path, rounds: int, seed: int = 0, block: dict[str, Any] | None = None, **changes: Any) -> tuple[Rounds, Rounds]:
    """The same training, in the clear and with secure aggregation, after some rounds."""
    plain = training(folder / "plain", seed, rounds=rounds, **changes)
    secure = training(folder / "secure", seed, rounds=rounds, secure_aggregation=block or {}, **changes)
    for made in (plain, secure):
        made.run()
    return plain, secure


def farthest(plain: Rounds, secure: Rounds) -> float:
    theirs = weights(secure)
    return max(float((tensor - theirs[name]).abs().max()) for name, tensor in weights(plain).items())


@pytest.mark.parametrize("name", COHORTS)
def test_a_round_is_as_in_the_clear_to_the_stated_precision(name: str, tmp_path: Path) -> None:
    """Beside it, float32 weights and contributions round: by 2^-24 of a number below 1, a few times."""
    plain, secure = pair(tmp_path, 1, **COHORTS[name])
    answered = secure.log.rounds[0].answered
    assert (name == "some are late") == (not answered.all())
    distance = farthest(plain, secure)
    assert 0 < distance <= answered.sum() * 2.0**-21 + 8 * 2.0**-24
    coarse = pair(tmp_path / "coarse", 1, block={"bits": 6}, **COHORTS[name])
    assert 8 * distance < farthest(*coarse) <= answered.sum() * 2.0**-7 + 8 * 2.0**-24, "a coarser fraction is seen"


def test_a_whole_training_stays_close_and_draws_the_same_cohorts(tmp_path: Path) -> None:
    plain, secure = pair(tmp_path, 9, **COHORTS["some are late"])
    assert farthest(plain, secure) < 1e-3
    mine, theirs = plain.log.arrays(), secure.log.arrays()
    assert all(np.array_equal(mine[name], theirs[name], equal_nan=True) for name in mine if name not in ("mean_loss", "rms_loss"))
    assert np.isnan(theirs["mean_loss"]).all() and np.isnan(theirs["rms_loss"]).all() and not np.isnan(mine["mean_loss"]).all()


def test_secret_keys_and_keys_of_a_seed_give_the_same_model(tmp_path: Path) -> None:
    ends = []
    for randomness in ("secret", "reproducible"):
        made = training(tmp_path / randomness, rounds=2, secure_aggregation={}, randomness=randomness)
        made.run()
        ends.append(weights(made))
    assert all(torch.equal(ends[0][name], tensor) for name, tensor in ends[1].items())


def test_late_devices_share_and_send_no_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[int] = []
    collected: list[int] = []
    share, collect = Device.share, Server.collect

    def shares(device: Device, roster: Roster) -> SealedShares:
        shared.append(device.identity)
        return share(device, roster)

    def collects(server: Server, message: MaskedVector) -> None:
        collected.append(message.sender)
        collect(server, message)

    monkeypatch.setattr(Device, "share", shares)
    monkeypatch.setattr(Server, "collect", collects)
    made = training(tmp_path, rounds=1, secure_aggregation={}, **COHORTS["some are late"])
    made.run()
    entry = made.log.rounds[0]
    assert sorted(shared) == entry.client.tolist() and sorted(collected) == entry.client[entry.answered].tolist() and len(collected) < len(shared)


def test_too_few_are_refused_and_nobody_asked_is_a_round_without_an_update(tmp_path: Path) -> None:
    deadline: dict[str, Any] = {"cohort_size": 6, "stragglers": {"deadline_seconds": 0.02, "speed_sigma": 2.0}}
    with pytest.raises(TooFewDevices, match=r"lower federation\.secure_aggregation\.threshold"):
        training(tmp_path / "late", rounds=9, secure_aggregation={"threshold": 1.0}, **deadline).run()
    with pytest.raises(UserError, match="ask at least 3"):
        training(tmp_path / "two", rounds=1, secure_aggregation={}, cohort_size=2).run()
    empty = training(tmp_path / "none", rounds=2, secure_aggregation={}, availability={"kind": "bernoulli", "probability": 0.0})
    before = weights(empty)
    empty.run()
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(empty).items()) and empty.costs.secured == [0, 0]


def test_an_update_beyond_the_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no number beyond 0\.001: raise"):
        training(tmp_path, rounds=1, secure_aggregation={"clip_range": 0.001}).run()


def test_bytes_of_keys_and_shares_are_in_the_ledger(tmp_path: Path) -> None:
    """Four devices, each with three neighbours, by hand: names are 4 bytes, keys 32, sealed shares 2 x 33 and a tag of 16, a share 33."""
    plain, secure = pair(tmp_path, 2)
    up = 4 * ((4 + 64) + (4 + 3 * (4 + 66 + 16)) + 4 + (4 + 3 * (4 + 33)))
    down = 4 * ((4 + 3 * (4 + 64)) + 3 * (4 + 66 + 16) + 3 * 4)
    assert secure.costs.secured == [up, up] and secure.costs.secured_downloads == 2 * down
    numbers = [{row.name: row.value for row in made.costs.rows()} for made in (plain, secure)]
    for name, more in (("cost/uploaded_mib", up), ("cost/downloaded_mib", down)):
        without, value = (number[name] for number in numbers)
        assert without is not None and value is not None and value - without == pytest.approx(2 * more / 2**20)
    again = training(tmp_path / "wide", rounds=2, secure_aggregation={"bits": 32})
    again.run()
    assert again.costs.secured[0] == up + 4 * 4 * again.work.size, "64 bits a number"


def jobs(count: int) -> list[Job]:
    return [Job(client, np.zeros(1, dtype=np.int64), 1, 1, 1, 0, 1 / count) for client in range(count)]


def clipped(bits: int) -> tuple[SecureTotal, RunningTotal]:
    """A sum of five of six devices, three of which clip; masked, and in the clear."""
    generator = torch.Generator().manual_seed(0)
    sent = [torch.randn(3, 4, generator=generator), torch.randn(5, generator=generator)]
    rule = Flat(kind="flat", l2_clip_norm=0.2)
    asked = Asked(0, tuple(range(6)), 1)
    secure, plain = SecureTotal(sent, SecureAggregation(bits=bits), asked, simulated(0, 0), rule), RunningTotal(sent, rule)
    for job, scale in zip(jobs(5), (0.01, 0.01, 3.0, 3.0, 3.0), strict=True):
        trained = [tensor + scale * torch.randn(tensor.shape, generator=generator) for tensor in sent]
        for total in (secure, plain):
            total.add(job, trained)
    return secure, plain


def test_a_clipped_sum_and_how_many_were_short_enough() -> None:
    """The server learns how many, and of none whether."""
    secure, plain = clipped(20)
    assert secure.unclipped == 0 and secure.received == plain.received == 5
    for mine, theirs in zip(secure.sum(), plain.sum(), strict=True):
        assert mine.dtype == torch.float64 and mine.shape == theirs.shape and float((mine - theirs).abs().max()) <= 5 * 2.0**-20
    assert secure.unclipped == plain.unclipped == 2


def test_rounding_never_makes_a_clipped_contribution_longer() -> None:
    """Rounded to the nearest, a vector at the clip is outside it about every second time: so are those of the positive control."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(50, 100))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths = {}
    for inward in (True, False):
        point = FixedPoint.of(SecureAggregation(bits=8), 3, inward)
        rounded = np.stack([point.decode(point.encode(vector)) for vector in vectors])
        assert np.abs(rounded - vectors).max() <= point.precision(1) == 2.0 ** -(8 if inward else 9)
        lengths[inward] = np.linalg.norm(rounded, axis=1)
    assert (lengths[True] <= 1).all() and (lengths[False] > 1).any()


def test_a_device_that_weighs_after_the_clip_is_noticed_by_itself() -> None:
    secure, _ = clipped(20)
    with pytest.raises(LongerThanTheClip, match="device 5 sent an update of length"):
        secure.receive(jobs(6)[5], Contribution([torch.ones(3, 4), torch.ones(5)]))


def test_private_rounds_are_as_in_the_clear(tmp_path: Path) -> None:
    """The same noise, and contributions rounded inward: by 2^-bits a device at most, over the expected cohort, beside float32."""
    private: dict[str, Any] = {"noise_multiplier": 0.5, "clipping": {"rule": {"kind": "adaptive-quantile"}}}
    block: dict[str, Any] = {"selection": {"kind": "uniform", "design": "poisson"}, "correction": {"kind": "equal"}, "cohort_size": 8, "rounds": 2}
    plain = training(tmp_path / "plain", privacy=private, **block)
    secure = training(tmp_path / "secure", privacy=private, secure_aggregation={"bits": 30}, **block)
    for made in (plain, secure):
        made.run()
    assert 0 <= farthest(plain, secure) < 1e-5
    assert plain.aggregation.kept == secure.aggregation.kept and plain.aggregation.kept
