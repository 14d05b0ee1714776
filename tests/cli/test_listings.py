"""`assay explain` and `assay components` list what there is, show one, and help with a word they do not know."""

from __future__ import annotations

import pytest

from specs.families import families
from specs.soundness import all_rules
from tests.cli.running import assay


def test_explain_lists_every_rule() -> None:
    done = assay("explain")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(all_rules())


@pytest.mark.parametrize("rule", list(all_rules()))
def test_explain_says_what_where_and_on_whose_word(rule: str) -> None:
    done = assay("explain", rule.lower())
    found = all_rules()[rule]
    assert done.code == 0
    head, *rest = done.out.splitlines()
    assert head.startswith(f"{rule} {found.verdict}")
    assert rest == [f"  what:   {found.sentence}", f"  where:  {found.path}", f"  source: {found.source}"]


def test_components_lists_every_family_with_its_kinds() -> None:
    lines = assay("components").out.splitlines()
    assert [line.split()[0] for line in lines] == list(families())
    assert all(kind in line for line, family in zip(lines, families().values(), strict=True) for kind in family.members())


@pytest.mark.parametrize("family", list(families()))
def test_components_lists_every_kind_of_a_family(family: str) -> None:
    done = assay("components", family)
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(families()[family].members())


@pytest.mark.parametrize(("family", "kind"), [(name, kind) for name, family in families().items() for kind in family.members()])
def test_components_shows_every_field_with_its_meaning_and_default(family: str, kind: str) -> None:
    done = assay("components", family, kind)
    assert done.code == 0
    fields = families()[family].members()[kind].model_fields
    shown = done.out.split("\nfields:\n")[1].splitlines()
    assert [line.split(":")[0].strip() for line in shown] == [name for name in fields if name != "kind"]
    assert [line for line in shown if line.endswith("(required)")] == [line for line in shown if fields[line.split(":")[0].strip()].is_required()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("components", "modle"), "no family 'modle'; did you mean 'model'?"),
        (("components", "zzz"), f"no family 'zzz'; there is {', '.join(families())}"),
        (("components", "model", "bilst"), "no model 'bilst'; did you mean 'bilstm'?"),
        (("components", "optimizer", "zzz"), f"no optimizer 'zzz'; there is {', '.join(families()['optimizer'].members())}"),
        (("explain", "TEXT-1"), "no rule 'TEXT-1'; did you mean 'TEXT-01'?"),
        (("explain", "zzz"), f"no rule 'zzz'; the rules are {', '.join(all_rules())}"),
        (("schema", "dp-trainig"), "unknown kind 'dp-trainig'; did you mean 'dp-training'?"),
    ],
)
def test_an_unknown_word_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = assay(*arguments)
    assert (done.code, done.out, done.error_lines) == (2, "", [message])
