"""Errors that a person can mend."""

from __future__ import annotations


class UserError(Exception):
    """Something that a person can mend: the message is the one line they need, and the command ends with exit code 2."""
