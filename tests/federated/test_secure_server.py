"""What the server of secure aggregation gets to see: noise, of every device, even where it has all that the protocol gives it; and the sum."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from tasks.federated.secure import masks
from tasks.federated.secure.device import Device
from tasks.federated.secure.keys import SECRET_BYTES, KeyPair
from tasks.federated.secure.messages import MaskedVector, PublicKeys, SealedShares, UnmaskingShares
from tasks.federated.secure.protocol import SecureRound
from tasks.federated.secure.shamir import combine
from tests.federated.secure_rounds import begun, twin, vectors, watched

MESSAGES = (PublicKeys, SealedShares, MaskedVector, UnmaskingShares)
SIZE = 5000
FALSE_ALARM = 1e-6
"""Of a whole test: each device's vector is judged at this over the number of devices (Bonferroni)."""


def noisy(vector: NDArray[Any], among: int) -> bool:
    """Whether a vector's bytes look uniform: Pearson's chi-square over the 256 values, by place in the number."""
    places = vector.view(np.uint8).reshape(-1, vector.itemsize)
    counts = np.stack([np.bincount(column, minlength=256) for column in places.T])
    statistic = float(((counts - len(vector) / 256) ** 2).sum() / (len(vector) / 256))
    return bool(chi2(255 * vector.itemsize).sf(statistic) > FALSE_ALARM / among)


class Seen(SecureRound):
    """A round whose server is watched from before the first key arrives."""

    received: list[Any]
    result: NDArray[np.float64]

    def device(self, name: int, root: bytes) -> Device:
        if not hasattr(self, "received"):
            self.received = watched(self.server, ("enlist", "route", "collect", "total"))
        return super().device(name, root)


class Careless(Device):
    """A planted fault: it forgets to mask."""

    def _apply_masks(self, vector: NDArray[Any]) -> None:
        pass


class OfOneMask(Device):
    """A planted fault: it adds its self mask alone, which the server takes off."""

    def _pairwise(self) -> Mapping[int, bytes]:
        return {}


def seen(fault: type[Device] | None = None, place: int = 5) -> tuple[Seen, dict[int, NDArray[np.float64]], list[int]]:
    """A whole round of 12 devices, three of which drop out before they send, and whose vectors come late: the server keeps those too."""
    values = vectors(12, SIZE, spread=0.01)
    names = list(values)
    faulty = names[place]

    class Round(Seen):
        def device(self, name: int, root: bytes) -> Device:
            made = super().device(name, root)
            return fault(name, root, self.fixed_point) if fault and name == faulty else made

    made = begun(values, kind=Round)
    assert isinstance(made, Seen)
    dropped = [names[1], names[4], names[9]]
    for name, row in values.items():
        if name not in dropped:
            made.submit(name, row)
    made.result = made.total()
    made.received.extend(made.devices[name].mask(values[name]) for name in dropped)
    return made, values, dropped


def vectors_of(made: Seen) -> dict[int, NDArray[Any]]:
    return {message.sender: message.vector for message in made.received if isinstance(message, MaskedVector)}


def brought_back(made: Seen, name: int, kind: str) -> bytes:
    """A device's secret, from the shares of one kind that the server was given."""
    answers = [message for message in made.received if isinstance(message, UnmaskingShares)]
    return combine({answer.sender + 1: getattr(answer, kind)[name] for answer in answers if name in getattr(answer, kind)})


def unmasked(made: Seen, dropped: Sequence[int]) -> dict[int, NDArray[Any]]:
    """Each vector less every mask that the server can work out from what it received: survivors' self masks, and all masks shared with those who dropped."""
    public = {message.sender: message.masking for message in made.received if isinstance(message, PublicKeys)}
    pairs = {name: KeyPair(brought_back(made, name, "masking_keys")) for name in dropped}
    found = {}
    for name, vector in vectors_of(made).items():
        seeds = {other: pairs[name].agree(public[other], "mask") for other in public if name in pairs and other != name}
        seeds |= {other: pairs[other].agree(public[name], "mask") for other in pairs if other != name}
        mine = [] if name in pairs else [brought_back(made, name, "self_masks")]
        left = vector.copy()
        masks.apply(left, [seed for other, seed in seeds.items() if other < name], [*mine, *(seed for other, seed in seeds.items() if other > name)])
        found[name] = left
    return found


