"""No messages of Flower and Ray among those of a study."""

from __future__ import annotations

import logging

import flwr.supercore.logger  # noqa: F401 - it sets the level that is set here when it is first imported


def silence() -> None:
    """Leave nothing but what ends the program: what fails is told as an error of the study."""
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
