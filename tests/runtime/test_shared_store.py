"""A store on a shared URL, against a real S3 protocol on loopback: two machines with folders of their own see one store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tasks.core.errors import UserError
from tasks.core.store import DamagedArtifact, Store, reach_store


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket on a server of this process; the environment leads fsspec to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        boto3.client("s3").create_bucket(Bucket="shelf")
        yield "s3://shelf/assay"
    server.stop()


def made(folder: Path, text: str = "hello") -> Path:
    (folder / "made" / "sub").mkdir(parents=True)
    (folder / "made" / "a.txt").write_text(text)
    (folder / "made" / "sub" / "b.txt").write_text("b")
    return folder / "made"


def test_what_one_machine_commits_another_opens(bucket: str, tmp_path: Path) -> None:
    Store(bucket, tmp_path / "one").commit("k1", made(tmp_path), {"step": "toy"})
    other = Store(bucket, tmp_path / "two")
    assert other.has("k1") and "k1" in other.keys()  # noqa: SIM118
    assert (other.open("k1") / "sub" / "b.txt").read_text() == "b"
    assert other.manifest("k1")["record"] == {"step": "toy"}


def test_a_discarded_artifact_is_gone_for_all(bucket: str, tmp_path: Path) -> None:
    Store(bucket, tmp_path / "one").commit("k2", made(tmp_path), {})
    Store(bucket, tmp_path / "two").discard("k2")
    fresh = Store(bucket, tmp_path / "three")
    assert not fresh.has("k2")
    with pytest.raises(DamagedArtifact):
        fresh.open("k2")


def test_a_store_that_cannot_be_reached_is_one_line(bucket: str) -> None:
    assert reach_store(bucket).url == bucket
    with pytest.raises(UserError, match="the store at nowhere://x cannot be reached"):
        reach_store("nowhere://x")
