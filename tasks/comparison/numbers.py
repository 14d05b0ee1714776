"""Numbers as people read them: as many digits as they carry."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """``0.913``, ``12.4``, ``1,530``, ``6.55e+11``, ``2.1e-07``; a dash where there is none."""
    if value is None:
        return "-"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e8:
        return f"{value:.2e}"
    if size >= 1000:
        return f"{value:,.0f}"
    if size < 0.0005:
        return f"{value:.1e}"
    digits = 3 if size < 10 else 1
    return f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """The same with its sign, for differences."""
    return f"+{number(value)}" if value is not None and value > 0 else number(value)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """``0.913 [0.905, 0.921]``, or the value alone."""
    if low is None or high is None or (math.isclose(low, high) and value is not None and math.isclose(low, value)):
        return number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]"


def p_value(p: float) -> str:
    """``= 0.013`` or ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
