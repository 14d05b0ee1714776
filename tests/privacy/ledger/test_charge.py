"""Who is charged for what: secret private trainings spend, all others on a named population leave it uncovered."""

from __future__ import annotations

from tasks.privacy.ledger.charge import charge_of
from tests.privacy.ledger.keeping import account

NAMED = {"population": "people", "kind": "files", "digest": "0123456789abcdef"}
UNNAMED = {**NAMED, "population": None}


def test_a_secret_private_training_is_charged() -> None:
    first, second = charge_of(NAMED, account(), 7, "artifact"), charge_of(NAMED, account(), 8, "artifact")
    assert first is not None and second is not None and first.population == "people" and first.account == account()
    assert first == charge_of(NAMED, account(), 7, "another artifact") and first.training != second.training  # the key alone says which training it is


def test_the_key_does_not_leave_with_the_charge() -> None:
    key = 0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF
    charge = charge_of(NAMED, account(), key, "artifact")
    assert charge is not None and f"{key:x}"[:16] not in str(charge) and str(key)[:16] not in str(charge)


def test_unnamed_people_are_charged_together() -> None:
    charge = charge_of(UNNAMED, account(), 7, "artifact")
    assert charge is not None and charge.population == "unnamed-files"


def test_what_no_guarantee_covers_is_told_of_a_named_population_alone() -> None:
    for spent, why in ((None, "without privacy"), (account(), "simulated")):
        charge = charge_of(NAMED, spent, None, "artifact")
        assert charge is not None and charge.account is None and why in charge.why and charge.training == "artifact"
        assert charge_of(UNNAMED, spent, None, "artifact") is None
