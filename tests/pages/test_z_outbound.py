"""No page and no service asks anybody but this machine. Read last, when every page was seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.browsing import Browser
from tests.pipelines.served import Served
from tests.pipelines.watching import connections, outbound

pytestmark = [pytest.mark.served, pytest.mark.timeout(900)]


def test_pages_and_services_ask_this_machine_alone(chromium: Browser, up: Served) -> None:
    assert chromium.hosts, "the watch saw no request at all"
    assert chromium.foreign == set()
    folder = up.home.folder.parent
    assert connections(folder) and outbound(folder) == []


def test_a_page_that_asks_somebody_else_is_caught(tmp_path: Path, chromium: Browser) -> None:
    page = chromium.page.context.browser.new_page() if chromium.page.context.browser else chromium.page
    watched = Browser(page, tmp_path)
    page.on("request", lambda request: watched.hosts.add(request.url.split("/")[2]))
    page.set_content('<img src="http://example.invalid/pixel.png">')
    page.wait_for_timeout(500)
    assert watched.foreign == {"example.invalid"}
