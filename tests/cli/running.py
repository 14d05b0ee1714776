"""The `assay` command in this process: its own `main`, so that what it prints and its exit code are the real ones."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest.mock import patch

from pipelines.cli.main import COMMANDS, main

__all__ = ["COMMANDS", "Done", "assay"]


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and output."""

    code: int
    out: str
    err: str

    @property
    def error_lines(self) -> list[str]:
        return self.err.splitlines()


def assay(*arguments: object) -> Done:
    """Run one command to its end."""
    out, err = io.StringIO(), io.StringIO()
    with patch.object(sys, "argv", ["assay", *map(str, arguments)]), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())
