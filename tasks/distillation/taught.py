"""Training examples with what a student shall learn of them, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import Lessons
from tasks.distillation.teacher import Target, Targets
from tasks.models.batches import Encoded
from tasks.models.losses import following_tokens, place_nats
from tasks.models.masking import IGNORED


@dataclass(frozen=True, kw_only=True)
class Taught(Encoded):
    """Lessons as training examples; a batch carries their targets.

    Args:
        lessons: all of them; ``ids`` and ``lengths`` are those of the chosen ones.
        chosen: (N,) which lessons these examples are.
        targets: what is to be learnt.
        how: what the student learns.
        vocabulary: number of tokens.
    """

    lessons: Lessons
    chosen: Tensor
    targets: Targets
    how: Distillation
    vocabulary: int

    def batch(self, indices: Sequence[int] | Tensor, device: str = "cpu", draw: int = 0) -> dict[str, Tensor]:
        """As of ``Encoded``, and what ``softened`` makes of the target; ``taught`` (B, L - 1) bool; perhaps ``teacher_states``."""
        found = super().batch(indices, device, draw)
        if not len(indices) or not (self.how.weights.kl or self.how.weights.hidden):
            return found
        which = self.chosen[torch.as_tensor(indices, dtype=torch.long)]
        longest = found["input_ids"].shape[1]
        target = self.targets.of(which, longest)
        found |= softened(target, self.how.temperature, self.vocabulary)
        places = self.lessons.places[which, : longest - 1]
        found["taught"] = found["attention_mask"][:, 1:] & (places >= 0).to(device)
        if target.states is not None:
            found["teacher_states"] = target.states
        return found


@torch.no_grad()
def softened(target: Target, temperature: float, vocabulary: int) -> dict[str, Tensor]:
    """A target divided by the temperature and normalised, as a loss takes it.

    Returns:
        ``teacher`` (B, L - 1, K) probabilities, ``entropy`` (B, L - 1) in nats, and, where K tokens are kept, which (``tokens``) and the
        log-probability of each other (``rest``).
    """
    values = target.values / temperature if temperature != 1 else target.values
    if target.tokens is None or target.rest is None:
        logarithms = values.log_softmax(dim=-1)
        probabilities = logarithms.exp()
        return {"teacher": probabilities, "entropy": -torch.einsum("blv,blv->bl", probabilities, logarithms)}
    others = vocabulary - values.shape[-1]
    rest = target.rest / temperature
    total = torch.cat([values, (rest + torch.log(torch.tensor(float(others)))).unsqueeze(-1)], dim=-1).logsumexp(dim=-1)
    logarithms, rest = values - total.unsqueeze(-1), rest - total
    probabilities = logarithms.exp()
    entropy = -(probabilities * logarithms).sum(dim=-1) - others * rest.exp() * rest
    return {"teacher": probabilities, "entropy": entropy, "tokens": target.tokens, "rest": rest}


@dataclass(frozen=True)
class DistillationLoss:
    """``kl T^2 KL(teacher || student) + cross_entropy CE + hidden (1 - cos)``, each a mean over the places of an example."""

    how: Distillation

    def __call__(self, logits: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """(B,) of logits ``lm`` (B, L, V), and where states count, ``states`` (B, L, H)."""
        weights, temperature = self.how.weights, self.how.temperature
        total = torch.zeros(len(batch["input_ids"]), device=logits["lm"].device)
        said, normaliser = logits["lm"][:, :-1].float(), None
        taught = batch.get("taught")
        if weights.cross_entropy:
            following = following_tokens(batch)
            nats, there = place_nats(logits["lm"], following), following != IGNORED
            total = total + weights.cross_entropy * nats.sum(dim=1) / there.sum(dim=1).clamp(min=1)
            if temperature == 1:  # -log p of a token and its logit tell the normaliser, at a fraction of its price
                normaliser = nats[:, :-1] + said.gather(-1, following[:, :-1].clamp(min=0).unsqueeze(-1)).squeeze(-1)
        if weights.kl and taught is not None:
            divergence = surprise(said, temperature, batch, normaliser) - batch["entropy"]
            total = total + weights.kl * temperature**2 * (divergence * taught).sum(dim=1) / taught.sum(dim=1).clamp(min=1)
        if weights.hidden and taught is not None:
            inside = batch["attention_mask"][:, 1:]
            away = 1 - cosine_similarity(logits["states"][:, :-1].float(), batch["teacher_states"].float(), dim=-1)
            total = total + weights.hidden * (away * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)
        return total


def surprise(logits: Tensor, temperature: float, batch: dict[str, Tensor], normaliser: Tensor | None = None) -> Tensor:
    """(B, L - 1) the cross-entropy of what the student says, at a temperature, under the target. ``normaliser`` (B, L - 1), where it is known already."""
    said = logits / temperature if temperature != 1 else logits
    normaliser = said.logsumexp(dim=-1) if normaliser is None else normaliser
    if "tokens" not in batch:
        return normaliser - torch.einsum("blv,blv->bl", batch["teacher"], said)
    likely = said.gather(-1, batch["tokens"])
    other = batch["rest"].exp() * (said.sum(dim=-1) - likely.sum(dim=-1))  # of each token that is not kept the same probability
    return normaliser - (batch["teacher"] * likely).sum(dim=-1) - other


def taught(lessons: Lessons, how: Distillation, targets: Targets, vocabulary: int, pad_id: int) -> Taught:
    """The examples that a student learns from; ``vocabulary`` is the number of tokens."""
    chosen = lessons.chosen(how.apply_to).nonzero().squeeze(1)
    window = lessons.window[chosen]
    return Taught(
        ids=lessons.ids[window],
        lengths=lessons.lengths[window],
        pad_id=pad_id,
        records=lessons.records[chosen],
        loss=DistillationLoss(how),
        lessons=lessons,
        chosen=chosen,
        targets=targets,
        how=how,
        vocabulary=vocabulary,
    )
