"""Watching a command's network: every connection that any of its Python processes asks for is written to a file."""

from __future__ import annotations

import json
from pathlib import Path

HOOK = """
import json, os, sys

def _watch(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        with open(os.environ["WATCHED_CONNECTIONS"], "a") as file:
            file.write(json.dumps(address if isinstance(address, str) else [str(part) for part in address]) + "\\n")

sys.addaudithook(_watch)
"""
LOCAL = ("127.", "localhost", "::1", "0.0.0.0")


def watched(folder: Path) -> dict[str, str]:
    """Environment under which Python processes note their connections in ``folder``."""
    hooks = folder / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(hooks), "WATCHED_CONNECTIONS": str(folder / "connections.jsonl")}


def connections(folder: Path) -> list[str]:
    """The hosts that were asked for, loopback and Unix sockets among them."""
    path = folder / "connections.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [address if isinstance(address, str) else address[0] for address in map(json.loads, lines)]


def outbound(folder: Path) -> list[str]:
    """The hosts that are not on this machine."""
    return [host for host in connections(folder) if not host.startswith(("/", *LOCAL)) and host != ""]
