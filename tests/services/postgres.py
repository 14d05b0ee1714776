"""A PostgreSQL server of a test's own: loopback, a password, gone afterwards; it can be killed and started again."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

USER = "assay"
SYSTEM_USER = "postgres"
START_SECONDS = 30


@dataclass(frozen=True)
class Postgres:
    """A server that runs. ``url`` has its user and password and names no database."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again after a kill, with the data it had."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        _run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "-t", str(START_SECONDS), "start")

    def stop(self) -> None:
        _run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill -9 of the server; returns when none of its processes is left."""
        head = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
        family = [head, *head.children(recursive=True)]
        head.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=START_SECONDS)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A fresh server; the test is skipped where none can be run."""
    _skip_without_server()
    folder = Path(tempfile.mkdtemp(prefix="assay-postgres-"))  # not below pytest's folder, which other users may not enter
    found = Postgres(folder, free_port(), secrets.token_hex(8))
    try:
        (folder / "password").write_text(found.password)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, SYSTEM_USER)
        arguments = ("-A", "scram-sha-256", "-U", USER, f"--pwfile={folder / 'password'}", "--no-sync", "-E", "UTF8", "--no-locale")
        _run("initdb", "-D", str(folder / "data"), *arguments)
        found.start()
        yield found
    finally:
        with suppress(subprocess.CalledProcessError):
            found.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _skip_without_server() -> None:
    for program in ("initdb", "pg_ctl"):
        if _program(program) is None:
            pytest.skip(f"PostgreSQL: no {program} on the path or below /usr/lib/postgresql")
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres to run it")


def _program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


def _run(program: str, *arguments: str) -> None:
    prefix = ["runuser", "-u", SYSTEM_USER, "--"] if os.geteuid() == 0 else []
    silent = subprocess.DEVNULL  # a pipe would be held open by the server
    subprocess.run([*prefix, str(_program(program)), *arguments], check=True, cwd="/", stdin=silent, stdout=silent, stderr=silent, timeout=120)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
