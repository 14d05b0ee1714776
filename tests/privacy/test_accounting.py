"""Our accountants give published numbers, agree with other libraries and closed forms, and are refused where they would claim too little."""

from __future__ import annotations

import math

import dp_accounting as dp
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.privacy_accountant import UnsupportedEventError
from dp_accounting.rdp import RdpAccountant

from specs.soundness import findings
from tasks.privacy import accounting
from tasks.privacy.accountant import AccountingError, Bound, OutOfReach, accountants, epsilon
from tasks.privacy.accounting import SLACK, agree, bounds
from tasks.privacy.mechanism import Mechanism, Release
from tasks.privacy.noise import NOISES, Noise
from tasks.privacy.sampler import SAMPLERS, Sampler, Schedule
from tests.privacy.settings import SETTINGS, gaussian, high, sampled

REPLACE = dp.NeighboringRelation.REPLACE_ONE

TABLE = {
    "A": {"pld": 1.8282, "prv low": 1.8181, "prv": 1.8384, "rdp": 2.1014, "gdp": 1.6177, "unamplified": 17.857},
    "B": {"pld": 1.1337, "prv low": 1.1236, "prv": 1.1438, "rdp": 1.2811, "gdp": 1.0770, "unamplified": 20.562},
    "C": {"pld": 6.7932, "prv low": 6.7827, "prv": 6.8037, "rdp": 7.6472, "gdp": 6.2452, "unamplified": 48.567},
    "D": {"pld": 4.8025, "prv low": 4.7921, "prv": 4.8129, "rdp": 5.4160, "gdp": 4.5308, "unamplified": 33.460},
}
"""dp-accounting 0.6.0, prv-accountant 0.2.0, Opacus 1.6.0."""

MICRO = {"A": (2.843, 13.361, 15.161), "B": (1.928, 7.816, 9.175), "C": (10.265, 54.752, 65.216), "D": (8.198, 29.119, 37.008)}
"""One example replaced; a micro-batch, whose mean one example moves by twice the bound, so at half the noise: add/remove, replaced."""


@pytest.mark.parametrize("name", SETTINGS)
def test_every_accountant_gives_the_tables_numbers(name: str) -> None:
    found = bounds(sampled(name), SETTINGS[name].delta)
    assert found["pld"].high == pytest.approx(TABLE[name]["pld"], abs=1e-2)
    assert found["prv"].high == pytest.approx(TABLE[name]["prv"], abs=1e-2)
    assert found["prv"].low == pytest.approx(TABLE[name]["prv low"], abs=1e-2)
    assert found["rdp"].high == pytest.approx(TABLE[name]["rdp"], abs=1e-3)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_bounds_are_ordered(name: str) -> None:
    found = bounds(sampled(name), SETTINGS[name].delta)
    assert found["prv"].low is not None
    assert found["prv"].low <= found["pld"].high <= found["prv"].high <= found["rdp"].high + SLACK


def test_a_percent_less_noise_is_outside_the_tables_tolerance() -> None:
    assert abs(high("pld", sampled("B", over=1.01), 1e-5) - TABLE["B"]["pld"]) > 1e-2
    assert abs(high("rdp", sampled("B", over=1.01), 1e-5) - TABLE["B"]["rdp"]) > 1e-3


@pytest.mark.parametrize("name", SETTINGS)
def test_without_sampling_nothing_is_amplified(name: str) -> None:
    setting = SETTINGS[name]
    found = high("pld", gaussian(setting.noise, setting.epochs), setting.delta)
    assert found == pytest.approx(TABLE[name]["unamplified"], abs=1e-2)
    assert found == pytest.approx(dp.get_epsilon_gaussian(setting.noise / math.sqrt(setting.epochs), setting.delta), abs=1e-3)


def test_shuffled_passes_are_accounted_without_amplification() -> None:
    sampler, noise = SAMPLERS.parse({"kind": "shuffle"}), NOISES.parse({"kind": "constant"})
    assert isinstance(sampler, Sampler) and isinstance(noise, Noise)
    releases = sampler.releases(Schedule(13084, 256, 30), noise, SETTINGS["C"].noise)
    assert Mechanism(releases) == gaussian(SETTINGS["C"].noise, SETTINGS["C"].epochs)


@pytest.mark.parametrize("name", ["B", *(pytest.param(name, marks=pytest.mark.slow) for name in "ACD")])
def test_replacing_one_and_micro_batches_cost_what_the_table_says(name: str) -> None:
    delta = SETTINGS[name].delta
    replaced, micro, both = MICRO[name]
    assert high("pld", sampled(name, adjacency="replace-one"), delta) == pytest.approx(replaced, abs=1e-2)
    assert high("pld", sampled(name, over=2), delta) == pytest.approx(micro, abs=1e-2)
    assert high("pld", sampled(name, over=2, adjacency="replace-one"), delta) == pytest.approx(both, abs=1e-2)