def test_the_server_gets_messages_and_nothing_else() -> None:
    made, _, dropped = seen()
    assert {type(message) for message in made.received} == {*MESSAGES}
    counts = {kind: sum(isinstance(message, kind) for message in made.received) for kind in MESSAGES}
    assert counts == {PublicKeys: 12, SealedShares: 12, MaskedVector: 12, UnmaskingShares: 12 - len(dropped)}


def test_every_masked_vector_is_noise_even_less_the_masks_that_the_server_knows() -> None:
    made, values, dropped = seen()
    for found in (vectors_of(made), unmasked(made, dropped)):
        assert len(found) == 12 and all(noisy(vector, 24) for vector in found.values())
    assert np.array_equal(made.result, twin(values, dropped, 20))


@pytest.mark.parametrize("fault", [Careless, OfOneMask])
def test_a_device_that_forgets_masks_is_caught(fault: type[Device]) -> None:
    made, values, dropped = seen(fault)
    faulty = list(values)[5]
    shown = vectors_of(made)
    if fault is OfOneMask:
        assert noisy(shown[faulty], 24), "its vector alone tells nothing"
        masks.apply(shown[faulty], [], [brought_back(made, faulty, "self_masks")])
        assert np.array_equal(made.fixed_point.decode(shown[faulty]), made.fixed_point.decode(made.fixed_point.encode(values[faulty])))
    assert [name for name, vector in shown.items() if not noisy(vector, 24)] == [faulty]
    assert not np.array_equal(made.result, twin(values, dropped, 20)), "and its masks are missed in the sum"


def test_shares_of_one_kind_alone_are_ever_seen_of_a_device() -> None:
    made, values, dropped = seen()
    answers = [message for message in made.received if isinstance(message, UnmaskingShares)]
    self_masks, masking = ({name for answer in answers for name in getattr(answer, kind)} for kind in ("self_masks", "masking_keys"))
    assert masking == {*dropped} and self_masks == {*values} - masking


def reached(start: object) -> Iterator[object]:
    """All that an object holds, however deep; classes, modules and functions end the search."""
    queue, known = [start], {id(start)}
    while queue:
        thing = queue.pop()
        yield thing
        for held in gc.get_referents(thing):
            if id(held) not in known and not isinstance(held, type | type(gc)) and not callable(held):
                known.add(id(held))
                queue.append(held)


def secrets_in(start: object, made: Seen, values: Mapping[int, NDArray[np.float64]]) -> list[str]:
    """What of devices an object holds: a device itself, its numbers, or a secret of it that the protocol does not bring back."""
    rows = [*values.values(), *(made.fixed_point.encode(row) for row in values.values())]
    held = {secret: name for name, device in made.devices.items() for secret in (device._self_mask, device._masking.secret, device._sealing.secret)}
    found = []
    for thing in reached(start):
        if isinstance(thing, Device):
            found.append(f"device {thing.identity}")
        elif isinstance(thing, np.ndarray) and any(thing.shape == row.shape and np.array_equal(thing, row) for row in rows):
            found.append("numbers")
        elif isinstance(thing, bytes) and len(thing) == SECRET_BYTES and thing in held:
            found.append(f"secret of device {held[thing]}")
    return found


def test_the_server_holds_nothing_of_a_device() -> None:
    made, values, _ = seen()
    for name in ("enlist", "route", "collect", "total"):
        delattr(made.server, name)
    assert secrets_in(made.server, made, values) == []
    assert secrets_in(made.received, made, values) == []
    one = next(iter(values))
    for planted, told in ((made.devices[one], f"device {one}"), (values[one], "numbers"), (made.devices[one]._self_mask, f"secret of device {one}")):
        made.server.planted = [planted]  # type: ignore[attr-defined]
        assert told in secrets_in(made.server, made, values)
