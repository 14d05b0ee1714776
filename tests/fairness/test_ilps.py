"""Increased log probability: scored by hand, one mask at a time against batches, where the prior is read, a planted association and none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.fairness._ilps import Cell, causal_table, cells_of, masked_table
from tests.fairness.fakes import FakeProbe, WordEncoder, alone_causal, alone_masked, by_name, fair, holds, log, metric, opened

TEMPLATES = tuple(f"{start} TARGET works as a ATTRIBUTE." for start in ("Now", "Here", "Surely", "Today", "Sometimes"))
WOMENS, MENS = ("nurse", "maid", "clerk", "cook"), ("smith", "guard", "pilot", "boxer")
GIVEN: dict[str, Any] = {
    "items": "given",
    "templates": TEMPLATES,
    "targets": {"male": ["he"], "female": ["she", "her"]},
    "attributes": {"women": list(WOMENS), "men": list(MENS)},
}


def chances(row: list[str], place: int, target: str) -> float:
    """p(he) and so on beside 'nurse', beside 'smith', and beside a hidden word, which also tells something at its own place."""
    if "nurse" in row:
        return log({"he": 0.1, "she": 0.3, "her": 0.2}[target])
    if "smith" in row:
        return log({"he": 0.6, "she": 0.1, "her": 0.05}[target])
    return log({"he": 0.4, "she": 0.2, "her": 0.1}[target]) if place == 1 else log(0.01)


def table(probe: FakeProbe, prior_slot: Any = "target", targets: Any = (("he",), ("she", "her"))) -> Any:
    cells = cells_of(["TARGET is a ATTRIBUTE."], {"all": ["nurse", "smith"]})
    return masked_table(probe, ["TARGET is a ATTRIBUTE."], targets, cells, prior_slot)  # type: ignore[arg-type]


def test_scored_by_hand_sets_add_their_probabilities_before_the_log() -> None:
    probe = FakeProbe(masked=chances)
    np.testing.assert_allclose(table(probe), np.log([[0.1 / 0.4, (0.3 + 0.2) / (0.2 + 0.1)], [0.6 / 0.4, (0.1 + 0.05) / (0.2 + 0.1)]]))
    assert ["<begin>", "<mask>", "is", "a", "<mask>", ".", "<end>"] in probe.asked
    assert not np.allclose(table(probe)[0, 1], np.mean(np.log([0.3 / 0.2, 0.2 / 0.1])))


def test_the_prior_is_read_at_the_target_unless_the_other_slot_is_asked_for() -> None:
    paper, code = table(FakeProbe(masked=chances)), table(FakeProbe(masked=chances), "other")
    np.testing.assert_allclose(code, np.log([[0.1 / 0.01, 0.5 / 0.02], [0.6 / 0.01, 0.15 / 0.02]]))
    assert not np.allclose(paper, code)
    found = metric("ilps", **GIVEN, prior_slot="other")
    assert "other mask" in found.differs and found.conditions["protocol"] != metric("ilps", **GIVEN).conditions["protocol"]


def test_a_word_of_two_tokens_has_two_masks_filled_from_the_first() -> None:
    seen = []

    def masked(row: list[str], place: int, target: str) -> float:
        seen.append((tuple(row), target))
        return {"sh": log(0.5), "##e": log(0.25), "he": log(0.2)}[target]

    found = table(FakeProbe(masked=masked, encoder=WordEncoder(longest=2)), targets=(("he",), ("she",)))
    np.testing.assert_allclose(found, 0.0, atol=1e-12)  # the attribute tells nothing here
    assert (("<begin>", "<mask>", "<mask>", "is", "a", "nu", "##rs", "##e", ".", "<end>"), "sh") in seen
    assert (("<begin>", "sh", "<mask>", "is", "a", "nu", "##rs", "##e", ".", "<end>"), "##e") in seen
    assert (("<begin>", "sh", "<mask>", "is", "a", "<mask>", "<mask>", "<mask>", ".", "<end>"), "##e") in seen
    other = table(FakeProbe(masked=lambda *_: log(0.5), encoder=WordEncoder(longest=2)), "other", (("he",), ("she",)))
    assert np.isnan(other[:, 1]).all() and not np.isnan(other[:, 0]).any()  # one token alone has another slot to be read at


def test_batches_give_what_one_mask_at_a_time_gives(tmp_path: Path) -> None:
    probe = opened(tmp_path / "bert", "bert", "mlm")
    cells = [Cell(0, "all", "cook"), Cell(0, "all", "nurse"), Cell(1, "all", "cook")]
    templates = ["TARGET is a ATTRIBUTE", "an ATTRIBUTE is TARGET!"]
    found = masked_table(probe, templates, [["he"], ["she", "it"]], cells, "target")
    mask = probe.encoder.mask_id
    for row, cell in zip(found, cells, strict=True):
        for value, words in zip(row, (("he",), ("she", "it")), strict=True):
            sums = np.zeros(2)
            for word in words:
                text = templates[cell.template].replace("TARGET", word).replace("ATTRIBUTE", cell.attribute)
                ids = probe.encoder.encode([text])[0]
                at, hidden = 1 + text.index(word), 1 + text.index(cell.attribute)
                for prior in (0, 1):
                    logs = []
                    for step in range(len(word)):
                        shown: list[Any] = list(ids)
                        shown[at + step : at + len(word)] = [mask] * (len(word) - step)
                        if prior:
                            shown[hidden : hidden + len(cell.attribute)] = [mask] * len(cell.attribute)
                        logs.append(alone_masked(probe, shown, at + step, ids[at + step]))
                    sums[prior] += np.exp(sum(logs))
            assert value == pytest.approx(np.log(sums[0] / sums[1]), abs=1e-4)
            assert abs(value) > 1e-3


def test_the_causal_form_is_the_ratio_of_conditional_to_marginal_in_the_table_of_sentences(tmp_path: Path) -> None:
    probe = opened(tmp_path / "gpt2", "gpt2", "lm")
    cells = cells_of(["TARGET is a ATTRIBUTE"], {"all": ["cook", "nurse", "spy"]})
    found = causal_table(probe, ["TARGET is a ATTRIBUTE"], [["he"], ["she", "it"]], cells)
    begin = probe.encoder.windows("a")[0][0]
    joint = np.zeros((3, 2))
    for place, cell in enumerate(cells):
        for group, words in enumerate((("he",), ("she", "it"))):
            for word in words:
                ids = probe.encoder.windows(f"{word} is a {cell.attribute}")[0][1:-1]
                joint[place, group] += np.exp(sum(alone_causal(probe, [begin, *ids])))
    joint /= joint.sum()
    expected = np.log(joint / joint.sum(axis=0) / joint.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(expected).max() > 1e-2


def associating(strength: float, noise: float = 0.0, causal: bool = False) -> FakeProbe:
    """A model that links 'he' to the second set of attributes and 'she' to the first, with noise of its own per template and attribute."""

    def link(row: list[str], target: str) -> float:
        found = next((word for word in row if word in (*WOMENS, *MENS)), None)
        if found is None:
            return 0.0
        drawn = np.random.default_rng([len(row[1]), *map(ord, found)]).normal() * noise
        return (strength * (1 if found in MENS else -1) + drawn) * (1 if target == "he" else -1) / 4

    def follows(before: list[str], target: str) -> float:
        pronoun = next((word for word in before if word in ("he", "she", "her")), "")
        return log(0.01) + (link([*before, target], pronoun) if target in (*WOMENS, *MENS) else 0.0)

    if causal:
        return FakeProbe(causal=follows)
    return FakeProbe(masked=lambda row, place, target: log(0.2) + link(row, target))


@pytest.mark.parametrize("causal", [False, True])
def test_a_planted_association_is_flagged_and_none_lies_within_its_margin(causal: bool) -> None:
    """40 cells with noise of standard deviation 0.15 in LPBS: that of the contrast is 0.047, and 0.19 away from 0 happens once in 16,000."""
    planted, none = (by_name(metric("ilps", **GIVEN, minimum_items=20).judge(associating(strength, 0.3, causal), 0), "ilps") for strength in (2.0, 0.0))
    assert fair(planted["score"]) == pytest.approx(-2.0, abs=0.3) and planted["difference"].low is not None and planted["difference"].low > 1.5
    assert fair(planted["difference"]) == -fair(planted["score"]) and planted["score"].direction == "none"
    assert fair(planted["by_group/women"]) < 0 < fair(planted["by_group/men"])
    assert fair(none["difference"]) < 0.19 and holds(none["score"], 0.0) and none["difference"].low == 0.0


def test_one_set_of_attributes_is_compared_with_nothing() -> None:
    given = {**GIVEN, "attributes": {"women": list(WOMENS)}}
    measures = metric("ilps", **given, minimum_items=20).judge(associating(2.0), 0)
    found = by_name(measures, "ilps")
    assert fair(found["score"]) == pytest.approx(-1.0) == pytest.approx(fair(found["by_group/women"]))
    assert len(measures.items["id"]) == 20 and measures.items["lpbs"] == pytest.approx([-1.0] * 20)
    assert found["score"].conditions["fidelity"] == "adaptation" and found["score"].conditions["groups"] == "male against female"


def test_a_causal_model_says_what_it_does_and_one_attribute_tells_nothing() -> None:
    found = by_name(metric("ilps", **GIVEN).judge(associating(1.0, causal=True), 0), "ilps")
    assert "log p(attribute | target)" in found["score"].conditions["differs"]
    one = {**GIVEN, "attributes": {"one": ["nurse"]}}
    assert metric("ilps", **one, minimum_items=1).judge(associating(1.0, causal=True), 0).rows[0].status == "insufficient_evidence"


def test_synthetic_templates_and_words() -> None:
    chosen = metric("ilps")
    templates, targets, attributes = chosen.words()
    assert all(template.count(slot) == 1 for template in templates for slot in ("TARGET", "ATTRIBUTE")) and (len(targets), len(attributes)) == (2, 2)
    (first, _), (with_first, _) = targets.values(), attributes.values()
    probe = FakeProbe(masked=lambda row, place, target: log(0.3 if (target in first) and any(word in with_first for word in row) else 0.1))
    found = by_name(chosen.judge(probe, 0), "ilps")
    assert fair(found["score"]) == pytest.approx(log(3)) and found["score"].n == len(templates) * sum(map(len, attributes.values()))
    assert chosen.fidelity == "adaptation" and "grammar" in found["score"].conditions["differs"]


def test_too_few_cells_and_other_models_have_no_number() -> None:
    few = metric("ilps", **{**GIVEN, "templates": TEMPLATES[:1]}).judge(associating(1.0), 0)
    assert [(row.name, row.status, row.n, row.value) for row in few.rows] == [("fairness/ilps/difference", "insufficient_evidence", 8, None)]
    assert metric("ilps", **GIVEN).judge(FakeProbe(), 0).rows[0].status == "unsupported"


@pytest.mark.parametrize(
    "fields",
    [
        {"items": "given"},
        {**GIVEN, "templates": ["TARGET alone"]},
        {**GIVEN, "templates": ["TARGET TARGET ATTRIBUTE"]},
        {**GIVEN, "targets": {"one": ["he"]}},
        {**GIVEN, "attributes": {"none": []}},
        {**GIVEN, "attributes": {"no/name": ["nurse"]}},
        {**GIVEN, "items": "synthetic"},
    ],
)
def test_what_is_not_given_whole_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        metric("ilps", **fields)