def test_under_replace_one_only_the_accountant_that_doubles_is_asked() -> None:
    mechanism = gaussian(1.0, adjacency="replace-one")
    assert set(bounds(mechanism, 1e-5)) == {"pld"}
    assert high("pld", mechanism) == pytest.approx(9.997, abs=1e-3)
    assert high("pld", mechanism) == pytest.approx(dp.get_epsilon_gaussian(0.5, 1e-5), abs=1e-3)
    assert accountants()["rdp"].unsupported(mechanism) and accountants()["prv"].unsupported(mechanism)
    trap = RdpAccountant(neighboring_relation=REPLACE).compose(dp.GaussianDpEvent(1.0)).get_epsilon(1e-5)
    assert trap == pytest.approx(4.729, abs=1e-3), "dp-accounting's RDP now doubles too: the refusal may go"


def test_the_library_itself_refuses_poisson_sampling_under_replace_one_in_rdp() -> None:
    event = dp.PoissonSampledDpEvent(0.01, dp.GaussianDpEvent(1.0))
    with pytest.raises(UnsupportedEventError):
        RdpAccountant(neighboring_relation=REPLACE).compose(event)
    PLDAccountant(neighboring_relation=REPLACE).compose(event)


@pytest.mark.parametrize(("passed", "epsilon_"), [(0.5, 20.99), (1.0, 3.576)], ids=["halved", "as it is"])
def test_sampling_without_replacement_wants_half_the_multiplier(passed: float, epsilon_: float) -> None:
    sample = dp.SampledWithoutReplacementDpEvent(10_000, 100, dp.GaussianDpEvent(passed))
    accountant = RdpAccountant(neighboring_relation=REPLACE).compose(dp.SelfComposedDpEvent(sample, 1000))
    assert accountant.get_epsilon(1e-5) == pytest.approx(epsilon_, abs=5e-3)


def test_a_schedule_of_noise_is_composed_and_never_its_mean() -> None:
    noises = [1.2 * 0.9**epoch for epoch in range(10)]
    mechanism = Mechanism(tuple(Release(noise, 0.01, 100) for noise in noises))
    assert high("pld", mechanism) == pytest.approx(9.199, abs=1e-2)
    assert high("rdp", mechanism) > high("pld", mechanism)
    assert accountants()["prv"].unsupported(mechanism)


@pytest.mark.slow
def test_the_mean_of_a_schedule_of_noise_would_claim_a_third() -> None:
    noises = [1.2 * 0.9**epoch for epoch in range(10)]
    mean = Mechanism((Release(sum(noises) / 10, 0.01, 1000),))
    assert high("pld", mean) == pytest.approx(3.351, abs=1e-2)


def test_releases_compose_however_they_are_written() -> None:
    setting = SETTINGS["B"]
    halves = Mechanism((Release(setting.noise, setting.rate, 1000), Release(setting.noise, setting.rate, setting.steps - 1000)))
    assert high("rdp", halves) == pytest.approx(high("rdp", sampled("B")), abs=1e-6)
    assert high("pld", halves) == pytest.approx(high("pld", sampled("B")), abs=1e-2)


@pytest.mark.parametrize("accountant", ["pld", "rdp"])
def test_zero_out_costs_what_add_remove_costs(accountant: str) -> None:
    assert high(accountant, sampled("B", adjacency="zero-out")) == pytest.approx(high(accountant, sampled("B")), abs=1e-3)
    assert high(accountant, gaussian(2.0, 15, "zero-out")) == pytest.approx(high(accountant, gaussian(2.0, 15)), abs=1e-3)
    if accountant == "pld":
        assert high(accountant, gaussian(2.0, 15, "replace-one")) > 1.5 * high(accountant, gaussian(2.0, 15))


@pytest.mark.parametrize("name", SETTINGS)
def test_gdp_claims_less_than_is_certified_and_is_refused(name: str) -> None:
    from opacus.accountants import GaussianAccountant

    with pytest.warns(UserWarning, match="can underestimate"):
        claimed = _opacus(GaussianAccountant(), name)
    certified = epsilon("prv", sampled(name), SETTINGS[name].delta).low
    assert certified is not None
    assert claimed == pytest.approx(TABLE[name]["gdp"], abs=1e-3)
    assert claimed < certified - 0.04
    assert "gdp" not in accountants()
    found = findings({"privacy": {"kind": "dp-sgd", "accountant": "gdp"}, "data": {"public_size": 1000}})
    assert [finding.rule.id for finding in found if finding.rule.verdict == "refuse"] == ["PRIV-05"]


@pytest.mark.parametrize("name", SETTINGS)
def test_opacus_says_the_same(name: str) -> None:
    from opacus.accountants import PRVAccountant
    from opacus.accountants import RDPAccountant as Renyi

    delta = SETTINGS[name].delta
    assert high("prv", sampled(name), delta) == pytest.approx(_opacus(PRVAccountant(), name), abs=1e-3)
    assert high("rdp", sampled(name), delta) == pytest.approx(_opacus(Renyi(), name), abs=5e-3)  # another grid of orders


