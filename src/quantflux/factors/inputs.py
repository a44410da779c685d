"""Raw daily bars made comparable over dividends and splits, as evaluation and backtest need them."""

from __future__ import annotations

import numpy as np

from quantflux.core.gaps import carried_forward
from quantflux.core.panel import Panel

_PRICES = ("open", "high", "low", "close")


def adjustment(raw: Panel) -> np.ndarray:
    """Return the factor that turns raw prices into backward-adjusted ones, shape (T, N).

    1 for symbols without any `adj_factor`: their prices are taken to be adjusted already. A row without a factor
    keeps the one before it, so that suspended days have one too; before the first it is the first.
    """
    if "adj_factor" not in raw:
        return np.ones(raw.shape)
    factor = raw["adj_factor"]
    first = np.take_along_axis(factor, (~np.isnan(factor)).argmax(axis=0)[None, :], axis=0)
    filled = carried_forward(factor)
    return np.nan_to_num(np.where(np.isnan(filled), first, filled), nan=1.0)


def research_panel(raw: Panel) -> Panel:
    """Return bars with prices adjusted backward; volume and amount stay as they were traded.

    Parameters
    ----------
    raw : Panel
        Daily bars: `open`, `high`, `low`, `close`, `volume`, and `amount`, `adj_factor` where known.
    """
    factor = adjustment(raw)
    fields = {name: raw[name] * factor for name in _PRICES}
    kept = {name: raw[name] for name in ("volume", "amount") if name in raw}
    return Panel(raw.times, raw.symbols, fields | kept)
