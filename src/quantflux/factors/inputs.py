"""What factors are computed from: daily bars and valuations as one panel of backward-adjusted prices."""

from __future__ import annotations

import numpy as np

from quantflux.core.gaps import carried_forward
from quantflux.core.panel import Panel

_PRICES = ("open", "high", "low", "close")
_BASICS = ("turnover_rate", "total_mv", "pb")


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


def research_panel(raw: Panel, basic: Panel | None = None) -> Panel:
    """Return the panel that factors are computed from.

    Parameters
    ----------
    raw : Panel
        Daily bars: `open`, `high`, `low`, `close`, `volume`, and `amount`, `adj_factor` where known.
    basic : Panel, optional
        Daily valuations: any of `turnover_rate` (percent), `total_mv` (yuan), `pb`.

    Returns
    -------
    Panel
        Prices adjusted backward; `volume` in shares as it was traded; `amount` and valuations only where the data
        have them; `value_traded` in yuan: the amount, or else the typical price times volume.
    """
    factor = adjustment(raw)
    fields = {name: raw[name] * factor for name in _PRICES} | {"volume": raw["volume"]}
    has_amount = _has_numbers(raw, "amount")
    if has_amount:
        fields["amount"] = raw["amount"]
    typical = (raw["high"] + raw["low"] + raw["close"]) / 3
    fields["value_traded"] = raw["amount"] if has_amount else typical * raw["volume"]
    if basic is not None:
        aligned = basic.reindex(times=raw.times, symbols=raw.symbols)
        fields |= {name: aligned[name] for name in _BASICS if _has_numbers(aligned, name)}
    return Panel(raw.times, raw.symbols, fields)


def _has_numbers(panel: Panel, name: str) -> bool:
    return name in panel and not bool(np.isnan(panel[name]).all())
