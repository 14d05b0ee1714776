"""A mechanism that promises something is carried out or refused, never trained plainly."""

from __future__ import annotations

from typing import Any, Literal, cast

import pytest

from tasks.privacy.account import Account
from tasks.privacy.privacy import PRIVACY, Privacy, Setting
from tasks.training.mechanics import mechanics

SETTING = Setting(100, 10, 1.0, "reproducible")


class Promising(Privacy):
    """Has an account, and nothing that a training could do about it."""

    kind: Literal["promising"]

    def account(self, setting: Setting) -> Account | None:
        found = PRIVACY.parse({"kind": "dp-sgd", "noise_multiplier": 1.0})
        assert isinstance(found, Privacy)
        return found.account(setting)


class Config:
    """Of a training, as far as it is looked at."""

    privacy = Promising(kind="promising")


def test_an_account_that_no_training_carries_out_is_refused() -> None:
    account = Config.privacy.account(SETTING)
    nothing = cast(Any, None)
    with pytest.raises(TypeError, match="no training carries out privacy of kind 'promising'"):
        mechanics(cast(Any, Config()), account, nothing, nothing, {}, 0, nothing, "fp32")
