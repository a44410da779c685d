"""The technical indicators of v1's table `stock_factor`, computed from the bars.

v1 took them from a vendor, or computed them on unadjusted prices with the days in the wrong order. Here prices are
adjusted forward to the last day of a request: that day's are as traded, and nothing later is known. Days without trade
are passed over, as charting software does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from quantflux.core.panel import Panel
from quantflux.data.adjustment import FACTOR, PRICES
from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate

INDICATORS: Mapping[str, str] = {
    "macd_dif": "macd(close, 12, 26)",
    "macd_dea": "macd_signal(close, 12, 26, 9)",
    "macd": "macd_hist(close, 12, 26, 9)",
    "kdj_k": "kdj_k(high, low, close, 9, 3)",
    "kdj_d": "kdj_d(high, low, close, 9, 3, 3)",
    "kdj_j": "kdj_j(high, low, close, 9, 3, 3)",
    "rsi_6": "rsi(close, 6)",
    "rsi_12": "rsi(close, 12)",
    "rsi_24": "rsi(close, 24)",
    "boll_upper": "boll_upper(close, 20, 2)",
    "boll_mid": "boll_middle(close, 20)",
    "boll_lower": "boll_lower(close, 20, 2)",
    "cci": "cci(high, low, close, 14)",
}
"""In the order of v1's columns; see the operators for what each means."""

AVERAGES: Mapping[str, str] = {f"ma{days}": f"ts_mean(close, {days})" for days in (5, 10, 20, 30, 60, 120)}

FIELDS = ("open", "high", "low", "close", "volume", "amount", FACTOR)
"""What is read of the daily bars."""

_AT_ONCE = 5  # expressions whose values over all days are in memory together


def traded_last(panel: Panel) -> Panel:
    """Return bars without the gaps: what a name traded stands in its last rows, in order of time.

    The rows are not those of days any more, but for the last one of names that traded on it.

    Examples
    --------
    >>> days = np.arange("2024-01-02", "2024-01-05", dtype="datetime64[D]")
    >>> panel = Panel(days, ["A"], {"close": np.array([[1.0], [np.nan], [3.0]])})
    >>> traded_last(panel)["close"].ravel().tolist()
    [nan, 1.0, 3.0]
    """
    order = np.argsort(~np.isnan(panel["close"]), axis=0, kind="stable")
    moved = {name: np.take_along_axis(panel[name], order, axis=0) for name in panel}
    return Panel(panel.times, panel.symbols, moved)


def adjusted_to_last(panel: Panel) -> Panel:
    """Return bars with prices adjusted forward to each name's last row; where no factor is stored they stay."""
    factor = np.nan_to_num(panel[FACTOR], nan=1.0)
    ratio = factor / factor[-1]
    return Panel(
        panel.times,
        panel.symbols,
        {name: panel[name] * ratio if name in PRICES else panel[name] for name in panel if name != FACTOR},
    )


def latest(panel: Panel, formulas: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return the values of formulas on the last row, float64 of shape (N,) each."""
    found: dict[str, np.ndarray] = {}
    names = list(formulas)
    for first in range(0, len(names), _AT_ONCE):
        found |= {
            name: values[-1]
            for name, values in series(panel, formulas, names[first : first + _AT_ONCE]).items()
        }
    return found


def series(
    panel: Panel, formulas: Mapping[str, str], names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Return the values of formulas, float64 of shape (T, N) each."""
    told = evaluate({name: parse(formulas[name]) for name in names or formulas}, panel)
    return {name: told[name] for name in told}
