"""Federated training as a Flower app: one client and one server, in simulation and in deployment.

Flower reads whether it may tell of its use when it is first imported, so that is settled here, before.
"""

from __future__ import annotations

import logging
import os

QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a process of Ray sees the accelerators of the step
}
"""What every process of Flower and of Ray finds in its environment."""

os.environ.update(QUIET)
logging.getLogger("flwr").setLevel(logging.ERROR)
