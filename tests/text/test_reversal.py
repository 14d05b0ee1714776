"""Role reversal: swaps by rule, what is left alone and counted, and twice gives the text back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from tasks.text.counterfactual import COUNTERFACTUALS, Counterfactual
from tasks.text.counterfactuals.gender import Gender
from tasks.text.reversal import EXCLUDED, NO_WORD, UNCLEAR, UNPAIRED, Reversed, Reverser, SwapError, swapped
from tasks.text.tagger import Role, Span, Tagger


def gender(**fields: object) -> Reverser:
    found = COUNTERFACTUALS.parse({"kind": "gender", **fields})
    assert isinstance(found, Counterfactual)
    return found.reverser()


def of(text: str, **fields: object) -> str:
    found = gender(**fields).reverse(text)
    return found if isinstance(found, str) else found.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I read her book.", "I read his book."),
        ("I saw her.", "I saw him."),
        ("They gave her the book.", "They gave him the book."),
        ("It is hers.", "It is his."),
        ("It is his.", "It is hers."),
        ("His is red.", "Hers is red."),
        ("We met him in Rome.", "We met her in Rome."),
        ("He made his film debut with his wife.", "She made her film debut with her husband."),
        ("She told her mother that he left her.", "He told his father that she left him."),
        ("MR. SMITH AND HIS MOTHER", "MS. SMITH AND HER FATHER"),
        ("Actresses and schoolboys; the chairmen's wives", "Actors and schoolgirls; the chairwomen's husbands"),
        ("his mother-in-law and ex-wife", "her father-in-law and ex-husband"),
        ("She's here, he'd say, with her critically acclaimed work.", "He's here, she'd say, with his critically acclaimed work."),
    ],
)
def test_words_are_swapped_in_their_case_by_their_role(text: str, expected: str) -> None:
    assert of(text) == expected
    assert of(expected) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I saw her duck.", UNCLEAR),
        ("He saw his duck.", UNCLEAR),  # reversed it would be unclear
        ("They took her back.", UNCLEAR),
        ("She gave her books.", UNCLEAR),
        ("a friend of his came", UNCLEAR),
        ("his or her duties", UNCLEAR),
        ("Mrs Smith and the man", UNPAIRED),
        ("She was pregnant.", EXCLUDED),
        ("Queen Victoria and her court", EXCLUDED),
        ('He said "my wife is here".', EXCLUDED),
        ("the table is man-made", NO_WORD),
        ("mankind, sheath and heron", NO_WORD),
    ],
)
def test_what_is_not_clear_is_left_alone_with_its_reason(text: str, reason: str) -> None:
    assert of(text) == reason


def test_exclusions_names_and_pairs_are_the_studys() -> None:
    assert of("She was pregnant.", exclude="none") == "He was pregnant."
    assert of("She sings opera.", exclude=["opera"]) == EXCLUDED
    assert of("Mary lost her hat.") == "Mary lost his hat."
    assert of("Mary lost her hat.", names=[["Mary", "John"]]) == "John lost his hat."
    assert of("A witch.", pairs=[["witch", "wizard"]]) == "A wizard."


@pytest.mark.parametrize("pairs", [[["aunt", "father"]], [["same", "same"]], [["two words", "one"]]])
def test_words_that_cannot_be_swapped_to_and_fro_are_refused(pairs: list[list[str]]) -> None:
    with pytest.raises(ValueError, match=r"two pairs|not one word"):
        gender(pairs=pairs)
    with pytest.raises(SwapError):
        Reverser([("a", "b"), ("b", "c")], pronouns=False, tagger=Gender(kind="gender").tagger)


class EveryHerAnObject(Tagger):
    kind: Literal["every-her-an-object"]

    def roles(self, text: str, places: Sequence[Span]) -> list[Role | None]:
        return ["object" if text[start:end].lower() == "her" else "determiner" for start, end in places]


def test_a_tagger_of_ones_own_decides() -> None:
    tagger = EveryHerAnObject(kind="every-her-an-object")
    reverser = Reverser([("she", "he")], pronouns=True, tagger=tagger)
    assert reverser.reverse("I saw her duck.") == Reversed("I saw him duck.", ((6, 9, "him"),))
    assert reverser.reverse("his hat") == UNCLEAR  # her hat would be read as him hat


def test_twice_gives_a_real_text_back_and_other_texts_stay(catalogue: Path) -> None:
    people = json.loads((catalogue / "bold" / "wikipedia" / "gender_wiki.json").read_text())
    texts = [text for pages in people.values() for page in pages.values() for text in page]
    texts += [line for line in (catalogue / "wikitext-2" / "valid.txt").read_text().splitlines() if line.strip()][:1500]
    reverser = gender()
    found = [reverser.reverse(text) for text in texts]
    reversed_texts = [(text, made) for text, made in zip(texts, found, strict=True) if isinstance(made, Reversed)]
    assert len(reversed_texts) > 2000
    assert found.count(UNCLEAR) < 0.05 * len(reversed_texts)
    for text, made in reversed_texts:
        again = reverser.reverse(made.text)
        assert isinstance(again, Reversed)
        assert again.text == text
        assert swapped(text, made.swaps) == made.text != text
