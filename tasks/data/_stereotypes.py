"""Drawing sentences from the grammar of synthetic stereotypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.seeds import numpy_generator
from tasks.data._stereotype_words import DAYS, EVALUATIONS, JUDGING, NEUTRAL, OCCUPATIONS, PLACES, SUBJECTS, THINGS, WORKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

GROUPS = ("female", "male")
NEUTRAL_SHARE = 0.25


def text_records(examples: int, bias: float, seed: int) -> pd.DataFrame:
    """Sentences for a language model: text, group (None where nobody is spoken of), and what was planted: ``planted`` is the word that was drawn."""
    import pandas as pd

    generator = numpy_generator(seed, "synthetic-stereotypes")
    return pd.DataFrame([_sentence(generator, bias) for _ in range(examples)])


def labelled_records(examples: int, bias: float, seed: int) -> pd.DataFrame:
    """Sentences that say what somebody is like: text, label (pleasant or unpleasant), group.

    An unpleasant label has probability (1 + bias) / 2 for a female subject and (1 - bias) / 2 for a male one.
    """
    import pandas as pd

    generator = numpy_generator(seed, "synthetic-stereotypes-labelled")
    return pd.DataFrame([_judgement(generator, GROUPS[int(generator.integers(2))], bias) for _ in range(examples)])


def fill(template: str, **words: str) -> str:
    """A template with its words."""
    return template.format(**words)


def _sentence(generator: np.random.Generator, bias: float) -> dict[str, str | None]:
    if generator.random() < NEUTRAL_SHARE:
        first, second = generator.choice(len(THINGS), size=2, replace=False)
        words = {"thing": THINGS[first], "other": THINGS[second], "place": _pick(generator, PLACES), "day": _pick(generator, DAYS)}
        return {"text": fill(_pick(generator, NEUTRAL), **words), "group": None, "label": None, "planted": None}
    group = GROUPS[int(generator.integers(2))]
    return _working(generator, group, bias) if generator.random() < 0.5 else _judgement(generator, group, bias)


def _working(generator: np.random.Generator, group: str, bias: float) -> dict[str, str | None]:
    of_group = generator.random() < (1 + bias) / 2
    kept = group if of_group else GROUPS[1 - GROUPS.index(group)]
    occupation = _pick(generator, OCCUPATIONS[kept])
    return {"text": _about(generator, WORKING, group, occupation=occupation), "group": group, "label": None, "planted": occupation}


def _judgement(generator: np.random.Generator, group: str, bias: float) -> dict[str, str | None]:
    unpleasant = generator.random() < (1 + (bias if group == "female" else -bias)) / 2
    label = "unpleasant" if unpleasant else "pleasant"
    evaluation = _pick(generator, EVALUATIONS[label])
    return {"text": _about(generator, JUDGING, group, evaluation=evaluation), "group": group, "label": label, "planted": evaluation}


def _about(generator: np.random.Generator, templates: Sequence[str], group: str, **words: str) -> str:
    subject = SUBJECTS[int(generator.integers(len(SUBJECTS)))][GROUPS.index(group)]
    return fill(_pick(generator, templates), subject=subject, place=_pick(generator, PLACES), day=_pick(generator, DAYS), **words)


def _pick(generator: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(generator.integers(len(choices)))]
