"""What the ledger holds: reservations that count, commits, trainings that nothing covers, budgets that refuse, a lifetime that is composed."""

from __future__ import annotations

from pathlib import Path

import dp_accounting as dp
import pytest
from dp_accounting.dp_event import RepeatAndSelectDpEvent
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from tasks.privacy.ledger.ledger import Ledger
from tasks.privacy.ledger.spent import Budget, BudgetExceeded, Unlike
from tests.privacy.ledger.keeping import DELTA, NOISE, RATE, STEPS, account, ledger_at, losing


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return ledger_at(tmp_path)


def composed(steps: int, noise: float = NOISE, delta: float = DELTA) -> float:
    """dp-accounting's own composition of that many steps."""
    event = dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(RATE, dp.GaussianDpEvent(noise)), steps)
    return float(PLDAccountant().compose(event).get_epsilon(delta))


def test_the_lifetime_is_the_composition_of_the_events(ledger: Ledger) -> None:
    for night in range(3):
        ledger.reserve("people", f"night {night}", account())
    lifetime = ledger.spent("people").lifetime
    assert lifetime == pytest.approx(composed(3 * STEPS), abs=1e-6)
    ledger.reserve("people", "other noise", account(noise=1.5))
    both = dp.ComposedDpEvent(
        [
            dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(RATE, dp.GaussianDpEvent(NOISE)), 3 * STEPS),
            dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(RATE, dp.GaussianDpEvent(1.5)), STEPS),
        ]
    )
    assert ledger.spent("people").lifetime == pytest.approx(float(PLDAccountant().compose(both).get_epsilon(DELTA)), abs=1e-6)


def test_two_nights_cost_less_than_twice_one(ledger: Ledger) -> None:
    ledger.reserve("people", "first", account())
    one = ledger.spent("people").lifetime
    ledger.reserve("people", "second", account())
    two = ledger.spent("people").lifetime
    assert one is not None and two is not None and one < two < 2 * one


def test_a_search_among_the_nights_is_composed_by_rdp(ledger: Ledger) -> None:
    ledger.reserve("people", "plain", account())
    ledger.reserve("people", "search", account(search=True))
    plain = dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(RATE, dp.GaussianDpEvent(NOISE)), STEPS)
    event = dp.ComposedDpEvent([plain, RepeatAndSelectDpEvent(plain, 5.0, 1.0)])
    assert ledger.spent("people").lifetime == pytest.approx(float(RdpAccountant().compose(event).get_epsilon(DELTA)))


def test_a_reservation_counts_before_and_after_its_commit(ledger: Ledger) -> None:
    ledger.reserve("people", "one", account())
    begun = ledger.spent("people")
    assert (begun.open, begun.committed) == (1, 0)
    ledger.commit("one")
    ended = ledger.spent("people")
    assert (ended.open, ended.committed) == (0, 1) and ended.lifetime == begun.lifetime


def test_the_same_training_is_charged_and_committed_once(ledger: Ledger) -> None:
    first = ledger.reserve("people", "one", account(), "first attempt")
    assert ledger.reserve("people", "one", account(), "after a kill") == first
    assert ledger.commit("one") == ledger.commit("one")
    assert [entry.action for entry in ledger.entries()] == ["reserve", "commit"]


def test_a_commit_needs_a_reservation(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.commit("unknown")
    assert list(ledger.entries()) == []


def test_populations_are_apart(ledger: Ledger) -> None:
    ledger.reserve("people", "one", account())
    ledger.reserve("others", "two", account(level="user-level"))
    assert ledger.populations() == ["others", "people"]
    assert ledger.spent("people").trainings == ledger.spent("others").trainings == 1
    assert ledger.spent("nobody").guarantee == "nothing spent" and ledger.spent("nobody").lifetime is None


@pytest.mark.parametrize("other", [account(level="user-level"), account(adjacency="replace-one")])
def test_unlike_trainings_do_not_compose(ledger: Ledger, other: object) -> None:
    ledger.reserve("people", "one", account())
    with pytest.raises(Unlike, match="do not compose"):
        ledger.reserve("people", "two", other)  # type: ignore[arg-type]
    assert ledger.spent("people").trainings == 1


def test_an_uncovered_training_leaves_no_guarantee(ledger: Ledger) -> None:
    ledger.reserve("people", "one", account())
    before = ledger.spent("people")
    assert before.guarantee.startswith("example-level (") and before.lifetime is not None
    for _ in range(2):
        ledger.uncover("people", "artifact", "trained without privacy")
    after = ledger.spent("people")
    assert after.guarantee == "not a guarantee: 1 uncovered training" and after.lifetime is None
    assert after.epsilon(DELTA) == before.lifetime  # the private ones alone, told as such


def test_a_budget_refuses_what_would_pass_it_and_says_what_is_left(ledger: Ledger) -> None:
    two = composed(2 * STEPS)
    assert ledger.set_budget("people", Budget(two + 1e-6, DELTA))
    assert not ledger.set_budget("people", Budget(two + 1e-6, DELTA))
    ledger.reserve("people", "one", account())
    ledger.reserve("people", "two", account())
    with pytest.raises(BudgetExceeded, match=r"2 private trainings spent .* is left, and with this training it would be") as refused:
        ledger.reserve("people", "three", account())
    assert "it was not begun" in str(refused.value)
    assert ledger.spent("people").trainings == 2
    ledger.reserve("people", "two", account())  # one that goes on is not asked again
    ledger.set_budget("people", Budget(100.0, DELTA))
    ledger.reserve("people", "three", account())


def test_a_budget_holds_at_its_own_delta(ledger: Ledger) -> None:
    """The trainings' deltas do not add up beside it: the mechanisms themselves are composed at the budget's."""
    ledger.set_budget("people", Budget(composed(STEPS, delta=1e-7) - 1e-3, 1e-7))
    with pytest.raises(BudgetExceeded):
        ledger.reserve("people", "one", losing(account(), 1e-2))


def test_what_one_ledger_wrote_another_reads(ledger: Ledger, tmp_path: Path) -> None:
    written = ledger.reserve("people", "one", account(), "a note: ünïcode, 'quotes'")
    assert list(ledger_at(tmp_path).entries("people")) == [written] and ledger.verify() == written.hash
