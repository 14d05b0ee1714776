"""Prefect's server on a socket that the supervisor holds, so that it may be killed and started again without refusing anybody.

Who calls meanwhile waits. Prefect's client needs that: one that has not yet spoken to its server gives up at the first refusal.

Run as ``python -m pipelines.services.prefect_server DESCRIPTOR``.
"""

from __future__ import annotations

import socket
import sys


def serve(descriptor: int) -> None:
    """Serve API, page and background services until a signal ends it."""
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(final=True), log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    serve(int(sys.argv[1]))
