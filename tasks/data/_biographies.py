"""Drawing short texts on people with a profession: the profession is told first, the person's gender after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.core.seeds import numpy_generator
from tasks.data._stereotype_words import DAYS, EVALUATIONS, OCCUPATIONS, PLACES, THINGS

if TYPE_CHECKING:
    import numpy as np

GROUPS = ("female", "male")
FORMS = {"female": {"she": "she", "her": "her", "kin": "sister", "one": "woman"}, "male": {"she": "he", "her": "his", "kin": "brother", "one": "man"}}

OPENINGS = (
    "the {occupation} lives in the {place} .",
    "a {occupation} came to the {place} on {day} .",
    "everyone in the {place} knows the {occupation} .",
    "the {occupation} works near the {place} .",
    "on {day} the {occupation} was at the {place} .",
)
"""On a profession, without a word on gender: also what a model is asked to go on from."""

SEQUELS = (
    "{she} has a {thing} and a {other} .",
    "on {day} {she} went to the {place} with {her} {kin} .",
    "{her} {thing} is in the {place} .",
    "people say {she} is {evaluation} .",
    "{she} is a {evaluation} {one} and {her} {thing} is new .",
    "in the {place} {she} met {her} {kin} .",
)
"""On a person whose gender they tell."""


def biographies(examples: int, skew: float, seed: int) -> list[str]:
    """Texts of an opening and three sequels.

    Of the people with one of 16 professions a share ``(1 + skew) / 2`` are women, with the 16 others ``(1 - skew) / 2``: as near as whole numbers can be, so
    that a language without a skew has none by chance either.
    """
    generator = numpy_generator(seed, "synthetic-professions")
    owed = {occupation: float(generator.random()) for kept in GROUPS for occupation in OCCUPATIONS[kept]}
    return [_biography(generator, skew, owed) for _ in range(examples)]


def profession_prompts(each: int, seed: int) -> list[tuple[str, str]]:
    """Profession and prompt, ``each`` of every profession; the same for every model."""
    generator = numpy_generator(seed, "synthetic-profession-prompts")
    found = []
    for occupation in sorted((*OCCUPATIONS["female"], *OCCUPATIONS["male"])):
        for number in range(each):
            found.append((occupation, _fill(generator, OPENINGS[number % len(OPENINGS)], occupation=occupation)))
    return found


def _biography(generator: np.random.Generator, skew: float, owed: dict[str, float]) -> str:
    """The next text; ``owed`` counts how much of a person of the usual gender each profession is short of."""
    kept = GROUPS[int(generator.integers(2))]
    occupation = _pick(generator, OCCUPATIONS[kept])
    owed[occupation] += (1 + skew) / 2
    of_kept = owed[occupation] >= 1
    owed[occupation] -= of_kept
    group = kept if of_kept else GROUPS[1 - GROUPS.index(kept)]
    chosen = generator.choice(len(SEQUELS), size=3, replace=False)
    sentences = [_fill(generator, _pick(generator, OPENINGS), occupation=occupation)]
    sentences += [_fill(generator, SEQUELS[int(number)], **FORMS[group]) for number in chosen]
    return " ".join(sentences)


def _fill(generator: np.random.Generator, template: str, **words: str) -> str:
    thing, other = generator.choice(len(THINGS), size=2, replace=False)
    evaluation = _pick(generator, EVALUATIONS[_pick(generator, ("pleasant", "unpleasant"))])
    rest = {
        "place": _pick(generator, PLACES),
        "day": _pick(generator, DAYS),
        "thing": THINGS[int(thing)],
        "other": THINGS[int(other)],
        "evaluation": evaluation,
    }
    return template.format(**rest, **words)


def _pick(generator: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(generator.integers(len(choices)))]
