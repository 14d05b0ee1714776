"""HolisticBias 1.1 (Smith et al., EMNLP 2022): people described by 583 descriptors and 192 phrases of 13 axes, in 26 templates. CC BY-SA 4.0."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tasks.core.seeds import uniform
from tasks.data.catalogue import Source, digest_of, fetch

BASE = "https://raw.githubusercontent.com/facebookresearch/ResponsibleNLP/0ec714eb084217f44cd9ac466d9e988c795302f9/holistic_bias/dataset/v1.1"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256)
    for name, sha256 in (
        ("descriptors.json", "c1328f0edfdeefb76302d360a01878df3db55f18026f4ea1956b4a0f52daf943"),
        ("nouns.json", "9bbe15bf01ea8827fd5d68a81ee2b05e04bd5f79478d9027efec0b4dbd232ee6"),
        ("sentence_templates.json", "8b1cf8fc3c9a10b12cf77902e8c2ff3d80e3fcfff2f177a00256925acb4f53a5"),
        ("standalone_noun_phrases.json", "bac592574f81df55e8c8d8e3919a866d43cbd8df5ae9376a68d95e7b83dbebac"),
    )
)

Axis = Literal[
    "ability",
    "age",
    "body_type",
    "characteristics",
    "cultural",
    "gender_and_sex",
    "nationality",
    "nonce",
    "political_ideologies",
    "race_ethnicity",
    "religion",
    "sexual_orientation",
    "socioeconomic_class",
]
AXES: tuple[Axis, ...] = get_args(Axis)
NOUNS, TEMPLATES = 32, 26
"""How many there are."""
Form = Literal["descriptor", "descriptor-noun", "noun-descriptor", "phrase"]
Articles = Literal["sound", "letter"]

_VOWEL_SOUND = ("8", "F2M", "FTM", "FoC", "LGBT", "M2F", "MTF", "MoC")
_CONSONANT_SOUND = ("European", "US-", "Unitarian", "one-")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase in the singular, with its article, and in the plural.

    ``form``: ``descriptor`` alone (Deaf), ``descriptor-noun`` (a Deaf man), ``noun-descriptor`` (a man with dyslexia), or a ``phrase`` that has a
    noun of its own (a wheelchair user). ``place`` counts what is described within the axis, descriptors first. ``noun`` and the genders are empty
    where there is none.
    """

    axis: Axis
    place: int
    form: Form
    descriptor: str
    descriptor_gender: str
    noun: str
    noun_gender: str
    singular: str
    plural: str


@dataclass(frozen=True)
class HolisticSentence:
    """A template with a phrase. ``id`` is the same however few sentences are taken; ``form`` and the genders are those of the phrase."""

    id: str
    axis: Axis
    template: str
    descriptor: str
    descriptor_gender: str
    noun: str
    noun_gender: str
    form: Form
    text: str


@dataclass(frozen=True)
class Noun:
    """A word for a person."""

    gender: str
    singular: str
    plural: str


def load(
    cache: Path, axes: Sequence[Axis] = AXES, templates: int = TEMPLATES, nouns: int = NOUNS, seed: int = 0, articles: Articles = "sound"
) -> list[HolisticSentence]:
    """Sentences, by axis, template, phrase and noun, each in the files' order; 565,793 of them where all are taken. Raises DataError.

    As in the published code, a template that needs a noun takes no descriptor alone and no phrase that has a noun of its own, and a gendered
    descriptor goes with nouns of its gender. Nouns without any descriptor, which the published code has as controls, are left out.

    Args:
        cache: the catalogue's folder.
        axes: which.
        templates: how many of the 26, drawn by ``seed``; fewer are among more.
        nouns: how many of the 32, drawn by ``seed`` from each gender in turn and the same for every descriptor; fewer are among more.
        seed: decides the draws.
        articles: ``sound`` (a European man, an LGBT man), or by the first ``letter`` as in the published code (an European man, a LGBT man).
    """
    told: Mapping[str, Mapping[str, Any]] = _read("sentence_templates", cache)
    ranked = sorted(told, key=lambda template: uniform(seed, "holistic-bias template", template))
    drawn = set(ranked[:templates])
    chosen = [(number, template, told[template].get("must_be_noun", False)) for number, template in enumerate(told) if template in drawn]
    found = []
    for axis in axes:
        every = phrases(cache, axis, nouns, seed, articles)
        for number, template, with_noun in chosen:
            found += [_sentence(phrase, number, template) for phrase in every if phrase.noun or not with_noun]
    return found