def _opacus(accountant: object, name: str) -> float:
    setting = SETTINGS[name]
    accountant.history = [(setting.noise, setting.rate, setting.steps)]  # type: ignore[attr-defined]
    return float(accountant.get_epsilon(delta=setting.delta))  # type: ignore[attr-defined]


CLASSICAL = {1: (0.751, 3.731), 5: (4.540, 0.892), 10: (10.394, 0.500), 50: (96.4, 0.150), 100: (300.1, 0.0947), 250: (1550.5, 0.0539), 1000: (22181, 0.0246)}
"""Claimed epsilon of one Gaussian release to the real one under the classical formula, and to the right noise. Delta 1e-5."""


@pytest.mark.parametrize("claimed", [1, 5, 10, pytest.param(50, marks=pytest.mark.slow), pytest.param(100, marks=pytest.mark.slow)])
def test_one_release_costs_what_the_exact_formula_says_and_not_the_classical_one(claimed: int) -> None:
    real, right = CLASSICAL[claimed]
    sigma = dp.get_sigma_gaussian(claimed, 1e-5)
    assert sigma == pytest.approx(right, rel=2e-3)
    assert high("pld", gaussian(sigma)) == pytest.approx(claimed, abs=1e-3)
    assert high("pld", gaussian(_classical(claimed))) == pytest.approx(real, rel=1e-3)


@pytest.mark.parametrize("claimed", CLASSICAL)
def test_renyi_never_says_less_of_one_release_than_the_exact_formula(claimed: int) -> None:
    real, right = CLASSICAL[claimed]
    assert dp.get_sigma_gaussian(claimed, 1e-5) == pytest.approx(right, rel=2e-3)
    assert dp.get_epsilon_gaussian(_classical(claimed), 1e-5) == pytest.approx(real, rel=1e-3)
    assert real * 0.999 <= high("rdp", gaussian(_classical(claimed))) <= 1.5 * real
    assert (real <= claimed) is (claimed <= 5)


def _classical(claimed: float) -> float:
    return math.sqrt(2 * math.log(1.25 / 1e-5)) / claimed


def test_prv_is_not_asked_beyond_its_reach() -> None:
    assert set(bounds(sampled("A", over=2), 1e-5)) == {"pld", "rdp"}
    assert set(bounds(sampled("A"), 1e-5)) == {"pld", "rdp", "prv"}


def test_a_delta_too_small_for_an_accountant_is_left_to_the_others() -> None:
    assert set(bounds(sampled("B"), 1e-9)) == {"pld", "rdp", "prv"}
    assert set(bounds(sampled("B"), 1e-15)) == {"rdp"}
    for accountant in ("pld", "prv"):
        with pytest.raises(OutOfReach) as caught:
            epsilon(accountant, sampled("B"), 1e-15)
        assert "\n" not in str(caught.value)


def test_an_epsilon_is_never_negative() -> None:
    assert min(bound.high for bound in bounds(sampled("B"), 0.5).values()) == 0.0


AGREED = {"pld": Bound(1.8282), "prv": Bound(1.8384, 1.8181), "rdp": Bound(2.1014)}


def test_accountants_that_agree_pass() -> None:
    agree(AGREED)
    agree({"rdp": AGREED["rdp"]})
    agree({"pld": Bound(1.8384 + SLACK / 2), "prv": AGREED["prv"]})


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ({"pld": Bound(1.8100)}, "pld says epsilon is at most 1.81, prv says it is at least 1.8181"),
        ({"pld": Bound(1.8600)}, "pld says 1.86, above prv's upper bound 1.8384"),
        ({"rdp": Bound(1.8100)}, "rdp says epsilon is at most 1.81, prv says it is at least 1.8181"),
        ({"rdp": Bound(1.8150), "prv": Bound(1.8284, 1.8081)}, "pld says 1.8282, above rdp's 1.815"),
        ({"pld": Bound(2.1200), "prv": Bound(2.1300, 2.1050), "rdp": Bound(2.1060)}, "pld says 2.12, above rdp's 2.106"),
        ({"pld": Bound(1.0), "prv": Bound(2.2000, 0.9)}, "prv says 2.2, above rdp's 2.1014"),
    ],
    ids=["pld below prv's lower", "pld above prv's upper", "rdp below prv's lower", "rdp below pld", "pld above rdp", "prv above rdp"],
)
def test_accountants_that_disagree_fail_the_run(planted: dict[str, Bound], told: str) -> None:
    with pytest.raises(AccountingError) as caught:
        agree({**AGREED, **planted})
    assert str(caught.value) == f"{told}: no epsilon is reported"


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_an_accountant_that_errs_by_a_tenth_is_noticed(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    def wrong(name: str, mechanism: Mechanism, delta: float) -> Bound:
        found = epsilon(name, mechanism, delta)
        return Bound(found.high * factor, found.low) if name == "pld" else found

    monkeypatch.setattr(accounting, "epsilon", wrong)
    with pytest.raises(AccountingError, match="no epsilon is reported"):
        bounds(sampled("A"), 1e-5)
