"""The online code length of groups given states, and the records whose groups are coded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from tasks.core.seeds import numpy_generator, torch_seeded, uniform
from tasks.data.grouping import of_one_group

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Fit = Callable[[Floats, Ints, Floats], Floats]
"""States seen (S, H), their groups (S,) and the next states (B, H), to (M, B, K) log-probabilities (nats) of M probes."""

PERMILLE = (20, 30, 44, 65, 95, 140, 210, 310, 457, 676, 1000)
"""Where blocks end (Voita and Titov, EMNLP 2020, section 5)."""
INVERSE_PENALTIES = {"linear": (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0), "tanh": (0.03, 0.1, 0.3, 1.0, 10.0, 100.0)}
"""scikit-learn's C of each probe: its losses are summed, times C, beside half its squared weights, biases not counted."""
MOST_STEPS = 50
"""Of L-BFGS on the tanh probe, which may stop before it converges; the linear one converges."""


@dataclass(frozen=True)
class Chosen:
    """Records of a balanced sample.

    Attributes:
        records: as many of each group, in the order of the data.
        groups: (N,) places in ``names``.
        names: the groups.
        why: what was left out, in words.
    """

    records: pd.DataFrame
    groups: Ints
    names: tuple[str, ...]
    why: str


def chosen(records: pd.DataFrame, groups: Sequence[str], examples: int, minimum: int) -> Chosen | str:
    """The records with the smallest keyed coins of each group, as many as the smallest group has; or why there are too few.

    Only records of exactly one group count. Which are chosen depends on the records alone, so that every model is asked of the same.
    """
    named = records["group"].astype("object")
    sizes = named[of_one_group(records, tuple(groups))].value_counts().sort_index()
    wanted = sorted(set(groups)) if groups else list(sizes.index)
    kept = tuple(name for name in wanted if sizes.get(name, 0) >= minimum)
    small = [f"{name} ({sizes.get(name, 0)})" for name in wanted if name not in kept]
    about = f"too few records: {', '.join(small)}" if small else ""
    if len(kept) < 2:
        return about or "fewer than two groups"
    each = min(int(sizes[list(kept)].min()), examples // len(kept))
    if each < minimum:
        return f"{examples} examples are {each} of each of {len(kept)} groups, and {minimum} are needed"
    inside = records.assign(_named=named, _coin=[uniform(0, "mdl-records", str(record)) for record in records["id"]])[named.isin(kept)]
    picked = inside.sort_values("_coin").groupby("_named").head(each).sort_index()
    excluded = f"excluded: {len(records) - len(inside)} records of none, several or other groups, {len(inside) - len(picked)} to balance the groups"
    places = picked["_named"].map(kept.index).to_numpy(dtype=np.int64)
    return Chosen(picked.drop(columns=["_named", "_coin"]), places, kept, "; ".join(part for part in (about, excluded) if part))


@dataclass(frozen=True)
class Code:
    """Groups coded in one order.

    Attributes:
        bits: (N,) the code length of each record's group, in the order of the records as given.
        accuracy: share of the last block whose group is the likeliest, as told before the block was seen.
        last: records of the last block.
    """

    bits: Floats
    accuracy: float
    last: int


def ends(n: int) -> list[int]:
    """Where the blocks of n records end: rounded down, the first at least 1; empty blocks are dropped."""
    return sorted({max(1, n * share // 1000) for share in PERMILLE})


def online_code(states: Floats, groups: Ints, order: Ints, count: int, fit: Fit) -> Code:
    """The online (prequential) code length (Voita and Titov, EMNLP 2020): each block is coded by probes that learnt from all before it.

    The first block costs the uniform code, log2(K) a record. A record costs ``-log2 sum_m w_m p_m(group)``: the probes of different strength of
    regularisation, and one that knows nothing, are mixed by how well each coded the records before, ``w_m ~ 2^-(its code length so far)`` (Dawid,
    JRSS A 1984). So no record is set apart to choose among them, no probability is 0, and the whole is at most ``log2(M + 1)`` bits longer than the
    code of the best, and than the uniform one. Groups of which none was seen yet cannot be learnt: until all were, the uniform code stays.

    Args:
        states: (N, H), standardised here by the mean and deviation of those seen.
        groups: (N,) in 0 ... count - 1.
        order: (N,) the order of coding.
        count: groups, K.
        fit: trains the probes.
    """
    stops = ends(len(order))
    bits = np.zeros(len(order))
    bits[order[: stops[0]]] = np.log2(count)
    earned: Floats | None = None
    right = np.zeros(0)
    for start, stop in pairwise(stops):
        seen, block = order[:start], order[start:stop]
        blind = np.full((1, len(block), count), -np.log(count))
        if len(np.unique(groups[seen])) < count:
            bits[block], right = np.log2(count), np.full(len(block), 1 / count)
            continue
        told = np.concatenate([blind, fit(*standardised(states[seen], groups[seen], states[block]))])
        earned = np.zeros(len(told)) if earned is None else earned
        likely = logsumexp(earned[:, None, None] + told, axis=0).argmax(axis=1)
        sums = np.hstack([earned[:, None], earned[:, None] + told[:, np.arange(len(block)), groups[block]].cumsum(axis=1)])
        bits[block] = -np.diff(logsumexp(sums, axis=0)) / np.log(2)
        earned, right = sums[:, -1], likely == groups[block]
    return Code(bits, float(np.mean(right)) if len(right) else 1 / count, len(right))


def standardised(seen: Floats, groups: Ints, after: Floats) -> tuple[Floats, Ints, Floats]:
    """Both by the mean and deviation of what was seen; a state that did not vary is only centred."""
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(deviation > 1e-12 * np.maximum(1.0, np.abs(mean)), deviation, 1.0)
    return (seen - mean) / scale, groups, (after - mean) / scale


def linear_probes(seen: Floats, groups: Ints, after: Floats) -> Floats:
    """Logistic regressions, one per penalty; logits and their log-softmax in double."""
    from sklearn.linear_model import LogisticRegression

    found = []
    model = LogisticRegression(warm_start=True, max_iter=5000)
    for penalty in INVERSE_PENALTIES["linear"]:
        logits = model.set_params(C=penalty).fit(seen, groups).decision_function(after)
        found.append(log_softmax(np.column_stack([np.zeros(len(after)), logits]) if logits.ndim == 1 else logits, axis=1))
    return np.stack(found)


def tanh_probes(seen: Floats, groups: Ints, after: Floats, hidden: int, seed: int, entity: str, device: str = "cpu") -> Floats:
    """Networks of one hidden tanh layer, one per penalty, all from the same weights; their logits' log-softmax in double."""
    import torch

    inputs, asked = (torch.tensor(states, dtype=torch.float32, device=device) for states in (seen, after))
    wanted, found = torch.tensor(groups, device=device), []
    for penalty in INVERSE_PENALTIES["tanh"]:
        with torch_seeded(seed, "mdl-probe", step=len(seen), entity=entity):
            network = torch.nn.Sequential(torch.nn.Linear(seen.shape[1], hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, int(groups.max()) + 1))
        _fit(network.to(device), inputs, wanted, penalty)
        with torch.no_grad():
            found.append(network(asked).double().log_softmax(dim=1).cpu().numpy())
    return np.stack(found)


def _fit(network: nn.Module, inputs: Tensor, wanted: Tensor, penalty: float) -> None:
    import torch

    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        squares = torch.stack([(weight**2).sum() for weight in weights]).sum()
        total = torch.nn.functional.cross_entropy(network(inputs), wanted) + squares / (2 * penalty * len(inputs))
        total.backward()  # type: ignore[no-untyped-call]
        return total.item()

    optimizer.step(loss)  # type: ignore[no-untyped-call]


def codes(states: Floats, groups: Ints, count: int, orders: int, hidden: int | None, seed: int, report: Any = None) -> tuple[list[Code], list[Code]]:
    """The codes of the groups and, for control, of the same groups shuffled over the records, in each keyed order.

    ``hidden`` are the units of a tanh probe; None: a linear one.
    """
    real: list[Code] = []
    shuffled: list[Code] = []
    for number in range(orders):
        order = numpy_generator(seed, "mdl-order", step=number).permutation(len(groups))
        others = numpy_generator(seed, "mdl-control", step=number).permutation(groups)
        for kind, labels, found in (("groups", groups, real), ("control", others, shuffled)):
            fit: Fit = linear_probes
            if hidden is not None:
                fit = partial(tanh_probes, hidden=hidden, seed=seed, entity=f"{kind}/{number}", device="cpu" if report is None else report.device)
            found.append(online_code(states, labels, order, count, fit))
            if report is not None:
                report.progress(len(real) + len(shuffled), 2 * orders, "coding the groups")
    return real, shuffled


def mean_with_ends(values: Sequence[float], low: float, high: float) -> tuple[float, tuple[float, float] | None]:
    """The mean over orders and its 95% interval by Student's t, cut at what the mean can be; none for one order, or where all are alike."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2 or min(values) == max(values):
        return mean, None
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return mean, (max(low, mean - half), min(high, mean + half))
