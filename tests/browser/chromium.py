"""A headless Chromium that reaches this machine alone, and a watch on what it asks of others."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60_000
"""Milliseconds that a page gets to show something: other work may have the processors."""


@dataclass
class Outsiders:
    """What a browser asked of other machines: it has this proxy for them, which notes the address and gives no answer.

    The requests of shared workers, of service workers and of the browser itself pass here, of which a page's own events know nothing.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[Outsiders]:
        noted = self.asked

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                words = self.rfile.readline(10_000).decode("latin-1").split()
                noted.append(words[1] if len(words) > 1 else "nothing")
                self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def take(self) -> list[str]:
        """What was asked since the last time."""
        taken = list(self.asked)
        self.asked.clear()
        return taken


def program() -> str:
    """Where Chromium is; a test that needs it is skipped where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    return found


@contextmanager
def browsing(outsiders: Outsiders) -> Iterator[Browser]:
    """A browser for which every other machine lies behind the watch; Chromium itself goes round a proxy for loopback addresses."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=[*QUIET, f"--proxy-server=127.0.0.1:{outsiders.port}"])
        try:
            yield browser
        finally:
            browser.close()
