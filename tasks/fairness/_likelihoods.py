"""What metrics of likelihood share: text as tokens, the likelihood of a text or of its parts under causal and masked models, and their common base."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.fingerprint import digest
from tasks.core.measures import Measures, Row, Status
from tasks.fairness.metric import FairnessMetric
from tasks.models.ability import Ability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.probing import Probe
    from tasks.text.tokenizer import TextEncoder

    Floats = NDArray[np.float64]

BeginMark = Literal["first-token", "kept"]
VALIDITY = "disputed: pairs of StereoSet, CrowS-Pairs, WinoBias and Winogender often do not say what they mean to compare (Blodgett et al., ACL 2021)"
ROWS = 8_192
"""The most sequences held at once."""
Request = tuple[tuple[int, ...], int, int]
"""Ids with hidden tokens, a place, and the token that is asked for there."""


class LikelihoodMetric(FairnessMetric, ABC):
    """Base of the metrics that compare likelihoods under a masked or a causal language model.

    A masked model that could also go on with a text is asked as a masked one. A text that is longer than the model reads is left out, never cut.
    """

    requires: ClassVar[tuple[Ability, ...]] = ("masked-lm", "causal-lm")

    minimum_items: int = Field(default=30, ge=1, description="Below this many items a number is not given.")

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """What ``judge`` finds of the model."""
        from tasks.models.probing import Probe

        return self.judge(Probe.open(target, "cpu" if report is None else report.device), seed, report)

    def judge(self, probe: Probe, seed: int, report: Any = None) -> Measures:
        """The rows of a model that is open; ``unsupported`` where it can tell no likelihoods."""
        if not probe.abilities & set(self.requires):
            return Measures(self.without("unsupported", f"{self.kind} asks a masked or a causal language model; this model tells no tokens' probabilities"))
        return self.asked(probe, seed, report)

    @abstractmethod
    def asked(self, probe: Probe, seed: int, report: Any) -> Measures:
        """The rows of a masked or a causal language model."""

    def without(
        self, status: Status, reason: str, n: int | None = None, names: tuple[str, ...] = (), conditions: dict[str, str] | None = None
    ) -> tuple[Row, ...]:
        """As every metric's; a signed or ideal-50 number has no better direction then either."""
        found = super().without(status, reason, n, names, conditions)
        return tuple(row if row.name.endswith("difference") else row.model_copy(update={"direction": "none"}) for row in found)

    def too_few(self, n: int, left_out: int, conditions: dict[str, str] | None = None) -> Measures:
        """The headline without a value, for want of items."""
        return Measures(self.without("insufficient_evidence", few(n, self.minimum_items, left_out), n, conditions=conditions))


class Tokens:
    """Text as a tokenizer's ids without its marks, never cut, and where its parts stand.

    Args:
        encoder: the tokenizer.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self._marks = encoder.mark_ids | {encoder.pad_id}
        sample, window = encoder.encode(["a"])[0], encoder.windows("a")[0]
        inside = [place for place, index in enumerate(sample) if index not in self._marks]
        self.head, self.tail = tuple(sample[: inside[0]]), tuple(sample[inside[-1] + 1 :])
        self.begin = window[0] if window[0] in self._marks else encoder.pad_id
        self._known: dict[str, tuple[int, ...]] = {}
        blank = self.of("a ")
        self._keeps_blanks = len(blank) > len(self.of("a")) and all(self.of(f"a {letter}")[: len(blank)] == blank for letter in "aest")

    def of(self, text: str) -> tuple[int, ...]:
        """The ids of a whole text."""
        found = self._known.get(text)
        if found is None:
            ids: list[int] = []
            for window in self.encoder.windows(text):
                ids += window[1:] if window[0] in self._marks else window
            while ids and ids[-1] in self._marks:
                ids.pop()
            found = self._known[text] = tuple(ids)
        return found

    def parts(self, *texts: str) -> tuple[tuple[int, ...], list[int]]:
        """Ids of the texts joined, and where each text's ids end. A blank before a word is the word's where the tokenizer writes them together."""
        whole = self.of("".join(texts))
        ends = [self._end(whole, "".join(texts[:number])) for number in range(1, len(texts))]
        return whole, [*ends, len(whole)]

    def framed(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Ids between the tokenizer's marks, as a masked model reads them."""
        return (*self.head, *ids, *self.tail)

    def _end(self, whole: tuple[int, ...], text: str) -> int:
        before = self.of(text if self._keeps_blanks else text.rstrip())
        if whole[: len(before)] == before:
            return len(before)
        return next((place for place, (one, other) in enumerate(zip(whole, before, strict=False)) if one != other), min(len(whole), len(before)))


@dataclass(frozen=True)
class Hidden:
    """A text with tokens to be hidden one at a time: unframed ids and the places that are asked for."""

    ids: tuple[int, ...]
    places: tuple[int, ...]


