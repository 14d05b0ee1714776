"""Pictures of pages: all of them for whoever looks into a test's folder, some of them for the README."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page

VARIABLE = "ASSAY_PICTURES"
COLOURS = 128
GREEN = (33, 157, 75)
"""Of a finished step on Prefect's page."""


def wanted() -> Path | None:
    """The folder that shall have the README's pictures; None where only the tests are of interest."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


@dataclass(frozen=True)
class Pictures:
    """Keeps every picture in ``folder``, and those of the README where they are wanted."""

    folder: Path

    def take(self, name: str, page: Page) -> None:
        """What a page shows."""
        _save(self.folder / f"{name}.png", [shot(page)])

    def keep(self, name: str, *shots: bytes) -> None:
        """A picture of the README, of one shot or of several below each other."""
        for folder in filter(None, (self.folder, wanted())):
            _save(folder / f"{name}.png", shots)


def shot(page: Page, height: float = 0, left: float = 0) -> bytes:
    """What a page shows, from the left and down to some height."""
    size = page.viewport_size
    assert size is not None
    clip = {"x": left, "y": 0.0, "width": size["width"] - left, "height": height or size["height"]}
    return page.screenshot(clip=clip, animations="disabled")  # type: ignore[arg-type]


def greens(image: bytes) -> int:
    """Pixels in the colour of a finished step."""
    pixels = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"), dtype=int)
    return int((np.abs(pixels - GREEN).max(axis=2) < 12).sum())


def _save(path: Path, shots: tuple[bytes, ...] | list[bytes]) -> None:
    parts = [Image.open(io.BytesIO(part)).convert("RGB") for part in shots]
    whole = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    below = 0
    for part in parts:
        whole.paste(part, (0, below))
        below += part.height
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
