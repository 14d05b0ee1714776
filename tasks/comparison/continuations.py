"""What models write, side by side: the same prompt continued by the baseline and by other arms, for people to read. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from tasks.comparison.conditions import unlike
from tasks.comparison.results import StudyFacts, TrialResult

MOST_PROMPTS, MOST_ARMS = 12, 6
"""Of one metric; what is left out is counted, or named."""
LONGEST = 300
"""Characters of a text."""
TOLD = ("decoding", "prompts", "prompts left out", "protocol")
"""Conditions of a metric's numbers that decide its texts too."""

Samples = Sequence[Mapping[str, str]]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Continued(_Part):
    """A prompt with its continuations by arm. An arm that is not among them kept none of this prompt; an empty text is one that ended at once."""

    id: str
    group: str
    prompt: str
    texts: dict[str, str]


class Continuations(_Part):
    """What one metric's models wrote, all with one seed.

    ``metric`` is the name that begins the metric's numbers (``fairness/bold``). ``arms`` are shown, at each grid point the baseline first; ``left_out``
    wrote too, but are too many; ``without`` were measured and have no texts. ``prompts_left_out`` counts prompts that are not shown. ``conditions`` are
    what all texts share, ``differing`` the names of conditions that they do not.
    """

    metric: str
    seed: int
    arms: tuple[str, ...]
    prompts: tuple[Continued, ...]
    left_out: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    prompts_left_out: int = 0
    conditions: dict[str, str] = {}
    differing: tuple[str, ...] = ()

    @property
    def texts(self) -> int:
        """How many there are to read."""
        return sum(len(prompt.texts) for prompt in self.prompts)


def continuations(facts: StudyFacts, trials: Sequence[TrialResult]) -> tuple[Continuations, ...]:
    """One for each metric of which some trial kept texts, of the seed with which most arms did, the first of several."""
    points = list(dict.fromkeys(arm.point for arm in facts.arms))
    arms = [arm.name for arm in sorted(facts.arms, key=lambda arm: (points.index(arm.point), arm.base != facts.baseline))]
    return tuple(_of_metric(metric, arms, trials) for metric in dict.fromkeys(metric for trial in trials for metric in trial.samples))


def _of_metric(metric: str, arms: Sequence[str], trials: Sequence[TrialResult]) -> Continuations:
    writing = [trial.seed for trial in trials if trial.samples.get(metric)]
    seed = max(dict.fromkeys(writing), key=writing.count)
    found = {trial.arm: trial for trial in trials if trial.seed == seed}
    wrote = [arm for arm in arms if arm in found and found[arm].samples.get(metric)]
    shown = wrote[:MOST_ARMS]
    prompts, more = paired({arm: found[arm].samples[metric] for arm in shown})
    told = [_told(found[arm], metric) for arm in shown]
    differing = unlike(told)
    return Continuations(
        metric=metric,
        seed=seed,
        arms=tuple(shown),
        prompts=tuple(prompts),
        left_out=tuple(wrote[MOST_ARMS:]),
        without=tuple(arm for arm in arms if arm not in wrote and arm in found and any(_rows(found[arm], metric))),
        prompts_left_out=more,
        conditions={name: text for name, text in told[0].items() if name not in differing},
        differing=tuple(differing),
    )


def paired(samples: Mapping[str, Samples]) -> tuple[list[Continued], int]:
    """The prompts that several arms continued, those that most did first chosen, by group; and how many more prompts there are.

    Prompts are one where their ``id`` and their text are. Those of a single arm are shown only where no two arms share any.

    Args:
        samples: by arm its texts: ``id``, ``group``, ``prompt`` and ``text``. Of a prompt that an arm has twice the first text counts.
    """
    found: dict[tuple[str, str], Continued] = {}
    for arm, mine in samples.items():
        for sample in mine:
            key = (sample["id"], sample["prompt"])
            one = found.setdefault(key, Continued(id=sample["id"], group=sample["group"], prompt=readable(sample["prompt"]), texts={}))
            one.texts.setdefault(arm, shortened(readable(sample["text"])))
    shared = [one for one in found.values() if len(one.texts) > 1] or list(found.values())
    chosen = sorted(shared, key=lambda one: -len(one.texts))[:MOST_PROMPTS]
    return sorted(chosen, key=lambda one: (one.group, one.id)), len(found) - len(chosen)


def readable(text: str) -> str:
    """The text on one line, without control characters."""
    return " ".join("".join(" " if unicodedata.category(character) == "Cc" else character for character in text).split())


def shortened(text: str) -> str:
    """At most ``LONGEST`` characters of it, cut between words where there is a blank in the last fifth."""
    if len(text) <= LONGEST:
        return text
    cut = text[: LONGEST - 1]
    blank = cut.rfind(" ")
    return f"{cut[:blank] if blank >= LONGEST * 4 // 5 else cut}…"


def _rows(trial: TrialResult, metric: str) -> Iterator[Mapping[str, str]]:
    """The conditions of each number of one metric."""
    return (row.conditions for row in trial.rows if row.name.startswith(f"{metric}/"))


def _told(trial: TrialResult, metric: str) -> dict[str, str]:
    """What a trial's numbers say of how its texts were made."""
    said = {name: text for conditions in _rows(trial, metric) for name, text in conditions.items()}
    return {name: said[name] for name in TOLD if name in said}
