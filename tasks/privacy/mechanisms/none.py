"""No privacy mechanism."""

from __future__ import annotations

from typing import Any, Literal

from tasks.privacy.privacy import Privacy


class NoPrivacy(Privacy):
    """Plain training. It guarantees nothing, and every record says so."""

    kind: Literal["none"]

    def guarantee(self) -> str:
        """The tag."""
        return "none"

    def record(self) -> dict[str, Any]:
        """What the model artifact says."""
        return {"guarantee": "none"}
