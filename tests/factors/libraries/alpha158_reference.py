"""Qlib's Alpha158 again, with pandas, one symbol at a time, by Qlib's rules.

A series begins with the symbol's first bar. Windows take what numbers they hold (`min_periods=1`), comparisons with a
missing value are false, and what is infinite is missing. Regressions are NumPy's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

WINDOWS = (5, 10, 20, 30, 60)
_FLAT = 2e-5
"""Qlib takes a window with a standard deviation of at most this for constant."""


def alpha158(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the 158 features of one symbol.

    Parameters
    ----------
    bars : DataFrame
        open, high, low, close, vwap, volume; one row a day, all missing on days without a bar.
    """
    listed = bars.loc[bars["close"].first_valid_index() :]
    features = _of_the_day(listed)
    for d in WINDOWS:
        features |= _of_prices(listed, d) | _of_volume(listed, d)
    return pd.DataFrame(features).reindex(bars.index).replace([np.inf, -np.inf], np.nan)


def _of_the_day(bars: pd.DataFrame) -> dict[str, pd.Series]:
    o, h, lo, c = (bars[name] for name in ("open", "high", "low", "close"))
    upper, lower, span = np.maximum(o, c), np.minimum(o, c), h - lo + 1e-12
    return {
        "KMID": (c - o) / o,
        "KLEN": (h - lo) / o,
        "KMID2": (c - o) / span,
        "KUP": (h - upper) / o,
        "KUP2": (h - upper) / span,
        "KLOW": (lower - lo) / o,
        "KLOW2": (lower - lo) / span,
        "KSFT": (2 * c - h - lo) / o,
        "KSFT2": (2 * c - h - lo) / span,
        "OPEN0": o / c,
        "HIGH0": h / c,
        "LOW0": lo / c,
        "VWAP0": bars["vwap"] / c,
    }


def _of_prices(bars: pd.DataFrame, d: int) -> dict[str, pd.Series]:
    h, lo, c = bars["high"], bars["low"], bars["close"]
    before = c.shift(1)
    top, bottom = h.rolling(d, min_periods=1), lo.rolling(d, min_periods=1)
    window = c.rolling(d, min_periods=1)
    line = _regression(c, d)
    latest_high, earliest_low = top.apply(_place, raw=True), bottom.apply(lambda x: _place(-x), raw=True)
    rises, falls = (c > before).astype(float), (c < before).astype(float)
    up, down = _sum(np.maximum(c - before, 0), d), _sum(np.maximum(before - c, 0), d)
    moves = _sum((c - before).abs(), d) + 1e-12
    return {
        f"ROC{d}": c.shift(d) / c,
        f"MA{d}": window.mean() / c,
        f"STD{d}": window.std() / c,
        f"BETA{d}": line["slope"] / c,
        f"RSQR{d}": line["square"].where(window.std() > _FLAT),
        f"RESI{d}": line["rest"] / c,
        f"MAX{d}": top.max() / c,
        f"MIN{d}": bottom.min() / c,
        f"QTLU{d}": window.quantile(0.8) / c,
        f"QTLD{d}": window.quantile(0.2) / c,
        f"RANK{d}": window.rank(pct=True),
        f"RSV{d}": (c - bottom.min()) / (top.max() - bottom.min() + 1e-12),
        f"IMAX{d}": latest_high / d,
        f"IMIN{d}": earliest_low / d,
        f"IMXD{d}": (latest_high - earliest_low) / d,
        f"CNTP{d}": rises.rolling(d, min_periods=1).mean(),
        f"CNTN{d}": falls.rolling(d, min_periods=1).mean(),
        f"CNTD{d}": rises.rolling(d, min_periods=1).mean() - falls.rolling(d, min_periods=1).mean(),
        f"SUMP{d}": up / moves,
        f"SUMN{d}": down / moves,
        f"SUMD{d}": (up - down) / moves,
    }


def _of_volume(bars: pd.DataFrame, d: int) -> dict[str, pd.Series]:
    c, v = bars["close"], bars["volume"]
    window = v.rolling(d, min_periods=1)
    heavy = (c / c.shift(1) - 1).abs() * v
    change = v - v.shift(1)
    up, down = _sum(np.maximum(change, 0), d), _sum(np.maximum(-change, 0), d)
    moves = _sum(change.abs(), d) + 1e-12
    return {
        f"CORR{d}": _correlation(c, np.log(v + 1), d),
        f"CORD{d}": _correlation(c / c.shift(1), np.log(v / v.shift(1) + 1), d),
        f"VMA{d}": window.mean() / (v + 1e-12),
        f"VSTD{d}": window.std() / (v + 1e-12),
        f"WVMA{d}": heavy.rolling(d, min_periods=1).std() / (heavy.rolling(d, min_periods=1).mean() + 1e-12),
        f"VSUMP{d}": up / moves,
        f"VSUMN{d}": down / moves,
        f"VSUMD{d}": (up - down) / moves,
    }


def _sum(x: pd.Series, d: int) -> pd.Series:
    return x.rolling(d, min_periods=1).sum()


def _place(rows: np.ndarray) -> float:
    """Return where the maximum stands, from 1; NumPy takes the first missing value for it."""
    return float(rows.argmax() + 1)


def _correlation(x: pd.Series, y: pd.Series, d: int) -> pd.Series:
    moved = (x.rolling(d, min_periods=1).std() > _FLAT) & (y.rolling(d, min_periods=1).std() > _FLAT)
    return _by_window(lambda a, b: np.corrcoef(a, b)[0, 1], x, y, d).where(moved)


def _by_window(function, x: pd.Series, y: pd.Series, d: int) -> pd.Series:
    """Apply a function to each window's rows in which both are known, if they are two at least."""
    out = np.full(len(x), np.nan)
    pairs = np.column_stack([x, y])
    for t in range(len(x)):
        rows = pairs[max(t - d + 1, 0) : t + 1]
        rows = rows[~np.isnan(rows).any(axis=1)]
        if len(rows) > 1:
            out[t] = function(rows[:, 0], rows[:, 1])
    return pd.Series(out, x.index)


def _regression(x: pd.Series, d: int) -> pd.DataFrame:
    """Return the regression of each window on time: slope, R squared, and what it leaves of the newest value."""
    out = np.full((len(x), 3), np.nan)
    values = x.to_numpy()
    for t in range(len(x)):
        y = values[max(t - d + 1, 0) : t + 1]
        time = np.arange(t - len(y) + 1, t + 1)
        known = ~np.isnan(y)
        if known.sum() < 2:
            continue
        slope, level = np.polyfit(time[known] - t, y[known], 1)
        out[t] = slope, np.corrcoef(time[known], y[known])[0, 1] ** 2, y[-1] - level
    return pd.DataFrame(out, x.index, ["slope", "square", "rest"])
