"""Training examples with what the teacher says of them, and the loss of a student on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import NONE, OTHER, Lessons
from tasks.distillation.teacher import Said, Teacher
from tasks.distillation.vocabulary import GroupVocabulary
from tasks.models.batches import Encoded
from tasks.models.losses import next_token_nats


@dataclass(frozen=True, kw_only=True)
class Taught(Encoded):
    """Lessons as training examples; a batch carries the teacher's target.

    Args:
        lessons: all of them; ``ids`` and ``lengths`` are those of the chosen ones.
        chosen: (N,) which lessons these examples are.
        teacher: tells what comes next.
        vocabulary: the words of groups, on the teacher's device.
        how: what the student learns.
    """

    lessons: Lessons
    chosen: Tensor
    teacher: Teacher
    vocabulary: GroupVocabulary
    how: Distillation

    def batch(self, indices: Sequence[int] | Tensor, device: str = "cpu", draw: int = 0) -> dict[str, Tensor]:
        """As of ``Encoded``, and ``teacher`` (B, L - 1, V) probabilities, ``entropy`` (B, L - 1) of each, ``taught`` (B, L - 1) bool, perhaps ``teacher_states``."""
        found = super().batch(indices, device, draw)
        if not len(indices):
            return found
        lessons, which = self.lessons, self.chosen[torch.as_tensor(indices, dtype=torch.long)]
        longest = found["input_ids"].shape[1]
        places = lessons.places[which, : longest - 1]
        inside = found["attention_mask"][:, 1:]
        if self.how.weights.kl or self.how.weights.hidden:
            said, target = self._target(which, places, longest)
            probabilities = (target / self.how.temperature).log_softmax(dim=-1) if self.how.temperature != 1 else target
            found["teacher"] = probabilities.exp()
            found["entropy"] = -(found["teacher"] * probabilities).sum(dim=-1)
            found["taught"] = inside & (places >= 0).to(device)
            if said.states is not None:
                found["teacher_states"] = said.states[: len(which), : longest - 1]
        return found

    def _target(self, which: Tensor, places: Tensor, longest: int) -> tuple[Said, Tensor]:
        """What the teacher says of the lessons, and the normalised log-probabilities that the student shall learn."""
        lessons, how = self.lessons, self.how
        if not how.combiner.reads_reversal:
            said = self.teacher.ask(lessons.window[which], longest)
            return said, said.log_probs
        counterpart = lessons.counterpart[which]
        reversed_rows = (counterpart == OTHER).nonzero().squeeze(1)
        windows = torch.cat([lessons.window[which], lessons.other[which[reversed_rows]]])
        reach = max(longest, int(lessons.lengths[lessons.other[which[reversed_rows]]].max()) if len(reversed_rows) else longest)
        said = self.teacher.ask(windows, reach)
        own = said.log_probs[: len(which), : longest - 1]
        changed = (counterpart != NONE) if how.swap_output_vocab else (counterpart == OTHER)
        if not bool(changed.any()):
            return said, own
        other = own.clone()
        at = places[reversed_rows].clamp(min=0).to(own.device)
        rows = torch.arange(len(which), len(windows), device=own.device).unsqueeze(1)
        other[reversed_rows.to(own.device)] = said.log_probs[rows, at]
        mixed = self._combined(own, other)
        return said, torch.where(changed.to(own.device)[:, None, None], mixed, own)

    def _combined(self, own: Tensor, other: Tensor) -> Tensor:
        kept, moved = self.vocabulary.reversed(own, other) if self.how.swap_output_vocab else (own, other)
        mixed = self.how.combiner.combine(kept, moved)
        if self.how.restrict_to_gendered_vocab:
            mixed = torch.where(self.vocabulary.gendered, mixed, kept)
        return mixed.log_softmax(dim=-1)


@dataclass(frozen=True)
class DistillationLoss:
    """``kl T^2 KL(teacher || student) + cross_entropy CE + hidden (1 - cos)``, each a mean over the places of an example."""

    how: Distillation

    def __call__(self, logits: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """(B,) of logits ``lm`` (B, L, V), and where states count, ``states`` (B, L, H)."""
        weights, temperature = self.how.weights, self.how.temperature
        total = torch.zeros(len(batch["input_ids"]), device=logits["lm"].device)
        taught = batch.get("taught")
        if weights.kl and taught is not None:
            said = (logits["lm"][:, :-1].float() / temperature).log_softmax(dim=-1)
            divergence = -(batch["teacher"] * said).sum(dim=-1) - batch["entropy"]
            total = total + weights.kl * temperature**2 * (divergence * taught).sum(dim=1) / taught.sum(dim=1).clamp(min=1)
        if weights.cross_entropy:
            nats, tokens = next_token_nats(logits["lm"], batch)
            total = total + weights.cross_entropy * nats / tokens.clamp(min=1)
        if weights.hidden and taught is not None:
            inside = batch["attention_mask"][:, 1:]
            away = 1 - cosine_similarity(logits["states"][:, :-1].float(), batch["teacher_states"].float(), dim=-1)
            total = total + weights.hidden * (away * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)
        return total


def taught(lessons: Lessons, how: Distillation, teacher: Teacher, vocabulary: GroupVocabulary, pad_id: int) -> Taught:
    """The examples that a student learns from."""
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
        teacher=teacher,
        vocabulary=vocabulary,
        how=how,
    )
