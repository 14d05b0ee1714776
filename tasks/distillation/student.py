"""Students: how one begins from its teacher, and what it learns from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tasks.core.measures import Row, share
from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import FACTS, OF_TEXTS, Lessons
from tasks.distillation.taught import taught
from tasks.distillation.teacher import KEPT, AskedTeacher, StoredTargets, Targets
from tasks.distillation.vocabulary import GroupVocabulary, group_vocabulary
from tasks.models.artifact import LoadedModel, load_model
from tasks.models.batches import Encoded
from tasks.models.model import ModelError, Started, TaskShape
from tasks.text.counterfactual import Counterfactual
from tasks.text.reversal import NO_WORD
from tasks.training.trainer import Teaching
from tasks.training.training import Training

SAMPLE = "The nurse said that she had seen her brother, who was 41, in São Paulo."


@dataclass
class TaughtByTeacher(Teaching):
    """A student's training: its first weights, and the teacher's targets.

    Args:
        teacher: folder of its model artifact.
        lessons: folder of the lessons.
        targets: folder of what is to be learnt, where it is stored.
        counterfactual: the table of words.
        how: what is learnt.
    """

    teacher: Path
    lessons: Path
    targets: Path
    counterfactual: Counterfactual
    how: Distillation
    _loaded: LoadedModel | None = field(default=None, repr=False)

    def begin(self, started: Started) -> None:
        """Raises ModelError where teacher and student do not share a vocabulary, or the student cannot begin from the teacher's layers."""
        self._loaded = load_model(self.teacher, "cpu")
        check_pair(self._loaded, started)
        if self.how.initialise == "alternate-layers":
            from_alternate_layers(started.network, self._loaded.network)
        if self.how.weights.hidden:
            _check_widths(started.network, self._loaded.network)
            started.network.tell_states = True  # type: ignore[assignment]

    def encode(self, prepared: PreparedData, started: Started, shape: TaskShape, training: Training, run: StepRun) -> Encoded:
        """The lessons on the texts, on their reversals, or on both. Raises ModelError where an output swap would swap nothing."""
        assert self._loaded is not None
        lessons = Lessons.load(self.lessons)
        vocabulary = group_vocabulary(started.encoder, self.counterfactual.reverser())
        swaps = self.how.combiner.reads_reversal and (self.how.swap_output_vocab or self.how.restrict_to_gendered_vocab)
        if swaps and not bool(vocabulary.gendered.any()):
            raise ModelError("no word of a group is one token of the student's tokenizer: use a trained tokenizer, or swap_output_vocab: false")
        targets = self._targets(lessons, vocabulary, run.device)
        return taught(lessons, self.how, targets, started.encoder.vocabulary_size, started.encoder.pad_id)

    def rows(self, private: bool) -> tuple[Row, ...]:
        """Shares of texts and places; none under privacy, whose guarantee does not cover them."""
        if private:
            return ()
        facts = json.loads((self.lessons / FACTS).read_text())
        gendered = sum(count for name, count in facts.items() if name.startswith(OF_TEXTS) and name != OF_TEXTS + NO_WORD)
        return (
            *share("distillation/texts_reversed", facts.get(f"{OF_TEXTS}reversed", 0), gendered),
            *share("distillation/places_left_out", facts["places without a counterpart"], facts["places of reversed texts"]),
        )

    def _targets(self, lessons: Lessons, vocabulary: GroupVocabulary, device: str) -> Targets:
        assert self._loaded is not None
        if (self.targets / KEPT).exists() and not self.how.weights.hidden:
            return StoredTargets(self.targets, device)
        return AskedTeacher(self._loaded.network.to(device), lessons, self.how, vocabulary.to(device), device)


def check_pair(teacher: LoadedModel, student: Started) -> None:
    """Raises ModelError where the two do not share tokens, so that no distribution of one is one of the other."""
    if teacher.shape.task != "lm":
        raise ModelError(f"the teacher answers task '{teacher.shape.task}': a teacher is a causal language model, task 'lm'")
    one, other = teacher.encoder, student.encoder
    if one.vocabulary_size != other.vocabulary_size or one.pieces(SAMPLE) != other.pieces(SAMPLE):
        raise ModelError(f"teacher and student have unlike tokenizers ({one.vocabulary_size} and {other.vocabulary_size} tokens): give both the same block")
    if one.max_tokens < other.max_tokens:
        raise ModelError(f"the student reads {other.max_tokens} tokens, its teacher {one.max_tokens}: lower student.tokenizer.max_tokens")


@torch.no_grad()
def from_alternate_layers(student: nn.Module, teacher: nn.Module) -> list[int]:
    """Copy the teacher's weights outside its layers, and of its layers as many as the student has, evenly spaced, first and last among them.

    Returns:
        Which layers, from 0. Raises ModelError where the two are no like networks.
    """
    one, other = _layers(teacher), _layers(student)
    if one is None or other is None or one[0] != other[0] or len(other[1]) > len(one[1]):
        raise ModelError("alternate-layers: the student must be of its teacher's architecture and have no more layers")
    if _heads(teacher) != _heads(student):
        raise ModelError("alternate-layers: the student must have its teacher's attention heads: no weight tells how many there are")
    kept = [round(place * (len(one[1]) - 1) / max(1, len(other[1]) - 1)) for place in range(len(other[1]))]
    name, weights = one[0], teacher.state_dict()
    for key, target in student.state_dict().items():
        source = key
        if key.startswith(f"{name}."):
            number, rest = key.removeprefix(f"{name}.").split(".", 1)
            source = f"{name}.{kept[int(number)]}.{rest}"
        found = weights.get(source)
        if found is None or found.shape[1:] != target.shape[1:] or len(found) < len(target):
            raise ModelError(f"alternate-layers: the teacher has no weight that fits {key} of the student: give both the same width and heads")
        target.copy_(found[: len(target)])  # of positions, the student may have fewer
    return kept


def _layers(network: nn.Module) -> tuple[str, nn.ModuleList] | None:
    """The name and the list of a network's blocks: the longest list of modules."""
    found = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.ModuleList)]
    return max(found, key=lambda pair: len(pair[1]), default=None)


def _heads(network: Any) -> tuple[int | None, int | None]:
    config = getattr(getattr(network, "body", None), "config", None)
    return getattr(config, "num_attention_heads", None), getattr(config, "num_key_value_heads", None)


def _check_widths(student: nn.Module, teacher: nn.Module) -> None:
    one, other = (_width(network) for network in (student, teacher))
    if one != other:
        raise ModelError(f"distillation.weights.hidden compares states: the student is {one} wide, its teacher {other}")


def _width(network: Any) -> int:
    return int(network.body.get_input_embeddings().weight.shape[1])
