"""What one check of `assay doctor` says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One check: what was found and, where it is not well, what to do."""

    check: str
    ok: bool
    found: str
    fix: str = ""
