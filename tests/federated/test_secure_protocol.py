"""Secure sums equal plain ones, whoever drops out when; below the threshold a round is refused; a device refuses what would show a vector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.federated.secure.device import Device
from tasks.federated.secure.fixed_point import FixedPoint
from tasks.federated.secure.keys import Refused
from tasks.federated.secure.messages import Delivery, Roster, UnmaskingShares, UnmaskRequest
from tasks.federated.secure.protocol import SecureRound, secret
from tasks.federated.secure.server import TooFewDevices
from tasks.federated.secure_aggregation import SecureAggregation
from tests.federated.secure_rounds import begun, summed, twin, vectors

MANY = vectors(40, 30)


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 12), st.integers(0, 2**32), st.sampled_from([32, 64]), st.data())
def test_the_sum_is_that_of_whole_numbers_whoever_drops_out(devices: int, seed: int, width: int, data: st.DataObject) -> None:
    block = SecureAggregation(bits=20 if width == 32 else 36)
    values = vectors(devices, 7, seed)
    leave = max(0, devices - 1 - block.shares_needed(devices - 1))
    dropped = data.draw(st.sets(st.sampled_from(list(values)), max_size=leave))
    left = sorted({*values} - dropped)
    silent = data.draw(st.sets(st.sampled_from(left), max_size=leave - len(dropped)))
    made = begun(values, block, seed=seed)
    found = summed(made, values, dropped, silent)
    assert made.fixed_point.width == width
    assert np.array_equal(found, twin(values, dropped, block.bits))
    plain = np.sum([values[name] for name in left], axis=0)
    assert np.max(np.abs(found - plain)) <= made.fixed_point.precision(len(left)) + 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_on_a_sparse_graph_too(seed: int) -> None:
    generator = np.random.default_rng(seed)
    dropped = {*generator.choice(list(MANY), size=3, replace=False).tolist()}
    silent = {*generator.choice(sorted({*MANY} - dropped), size=1).tolist()}
    made = begun(MANY, seed=seed)
    assert all(len(device._shares or ()) < len(MANY) - 1 for device in made.devices.values())
    assert np.array_equal(summed(made, MANY, dropped, silent), twin(MANY, dropped, 20))


def test_keys_of_the_system_and_of_a_seed() -> None:
    values = vectors(5, 9)
    names = list(values)

    def masked(made: SecureRound) -> list[int]:
        found: list[int] = made.devices[names[0]].mask(values[names[0]]).vector.tolist()
        return found

    def of_the_system() -> SecureRound:
        return SecureRound(SecureAggregation(), names, 9, 0, secret)

    assert np.array_equal(summed(of_the_system(), values), summed(begun(values), values))
    assert masked(of_the_system()) != masked(of_the_system())
    assert masked(begun(values)) == masked(begun(values)) != masked(begun(values, seed=1))


def test_one_device_too_few_is_refused_at_each_step() -> None:
    values = vectors(7, 4)  # six neighbours, of which four are needed
    names = list(values)
    assert np.array_equal(summed(begun(values), values, names[:2]), twin(values, names[:2], 20))
    with pytest.raises(TooFewDevices, match="of the 6 neighbours of some device only 3 sent its vector, and 4 are needed: lower"):
        summed(begun(values), values, names[:3])
    with pytest.raises(TooFewDevices, match="only 3 unmasked"):
        summed(begun(values), values, names[:2], names[2:3])


def test_devices_that_drop_out_before_they_share_are_left_out() -> None:
    values = vectors(8, 5)
    names = list(values)
    fresh = {name: Device(name, bytes([place + 1]) * 32, FixedPoint(20, 8.0, 32)) for place, name in enumerate(names)}
    made = begun(values)
    rosters = made.server.enlist([device.advertise() for device in fresh.values()])
    gone = names[3]
    sealed = [fresh[name].share(roster) for name, roster in rosters.items() if name != gone]
    with pytest.raises(TooFewDevices, match="only 2 shared its secrets"):
        begun(values).server.route(sealed[:3])
    for name, delivery in made.server.route(sealed).items():
        fresh[name].receive(delivery)
        made.server.collect(fresh[name].mask(values[name]))
    found = made.server.total([fresh[name].unmask(request) for name, request in made.server.requests().items()])
    assert np.array_equal(found, twin(values, [gone], 20))


def asked(made: SecureRound, name: int) -> tuple[Device, UnmaskRequest]:
    return made.devices[name], made.server.requests()[name]


def test_a_device_never_gives_both_shares_of_one_device() -> None:
    values = vectors(8, 4)
    names = list(values)
    made = begun(values)
    for name in names[:-1]:
        made.submit(name, values[name])
    device, request = asked(made, names[0])
    both = replace(request, dropped=request.dropped | {names[1]})
    with pytest.raises(Refused, match=f"both shares of device {names[1]}"):
        device.unmask(both)
    given = device.unmask(request)
    assert not {*given.self_masks} & {*given.masking_keys}
    turned = UnmaskRequest(request.survivors - {names[1]}, request.dropped | {names[1]})
    with pytest.raises(Refused, match="answers one request"):
        device.unmask(turned)


def test_a_device_refuses_what_does_not_belong_to_the_protocol() -> None:
    values = vectors(6, 4)
    names = list(values)
    made = begun(values)
    device = made.devices[names[0]]
    with pytest.raises(Refused, match="after it sent its vector"):
        device.unmask(UnmaskRequest(frozenset(names[1:]), frozenset()))
    with pytest.raises(Refused, match="shares its secrets once"):
        device.share(Roster(3, ()))
    with pytest.raises(Refused, match="reads its neighbours' shares once"):
        device.receive(Delivery({}))
    made.submit(names[0], values[names[0]])
    with pytest.raises(Refused, match="sends one vector"):
        device.mask(values[names[0]])
    with pytest.raises(Refused, match="unmasks no fewer than 3"):
        device.unmask(UnmaskRequest(frozenset(names[1:3]), frozenset(names[3:])))
    with pytest.raises(ValueError, match="no vector of this round"):
        made.server.collect(replace(begun(values).devices[names[0]].mask(values[names[0]])))


def test_a_device_refuses_neighbours_that_could_unmask_it() -> None:
    devices = [Device(name, bytes([name + 1]) * 32, FixedPoint(20, 8.0, 32)) for name in range(4)]
    keys = tuple(device.advertise() for device in devices[1:])
    for roster, reason in (
        (Roster(1, keys), "more than half"),
        (Roster(4, keys), "more than half"),
        (Roster(2, (keys[0], keys[0], keys[1])), "not different devices"),
        (Roster(2, (keys[0], replace(keys[0], sender=2), keys[2])), "not different devices"),
        (Roster(2, (devices[0].advertise(), *keys)), "not different devices"),
    ):
        with pytest.raises(Refused, match=reason):
            devices[0].share(roster)


def test_shares_that_give_another_key_back_are_noticed() -> None:
    values = vectors(7, 4)
    names = list(values)
    made = begun(values)
    for name in names[:-1]:
        made.submit(name, values[name])
    answers = [made.devices[name].unmask(request) for name, request in made.server.requests().items()]
    wrong = UnmaskingShares(answers[0].sender, answers[0].self_masks, {names[-1]: answers[0].masking_keys[names[-1]] ^ 1})
    with pytest.raises(ValueError, match=r"key back|not of one secret"):
        made.server.total([wrong, *answers[1:]])


def test_messages_are_counted_as_long_as_they_are() -> None:
    values = vectors(5, 100)
    name, *others = values
    made = begun(values)
    device = made.devices[name]
    assert device.advertise().size == 4 + 64
    vector = device.mask(values[name])
    assert vector.size == 4 + 4 * 100
    answer = device.unmask(UnmaskRequest(frozenset(others[:3]), frozenset(others[3:])))
    assert answer.size == 4 + 4 * (4 + 33)
