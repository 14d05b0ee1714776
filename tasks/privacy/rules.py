"""Soundness rules of privacy mechanisms. The table of all combinations that are refused or labelled is in ``tests/privacy/rows.py``."""

from __future__ import annotations

from tasks.core.rules import Facts, Rule
from tasks.data.rules import units_of
from tasks.models.model import Architecture, architecture_of
from tasks.privacy.accountants.prv import LARGEST
from tasks.privacy.engine import ENGINES, Engine
from tasks.privacy.privacy import default_delta

TIED_SOURCE = "Opacus 1.6: norms of tied weights are taken per layer; a shared weight's norm is not their sum of squares"


def private(facts: Facts) -> bool:
    """Whether a trial trains under a mechanism."""
    return bool(facts.get("privacy.kind", "none") != "none")


def engine_of(facts: Facts) -> type[Engine] | None:
    """The engine of a trial; None where there is none."""
    member = ENGINES.members().get(str(facts.get("privacy.clipping.engine.kind")))
    return member if member is not None and issubclass(member, Engine) else None


def _model(facts: Facts) -> type[Architecture] | None:
    return architecture_of(facts.get("model.kind"))


def _tied_by_kind(facts: Facts) -> bool:
    engine, model = engine_of(facts), _model(facts)
    return private(facts) and engine is not None and not engine.tied_weights and model is not None and model.tied_weights


def _delta_above(facts: Facts, size: object) -> bool:
    """By the delta that holds: where none is given, 1 / (10 public_size)."""
    public = facts.get("data.public_size")
    delta = facts.get("privacy.delta", None if public is None else default_delta(public))
    return private(facts) and isinstance(size, int) and size > 0 and delta is not None and delta > 1 / size


def _prv_out_of_reach(facts: Facts) -> bool:
    plain = facts.get("privacy.sampler.kind") == "poisson" and facts.get("privacy.noise.kind") == "constant"
    return facts.get("privacy.accountant") == "prv" and (not plain or facts.get("privacy.target_epsilon", 0.0) > LARGEST)


def _replace_one_uncounted(facts: Facts) -> bool:
    fixed = facts.get("privacy.sampler.kind") == "fixed-size"
    return facts.get("privacy.adjacency") == "replace-one" and facts.get("privacy.accountant") in (("prv",) if fixed else ("rdp", "prv"))


def _base_private(facts: Facts) -> bool:
    base = facts.get("facts.base")
    return base is not None and base.get("private") is not False


