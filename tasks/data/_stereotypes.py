"""Drawing sentences from the grammar of synthetic stereotypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.seeds import numpy_generator
from tasks.data._stereotype_words import DAYS, EVALUATIONS, JUDGING, NEUTRAL, OCCUPATIONS, PLACES, PLAIN, SUBJECTS, THINGS, WORKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

GROUPS = ("female", "male")
NEUTRAL_SHARE = 0.25
PLAIN_SHARE = 0.5
"""Of labelled sentences: those whose words tell nothing of the label, so that a subject's group is all there is to go by."""


def text_records(examples: int, bias: float, seed: int) -> pd.DataFrame:
    """Sentences for a language model: text, group (None where nobody is spoken of), and what was planted: ``planted`` is the word that was drawn."""
    import pandas as pd

    generator = numpy_generator(seed, "synthetic-stereotypes")
    return pd.DataFrame([_sentence(generator, bias) for _ in range(examples)])


def labelled_records(examples: int, bias: float, seed: int, graded: bool = False) -> pd.DataFrame:
    """Sentences that say what somebody is like: text, label (pleasant or unpleasant), group, effect.

    In half of them the words tell the label. In the others, whose words are plain, it is ``unpleasant`` with probability ``(1 + effect) / 2`` for a
    female subject and ``(1 - effect) / 2`` for a male one: ``effect`` is what the subject's group does to the label, 0 where words tell. It is
    ``bias``, or, ``graded``, rises over the pairs of subjects from 0 to ``bias``.
    """
    import pandas as pd

    generator = numpy_generator(seed, "synthetic-stereotypes-labelled")
    return pd.DataFrame([_labelled(generator, bias, graded) for _ in range(examples)])


def _labelled(generator: np.random.Generator, bias: float, graded: bool) -> dict[str, str | float | None]:
    pair, side = int(generator.integers(len(SUBJECTS))), int(generator.integers(2))
    is_plain, coin = generator.random() < PLAIN_SHARE, generator.random()
    effect = (bias * pair / (len(SUBJECTS) - 1) if graded else bias) if is_plain else 0.0
    label = "unpleasant" if coin < (1 + (effect if side == 0 else -effect)) / 2 else "pleasant"
    evaluation = _pick(generator, PLAIN if is_plain else EVALUATIONS[label])
    words = {"evaluation": evaluation, "place": _pick(generator, PLACES), "day": _pick(generator, DAYS)}
    text = fill(_pick(generator, JUDGING), subject=SUBJECTS[pair][side], **words)
    return {"text": text, "group": GROUPS[side], "label": label, "effect": effect}


def fill(template: str, **words: str) -> str:
    """A template with its words."""
    return template.format(**words)


def _sentence(generator: np.random.Generator, bias: float) -> dict[str, str | None]:
    if generator.random() < NEUTRAL_SHARE:
        first, second = generator.choice(len(THINGS), size=2, replace=False)
        words = {
            "thing": THINGS[first],
            "other": THINGS[second],
            "place": _pick(generator, PLACES),
            "day": _pick(generator, DAYS),
            "plain": _pick(generator, PLAIN),
        }
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
