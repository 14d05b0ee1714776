"""The cost ledger: what a strategy asks of devices and of the server. It tests the word 'lightweight' with numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.core.measures import Row

FORWARD, BOTH = 2, 6
"""Operations per weight and token: forward alone, forward and backward (Kaplan et al. 2020, section 2.1)."""
BYTES = 4
MIB = 2**20


@dataclass
class Costs:
    """Running totals.

    Args:
        weights: numbers in the model.
        sent: numbers that a device gets or sends back.
        train_flops, extra_flops: of training, and of what a strategy asks beside it.
        uploads, downloads: models sent.
        queries: devices asked for something other than training.
        secured: bytes of each round that secure aggregation makes devices send beside their numbers: keys, shares, wider numbers.
        secured_downloads: bytes that it makes them get.
        server_bytes: the most that the server held beside the model: rule, history, what a strategy collects.
    """

    weights: int
    sent: int
    train_flops: float = 0.0
    extra_flops: float = 0.0
    uploads: int = 0
    downloads: int = 0
    queries: int = 0
    server_bytes: int = 0
    secured: list[int] = field(default_factory=list)
    secured_downloads: int = 0

    def trained(self, tokens: int, asked: int, answered: int) -> None:
        """A round: tokens that all asked devices trained on, whether or not they answered in time."""
        self.train_flops += BOTH * self.weights * tokens
        self.downloads += asked
        self.uploads += answered

    def labelled(self, tokens: int) -> None:
        """A round: tokens of examples that devices labelled themselves. They are trained on as if every label was kept."""
        self.extra_flops += FORWARD * self.weights * tokens

    def aggregated(self, up: int, down: int, answered: int) -> None:
        """A round of secure aggregation: all bytes that devices sent for it, the vectors of those that answered among them, and got for it."""
        self.secured.append(up - answered * self.bytes_per_upload)
        self.secured_downloads += down

    def queried(self, devices: int, tokens: int, per_token: int, collected: int) -> None:
        """Devices that computed something for the strategy: they got the model, and sent ``collected`` bytes in all."""
        self.queries += devices
        self.downloads += devices
        self.extra_flops += per_token * self.weights * tokens
        self.held(collected)

    def held(self, size: int) -> None:
        """The server held so many bytes at once."""
        self.server_bytes = max(self.server_bytes, size)

    @property
    def bytes_per_upload(self) -> int:
        """Of one device's update, or of the model that it is sent."""
        return self.sent * BYTES

    def rows(self) -> tuple[Row, ...]:
        """The ledger as numbers with their conditions."""
        protocol = {"protocol": "6 operations per weight and token trained, 2 per token scored; 4 bytes per weight sent"}
        numbers = {
            "device_flops": self.train_flops + self.extra_flops,
            "extra_flops": self.extra_flops,
            "uploaded_mib": (self.uploads * self.bytes_per_upload + sum(self.secured)) / MIB,
            "downloaded_mib": (self.downloads * self.bytes_per_upload + self.secured_downloads) / MIB,
            "queries": float(self.queries),
            "server_memory_mib": self.server_bytes / MIB,
        }
        rows = ({"name": f"cost/{name}", "value": value, "direction": "lower"} for name, value in numbers.items())
        return tuple(Row.model_validate({**row, "lowest": 0, "conditions": protocol}) for row in rows)
