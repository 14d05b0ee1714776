"""A headless Chromium on pages of this machine: what it asked for is kept, and pictures are saved for whoever looks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
PATIENCE = 60_000
"""Milliseconds that a page has for what it shall show."""
LOCAL = ("127.0.0.1", "localhost")


@dataclass
class Browser:
    """One page, and the hosts that it asked for."""

    page: Page
    pictures: Path
    hosts: set[str] = field(default_factory=set)

    def open(self, address: str, size: tuple[int, int] = (1400, 900)) -> Page:
        """A page, afresh even where the address differs from the one before in its fragment alone."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.goto("about:blank")
        self.page.goto(address)
        return self.page

    def picture(self, name: str, part: Locator | None = None) -> None:
        """Save what is seen, or a part of it."""
        path = self.pictures / f"{name}.png"
        if part is None:
            self.page.screenshot(path=path)
        else:
            part.screenshot(path=path)
        assert path.stat().st_size > 10_000, "an empty picture"

    @property
    def foreign(self) -> set[str]:
        """The hosts that are not this machine."""
        return {host for host in self.hosts if host and host not in LOCAL}


def program() -> str:
    """The browser; the test is skipped where there is none."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"pages: none of {', '.join(PROGRAMS)} is installed")
    return found


@contextmanager
def browser(scratch: Path) -> Iterator[Browser]:
    """A browser; its pictures go to ``ASSAY_PICTURES``, else to a folder of the test's own."""
    pictures = Path(os.environ.get("ASSAY_PICTURES") or scratch)
    pictures.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox", *QUIET])
        context = chromium.new_context()
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        found = Browser(page, pictures)
        context.on("request", lambda request: found.hosts.add(urlsplit(request.url).hostname or ""))
        try:
            yield found
        finally:
            chromium.close()
