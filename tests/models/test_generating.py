"""Continuations: greedy against a slow loop without a cache, draws against a nucleus made by hand, seeds, ends, order and room."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.stats import chisquare

from tasks.models import generating
from tasks.models.decoding import Decoding
from tasks.models.generating import Continued, continuations
from tasks.text._huggingface import FastEncoder
from tests.distillation.tiny import encoder, network

PROMPTS = ("the lamp is", "the town is", "we saw her duck .", "the nurse lives in the town .", "it is hers .", "we saw him and then we met her .")
"""Of unlike lengths, but the first two."""
GREEDY = Decoding(greedy=True, max_new_tokens=9)
NUCLEI: tuple[dict[str, Any], ...] = ({"top_p": 0.85}, {"top_p": 0.9, "top_k": 4}, {"top_p": 0.7, "temperature": 2.0})


class IdEncoder(FastEncoder):
    """The tiny tokenizer, which tells a continuation's ids themselves; no id is a mark, so that none is left out."""

    def __init__(self, tail: tuple[int, ...] = ()) -> None:
        super().__init__(encoder()._tokenizer, 64)
        self.mark_ids, self.tail = frozenset(), tail

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))


def rows(found: Sequence[Continued]) -> list[list[list[int]]]:
    """Ids by prompt and sample."""
    return [[[int(word) for word in text.split()] for text in one.texts or ()] for one in found]


def continued(prompts: Sequence[str], decoding: Decoding, samples: int = 1, seed: int = 0, tail: tuple[int, ...] = (), of: Any = None) -> list[list[list[int]]]:
    return rows(continuations(of or model(), IdEncoder(tail), prompts, decoding, samples, seed, "cpu"))


def ids_of(prompt: str) -> list[int]:
    """With the mark that a text begins with."""
    return encoder().encode([prompt])[0][:-1]


@cache
def model() -> torch.nn.Module:
    """The tiny network; no test changes it."""
    return network()


def told(ids: Sequence[int]) -> NDArray[np.float64]:
    """(L, V) next-token logits after each of some ids, read in one go."""
    with torch.no_grad():
        found = model()(torch.tensor([list(ids)]), torch.ones(1, len(ids), dtype=torch.bool), torch.arange(len(ids))[None])["lm"][0]
    return np.asarray(found.double().numpy())


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


@cache
def slowly(prompt: str, steps: int = 9) -> list[int]:
    """The likeliest token, one at a time."""
    ids = ids_of(prompt)
    for _ in range(steps):
        ids.append(int(told(ids)[-1].argmax()))
    return ids[-steps:]


def nucleus(logits: NDArray[np.float64], top_p: float = 0.9, top_k: int | None = None, temperature: float = 1.0) -> dict[int, float]:
    """The likeliest tokens until they together reach ``top_p``, with their probabilities among themselves."""
    order = np.argsort(-logits)[:top_k].tolist()
    chances = dict(zip(order, softmax(logits[order] / temperature).tolist(), strict=True))
    kept: dict[int, float] = {}
    for token in order:
        if sum(kept.values()) >= top_p:
            break
        kept[token] = chances[token]
    return {token: chance / sum(kept.values()) for token, chance in kept.items()}


def outside(prompt: str, drawn: Sequence[Sequence[int]], **fields: Any) -> int:
    """How many drawn tokens do not lie in the nucleus of their step."""
    found, start = 0, len(ids_of(prompt))
    for row in drawn:
        logits = told([*ids_of(prompt), *row])
        found += sum(token not in nucleus(logits[start + place - 1], **fields) for place, token in enumerate(row))
    return found


def test_greedy_is_a_loop_over_the_likeliest_token() -> None:
    found = continued(PROMPTS, GREEDY)
    assert found == [[slowly(prompt)] for prompt in PROMPTS]
    assert found != continued(PROMPTS, GREEDY, of=network(1)) and len({tuple(row) for [row] in found}) > 1


def test_greedy_does_not_depend_on_the_order_or_the_batch_of_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    alike = [*PROMPTS, *PROMPTS[2:4]]
    found = continued(alike, GREEDY)
    assert continued(alike[::-1], GREEDY) == found[::-1]
    monkeypatch.setattr(generating, "TOKENS", 1)
    assert continued(alike, GREEDY) == found


def test_texts_are_the_tokenizers_own_and_leave_the_prompt_out() -> None:
    found = continuations(model(), encoder(), PROMPTS, GREEDY, 1, 0, "cpu")
    assert [one.texts for one in found] == [(encoder().decode(slowly(prompt)),) for prompt in PROMPTS]
    blank = continuations(model(), encoder(), [prompt + "  \n" for prompt in PROMPTS], GREEDY, 1, 0, "cpu")
    assert blank == found  # blanks at the end are the continuation's own


