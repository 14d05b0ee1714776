"""The ServerApp that the app bundle names. A study's server is the study itself, so this one only says so."""

from __future__ import annotations

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from tasks.core.errors import UserError

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Runs where a SuperLink started a ServerApp by itself."""
    raise UserError("the server of this app is `assay run` of a study with federation.engine flower-deployment: start the SuperLink with --isolation process")
