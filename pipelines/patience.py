"""Patience with servers that are away for a while: a restart of a server or of its database must not end a study."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

Found = TypeVar("Found")
OUTAGE_SECONDS = 600.0
"""How long a server may be away."""
PAUSE = 2.0
SERVER_ERROR = 500


def patiently(ask: Callable[[], Found]) -> Found:
    """Ask a Prefect server until it answers. Raises what it raised last when it is away for ten minutes."""
    end = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            return ask()
        except httpx.HTTPStatusError as error:
            if error.response.status_code < SERVER_ERROR or time.monotonic() > end:
                raise
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
        time.sleep(PAUSE)
