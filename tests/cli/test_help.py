"""The command explains itself, and a word that it does not know brings the one that was meant."""

from __future__ import annotations

import re

import pytest

from tests.cli.running import COMMANDS, assay


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    done = assay(name, "--help")
    assert done.code == 0 and not done.err
    assert re.search(rf"Examples?:\s+assay {name}\b", done.out), done.out


def test_help_lists_every_command_and_where_to_begin() -> None:
    done = assay("--help")
    assert done.code == 0
    listed = [line.split()[0] for line in done.out.split("Commands:")[1].splitlines() if line.startswith("  ")]
    assert listed == list(COMMANDS)
    assert "assay run specs/quickstart.yaml" in done.out


def test_without_arguments_it_helps() -> None:
    done = assay()
    assert "Commands:" in done.out + done.err


def test_it_has_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", assay("--version").out)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("validat", "no such command 'validat'; did you mean 'validate'?"),
        ("Run", "no such command 'Run'; did you mean 'run'?"),
        ("zzz", f"no such command 'zzz'; the commands are {', '.join(COMMANDS)}"),
        ("x" * 500, f"no such command '{'x' * 37}...'"),
    ],
)
def test_an_unknown_command_is_bad_input(word: str, message: str) -> None:
    done = assay(word)
    assert done.code == 2 and not done.out
    assert message in done.err


@pytest.mark.parametrize("arguments", [("validate",), ("validate", "--nope", "s.yaml"), ("run",), ("new",), ("run", "s.yaml", "--processes", "0")])
def test_a_wrong_use_is_bad_input(arguments: tuple[str, ...]) -> None:
    done = assay(*arguments)
    assert done.code == 2 and "Traceback" not in done.err
