"""A list of a component is read as a list, also where the component looks at its values before they are validated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specs.given import SMALL, loaded


@pytest.mark.xfail(reason="a validator that runs before the fields takes strict JSON for strict Python, in which a list is no tuple")
@pytest.mark.parametrize("block", ["frozen: [embeddings]", "adapter: {kind: lora, targets: [query]}"])
def test_a_pretrained_model_takes_its_lists(tmp_path: Path, block: str) -> None:
    text = SMALL.replace("{kind: linear}", f"{{kind: pretrained, source: some/model, {block}}}")
    loaded(tmp_path, text)
