"""What the server remembers of earlier rounds: who was asked, who answered, with which losses, after how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Heard:
    """What one round brought. All arrays are over the devices whose updates were used, ascending by index.

    Args:
        asked: (K,) devices asked, those that dropped out included.
        clients: (m,) devices that answered.
        mean_loss: (m,) mean training loss over the examples a device trained on.
        rms_loss: (m,) root of the mean squared loss over them.
        examples: (m,) examples trained on, repeats counted.
        seconds: (m,) how long each took, simulated.
    """

    asked: NDArray[np.int64]
    clients: NDArray[np.int64]
    mean_loss: NDArray[np.float64]
    rms_loss: NDArray[np.float64]
    examples: NDArray[np.int64]
    seconds: NDArray[np.float64]


@dataclass
class History:
    """All rounds so far, and what strategies ask of them.

    Args:
        devices: N, how many there are.
        rounds: what each round brought, oldest first.
    """

    devices: int
    rounds: list[Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        import numpy as np

        self.times_asked = np.zeros(self.devices, dtype=np.int64)
        self.times_heard = np.zeros(self.devices, dtype=np.int64)
        self.last_asked = np.full(self.devices, -1, dtype=np.int64)
        self.last_heard = np.full(self.devices, -1, dtype=np.int64)
        self.mean_loss = np.full(self.devices, np.nan)
        self.rms_loss = np.full(self.devices, np.nan)
        self.seconds = np.full(self.devices, np.nan)
        earlier, self.rounds = self.rounds, []
        self.extend(earlier)

    def extend(self, rounds: Sequence[Heard]) -> None:
        """Add rounds; the arrays (last value per device, NaN and -1 where never heard) follow."""
        for heard in rounds:
            self.times_asked[heard.asked] += 1
            self.last_asked[heard.asked] = len(self.rounds)
            self.times_heard[heard.clients] += 1
            self.last_heard[heard.clients] = len(self.rounds)
            self.mean_loss[heard.clients] = heard.mean_loss
            self.rms_loss[heard.clients] = heard.rms_loss
            self.seconds[heard.clients] = heard.seconds
            self.rounds.append(heard)

    def rested(self, round: int, separation: int) -> NDArray[np.bool_]:
        """(N,) who was not asked in the last ``separation`` - 1 rounds before this one."""
        return (self.last_asked < 0) | (round - self.last_asked >= separation)

    def size(self) -> int:
        """Bytes that the arrays take."""
        arrays = (self.times_asked, self.times_heard, self.last_asked, self.last_heard, self.mean_loss, self.rms_loss, self.seconds)
        return sum(array.nbytes for array in arrays)