def masked(probe: Probe, requests: Sequence[Request], report: Any = None) -> Floats:
    """(N,) log p in nats of each request; equal requests are asked once, long ones last."""
    import numpy as np

    places = dict.fromkeys(requests, 0)
    order = sorted(places, key=lambda request: len(request[0]))
    found = np.zeros(len(order))
    for start in range(0, len(order), ROWS):
        part = order[start : start + ROWS]
        found[start : start + len(part)] = probe.masked_scores([row for row, _, _ in part], [at for _, at, _ in part], [wanted for _, _, wanted in part])
        _say(report, start + len(part), len(order))
    places.update({request: place for place, request in enumerate(order)})
    return found[[places[request] for request in requests]]


def pseudo_scores(probe: Probe, tokens: Tokens, texts: Sequence[Hidden], report: Any = None) -> list[Floats | None]:
    """Log p of each asked token given all others of its text (Salazar et al., ACL 2020); None where the text is longer than the model reads."""
    import numpy as np

    fits = [len(tokens.framed(text.ids)) <= probe.encoder.max_tokens for text in texts]
    mask = mask_of(probe)
    scores = masked(probe, [_one_hidden(tokens, text.ids, place, mask) for text, fit in zip(texts, fits, strict=True) if fit for place in text.places], report)
    ends = np.cumsum([len(text.places) if fit else 0 for text, fit in zip(texts, fits, strict=True)])
    return [scores[end - len(text.places) : end] if fit else None for text, fit, end in zip(texts, fits, ends, strict=True)]


def sequence_scores(probe: Probe, tokens: Tokens, texts: Sequence[tuple[int, ...]], begin: BeginMark = "kept", report: Any = None) -> list[Floats | None]:
    """Log p of every token of unframed texts under a causal model; None where a text is empty or longer than the model reads.

    Args:
        probe: the model.
        tokens: its tokenizer.
        texts: ids without marks.
        begin: ``kept``: a begin mark stands before the text. ``first-token``: it stands before the first token alone, and later tokens are
            read without it, as StereoSet's published code asks GPT-2.
        report: of progress.
    """
    import numpy as np

    most = probe.encoder.max_tokens - (begin == "kept")
    kept = sorted({text for text in texts if 0 < len(text) <= most}, key=len)
    if begin == "kept":
        found = dict(zip(kept, _causal(probe, [(tokens.begin, *text) for text in kept], report), strict=True))
    else:
        firsts = sorted({text[0] for text in kept})
        first = dict(zip(firsts, _causal(probe, [(tokens.begin, index) for index in firsts], None), strict=True))
        later = dict(zip(kept, _causal(probe, kept, report), strict=True))
        found = {text: np.concatenate([first[text[0]], later[text]]) for text in kept}
    return [found.get(text) for text in texts]


def mask_of(probe: Probe) -> int:
    """The id that hides a token; a masked language model has one."""
    assert probe.encoder.mask_id is not None
    return probe.encoder.mask_id


def is_masked(probe: Probe) -> bool:
    """Whether the model is asked for hidden tokens."""
    return "masked-lm" in probe.abilities


def complete(scores: Floats) -> NDArray[np.bool_]:
    """(N,) whether every score of a row of (N, D) is there."""
    import numpy as np

    return np.asarray(~np.isnan(scores).any(axis=1))


def distance(value: float, interval: tuple[float, float] | None, ideal: float) -> tuple[float, tuple[float, float] | None]:
    """How far a number is from its ideal, and its interval: from 0 where the ideal lies within the number's own."""
    away = abs(value - ideal)
    if interval is None:
        return away, None
    ends = [abs(end - ideal) for end in interval]
    return away, (0.0 if interval[0] <= ideal <= interval[1] else min(ends), max(*ends, away))


def few(n: int, least: int, left_out: int = 0) -> str:
    """Why a number is not given."""
    longer = f", {left_out} more are longer than the model reads or cannot be asked" if left_out else ""
    return f"{n} items, fewer than {least}{longer}"


def contents(items: Sequence[Any]) -> str:
    """Digest of items, which are dataclasses."""
    return digest([asdict(item) for item in items])[:12]


def _one_hidden(tokens: Tokens, ids: tuple[int, ...], place: int, mask: int) -> Request:
    return tokens.framed((*ids[:place], mask, *ids[place + 1 :])), len(tokens.head) + place, ids[place]


def _causal(probe: Probe, rows: Sequence[Sequence[int]], report: Any) -> list[Floats]:
    found: list[Floats] = []
    for start in range(0, len(rows), ROWS):
        found += probe.causal_scores(rows[start : start + ROWS])
        _say(report, len(found), len(rows))
    return found


def _say(report: Any, done: int, total: int) -> None:
    if report is not None:
        report.progress(done, total, "asking the model")
