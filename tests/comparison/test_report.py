"""The report: one page that loads nothing, escapes every name, and says question, answer and the conditions of every number."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.results import TrialResult
from tests.comparison.studies import facts, failed, reported, row, trials

LOADING = {"src", "srcset", "href", "xlink:href", "data", "poster", "action", "background", "formaction"}
BAD_TAGS = {"script", "iframe", "object", "embed", "link", "base", "img", "form"}
SCRIPT = "<script>alert('x')</script>"


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, style sheets, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text, self.styles = "", ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.styles += data
        else:
            self.text += f" {data.strip()}"

    def loads(self) -> Iterator[str]:
        """Everything that would run, or that would be fetched from outside the page."""
        for tag, attributes in self.tags:
            if tag in BAD_TAGS:
                yield tag
            for name, value in attributes.items():
                if name.startswith("on") or (name in LOADING and not value.startswith("#")):
                    yield f"{tag} {name}={value}"
                if "url(" in value and "url(#" not in value:
                    yield f"{tag} {name}={value}"
        if "@import" in self.styles or "url(" in self.styles or "@font-face" in self.styles:
            yield "style sheet"


def study(arm: str = "other", seeds: int = 6, **fields: Any) -> Comparison:
    """A study with a claim that holds, one that is contradicted, a gate, a label, a failed trial and three kinds of metric."""
    results = []
    for place, name in enumerate(("plain", arm)):
        for seed in range(seeds):
            value = 0.6 + 0.2 * place + 0.01 * (seed % 3) + 0.004 * place * seed
            rows = (
                row(value, conditions={"data": "d1", "protocol": "as asked"}),
                row(0.1 * place + 0.01 * seed, "fairness/accuracy/difference", direction="lower", status="confounded", reason="small groups"),
                row(10.0 + seed, "cost/train_seconds", direction="lower", conditions={"device": "cpu"}),
            )
            results.append(TrialResult(name, seed, rows, "finished", f"run-{place}-{seed}"))
    claims = [
        {"says": "Other is better", "arm": arm, "versus": "plain", "better": True},
        {"says": "Plain is better", "arm": "plain", "versus": arm, "better": True},
    ]
    given: dict[str, Any] = {"labels": ("the labels are not public [DATA-09]",), "about": {"torch": "2.13.0"}, "question": "Which is better?", **fields}
    return compare(facts(["plain", arm], given.pop("claims", claims), [{"at_least": 0.9}], **given), [*results, failed(arm, seeds)])


def test_the_page_loads_nothing() -> None:
    page = Page(reported(study()))
    assert list(page.loads()) == []
    assert sum(tag == "svg" for tag, _ in page.tags) >= 3


@pytest.mark.parametrize(
    "planted",
    [
        "<script src='https://x/y.js'></script>",
        "<script>1</script>",
        "<link href='a.css'>",
        "<img src='http://x/y.png'>",
        "<p onclick='x()'>",
        "<style>@import 'x'</style>",
        "<p style='background: url(http://x)'>",
    ],
)
def test_a_load_that_is_planted_would_be_seen(planted: str) -> None:
    html = reported(study())
    assert list(Page(html.replace("</body>", f"{planted}</body>")).loads())


@pytest.mark.parametrize("where", ["says", "arm", "question", "label", "about", "metric", "reason", "condition", "guarantee"])
def test_names_are_escaped_wherever_they_stand(where: str) -> None:
    """A script in any words of the study is shown as text and is never a tag, in plots as well."""
    fields: dict[str, Any] = {"claims": [{"says": SCRIPT if where == "says" else "x", "arm": "plain", "at_least": 0.1}]}
    words: dict[str, dict[str, Any]] = {"question": {"question": SCRIPT}, "label": {"labels": (SCRIPT,)}, "about": {"about": {SCRIPT: SCRIPT}}}
    fields |= words.get(where, {})
    found = study(SCRIPT if where == "arm" else "other", **fields)
    arms = {arm: dict(values) for arm, values in found.arms.items()}
    value = arms["plain"]["utility/accuracy"]
    if where == "metric":
        arms["plain"][f"utility/{SCRIPT}"] = value
    elif where == "reason":
        arms["plain"]["utility/accuracy"] = value.model_copy(update={"reason": SCRIPT})
    elif where == "condition":
        arms["plain"]["utility/accuracy"] = value.model_copy(update={"conditions": {"data": SCRIPT}})
    guarantees = {**found.guarantees, "plain": SCRIPT if where == "guarantee" else "none"}
    page = Page(reported(found.model_copy(update={"arms": arms, "guarantees": guarantees})))
    assert list(page.loads()) == [] and SCRIPT in page.text


@pytest.mark.parametrize("arm", ["a $x$ b", r"$\frac{", "50% & <b>", "a" * 200, "naïve…日本"])
def test_any_name_can_be_drawn(arm: str) -> None:
    page = Page(reported(study(arm)))
    assert arm in page.text and list(page.loads()) == []


def test_two_arms_that_differ_at_their_ends_are_told_apart_in_plots() -> None:
    arms = [f"private[model.hidden_size=128,training.optimizer.learning_rate={rate}]" for rate in (0.1, 0.2)]
    html = reported(compare(facts(arms), trials({arm: [0.5, 0.6] for arm in arms})))
    drawn = [line.split(">", 1)[1].split("<")[0] for line in html.splitlines() if "<text" in line and "private" in line]
    assert len(set(drawn)) == 2


def test_question_answers_and_conditions_are_said() -> None:
    found = study()
    text = Page(reported(found)).text
    assert "Which is better?" in text
    for answer in found.claims:
        assert answer.says in text and answer.sentence.partition(": ")[2].rstrip(".") in text and answer.verdict.capitalize() in text
    assert found.gates[0].sentence in text and "the labels are not public [DATA-09]" in text
    assert "Failed: other seed 6" in text and "as asked" in text and "torch" in text and "2.13.0" in text
    assert "confounded: small groups" in text and "run-1-3" in text and "95% t interval over 6 seeds" in text
    value = found.arms["plain"]["utility/accuracy"]
    assert f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]" in text


def test_unlike_numbers_are_said_to_be_unlike() -> None:
    unlike = [*trials({"plain": [0.5, 0.6]}), *trials({"other": [0.6, 0.7]}, conditions={"data": "d2"})]
    text = Page(reported(compare(facts(["plain", "other"]), unlike))).text
    assert "accuracy (a)" in text and "accuracy (b)" in text and "one metric under unlike conditions" in text and "d1" in text and "d2" in text


def test_without_a_claim_the_best_is_named_and_nothing_is_called_tested() -> None:
    text = Page(reported(study(claims=[]))).text
    assert "utility/accuracy: other has the best number" in text and "fairness/accuracy/difference: plain has the best number" in text
    assert "nothing is tested" in text


@pytest.mark.parametrize("results", [[], [failed("plain", 0)], trials({"plain": [None]}), trials({"plain": [0.5]})])
def test_a_study_without_much_has_a_page_too(results: list[TrialResult]) -> None:
    page = Page(reported(compare(facts(["plain"], question=""), results)))
    assert "No question was written" in page.text and list(page.loads()) == []
