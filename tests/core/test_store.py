"""The store: all or nothing, hashed on read, one worker per key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from tasks.core.store import MANIFEST, DamagedArtifact, Store, open_store


@pytest.fixture(params=["local", "memory"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """A store on a folder, and one on a shared URL with its local copies."""
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    return Store(f"memory://{tmp_path.name}-{os.getpid()}", tmp_path / "local")


def made(tmp_path: Path, text: str = "hello") -> Path:
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text(text)
    (folder / "sub" / "b.txt").write_text("b")
    return folder


def test_commit_then_open(store: Store, tmp_path: Path) -> None:
    assert not store.has("k") and not store.intact("k")
    store.commit("k", made(tmp_path), {"step": "toy"})
    assert store.has("k") and store.keys() == ["k"]
    assert (store.open("k") / "sub" / "b.txt").read_text() == "b"
    assert store.manifest("k")["record"] == {"step": "toy"}
    assert store.asides() == []


def test_a_shared_artifact_is_read_from_another_machine(tmp_path: Path) -> None:
    url = f"memory://shared-{tmp_path.name}"
    Store(url, tmp_path / "one").commit("k", made(tmp_path), {})
    other = Store(url, tmp_path / "two")
    assert other.has("k")
    assert (other.open("k") / "a.txt").read_text() == "hello"


@pytest.mark.parametrize("fault", ["tampered", "deleted file", "no manifest", "broken manifest", "manifest is a list"])
def test_damage_is_seen_and_mended(tmp_path: Path, fault: str) -> None:
    store = open_store(str(tmp_path / "store"))
    store.commit("k", made(tmp_path), {})
    folder = store.open("k")
    match fault:
        case "tampered":
            (folder / "a.txt").write_text("hellO")
        case "deleted file":
            (folder / "sub" / "b.txt").unlink()
        case "no manifest":
            (folder / MANIFEST).unlink()
        case "broken manifest":
            (folder / MANIFEST).write_text("{")
        case "manifest is a list":
            (folder / MANIFEST).write_text("[]")
    with pytest.raises(DamagedArtifact):
        store.open("k")
    store.commit("k", made(tmp_path), {})
    assert store.intact("k")


def test_an_intact_artifact_stays_when_made_twice(store: Store, tmp_path: Path) -> None:
    store.commit("k", made(tmp_path, "first"), {})
    store.commit("k", made(tmp_path, "second"), {})
    assert (store.open("k") / "a.txt").read_text() == "first"


def test_discard(store: Store, tmp_path: Path) -> None:
    store.commit("k", made(tmp_path), {})
    store.discard("k")
    store.discard("k")
    assert not store.has("k") and store.keys() == []


def test_one_worker_per_key_and_a_kill_frees_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    code = f"""
import sys, time
from tasks.core.store import open_store
with open_store({str(tmp_path / "store")!r}).lock("k"):
    print("held", flush=True)
    time.sleep(60)
"""
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None and worker.stdout.readline() == "held\n"
    with pytest.raises(filelock.Timeout), store.lock("k", timeout=0.1):
        pass
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    with store.lock("k", timeout=5):
        pass


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    inside = []

    def work() -> None:
        with store.lock("k"):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == []


def test_what_a_kill_leaves_is_listed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    store.scratch("u").mkdir(parents=True)
    store.commit("k", made(tmp_path), {})
    (tmp_path / "store" / "artifacts" / ".k.123").mkdir()
    assert store.unfinished() == ["u"]
    assert [path.name for path in store.asides()] == [".k.123"]
    assert store.keys() == ["k"]


def test_the_manifest_lists_every_file(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    folder = store.commit("k", made(tmp_path), {})
    assert sorted(json.loads((folder / MANIFEST).read_text())["files"]) == ["a.txt", "sub/b.txt"]
    assert store.size("k") > 6
