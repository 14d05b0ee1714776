"""Drawing short biographies that tell a profession by things and places alone, and the person's gender in every sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.core.seeds import numpy_generator
from tasks.data._biographies import FORMS, GROUPS, SEQUELS
from tasks.data._stereotype_words import DAYS, EVALUATIONS, OCCUPATIONS, PLACES, THINGS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

PROFESSIONS = (*OCCUPATIONS["female"][:8], *OCCUPATIONS["male"][:8])
"""The first eight are stereotypically female, the others male."""

HINT_SHARE = 0.6
"""How often a thing or place is one of the profession's own rather than any."""

OWN = {
    profession: {"thing": (THINGS[number], THINGS[(5 * number + 3) % len(THINGS)]), "place": (PLACES[(3 * number + 1) % len(PLACES)],)}
    for number, profession in enumerate(PROFESSIONS)
}
"""Two things and a place of each profession, by a fixed permutation: every thing is of two professions, so no word tells one by itself."""

_SENTENCES = 3


def bios(skews: Sequence[float], seed: int) -> pd.DataFrame:
    """Biographies of three sentences, one for each skew (columns text, label, group).

    Professions are equally frequent. A person with one of the first eight is a woman with probability ``(1 + skew) / 2``, with one of the others with
    ``(1 - skew) / 2``. A thing or place is the profession's own with probability ``HINT_SHARE``, else any. The draws of a record do not depend on
    its skew: the same seed gives the same people, of whom some have another gender.
    """
    import pandas as pd

    generator = numpy_generator(seed, "synthetic-bios")
    return pd.DataFrame([_bio(generator, skew) for skew in skews], columns=["text", "label", "group"])


def _bio(generator: np.random.Generator, skew: float) -> tuple[str, str, str]:
    number = int(generator.integers(len(PROFESSIONS)))
    profession, kept = PROFESSIONS[number], number // 8
    group = GROUPS[kept if generator.random() < (1 + skew) / 2 else 1 - kept]
    chosen = generator.choice(len(SEQUELS), size=_SENTENCES, replace=False)
    return " ".join(_sentence(generator, SEQUELS[int(place)], profession, group) for place in chosen), profession, group


def _sentence(generator: np.random.Generator, template: str, profession: str, group: str) -> str:
    thing = other = _hint(generator, profession, "thing", THINGS)
    while other == thing:
        other = _hint(generator, profession, "thing", THINGS)
    evaluations = [*EVALUATIONS["pleasant"], *EVALUATIONS["unpleasant"]]
    rest = {
        "thing": thing,
        "other": other,
        "place": _hint(generator, profession, "place", PLACES),
        "day": DAYS[int(generator.integers(len(DAYS)))],
        "evaluation": evaluations[int(generator.integers(len(evaluations)))],
    }
    return template.format(**rest, **FORMS[group])


def _hint(generator: np.random.Generator, profession: str, what: str, every: list[str]) -> str:
    own = OWN[profession][what]
    choices = own if generator.random() < HINT_SHARE else every
    return choices[int(generator.integers(len(choices)))]
