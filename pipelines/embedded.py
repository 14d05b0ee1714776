"""The Prefect server that `assay run` brings along when none is configured: loopback only, gone with the process that began it.

Migrating a fresh database takes twice as long as all the rest, so one migrated template is kept and each server works on a
copy; two runs at once never meet in one SQLite file.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

from pipelines.services.health import prefect_health, problem
from pipelines.services.state import running
from tasks.core.errors import UserError
from tasks.core.places import home

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_COLORS": "false",
}
ALONE = {"PREFECT_LOGGING_TO_API_ENABLED": "false", "PREFECT_SERVER_UI_ENABLED": "false"}
"""For a server that nobody looks at."""
START_TIMEOUT = 120.0


class ServerFailed(UserError):
    """The embedded server did not come up."""


def prefect_home() -> Path:
    """Prefect's own folder for runs of this home: never the user's."""
    return home() / "mlruns" / "prefect"


def configured() -> bool:
    """Whether the user named a Prefect server."""
    return bool(os.environ.get("PREFECT_API_URL"))


@contextmanager
def server() -> Iterator[bool]:
    """Inside, a Prefect API answers and this process and its children are configured for it. Call before prefect is imported.

    It is the one that the user named, else the one that `assay up` runs for this home, else one that is brought along. Yields
    whether it lasts, so that somebody may look at its pages.
    """
    folder = prefect_home()
    folder.mkdir(parents=True, exist_ok=True)
    up = None if configured() else running()
    if up is not None:
        os.environ["PREFECT_API_URL"] = up.prefect_api
    lasting = configured()
    settings = QUIET if lasting else QUIET | ALONE
    os.environ.update({name: os.environ.get(name, value) for name, value in settings.items()})
    if lasting:
        yield True
        return
    os.environ["PREFECT_HOME"] = str(folder)
    os.environ["PREFECT_LOCAL_STORAGE_PATH"] = str(folder / "storage")
    with tempfile.TemporaryDirectory(prefix="assay-prefect-") as scratch:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            process = _start(listener, Path(scratch) / "prefect.db")
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        try:
            yield False
        finally:
            del os.environ["PREFECT_API_URL"]
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(listener: socket.socket, database: Path) -> subprocess.Popen[bytes]:
    """The server process on a socket that already listens, so that its port cannot be lost to another process."""
    listener.listen(128)
    descriptor = listener.fileno()
    command = [sys.executable, "-m", "pipelines.embedded", str(descriptor), str(os.getpid()), str(database)]
    environment = {**os.environ, "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}"}
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, pass_fds=[descriptor], env=environment, stdin=silent, stdout=silent, stderr=silent)


def _migrate(database: Path) -> None:
    """Make the server's database: a copy of this Prefect version's template, which the first server of this home makes."""
    import filelock

    template = prefect_home() / f"template-{version('prefect')}.db"
    with filelock.FileLock(template.with_suffix(".lock")):
        if template.exists():
            shutil.copy(template, database)
            return
        from prefect.server.database import provide_database_interface

        asyncio.run(provide_database_interface().create_db())
        aside = template.with_suffix(".aside")
        aside.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as migrated, closing(sqlite3.connect(aside)) as copy:
            migrated.backup(copy)
        aside.rename(template)


def wait_until_up(timeout: float = START_TIMEOUT) -> None:
    """Return when the configured API answers. Raises ServerFailed after ``timeout`` seconds."""
    url = os.environ["PREFECT_API_URL"]
    wrong = problem(prefect_health(url), timeout)
    if wrong:
        raise ServerFailed(f"no Prefect server answers at {url}: {wrong}")


def _serve(descriptor: int, parent: int, database: Path) -> None:
    """The server process: it ends when its parent does, however that ends."""

    def watch() -> None:
        while os.getppid() == parent:
            threading.Event().wait(0.5)
        shutil.rmtree(database.parent, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    _migrate(database)
    import uvicorn
    from prefect.server.api.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(ephemeral=True), log_level="critical", lifespan="on"))
    server.run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
