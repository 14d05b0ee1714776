"""Accounts kept: calibration and accounting take seconds and depend on public numbers alone, so each is done once per machine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks.core.fingerprint import digest
from tasks.core.places import home
from tasks.privacy.mechanism import Adjacency, Mechanism, Repetition
from tasks.privacy.noise import Noise
from tasks.privacy.sampler import Sampler, Schedule

REVISION = 2
"""Raise it when calibration or accounting changes."""


@cache
def spend(
    sampler: Sampler,
    noise: Noise,
    schedule: Schedule,
    adjacency: Adjacency,
    repetition: Repetition | None,
    accountant: str,
    delta: float,
    target_epsilon: float | None,
    noise_multiplier: float | None,
) -> tuple[float, Mechanism, dict[str, float]]:
    """The noise multiplier (calibrated where a target is given), the mechanism and the upper bound of every accountant.

    Raises CalibrationError, and AccountingError where accountants contradict each other or the target is missed.
    """

    def mechanism_of(multiplier: float) -> Mechanism:
        return Mechanism(sampler.releases(schedule, noise, multiplier), adjacency, repetition)

    asked = {
        "mechanism": asdict(mechanism_of(1.0)),
        "noise": noise.model_dump(mode="json"),
        "accountant": accountant,
        "delta": delta,
        "target_epsilon": target_epsilon,
        "noise_multiplier": noise_multiplier,
        "versions": _versions(),
        "revision": REVISION,
    }
    path = home() / "mlruns" / "cache" / "accounts" / f"{digest(_plain(asked))}.json"
    kept = _read(path, _plain(asked))
    if kept is None:
        kept = _worked_out(mechanism_of, accountant, delta, target_epsilon, noise_multiplier)
        _write(path, {**kept, "asked": _plain(asked)})
    return kept["noise_multiplier"], mechanism_of(kept["noise_multiplier"]), dict(kept["epsilons"])


def _worked_out(mechanism_of: Any, accountant: str, delta: float, target: float | None, noise_multiplier: float | None) -> dict[str, Any]:
    from tasks.privacy.accountant import AccountingError, accountants
    from tasks.privacy.accounting import bounds
    from tasks.privacy.calibrating import calibrate

    multiplier = noise_multiplier if target is None else calibrate(mechanism_of, target, delta, accountant)
    assert multiplier is not None  # the block has exactly one of the two
    epsilons = {name: bound.high for name, bound in bounds(mechanism_of(multiplier), delta).items()}
    if accountant not in epsilons:
        why = accountants()[accountant].unsupported(mechanism_of(multiplier)) or f"{accountant} works out no epsilon as large, or at a delta as small"
        raise AccountingError(f"{why}: write another privacy.accountant ({' or '.join(epsilons) or 'none has a number'})")
    if target is not None and epsilons[accountant] > target:
        raise AccountingError(f"noise multiplier {multiplier:.6g} gives epsilon {epsilons[accountant]:.6g}, above the target {target:g}")
    return {"noise_multiplier": multiplier, "epsilons": epsilons}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Infinity, the shape of a Poisson law, is no JSON."""
    found: dict[str, Any] = json.loads(json.dumps(values).replace("Infinity", '"infinity"'))
    return found


def _versions() -> dict[str, str]:
    found = {}
    for name in ("dp-accounting", "prv-accountant"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _read(path: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """A kept account; None where there is none, or none that can be read and answers what is asked."""
    try:
        found = json.loads(path.read_text())
        epsilons = {str(name): float(value) for name, value in found["epsilons"].items()}
        kept = {"noise_multiplier": float(found["noise_multiplier"]), "epsilons": epsilons}
        return kept if found["asked"] == asked and asked["accountant"] in epsilons else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Aside, then renamed. A machine without room or right to keep it works it out again."""
    aside = path.with_name(f"{path.stem}.{uuid.uuid4().hex}.aside")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(values, indent=1) + "\n")
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
