"""Micro-batches: eDP-SGD."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.privacy.blocks import LayerScales
from tasks.privacy.engine import Clipper, Engine

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.privacy.clip_rule import Bound
    from tasks.privacy.sharing import Sharing


class MicroBatch(Engine):
    """Clip the mean gradient of a micro-batch and not every example's: about as fast as plain training, and twice as dear.

    Our definition of eDP-SGD ('An efficient DP-SGD mechanism for large scale NLP models', ICASSP 2022, whose public record gives no algorithm): the examples
    of a Poisson batch go to M micro-batches by a keyed hash of (record, step); g_j is the sum of its gradients over k = expected batch size / M, layer l
    clipped at s_l C; the noisy sum is divided by M. One example can move g_j across the whole ball, so epsilon is that of half the noise multiplier.
    Sequential chunks of a batch would be worse: one more example shifts all later ones, by 2 C M.
    """

    copies: ClassVar[bool] = False
    recomputes: ClassVar[bool] = True
    looks_inside: ClassVar[bool] = False
    moves: ClassVar[int] = 2

    kind: Literal["micro-batch"]
    micro_batches: int | Literal["auto"] = Field(default=16, description="How many, M; auto: as few as keep what one holds in memory below memory_mib.")
    memory_mib: float = Field(default=256, gt=0, description="For micro_batches: auto. A public number, as all of the study.")
    layer_scales: LayerScales = Field(default="by-shape", description="by-shape, equal, or none: how the clip norm is divided among layers.")

    def clipper(self, network: nn.Module, rule: Bound) -> Clipper:
        """A pass per micro-batch."""
        from tasks.privacy.engines._loop import LoopClipper

        return LoopClipper(network, rule, self.layer_scales)

    def contributions(self, expected: int) -> int:
        """M."""
        assert isinstance(self.micro_batches, int)  # fitted to the network before
        return self.micro_batches

    def sharing(self, records: Tensor, expected: int, key: int) -> Sharing:
        """By hash; k = expected / M."""
        from tasks.privacy.sharing import ByHash

        micro_batches = self.contributions(expected)
        return ByHash(records, micro_batches, expected / micro_batches, key)

    def fitted(self, network: nn.Module, max_tokens: int, expected: int) -> MicroBatch:
        """With M for this network: from what an example of the most tokens keeps for its backward pass, so from public numbers alone."""
        from tasks.privacy.engines._held import held_bytes

        if self.micro_batches != "auto":
            return self
        examples = max(1, int(self.memory_mib * 2**20 // max(1, held_bytes(network, max_tokens))))
        return self.model_copy(update={"micro_batches": -(-expected // examples)})
