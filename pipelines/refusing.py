"""How a flow run ends on what a person can mend: with the line they need, not with a traceback."""

from __future__ import annotations

import logging
from typing import Any

from prefect import State, runtime
from prefect.exceptions import FailedRun
from prefect.logging import get_run_logger
from prefect.states import Failed

from specs.errors import SpecErrors, one_line
from tasks.core.errors import UserError

MENDABLE = (SpecErrors, UserError)


def deployed() -> bool:
    """Whether the running flow run came through a server, from whoever may submit there."""
    return runtime.deployment.id is not None


def refused(error: SpecErrors | UserError) -> State[Any]:
    """A Failed state that says the lines of an error. Raises the error itself where the flow was called from Python."""
    if not deployed():
        raise error
    lines = [str(line) for line in error.errors] if isinstance(error, SpecErrors) else [one_line(str(error), 1000)]
    return failed("\n".join(lines))


def failed(says: str, data: Any = None) -> State[Any]:
    """A Failed state that says why; the log of a deployed flow run says the same."""
    if deployed():
        get_run_logger().error("%s", says)
        logging.getLogger("prefect.flow_runs").addFilter(_without_traceback)
    return Failed(message=says, data=data)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Prefect logs where it found a Failed state as if that were an error of the code."""
    return not (record.exc_info and isinstance(record.exc_info[1], FailedRun))
