"""The catalogue's files: downloaded once, checked by SHA-256, and every failure is one line."""

from __future__ import annotations

import gc
import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import DataError

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # the download library leaves the socket of a refused answer to the collector

CONTENT = b"turn on the lights\n" * 50


class Server(HTTPServer):
    """Serves one text to whoever asks, and counts."""

    asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data.txt"


class Handler(BaseHTTPRequestHandler):
    """Gives the text, or 404."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(200 if self.path == "/data.txt" else 404)
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/data.txt" else 0))
        self.end_headers()
        if self.path == "/data.txt":
            self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()
    gc.collect()


def source(url: str, content: bytes = CONTENT) -> Source:
    return Source("train/data.txt", url, hashlib.sha256(content).hexdigest())


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        path = fetch("toy", source(server.url), tmp_path)
        assert path == tmp_path / "toy" / "train" / "data.txt" and path.read_bytes() == CONTENT
    assert server.asked == 1


def test_a_file_that_was_put_there_is_checked_and_not_changed(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "toy" / "train" / "data.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"its SHA-256 is .*, expected .*; remove the file") as caught:
        fetch("toy", source(server.url), tmp_path)
    assert "\n" not in str(caught.value) and path.read_bytes() == CONTENT[:-1] and server.asked == 0
    path.write_bytes(CONTENT)
    assert fetch("toy", source(server.url), tmp_path) == path


def test_a_download_with_another_hash_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another SHA-256 than expected") as caught:
        fetch("toy", source(server.url, b"something else"), tmp_path)
    assert "\n" not in str(caught.value) and server.asked == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("absent", ["server", "file"])
def test_what_cannot_be_had_gives_one_line(absent: str, server: Server, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/data.txt"
    url = closed if absent == "server" else server.url.replace("data.txt", "gone.txt")
    with pytest.raises(DataError, match=r"toy: .* is absent and cannot be downloaded from .*; put the file there by hand, or set ASSAY_DATA") as caught:
        fetch("toy", source(url), tmp_path)
    assert "\n" not in str(caught.value)


def test_the_digest_follows_from_the_pinned_hashes() -> None:
    one, two = source("http://a/x"), source("http://a/x", b"other")
    assert digest_of([one]) == digest_of([source("http://elsewhere/x")])
    assert len({digest_of([one]), digest_of([two]), digest_of([one, two]), digest_of([two, one])}) == 4
