"""Where noise and sampling come from: the seed, or the operating system."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

KEY_FILE = "secret.key"
BYTES = 32


def key_of(randomness: str, seed: int, checkpoint: Path) -> int:
    """The key of all draws: the seed where they are to be reproducible, else 256 bits of the operating system.

    A secret key lives in the checkpoint folder alone, so that a killed training goes on with the same noise, and goes with the folder
    when the artifact is committed. What is drawn from it by torch and numpy is not cryptographic.
    """
    if randomness == "reproducible":
        return seed
    path = checkpoint / KEY_FILE
    if not path.exists():
        aside = path.with_suffix(".aside")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(BYTES))
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    return int(path.read_text(), 16)