RULES = (
    Rule(
        id="PRIV-01",
        when=lambda facts: private(facts) and facts.get("data.public_size") is None,
        verdict="refuse",
        sentence="a guarantee needs data.public_size: rate, steps, divisor and delta follow from a public number, never from how many records there are",
        source="Opacus #571, #819: a divisor made from the private number of records leaks it (epsilon 1.2 claimed, about 2.5 measured)",
        path="data",
    ),
    Rule(
        id="PRIV-02",
        when=lambda facts: facts.get("privacy.sampler.kind") == "shuffle" and facts.get("privacy.adjacency") != "zero-out",
        verdict="refuse",
        sentence="shuffled batches do not have the epsilon of Poisson sampling: write sampler: {kind: poisson}, or adjacency: zero-out without amplification",
        source="Chua et al. 2024 (2403.17673); Annamalai et al. 2024 (2411.10614): accounting shuffled batches as Poisson overstates privacy up to 4 times",
        path="privacy.sampler",
    ),
    Rule(
        id="PRIV-03",
        when=lambda facts: facts.get("privacy.sampler.kind") == "shuffle" and facts.get("privacy.adjacency") == "zero-out",
        verdict="label",
        sentence="shuffled batches are accounted without amplification: one unsampled Gaussian sum per epoch, between data sets of equal size",
        source="each record is in one batch of an epoch; no amplification bound of shuffling is as tight as Poisson's",
        path="privacy.sampler",
    ),
    Rule(
        id="PRIV-04",
        when=_replace_one_uncounted,
        verdict="refuse",
        sentence="replace-one moves the sum by twice the clip norm, which this accountant does not count: write accountant: pld",
        source="dp-accounting 0.6: PLD doubles the sensitivity itself (9.997 for one Gaussian of sigma 1 at 1e-5), RDP does not (4.729)",
        path="privacy.accountant",
    ),
    Rule(
        id="PRIV-05",
        when=lambda facts: facts.get("privacy.accountant") == "gdp",
        verdict="refuse",
        sentence="the GDP accountant is no upper bound: its central limit falls below certified lower bounds; write accountant: pld",
        source="measured: 1.618 where PRV certifies at least 1.818 (rate 0.01, sigma 1, 1000 steps, delta 1e-5)",
        path="privacy.accountant",
    ),
    Rule(
        id="PRIV-06",
        when=_prv_out_of_reach,
        verdict="refuse",
        sentence="the prv accountant knows plain Poisson sampling with constant noise, and epsilons up to 10: write accountant: pld",
        source="prv-accountant 0.2 has no other mechanism; beyond 10 it fails (Opacus #604)",
        path="privacy.accountant",
    ),
    Rule(
        id="PRIV-07",
        when=lambda facts: _delta_above(facts, facts.get("data.public_size")),
        verdict="refuse",
        sentence="delta is above 1 / public_size: publishing one record at random would meet it; leave delta out for 1 / (10 public_size)",
        source="Dwork and Roth 2014, section 2.3: delta must be far below 1/n",
        path="privacy.delta",
    ),
    Rule(
        id="PRIV-08",
        when=lambda facts: _delta_above(facts, units_of(facts)),
        verdict="refuse",
        sentence="delta is above 1 / n for the records that there are: publishing one record at random would meet it; lower privacy.delta",
        source="Dwork and Roth 2014, section 2.3: delta must be far below 1/n",
        path="privacy.delta",
        stage="data",
    ),
    Rule(
        id="PRIV-09",
        when=lambda facts: private(facts) and not facts.get("search") and facts.get("sweep.trials", 1) > 1,
        verdict="label",
        sentence="epsilon is per run: who chooses among arms and seeds by their results spends epsilon_study, told in the comparison; a search is cheaper",
        source="Papernot and Steinke, ICLR 2022; a fixed grid is plain composition",
        path="sweep",
    ),
    Rule(
        id="PRIV-10",
        when=lambda facts: facts.get("facts.cross_example") is not None,
        verdict="refuse",
        sentence="the network has a layer that mixes the examples of a batch (BatchNorm): a gradient per example does not exist; use LayerNorm",
        source="Yousefpour et al. 2021 (Opacus): batch statistics make every example's gradient depend on the others",
        path="model",
        stage="network",
    ),
    Rule(
        id="PRIV-11",
        when=_tied_by_kind,
        verdict="refuse",
        sentence="ghost clipping misses that two layers of this model share a weight: write privacy.clipping.engine: {kind: book-keeping}",
        source=TIED_SOURCE,
        path="privacy.clipping.engine",
    ),
    Rule(
        id="PRIV-12",
        when=lambda facts: facts.get("facts.tied") is not None and not getattr(engine_of(facts), "tied_weights", True),
        verdict="refuse",
        sentence="ghost clipping misses that two layers of this network share a weight: write privacy.clipping.engine: {kind: book-keeping}",
        source=TIED_SOURCE,
        path="privacy.clipping.engine",
        stage="network",
    ),
    Rule(
        id="PRIV-13",
        when=lambda facts: facts.get("privacy.clipping.engine.kind") == "vmap" and bool(getattr(_model(facts), "transformer", False)),
        verdict="refuse",
        sentence="vmap cannot batch the attention masks of transformers: write privacy.clipping.engine: {kind: book-keeping}",
        source="transformers 5 looks at the values of a mask while it is built, which torch.func.vmap refuses",
        path="privacy.clipping.engine",
    ),
    Rule(
        id="PRIV-14",
        when=lambda facts: facts.get("training.precision") == "bf16" and not getattr(engine_of(facts), "half_precision", True),
        verdict="refuse",
        sentence="ghost clipping in bf16 bounds other numbers than it sums: write training.precision: fp32, or another engine",
        source="bf16 norms err by about 0.4%, so a contribution would exceed the clip norm",
        path="training.precision",
    ),
    Rule(
        id="PRIV-15",
        when=lambda facts: private(facts) and facts.get("training.early_stopping") is not None,
        verdict="label",
        sentence="early stopping looks at the validation split, whose records epsilon does not cover",
        source="the stopping time is a function of validation records without noise",
        path="training.early_stopping",
    ),
    Rule(
        id="PRIV-16",
        when=lambda facts: private(facts) and facts.get("data.kind") in ("files", "hub"),
        verdict="label",
        sentence="labels, slot tags and groups are read from the records and taken as public: epsilon does not cover which of them exist",
        source="a label that one person alone uses tells that the person is there",
        path="data",
    ),
    Rule(
        id="PRIV-17",
        when=_base_private,
        verdict="refuse",
        sentence="the recorded model was trained on private records that this epsilon does not cover: start from a public model, or train under one account",
        source="what the first training learnt without noise is in the weights that this one begins with",
        path="model",
        stage="network",
    ),
    Rule(
        id="PRIV-18",
        when=lambda facts: private(facts) and facts.get("model.kind") == "pretrained",
        verdict="label",
        sentence="the weights of model.source are taken as public: epsilon covers this training alone, not what the source was trained on",
        source="Tramer, Kamath and Carlini 2022: records of the pretraining are not protected by private fine-tuning",
        path="model",
    ),
    Rule(
        id="PRIV-19",
        when=lambda facts: bool(facts.get("search")) and private(facts) and facts.get("privacy.accountant") != "rdp",
        verdict="refuse",
        sentence="a search by random stopping is accounted by rdp alone: write privacy.accountant: rdp, with adjacency add-remove or zero-out",
        source="Papernot and Steinke, ICLR 2022: the price is known in Renyi divergence; dp-accounting has it for rdp",
        path="privacy.accountant",
    ),
    Rule(
        id="PRIV-20",
        when=lambda facts: bool(facts.get("search")) and not private(facts),
        verdict="refuse",
        sentence="a search by random stopping charges a private training for the choice, and this trial is not private: sweep over arms instead",
        source="Papernot and Steinke, ICLR 2022",
        path="search",
    ),
    Rule(
        id="PRIV-21",
        when=lambda facts: bool(facts.get("search")) and private(facts),
        verdict="label",
        sentence="the search scores each training on the validation split, whose records epsilon does not cover",
        source="Papernot and Steinke charge for choosing by a private score; this score is of other people's records, without noise",
        path="search",
    ),
    Rule(
        id="PRIV-22",
        when=lambda facts: private(facts) and facts.get("training.expected_batch_size", 0) > facts.get("data.public_size", float("inf")),
        verdict="refuse",
        sentence="training.expected_batch_size is above data.public_size: no sampling rate can be had; lower it",
        source="the rate is expected batch size over public size, a probability",
        path="training.expected_batch_size",
    ),
    Rule(
        id="PRIV-23",
        when=lambda facts: bool(facts.get("search")) and "test" in facts.get("facts.counts", {}) and "validation" not in facts.get("facts.counts", {}),
        verdict="refuse",
        sentence="a search needs a validation split to score each training on, and the data has none: give one (files: data.validation)",
        source="scores of training records are not private, and the test split is for the one model that is released",
        path="search",
        stage="data",
    ),
    Rule(
        id="PRIV-24",
        when=lambda facts: private(facts) and facts.get("randomness") == "secret" and facts.get("data.population") is None,
        verdict="label",
        sentence="data.population is not named: the ledger counts it to one population for all unnamed data of its kind; name whose records these are",
        source="what a population spends over its lifetime adds up by its name alone",
        path="data",
    ),
)
