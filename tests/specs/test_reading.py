"""What a YAML text means, and that whatever is ambiguous, slow or dangerous in one is refused at its place."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.errors import MOST_ERRORS, SpecError, SpecErrors
from specs.reading import DEEPEST, LARGEST_FILE, MOST_NODES, parse, read
from tests.specs.given import refused, write


def errors(text: str) -> tuple[SpecError, ...]:
    """The errors of a text, whether or not something is left to validate."""
    try:
        return parse(text, "f").errors
    except SpecErrors as raised:
        return raised.errors


@pytest.mark.parametrize(
    ("scalar", "meaning"),
    [
        *[(word, word) for word in ("no", "yes", "on", "off", "y", "n", "No", "12:30", "1_000", "0b1", "2026-01-01", "=", "1e", "+", ".", "nan", "inf")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, None) for word in ("null", "Null", "NULL", "~", "")],
        *[("17", 17), ("-17", -17), ("+17", 17), ("017", 17), ("0o17", 15), ("0x1F", 31), (str(2**63 - 1), 2**63 - 1)],
        *[("1e-5", 1e-5), ("1E5", 1e5), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("-1.5e+3", -1500.0)],
        *[('"17"', "17"), ("'true'", "true"), ('"null"', "null"), ('""', ""), ('"a\\u00e9"', "aé"), ("caf\u00e9 \U0001f642", "caf\u00e9 \U0001f642")],
    ],
)
def test_scalars_are_those_of_yaml_1_2(scalar: str, meaning: Any) -> None:
    value = parse(f"a: {scalar}\n", "f").value["a"]
    assert value == meaning and type(value) is type(meaning)


@pytest.mark.parametrize(
    ("scalar", "message"),
    [
        *[(word, "must be a finite number") for word in (".inf", "-.Inf", "+.INF", ".nan", ".NaN")],
        *[(word, "is too large a number") for word in (str(2**63), "-" + "9" * 400, "1e999", "0x" + "f" * 40, "9" * 300_000)],
    ],
)
def test_a_number_that_nothing_can_hold_is_refused(scalar: str, message: str) -> None:
    (found,) = errors(f"a: {scalar}\n")
    assert (found.line, found.column, found.path) == (1, 4, "a") and message in found.message


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(PRINTABLE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.-", min_size=1, max_size=9), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200, database=None)
@given(PLAIN)
def test_json_reads_as_json_reads_it(value: Any) -> None:
    assert parse(json.dumps({"a": value}), "f").value == {"a": value}


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "message"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", 3, 1, "a", "duplicate key (first on line 1)", id="duplicate key"),
        pytest.param("a:\n  b: {c: 1, c: 2}\n", 2, 13, "a.b.c", "duplicate key (first on line 2)", id="duplicate key below"),
        pytest.param('a: 1\n"a": 2\n', 2, 1, "a", "duplicate key", id="duplicate quoted key"),
        pytest.param("a: &a [*a]\n", 1, 8, "", "refers to itself", id="list in itself"),
        pytest.param("a: &a {b: *a}\n", 1, 11, "", "refers to itself", id="block in itself"),
        pytest.param("a: &near 1\nb: *neat\n", 2, 4, "", "no anchor '&neat' stands before this alias; did you mean 'near'?", id="unknown alias"),
        pytest.param("b: &x 1\n<<: {c: 1}\n", 2, 1, "", "merge keys", id="merge key"),
        pytest.param("a: 1\nb: !!python/object:os.system {}\n", 2, 4, "b", "tags such as", id="python object"),
        pytest.param("a: !mine 1\n", 1, 4, "a", "tags such as '!mine' are not allowed", id="own tag"),
        pytest.param("a: !!int '3'\n", 1, 4, "a", "tags such as", id="standard tag"),
        pytest.param("!!str a: 1\n", 1, 1, "", "in a key: tags such as", id="tag on a key"),
        pytest.param("a: 1\n---\nb: 2\n", 2, 1, "", "holds a second document ('---')", id="second document"),
        pytest.param("a:\n\tb: 1\n", 2, 1, "", "a tab cannot indent YAML", id="tab"),
        pytest.param("a: 1\nb: x\x00y\n", 2, 5, "", "the character U+0000 is not allowed", id="zero byte"),
        pytest.param("a: \x1b[31mred\n", 1, 4, "", "the character U+001B is not allowed", id="escape"),
        pytest.param("a: b\ufffe\n", 1, 5, "", "the character U+FFFE is not allowed", id="no character"),
        pytest.param('a: "x\\0y"\n', 1, 4, "a", "must not contain control characters", id="escaped control character"),
        pytest.param('a: "\\ud800"\n', 1, 7, "", "not valid YAML: found invalid Unicode", id="half a character"),
        pytest.param('"\\x01": 1\n', 1, 1, "", "in a key: must not contain control characters", id="control character in a key"),
        pytest.param(".inf: 1\n", 1, 1, "", "in a key: must be a finite number", id="infinite key"),
        pytest.param("a: {1: x}\n", 1, 5, "a", "a key must be text (got 1); put it in quotes", id="number as key"),
        pytest.param("true: x\n", 1, 1, "", "a key must be text (got true)", id="truth as key"),
        pytest.param("? [b]\n: x\n", 1, 3, "", "a key must be text (got a list of 1)", id="list as key"),
        pytest.param("question: what: this\n", 1, 15, "", "quote text that holds ': '", id="colon in text"),
        pytest.param("a: [1, 2\n", 2, 1, "", "not valid YAML", id="open list"),
        pytest.param("a: 'x\n", 2, 1, "", "not valid YAML", id="open quote"),
        pytest.param("a: 1\n b: 2\n", 2, 3, "", "not valid YAML", id="crooked indent"),
        pytest.param("- a\n", 1, 1, "", "a spec is a block of keys, beginning with 'kind:' (got a list of 1)", id="list"),
        pytest.param("hello\n", 1, 1, "", "(got 'hello')", id="text"),
        pytest.param("", 1, 1, "", "is empty", id="empty"),
        pytest.param("# only this\n", 1, 1, "", "is empty", id="only a comment"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(text: str, line: int, column: int, path: str, message: str) -> None:
    (found,) = errors(text)
    assert (found.line, found.column, found.path) == (line, column, path)
    assert message in found.message


def test_every_duplicate_is_told_at_once() -> None:
    assert [(found.line, found.path) for found in errors("a: 1\na: 2\nb: 1\nb: 2\nb: 3\n")] == [(2, "a"), (4, "b"), (5, "b")]


def test_a_tag_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    (found,) = errors(f'a: !!python/object/apply:os.system ["touch {witness}"]\n')
    assert "are not allowed" in found.message and not witness.exists()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)), id="doubling"),
        pytest.param(f"a: &a [{', '.join('x' * 1000)}]\nb: [{', '.join(['*a'] * 1000)}]\n", id="square"),
        pytest.param(f"a: [{', '.join('x' * (MOST_NODES + 1))}]\n", id="long list"),
    ],
)
def test_a_text_that_swells_is_refused_at_once(text: str) -> None:
    begun = time.monotonic()
    (found,) = errors(text)
    assert f"holds more than {MOST_NODES:,} values" in found.message
    assert time.monotonic() - begun < 2


def test_an_alias_is_a_copy() -> None:
    value = parse("a: &x {b: [1]}\nc: *x\nd: *x\n", "f").value
    assert value == {"a": {"b": [1]}, "c": {"b": [1]}, "d": {"b": [1]}}
    value["c"]["b"].append(2)
    assert value["d"] == {"b": [1]}


def test_nesting_has_a_limit() -> None:
    def nested(levels: int) -> str:
        return "a: " + "[" * (levels - 1) + "]" * (levels - 1)

    parse(nested(DEEPEST), "f")
    for levels in (DEEPEST + 1, 100_000):
        (found,) = errors(nested(levels))
        assert (found.column, found.message) == (3 + DEEPEST, f"is nested deeper than {DEEPEST} levels")


def test_nesting_through_aliases_has_the_same_limit() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, DEEPEST + 2))
    assert [found.message for found in errors(text)] == [f"is nested deeper than {DEEPEST} levels"]


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a: 1\n#".ljust(LARGEST_FILE, "x")), "f").value == {"a": 1}
    (found,) = refused(tmp_path, "a: 1\n#".ljust(LARGEST_FILE + 1, "x"))
    assert "is larger than 1,000,000 bytes" in found.message


@pytest.mark.parametrize(
    ("content", "line", "column", "byte"),
    [(b"a: 1\nb: caf\xe9\n", 2, 7, "0xe9"), ("a: 1\n".encode("utf-16"), 1, 1, "0xff"), (b"a: \xc3", 1, 4, "0xc3")],
    ids=["latin-1", "utf-16", "cut short"],
)
def test_a_file_that_is_not_utf_8_is_refused_where_it_fails(tmp_path: Path, content: bytes, line: int, column: int, byte: str) -> None:
    (found,) = refused(tmp_path, content)
    assert (found.line, found.column, found.message) == (line, column, f"is not UTF-8 text (byte {byte})")


@pytest.mark.parametrize(
    "content", ["\ufeffa: 1\nb: {c: [x, y]}\n", "a: 1\r\nb: {c: [x, y]}\r\n", "---\na: 1\nb: {c: [x, y]}\n...\n"], ids=["mark", "windows", "ends"]
)
def test_marks_and_line_ends_change_nothing(tmp_path: Path, content: str) -> None:
    found = read(write(tmp_path, content), "f")
    first = 2 if content.startswith("---") else 1
    assert found.value == {"a": 1, "b": {"c": ["x", "y"]}}
    assert found.positions[("a",)] == (first, 1) and found.positions[("b", "c", 1)] == (first + 1, 12)


def test_every_key_and_entry_has_its_place() -> None:
    positions = parse("a:\n  b: [x, {c: 1}]\n  d:\n    - e: 2\n", "f").positions
    assert positions == {
        (): (1, 1),
        ("a",): (1, 1),
        ("a", "b"): (2, 3),
        ("a", "b", 0): (2, 7),
        ("a", "b", 1): (2, 10),
        ("a", "b", 1, "c"): (2, 11),
        ("a", "d"): (3, 3),
        ("a", "d", 0): (4, 7),
        ("a", "d", 0, "e"): (4, 7),
    }


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, "a: 1\n", "study.yaml")
    cases = {"studi.yaml": "no such file; did you mean 'study.yaml'?", "nowhere/s.yaml": "either", ".": "is a folder, not a spec file", "a" * 5000: "too long"}
    for name, message in cases.items():
        with pytest.raises(SpecErrors) as caught:
            read(tmp_path / name, "f")
        assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_flood_of_errors_is_cut() -> None:
    raised = SpecErrors(SpecError("f", line, 1, "a", "wrong") for line in range(1, 1000))
    assert len(raised.errors) == MOST_ERRORS + 1
    assert raised.errors[-1].message == "more errors follow; mend these first"
    assert SpecErrors(raised.errors).errors == raised.errors
