"""No privacy mechanism."""

from __future__ import annotations

from typing import Literal

from tasks.privacy.privacy import Privacy, Setting


class NoPrivacy(Privacy):
    """Plain training. It guarantees nothing, and every record says so."""

    kind: Literal["none"]

    def account(self, setting: Setting) -> None:
        """Nothing is spent, for nothing is promised."""
        return
