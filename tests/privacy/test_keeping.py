"""Accounts are kept on disk: the second process to ask imports nothing heavy, and what cannot be trusted is worked out again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.privacy import accountant, accounts
from tasks.privacy.account import Account
from tasks.privacy.accountant import AccountingError, Bound
from tasks.privacy.mechanism import Mechanism
from tasks.privacy.privacy import PRIVACY, Privacy, Setting
from tasks.privacy.search import Search

CHECKOUT = Path(__file__).resolve().parents[2]
SETTING = Setting(1000, 50, 1.0, "reproducible")

PROGRAM = """
import sys
from tasks.privacy.privacy import PRIVACY, Setting
account = PRIVACY.parse({"kind": "dp-sgd", "target_epsilon": 2.0, "delta": float(sys.argv[1])}).account(Setting(1000, 50, 1.0, "reproducible"))
print(account.epsilon, account.noise_multiplier, *sorted(name for name in ("dp_accounting", "prv_accountant", "scipy", "torch") if name in sys.modules))
"""


def told(home: Path, delta: float) -> list[str]:
    """Epsilon, noise, and the heavy libraries that a fresh process imported for them."""
    environment = {**os.environ, "ASSAY_HOME": str(home)}
    command = [sys.executable, "-c", PROGRAM, str(delta)]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_second_process_imports_neither_accountants_nor_scipy(tmp_path: Path) -> None:
    first, second = told(tmp_path, 1e-5), told(tmp_path, 1e-5)
    assert second == first[:2]
    assert first[2:] == ["dp_accounting", "prv_accountant", "scipy"]
    assert told(tmp_path, 2e-5)[2:] == first[2:]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of accounts of a home of its own."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    accounts.spend.cache_clear()
    yield tmp_path / "mlruns" / "cache" / "accounts"
    accounts.spend.cache_clear()


def account(setting: Setting = SETTING, **fields: Any) -> Account:
    """As a fresh process would have it: what this one remembers of accounts is forgotten first."""
    accounts.spend.cache_clear()
    block = PRIVACY.parse({"kind": "dp-sgd", "accountant": "rdp", "noise_multiplier": 1.5, "delta": 1e-5, **fields})
    assert isinstance(block, Privacy)
    found = block.account(setting)
    assert found is not None
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which accountants were asked."""
    names: list[str] = []
    ask = accountant.epsilon

    def noted(name: str, mechanism: Mechanism, delta: float) -> Bound:
        names.append(name)
        return ask(name, mechanism, delta)

    monkeypatch.setattr("tasks.privacy.accounting.epsilon", noted)
    return names


def test_an_account_is_worked_out_once(kept: Path, asked: list[str]) -> None:
    first = account()
    assert sorted(asked) == ["pld", "prv", "rdp"]
    asked.clear()
    assert account() == first and not asked
    assert len(list(kept.iterdir())) == 1


@pytest.mark.parametrize(
    "changed",
    [{"delta": 2e-5}, {"noise_multiplier": 1.6}, {"noise_multiplier": None, "target_epsilon": 2.0}, {"adjacency": "zero-out"}, {"accountant": "pld"}],
    ids=["delta", "noise", "target", "adjacency", "accountant"],
)
def test_another_question_is_another_account(kept: Path, asked: list[str], changed: Mapping[str, Any]) -> None:
    first = account()
    asked.clear()
    assert account(**changed) != first
    assert asked and len(list(kept.iterdir())) == 2


def test_another_training_or_search_is_another_account(kept: Path) -> None:
    search = Search.model_validate({"kind": "random-stopping", "over": {"training.optimizer.learning_rate": (0.1, 0.2)}})
    settings = [SETTING, Setting(1100, 50, 1.0, "secret"), Setting(1000, 40, 1.0, "secret"), Setting(1000, 50, 2.0, "secret"), Setting(*ONE, search)]
    assert len({account(setting).epsilon for setting in settings}) == len(list(kept.iterdir())) == len(settings)


ONE = (1000, 50, 1.0, "secret")


def replaced(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps({**json.loads(text), **changes})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: "3",
        lambda text: "{}",
        lambda text: '{"noise_multiplier": 9.0, "epsilons": {"rdp": 0.001}}',
        lambda text: '{"noise_multiplier": 9.0, "epsilons": []}',
        replaced(noise_multiplier="much"),
        replaced(epsilons={"pld": 0.1}),
        replaced(epsilons={"rdp": None}),
        replaced(asked={}),
    ],
)
def test_a_damaged_account_is_worked_out_again(kept: Path, asked: list[str], damage: Callable[[str], str]) -> None:
    first = account()
    (file,) = kept.iterdir()
    written = file.read_text()
    file.write_text(damage(written))
    asked.clear()
    assert account() == first and asked
    assert file.read_text() == written and [one.name for one in kept.iterdir()] == [file.name]


def test_bytes_that_are_no_text_are_worked_out_again(kept: Path) -> None:
    first = account()
    (file,) = kept.iterdir()
    file.write_bytes(b"\xff\xfe\x00")
    assert account() == first


def test_without_a_place_to_keep_it_an_account_is_had_all_the_same(kept: Path) -> None:
    first = account()
    (file,) = kept.iterdir()
    file.unlink()
    kept.rmdir()
    kept.write_text("a file where the folder should be")
    assert account() == first


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"accountant": "prv", "noise_multiplier": 0.3}, "prv works out no epsilon as large"),
        ({"accountant": "pld", "delta": 1e-12}, "pld works out no epsilon as large, or at a delta as small"),
        ({"accountant": "prv", "adjacency": "replace-one"}, "prv does not account for replace-one"),
    ],
)
def test_an_accountant_that_has_no_number_is_told_in_one_line(kept: Path, fields: Mapping[str, Any], told: str) -> None:
    with pytest.raises(AccountingError, match=told) as caught:
        account(**fields)
    assert "\n" not in str(caught.value) and "write another privacy.accountant" in str(caught.value)
    assert not kept.exists()


def test_a_calibration_that_misses_its_target_is_noticed(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.privacy.calibrating.calibrate", lambda *_: 0.9)
    with pytest.raises(AccountingError, match="above the target 2"):
        account(noise_multiplier=None, target_epsilon=2.0)
    assert not kept.exists()