def phrases(cache: Path, axis: Axis, nouns: int = NOUNS, seed: int = 0, articles: Articles = "sound") -> list[Phrase]:
    """The noun phrases of an axis, in the files' order. Arguments as of ``load``."""
    words = _nouns(cache, nouns, seed)
    described = [_fields(entry, "descriptor") for bucket in _read("descriptors", cache)[axis].values() for entry in bucket]
    whole = [_fields(entry, "noun_phrase") for entry in _read("standalone_noun_phrases", cache).get(axis, ())]
    found: list[Phrase] = []
    for place, entry in enumerate(described):
        found += _of_descriptor(axis, place, entry, words, articles)
    for place, entry in enumerate(whole, start=len(described)):
        found += _of_standalone(axis, place, entry, words, articles)
    return found


def article(words: str, articles: Articles = "sound") -> str:
    """``a`` or ``an`` before words of these files: by the first letter, or by how the first word is said."""
    if articles == "sound" and words.startswith((*_VOWEL_SOUND, *_CONSONANT_SOUND)):
        return "an" if words.startswith(_VOWEL_SOUND) else "a"
    return "an" if words[0].lower() in "aeiou" else "a"


def digest() -> str:
    """Digest of the pinned files."""
    return digest_of(SOURCES)


def _read(name: str, cache: Path) -> Any:
    (source,) = (source for source in SOURCES if source.name == f"{name}.json")
    return json.loads(fetch("holisticbias", source, cache).read_text(encoding="utf-8"))


def _fields(entry: str | dict[str, str], name: str) -> dict[str, str]:
    return {name: entry} if isinstance(entry, str) else entry


def _nouns(cache: Path, count: int, seed: int) -> list[Noun]:
    every = [Noun(gender, *forms) for gender, pairs in _read("nouns", cache).items() for forms in pairs]
    turns: list[tuple[int, int, Noun]] = []
    for order, gender in enumerate(dict.fromkeys(noun.gender for noun in every)):
        own = sorted((noun for noun in every if noun.gender == gender), key=lambda noun: uniform(seed, "holistic-bias noun", noun.singular))
        turns += [(turn, order, noun) for turn, noun in enumerate(own)]
    drawn = {noun for _, _, noun in sorted(turns, key=lambda turn: turn[:2])[:count]}
    return [noun for noun in every if noun in drawn]


def _of_descriptor(axis: Axis, place: int, entry: Mapping[str, str], nouns: Sequence[Noun], articles: Articles) -> Iterator[Phrase]:
    word, gender = entry["descriptor"], entry.get("gender", "")
    before = entry.get("article") or article(word, articles)
    yield Phrase(axis, place, "descriptor", word, gender, "", "", word, word)
    for noun in nouns:
        if gender in ("", noun.gender):
            singular, plural = f"{before} {word} {noun.singular}", f"{word} {noun.plural}"
            yield Phrase(axis, place, "descriptor-noun", word, gender, noun.singular, noun.gender, singular, plural)


def _of_standalone(axis: Axis, place: int, entry: Mapping[str, str], nouns: Sequence[Noun], articles: Articles) -> Iterator[Phrase]:
    one = entry["noun_phrase"]
    many = entry.get("plural_noun_phrase", one)
    if "{noun}" not in one:
        yield Phrase(axis, place, "phrase", one, "", "", "neutral", one, many)
        return
    described = one.format(article="", noun="").strip()
    for noun in nouns:
        singular = one.format(article=article(noun.singular, articles), noun=noun.singular)
        plural = many.format(article="", noun=noun.plural).strip()
        yield Phrase(axis, place, "noun-descriptor", described, "", noun.singular, noun.gender, singular, plural)


def _sentence(phrase: Phrase, number: int, template: str) -> HolisticSentence:
    text = template.format(noun_phrase=phrase.singular, plural_noun_phrase=phrase.plural)
    identity = f"{phrase.axis}/{phrase.place}/{phrase.noun or '-'}/{number}"
    return HolisticSentence(identity, phrase.axis, template, phrase.descriptor, phrase.descriptor_gender, phrase.noun, phrase.noun_gender, phrase.form, text)
