"""What correlations over models say in words: what may be concluded, what may not, and what a number of models can show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tasks.comparison.columns import words
from tasks.comparison.correlation import Cell, Change, Method, Verdict
from tasks.comparison.numbers import p_value

LEVEL = 0.05
SYMBOLS: dict[Method, str] = {"pearson": "r", "spearman": "rho", "kendall": "tau"}
NAMES: dict[Method, str] = {"pearson": "Pearson's r", "spearman": "Spearman's rho", "kendall": "Kendall's tau"}
MOST_SENTENCES = 6
"""Pairs of which nothing can be told, up to which each has a sentence of its own."""
MOST_NAMED = 12


def named(metric: str) -> str:
    """A metric without its family, as people write it: ``stereoset difference``."""
    return words(metric) if "/" in metric else metric


def pair_of(found: Cell | Change) -> str:
    """``ilps difference and toxicity difference``; of a cell of aligned metrics it ends with ``, aligned``."""
    aligned = ", aligned" if isinstance(found, Cell) and found.alignment == "aligned" else ""
    return f"{named(found.first)} and {named(found.second)}{aligned}"


def decimals(value: float) -> str:
    """A coefficient: ``0.52``, ``-0.07``."""
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def ends(low: float | None, high: float | None) -> str:
    """``[0.03, 0.81]``; empty without an interval."""
    return "" if low is None or high is None else f"[{decimals(low)}, {decimals(high)}]"


def judged(cell: Cell, margin: float) -> Cell:
    """The cell with its verdict and its sentence. No correlation is found where the whole interval lies within the margin, never by a large p."""
    verdict = _verdict(cell, margin)
    return cell.model_copy(update={"verdict": verdict, "sentence": _sentence(cell, verdict, margin)})


def _verdict(cell: Cell, margin: float) -> Verdict:
    if cell.value is None or cell.low is None or cell.high is None or cell.p_adjusted is None:
        return "no answer"
    if cell.p_adjusted <= LEVEL:
        return "correlated"
    return "not correlated" if -margin < cell.low and cell.high < margin else "cannot tell"


def _sentence(cell: Cell, verdict: Verdict, margin: float) -> str:
    about = pair_of(cell)
    if cell.value is None or cell.p is None or cell.p_adjusted is None:
        return f"{about}: no correlation is given: {cell.reason}."
    numbers = f"{SYMBOLS[cell.method]} = {decimals(cell.value)} {ends(cell.low, cell.high)}, {cell.n} models, p {p_value(cell.p)}, corrected"
    said = {
        "correlated": f"models that are more biased by the one are {'more' if cell.value > 0 else 'less'} biased by the other",
        "not correlated": f"no correlation as large as {margin:g}, either way: the whole interval is smaller",
        "cannot tell": "whether they are correlated cannot be told",
    }[verdict]
    small = verdict == "correlated" and cell.low is not None and cell.high is not None and -margin < cell.low and cell.high < margin
    smaller = f", though by less than the margin of {margin:g}" if small else ""
    return f"{about}: {said}{smaller} ({numbers} {p_value(cell.p_adjusted)}).{_riders(cell, verdict)}"


def _riders(cell: Cell, verdict: Verdict) -> str:
    parts = []
    if cell.exploratory and verdict != "cannot tell":
        parts.append("Exploratory: of so few models it must be confirmed on others.")
    left = {without.family: without for without in cell.without}
    for family in cell.rests_on if verdict == "correlated" else ():
        value = left[family].value
        parts.append(f"It rests on the family {family}: without it {SYMBOLS[cell.method]} is {'undefined' if value is None else decimals(value)}.")
    lost = [family for family, without in left.items() if without.value is None]
    if verdict == "correlated" and lost:
        parts.append(f"Without {' or without '.join(lost)} too little is left to check it.")
    return "".join(f" {part}" for part in parts)


def changed(change: Change) -> str:
    """What alignment does to a pair, in one sentence."""
    known = change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)
    said = f"{'raises' if change.value > 0 else 'lowers'} the correlation" if known else "may or may not change the correlation"
    symbol = SYMBOLS[change.method]
    numbers = f"{symbol} {decimals(change.original)} as written, {decimals(change.aligned)} aligned, difference {decimals(change.value)}"
    return f"{pair_of(change)}: alignment {said} ({numbers} {ends(change.low, change.high)}, {change.n} models)."


def power_line(method: Method, n: int, fewest: int) -> str:
    """What so many models can show: the smallest significant coefficient, and the true one that is mostly found."""
    if n < fewest:
        return f"{n} models can show no correlation: at least {fewest} are needed, of two families or more."
    from tasks.comparison._coefficients import detectable, smallest_significant

    least, found = smallest_significant(method, n), detectable(method, n)
    return (
        f"With {n} models the smallest significant {NAMES[method]} is {least:.3f} either way (two-sided 5%, one test; corrected for many it is larger), "
        f"and only a true one of {found:.2f} is found in 80% of studies."
    )


def _firm(cell: Cell) -> bool:
    return cell.verdict in ("correlated", "not correlated") and not cell.exploratory and not cell.rests_on


def concluded(cells: Sequence[Cell], changes: Sequence[Change]) -> tuple[str, ...]:
    """What may be concluded of these models: of the first method, from enough models, and not by one family alone."""
    leading = [cell for cell in cells if cell.method == cells[0].method] if cells else []
    found = [cell.sentence + _others(cell, cells) for cell in leading if _firm(cell)]
    return (*found, *(change.sentence for change in changes if change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)))


def _others(cell: Cell, cells: Sequence[Cell]) -> str:
    """Whether the other coefficients say the same of the pair."""
    same = [other for other in cells if (other.first, other.second, other.alignment) == (cell.first, cell.second, cell.alignment) and other is not cell]
    unlike = [f"{NAMES[other.method]} {decimals(other.value)}: {other.verdict}" for other in same if other.value is not None and other.verdict != cell.verdict]
    return f" The other coefficients do not all say so ({'; '.join(unlike)})." if unlike else ""


def not_concluded(cells: Sequence[Cell], changes: Sequence[Change], families: Mapping[str, str], margin: float, notes: Sequence[str] = ()) -> tuple[str, ...]:
    """What may not be concluded, and why."""
    leading = [cell for cell in cells if cell.method == cells[0].method] if cells else []
    return (
        *_shaky(leading),
        *_untold(leading, margin),
        *_refused(leading),
        *_unchanged(changes),
        *_mismatched(leading),
        *_general(leading, families),
        *notes,
    )


def _shaky(leading: Sequence[Cell]) -> Iterator[str]:
    yield from (cell.sentence for cell in leading if cell.verdict in ("correlated", "not correlated") and not _firm(cell))


def _untold(leading: Sequence[Cell], margin: float) -> Iterator[str]:
    untold = [cell for cell in leading if cell.verdict == "cannot tell"]
    if len(untold) <= MOST_SENTENCES:
        yield from (cell.sentence for cell in untold)
    else:
        yield (
            f"Of {len(untold)} of {len(leading)} pairs neither is shown: p is above {LEVEL:g} after correction, and the interval reaches beyond {margin:g}. "
            f"They stand in the table as 'cannot tell'."
        )


def _refused(leading: Sequence[Cell]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for cell in leading:
        if cell.reason is not None:
            reasons.setdefault(cell.reason, []).append(pair_of(cell))
    for reason, pairs in reasons.items():
        more = f" and {len(pairs) - MOST_NAMED} more" if len(pairs) > MOST_NAMED else ""
        yield f"No correlation is given for {'; '.join(pairs[:MOST_NAMED])}{more}: {reason}."


def _unchanged(changes: Sequence[Change]) -> Iterator[str]:
    open_ = [change for change in changes if change.low is None or change.high is None or change.low <= 0 <= change.high]
    if len(open_) <= MOST_SENTENCES:
        yield from (change.sentence for change in open_)
    else:
        yield f"Whether alignment changes a correlation cannot be told of {len(open_)} of {len(changes)} pairs: the interval of the difference covers 0."


def _mismatched(leading: Sequence[Cell]) -> Iterator[str]:
    unlike = [cell for cell in leading if cell.first_groups and cell.second_groups and cell.first_groups != cell.second_groups]
    if unlike:
        first = unlike[0]
        yield (
            f"In {len(unlike)} of {len(leading)} pairs the metrics are about different groups (as {named(first.first)}: {first.first_groups}, and "
            f"{named(first.second)}: {first.second_groups}): a low correlation may come of that, not of the models (Cao et al. 2022)."
        )


def _general(leading: Sequence[Cell], families: Mapping[str, str]) -> Iterator[str]:
    if any(cell.p is not None for cell in leading):
        count = len(set(families.values()))
        yield f"Intervals and p take the {len(families)} models for independent draws; they come in {count} families, and models of a family are alike."
        yield "What holds over these models need not hold over others, and metrics that agree need not measure the bias that harms anyone."
