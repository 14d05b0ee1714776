"""Amendments: what is changed of a trained model without training it: its last states, or how it goes on with a text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tasks.models.decoding import Doubt
from tasks.models.model import ModelError

if TYPE_CHECKING:
    from tasks.text.tokenizer import TextEncoder


class Affine(nn.Module):
    """``h -> h @ matrix.T + shift`` of states (..., H); nothing of it is trained."""

    matrix: Tensor
    shift: Tensor

    def __init__(self, matrix: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.register_buffer("shift", shift)

    def forward(self, states: Tensor) -> Tensor:
        """As the class says."""
        return states @ self.matrix.to(states.dtype).T + self.shift.to(states.dtype)


def erase(network: nn.Module, matrix: Tensor, shift: Tensor) -> None:
    """Put an affine map between a network's last states and its answers, after one that is there. Raises ModelError for a network without such states."""
    from tasks.models._transformers import CausalNetwork, EncoderNetwork

    if not isinstance(network, CausalNetwork | EncoderNetwork):
        raise ModelError("only a causal language model or a transformer encoder has states that can be erased before its answers")
    first: Any = network.eraser
    network.eraser = Affine(matrix, shift) if first is None else Affine(matrix @ first.matrix, matrix @ first.shift + shift)
    if first is None and isinstance(network, CausalNetwork):
        answers: Any = network.body.get_output_embeddings()  # type: ignore[operator]
        answers.register_forward_pre_hook(partial(_before_answers, network))


def _before_answers(network: Any, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (network.erased(inputs[0]), *inputs[1:])


def doubt_of(network: nn.Module) -> Doubt | None:
    """How a network doubts itself while it writes; None where it does not."""
    return getattr(network, "doubt", None)


def amend(network: nn.Module, said: Mapping[str, Any]) -> None:
    """Make a network ready to take the weights of an amended one, from what ``amendments`` told."""
    if said.get("erased"):
        width = int(said["erased"])
        erase(network, torch.eye(width), torch.zeros(width))
    if said.get("doubt"):
        network.doubt = Doubt.model_validate(said["doubt"])  # type: ignore[assignment]


def amendments(network: nn.Module) -> dict[str, Any]:
    """What is to be told of an amended network beside its weights; nothing of others."""
    eraser, doubt = getattr(network, "eraser", None), doubt_of(network)
    found: dict[str, Any] = {"erased": len(eraser.shift)} if eraser is not None else {}
    return found | ({"doubt": doubt.model_dump(mode="json")} if doubt is not None else {})


def doubting(network: Any, encoder: TextEncoder, doubt: Doubt) -> Any:
    """A processor of transformers' generation: next-token scores (B, V) as the class ``Doubt`` says."""
    from transformers import LogitsProcessor

    prefix = [*encoder.head, *encoder.pieces(doubt.prefix)[0]]

    class Doubting(LogitsProcessor):
        """Keeps its own cache of the text behind the prefix."""

        def __init__(self) -> None:
            self.past: Any = None

        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            """(B, V) logarithms of probabilities."""
            if self.past is None:
                asked = torch.tensor(prefix, device=input_ids.device).expand(len(input_ids), -1)
                read = torch.cat([asked, input_ids[:, len(encoder.head) :]], dim=1)
            else:
                read = input_ids[:, -1:]
            found = network.body(input_ids=read, past_key_values=self.past, use_cache=True)
            self.past = found.past_key_values
            own, biased = scores.float().softmax(dim=-1), found.logits[:, -1].float().softmax(dim=-1)
            factor = (-doubt.decay * (biased - own).clamp(min=0)).exp().clamp(min=doubt.floor)
            weighed: Tensor = (own * factor).clamp(min=1e-30).log().to(scores.dtype)
            return weighed

    return Doubting()
