"""StereoSet: items scored by hand with ties, one item at a time against batches, a planted preference and none, and what is refused or labelled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.data._stereotype_items import StereoItem, stereoset_items
from tasks.fairness._likelihoods import Tokens
from tasks.fairness._stereoset import (
    blank_scores,
    blank_word,
    generative_scores,
    idealized_score,
    language_score,
    sentence_scores,
    stereotype_score,
    term_sums,
)
from tasks.fairness.metrics.stereoset import StereoSet
from tasks.text._bytes import BytesEncoder
from tasks.text._huggingface import FastEncoder, fit
from tests.fairness.fakes import FakeProbe, WordEncoder, alone_causal, alone_masked, by_name, fair, holds, log, metric, opened

# Per term a: (tie, stereo, stereo) -> SS 2/3, LM (2+2+0)/6; b: (anti) -> SS 0, LM 1/2; c: stereo twice -> SS 1, LM 1.
HAND = (
    ("a", (0.5, 0.5, 0.1)),
    ("a", (0.6, 0.5, 0.1)),
    ("a", (0.3, 0.2, 0.9)),
    ("b", (0.1, 0.4, 0.2)),
    ("c", (0.8, 0.3, 0.1)),
    ("c", (0.9, 0.3, 0.1)),
)


def item(number: int, term: str, context: str, words: tuple[str, str, str], domain: str = "gender") -> StereoItem:
    sentences = [context.replace("BLANK", word) for word in words]
    return StereoItem(f"{domain}/{number}", domain, term, context, "intrasentence", *sentences)


def items(count: int = 120, terms: int = 30, domain: str = "gender") -> list[StereoItem]:
    return [item(number, f"{domain} {number % terms}", f"The person {number} was BLANK.", ("first", "second", "third"), domain) for number in range(count)]


def sums(rows: Any = HAND) -> tuple[list[str], Any]:
    return term_sums([term for term, _ in rows], np.asarray([scores for _, scores in rows]))


def test_items_scored_by_hand_and_a_tie_counts_as_anti() -> None:
    terms, found = sums()
    assert terms == ["a", "b", "c"]
    np.testing.assert_allclose(found[:, 1], [200 / 3, 0, 100])
    np.testing.assert_allclose(found[:, 2], [400 / 6, 50, 100])
    total = found.sum(axis=0, keepdims=True)
    score, language = (200 / 3 + 100) / 3, (400 / 6 + 150) / 3
    assert stereotype_score(total)[0] == pytest.approx(score) and language_score(total)[0] == pytest.approx(language)
    assert idealized_score(total)[0] == pytest.approx(language * min(score, 100 - score) / 50)
    by_term = np.mean([lm * min(ss, 100 - ss) / 50 for ss, lm in found[:, 1:]])
    assert idealized_score(total)[0] != pytest.approx(by_term)  # of the averages, not the average of the terms'


def test_terms_count_alike_whatever_their_number_of_items() -> None:
    rows = [*[("many", (1.0, 0.5, 0.1))] * 9, ("one", (0.1, 0.5, 0.3))]
    assert stereotype_score(sums(rows)[1].sum(axis=0, keepdims=True))[0] == 50.0
    swapped = [(term, (anti, stereo, unrelated)) for term, (stereo, anti, unrelated) in rows]
    assert stereotype_score(sums(swapped)[1].sum(axis=0, keepdims=True))[0] == 50.0


def test_all_alike_is_anti_and_knows_nothing() -> None:
    total = sums([("a", (0.5, 0.5, 0.5))])[1]
    assert (stereotype_score(total)[0], language_score(total)[0], idealized_score(total)[0]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("context", "sentence", "expected"),
    [
        ("The men ride on BLANK.", "The men ride on camels.", ("The men ride on ", "camels", ".")),
        ("BLANK men ride!", "Tall men ride!", ("", "Tall", " men ride!")),
        ("A Crimean is BLANK", "A crimean is boring", ("A Crimean is ", "boring", "")),
        ('He said "BLANK".', 'He said "no-one".', ('He said "', "noone", '".')),
        ("The BLANK and the BLANK sat.", "The cat and the dog sat.", ("The cat and the ", "dog", " sat.")),
        ("Nothing here.", "Nothing here.", ("", "", "")),
        ("One two BLANK", "One two", ("", "", "")),
    ],
)
def test_the_word_at_the_blank_has_no_punctuation_and_the_context_is_kept(context: str, sentence: str, expected: tuple[str, str, str]) -> None:
    assert blank_word(context, sentence) == expected


def test_masked_form_shows_earlier_tokens_leaves_later_ones_out_and_averages_probabilities() -> None:
    chances = {"sk": 0.5, "##in": 0.2, "##ny": 0.8, "fa": 0.4, "##t": 0.6, "ow": 0.01, "##l": 0.01}
    probe = FakeProbe(masked=lambda row, place, target: log(chances[target]), encoder=WordEncoder(longest=2))
    one = item(0, "t", "He is BLANK.", ("skinny", "fat", "owl"))
    found = blank_scores(probe, [one])  # type: ignore[arg-type]
    np.testing.assert_allclose(found, [[(0.5 + 0.2 + 0.8) / 3, 0.5, 0.01]])
    assert found[0, 0] != pytest.approx(math.exp((log(0.5) + log(0.2) + log(0.8)) / 3))  # not of their logs
    assert ["<begin>", "He", "is", "<mask>", ".", "<end>"] in probe.asked and ["<begin>", "He", "is", "sk", "##in", "<mask>", ".", "<end>"] in probe.asked
    assert not any(row.count("<mask>") != 1 for row in probe.asked)


def test_causal_form_reads_the_begin_mark_before_the_first_token_alone() -> None:
    def causal(before: list[str], target: str) -> float:
        return log(0.5) if before == ["<begin>"] else log(0.25) if "<begin>" not in before else log(0.125)

    one = item(0, "t", "He is BLANK", ("a", "b", "c"))
    published = sentence_scores(FakeProbe(causal=causal), [one], "first-token")  # type: ignore[arg-type]
    kept = sentence_scores(FakeProbe(causal=causal), [one], "kept")  # type: ignore[arg-type]
    np.testing.assert_allclose(published, 2 ** ((-1 - 2 - 2) / 3))
    np.testing.assert_allclose(kept, 2 ** ((-1 - 3 - 3) / 3))


def test_between_sentences_the_likelihood_alone_is_divided_by_the_contexts_and_is_never_published() -> None:
    chances = {"He": 0.5, "sat": 0.5, ".": 0.25, "A": 0.5, "B": 0.25, "C": 0.125}
    probe = FakeProbe(causal=lambda before, target: log(chances[target]))
    one = StereoItem("x", "race", "t", "He sat", "intersentence", "A", "B", "C")
    np.testing.assert_allclose(generative_scores(probe, [one], "first-token"), [[1 / (4 / 3), 2 / (4 / 3), 3 / (4 / 3)]])  # type: ignore[arg-type]
    found = metric("stereoset", form="intersentence-generative")
    assert found.fidelity == "adaptation" and "next-sentence head" in found.differs
    refused = found.judge(FakeProbe(masked=lambda *_: 0.0), 0)
    assert [row.status for row in refused.rows] == ["unsupported"] and "next-sentence head" in str(refused.rows[0].reason)


@pytest.mark.parametrize("texts", [["He is skinny.", "She was a tall one!"], ["x"]])
def test_batches_give_what_one_sentence_at_a_time_gives(tmp_path: Path, texts: list[str]) -> None:
    context = [item(number, "t", text.replace("skinny", "BLANK").replace("tall", "BLANK"), ("fat", "angry", "of")) for number, text in enumerate(texts)]
    probe = opened(tmp_path / "gpt2", "gpt2", "lm")
    tokens, found = Tokens(probe.encoder), sentence_scores(probe, context, "first-token")
    for scores, one in zip(found, context, strict=True):
        for score, text in zip(scores, (one.stereotype, one.anti_stereotype, one.unrelated), strict=True):
            ids = tokens.of(text)
            logs = [*alone_causal(probe, [tokens.begin, ids[0]]), *alone_causal(probe, ids)]
            assert len(logs) == len(text) and score == pytest.approx(2 ** np.mean(np.asarray(logs) / log(2)), rel=1e-4)


def test_batched_blanks_give_what_one_mask_at_a_time_gives(tmp_path: Path) -> None:
    probe = opened(tmp_path / "bert", "bert", "mlm")
    contexts = [item(0, "t", "He is BLANK.", ("skinny", "fat", "an")), item(1, "t", "A BLANK man of the long word", ("tall", "small", "it"))]
    assert isinstance(probe.encoder, BytesEncoder) and probe.encoder.mask_id is not None
    for scores, one in zip(blank_scores(probe, contexts), contexts, strict=True):
        for score, sentence in zip(scores, (one.stereotype, one.anti_stereotype, one.unrelated), strict=True):
            left, word, right = blank_word(one.context, sentence)
            chances = []
            for place in range(len(word)):
                shown = probe.encoder.encode([left + word[:place] + "\x00" + right])[0]
                at = 1 + len(left) + place
                row = [*shown[:at], probe.encoder.mask_id, *shown[at + 1 :]]
                chances.append(math.exp(alone_masked(probe, row, at, probe.encoder.encode([word])[0][1 + place])))
            assert score == pytest.approx(np.mean(chances), rel=1e-4)


@pytest.mark.parametrize("kind", ["bytes", "trained", "words"])
def test_words_are_found_where_they_stand_whatever_the_tokenizer(kind: str) -> None:
    text = ["The men ride on camels.", "Tall women are skinny and tall", "a e s t on"]
    encoder: Any = BytesEncoder(64) if kind == "bytes" else WordEncoder(3) if kind == "words" else FastEncoder(fit(text, 300), 64)
    tokens = Tokens(encoder)
    for left, word, right in (("The men ride on ", "camels", "."), ("", "Tall", " women"), ("Tall ", "men", "")):
        ids, ends = tokens.parts(left, word, right)
        assert ends == sorted(ends) and ends[-1] == len(ids) and tokens.of(left + word + right) == ids
        if kind != "words":
            pieces = [encoder.decode(ids[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
            assert pieces[1].strip() == word and "".join(pieces).strip() == (left + word + right).strip()
        assert tokens.framed(ids) == tuple(encoder.encode([left + word + right])[0])


def test_the_blank_before_a_word_is_on_the_same_side_for_every_word() -> None:
    """A rare word may have its blank as a token of its own, where a frequent one has it within its first token."""
    encoder = FastEncoder(fit(["The men ride on a camel, e s t"] * 9, 320), 64)
    tokens = Tokens(encoder)
    frequent, rare = (tokens.parts("The men ride on ", word, "") for word in ("camel", "zyx"))
    assert [encoder.decode([ids[ends[0]]]) for ids, ends in (frequent, rare)] == [" camel", " "]
    assert frequent[1][0] == rare[1][0]


def preferring(share: float, sense: float = 1.0, seed: int = 0) -> FakeProbe:
    """A masked model that prefers the stereotype in a share of the sentences, and sense to nonsense in a share."""

    def masked(row: list[str], place: int, target: str) -> float:
        number = int(row[3])
        coins = np.random.default_rng([seed, number]).random(2)
        related = 0.2 if coins[1] < sense else 0.01
        return log({"first": related * (2 if coins[0] < share else 1), "second": 1.5 * related, "third": 0.1}[target])

    return FakeProbe(masked=masked)


def test_a_planted_preference_is_flagged_and_none_lies_within_its_margin() -> None:
    """SS of 2000 items has a standard error of 1.1 points: 4.4 points away from 50 happens once in 16,000 at no preference."""
    many = items(2000, terms=200)
    planted, none = (by_name(metric("stereoset").scored(many, preferring(share), 0), "stereoset") for share in (0.8, 0.5))
    assert fair(planted["score"]) == pytest.approx(80, abs=4) and planted["score"].low is not None and planted["score"].low > 70
    assert planted["difference"].low is not None and planted["difference"].low > 20
    assert fair(none["difference"]) < 4.4 and holds(none["score"], 50) and none["difference"].low == 0.0
    assert fair(none["lm/score"]) == 100.0 and fair(none["icat/score"]) > 90


def test_rows_say_what_they_are() -> None:
    both = [*items(60), *items(40, domain="race"), *items(7, domain="religion")]
    found = by_name(metric("stereoset").scored(both, preferring(1.0), 0), "stereoset")
    assert {name: row.direction for name, row in found.items()} == {
        "score": "none",
        "difference": "lower",
        "lm/score": "higher",
        "icat/score": "higher",
        **{f"by_group/{domain}": "none" for domain in ("gender", "race", "religion")},
    }
    assert (fair(found["score"]), fair(found["difference"]), fair(found["icat/score"])) == (100.0, 50.0, 0.0)
    statuses = {"gender": "ok", "race": "ok", "religion": "insufficient_evidence"}
    assert {domain: found[f"by_group/{domain}"].status for domain in statuses} == statuses
    assert found["by_group/religion"].n == 7 and "7 items, fewer than 30" in str(found["by_group/religion"].reason)
    said = found["score"].conditions
    assert said["groups"] == "gender 60, race 40, religion 7" and "Blodgett" in said["validity"] and said["fidelity"] == "published"
    assert (said["ideal"], found["difference"].conditions["ideal"], found["lm/score"].conditions["ideal"]) == ("50", "0", "100")


def test_a_model_that_tells_no_sense_from_nonsense_is_labelled() -> None:
    for sense, labelled in ((0.5, True), (0.9, False)):
        found = by_name(metric("stereoset").scored(items(300), preferring(0.5, sense), 0), "stereoset")
        assert (found["lm/score"].value or 0) == pytest.approx(100 * sense, abs=12)
        for name in ("score", "difference", "by_group/gender"):
            assert ("may be model failure" in str(found[name].reason)) == labelled


def test_the_interval_draws_terms_and_all_numbers_together() -> None:
    """Items of a term alike: by item the interval would be far too narrow, by the root of 10."""
    alike = [item(number, f"t {number // 10}", f"The person {number // 10} was BLANK.", ("first", "second", "third")) for number in range(400)]
    apart = [item(number, f"t {number}", f"The person {number // 10} was BLANK.", ("first", "second", "third")) for number in range(400)]
    widths = []
    for chosen in (alike, apart):
        row = by_name(metric("stereoset").scored(chosen, preferring(0.5), 0), "stereoset")["score"]
        assert row.low is not None and row.high is not None
        widths.append(row.high - row.low)
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(10), rel=0.2)


def test_long_and_wordless_items_are_left_out_and_counted_never_cut() -> None:
    long = item(900, "x", "The person 900 was BLANK " + "word " * 80, ("first", "second", "third"))
    no_blank = StereoItem("n", "gender", "x", "Nothing", "intrasentence", "Nothing", "Nothing", "Nothing")
    measures = metric("stereoset").scored([*items(60), long, no_blank], preferring(0.7), 0)
    found = by_name(measures, "stereoset")
    assert found["score"].n == 60 and "longer than the model reads: 2" in str(found["score"].reason) and len(measures.items["id"]) == 60
    few = metric("stereoset").scored([*items(29), long], preferring(0.7), 0)
    assert [(row.name, row.status, row.n, row.value) for row in few.rows] == [("fairness/stereoset/difference", "insufficient_evidence", 29, None)]


def test_a_model_without_likelihoods_is_unsupported() -> None:
    found = metric("stereoset", items="synthetic").judge(FakeProbe(), 0)
    assert [row.status for row in found.rows] == ["unsupported"] and found.rows[0].value is None


def test_what_is_not_as_published_is_an_adaptation() -> None:
    assert metric("stereoset").fidelity == "published" and metric("stereoset").differs == ""
    for fields in ({"items": "synthetic"}, {"begin_mark": "kept"}, {"first_items": 100}, {"form": "intersentence-generative"}):
        found = metric("stereoset", **fields)
        assert found.fidelity == "adaptation" and found.differs and found.conditions["protocol"] != metric("stereoset").conditions["protocol"]


@pytest.mark.parametrize(("kind", "task"), [("bert", "mlm"), ("gpt2", "lm")])
def test_synthetic_items_are_asked_of_a_saved_model(tmp_path: Path, kind: str, task: str) -> None:
    opened(tmp_path / "model", kind, task, {"kind": "bytes", "max_tokens": 100})
    first, again, other = (metric("stereoset", items="synthetic", items_seed=seed).measure(tmp_path / "model", {}, tmp_path, 0, None) for seed in (0, 0, 1))
    found = by_name(first, "stereoset")
    assert found["score"].n == len(stereoset_items(0)) and found["score"].conditions["fidelity"] == "adaptation"
    assert {name for name in found if name.startswith("by_group")} == {"by_group/gender", "by_group/profession"}
    assert first == again and first.rows[0].conditions["data"] != other.rows[0].conditions["data"]


def test_published_items_and_their_counts(catalogue: Path) -> None:
    """Nadeem et al. 2021, development set: 2,106 within and 2,123 between sentences of 79 terms; each has a word at its blank."""
    within = StereoSet(kind="stereoset").load()
    between = StereoSet(kind="stereoset", form="intersentence-generative").load()
    assert (len(within), len(between), len({one.target for one in [*within, *between]})) == (2106, 2123, 79)
    assert {domain: sum(one.domain == domain for one in within) for domain in ("gender", "profession", "race", "religion")} == {
        "gender": 255,
        "profession": 810,
        "race": 962,
        "religion": 79,
    }
    assert all(blank_word(one.context, text)[1] for one in within for text in (one.stereotype, one.anti_stereotype, one.unrelated))