@pytest.mark.parametrize("fields", NUCLEI)
def test_every_draw_lies_in_the_nucleus(fields: dict[str, Any]) -> None:
    found = continued(PROMPTS[:3], Decoding(**fields, max_new_tokens=6), samples=8)
    assert all(len(drawn) == 8 for drawn in found) and sum(map(len, found[0])) > 40
    assert sum(outside(prompt, drawn, **fields) for prompt, drawn in zip(PROMPTS, found, strict=False)) == 0


def test_a_wider_nucleus_is_seen_to_leave_a_narrower_one() -> None:
    wide = continued(PROMPTS[:1], Decoding(top_p=1, max_new_tokens=6), samples=8)
    assert outside(PROMPTS[0], wide[0], top_p=1.0) == 0 < 5 < outside(PROMPTS[0], wide[0], top_p=0.5)


@pytest.mark.parametrize("fields", NUCLEI)
def test_tokens_are_drawn_as_often_as_they_are_likely(fields: dict[str, Any]) -> None:
    """Chi-square of 1500 first tokens: below 0.0001 once in 10,000 seeds; of equal chances, always."""
    prompt = PROMPTS[0]
    [drawn] = continued([prompt], Decoding(**fields, max_new_tokens=1), samples=1500)
    firsts = [row[0] for row in drawn]
    chances = {token: chance for token, chance in nucleus(told(ids_of(prompt))[-1], **fields).items() if chance * 1500 >= 5}
    counts = np.array([firsts.count(token) for token in chances])
    assert len(chances) > 2 and counts.sum() > 1200
    expected = np.array(list(chances.values())) / sum(chances.values()) * counts.sum()
    assert chisquare(counts, expected).pvalue > 1e-4 > chisquare(counts).pvalue


def test_the_same_arguments_draw_the_same_and_another_seed_other_texts() -> None:
    how = Decoding(max_new_tokens=8)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = continued(PROMPTS, how, samples=3)
    assert torch.equal(before, torch.get_rng_state())  # nobody else's draws move
    torch.manual_seed(6)
    assert continued(PROMPTS, how, samples=3) == first
    other = continued(PROMPTS, how, samples=3, seed=1)
    assert all(one != two for one, two in zip(first, other, strict=True))
    assert all(len({tuple(row) for row in drawn}) == 3 for drawn in first)  # samples of a prompt are drawn apart


def test_every_batch_draws_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """One text asked again and again, once in one batch and once each in its own."""
    for tokens in (generating.TOKENS, 1):
        monkeypatch.setattr(generating, "TOKENS", tokens)
        drawn = continued(PROMPTS[:1] * 6, Decoding(max_new_tokens=12))
        assert len({tuple(row) for [row] in drawn}) == 6


def test_greedy_samples_are_one_text_again_and_again() -> None:
    assert len(ids_of(PROMPTS[0])) == len(ids_of(PROMPTS[1]))  # asked together
    once, thrice = (continued(PROMPTS, GREEDY, samples=samples) for samples in (1, 3))
    assert thrice == [drawn * 3 for drawn in once]


@pytest.mark.parametrize("samples", [1, 2])
def test_a_text_ends_before_the_end_mark_and_others_go_on(samples: int) -> None:
    """The end mark is made a token that the model says third at the latest; texts without it go on."""
    whole = {prompt: slowly(prompt) for prompt in PROMPTS}
    end = whole[PROMPTS[0]][2]
    cut = {prompt: row[: row.index(end)] if end in row else row for prompt, row in whole.items()}
    assert len(cut[PROMPTS[0]]) <= 2 and any(cut[prompt] == whole[prompt] for prompt in PROMPTS)
    for prompts in (PROMPTS, PROMPTS[::-1]):
        assert continued(prompts, GREEDY, samples, tail=(end,)) == [[cut[prompt]] * samples for prompt in prompts]
    drawn = [row for found in continued(PROMPTS, Decoding(max_new_tokens=9), 20, tail=(end,)) for row in found]
    assert not any(end in row for row in drawn) and min(map(len, drawn)) < 9 == max(map(len, drawn))


def test_a_prompt_without_room_has_no_texts() -> None:
    """64 tokens in all: those of the prompt with its mark, and the nine that are to follow."""
    prompts = ["the lamp is", *(" ".join(["the"] * count) for count in range(45, 65)), ""]
    lengths = [len(encoder().pieces(prompt)[0]) + 1 for prompt in prompts]
    assert 55 in lengths and 56 in lengths and lengths[-1] == 1
    seen: list[tuple[float, float]] = []
    found = continuations(model(), encoder(), prompts, GREEDY, 2, 0, "cpu", lambda done, total: seen.append((done, total)))
    assert [one.texts is None for one in found] == [length + 9 > 64 for length in lengths]
    known = sum(length + 9 <= 64 for length in lengths)
    assert seen[-1] == (known, known) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert continuations(model(), encoder(), [], GREEDY, 1, 0, "cpu") == []


@pytest.mark.parametrize("fields", [{"top_p": 0}, {"top_p": 1.1}, {"top_k": 0}, {"temperature": 0}, {"max_new_tokens": 0}, {"beams": 2}])
def test_what_decoding_does_not_offer_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Decoding.model_validate(fields)
