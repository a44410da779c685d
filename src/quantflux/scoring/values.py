"""The values of factors and expressions on the rows of a market, computed a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np

from quantflux.core.calendar import DAYS_A_SESSION
from quantflux.data.access import DataAccessLayer
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import OPERATORS, Field, Node, fields_of, lookback_of
from quantflux.factors.fields import load_fields
from quantflux.factors.formula import Formula
from quantflux.factors.market_data import MarketData

_SPARE = 40  # calendar days
_MOST_BYTES = 256e6  # of values that are computed at once


def values_of(
    data: DataAccessLayer, formulas: Sequence[Formula], loaded: MarketData, first: int
) -> Iterator[np.ndarray]:
    """Yield the values of each formula as its definition gives them, on the rows of a market from `first` on.

    They are computed over all names of the market, as ranks are among all, from as many days before as their windows
    need, or from the first day there is where an average never ends.

    Yields
    ------
    array of float64, shape (T - first, N)
        NaN where the name did not trade, or the value does not exist.

    Raises
    ------
    NotFound
        If a field holds no data.
    """
    if not formulas:
        return
    raw = loaded.raw
    nodes = [OPERATORS["mask"](each.node, Field("close")) for each in formulas]
    names = sorted({name for node in nodes for name in fields_of(node)})
    start = _start_of(nodes, raw.times[first].astype("datetime64[D]").item())
    last = raw.times[-1].astype("datetime64[D]").item()
    panel = load_fields(data, names, raw.symbols.tolist(), start, last).panel
    cells = panel.shape[0] * panel.shape[1]
    step = max(int(_MOST_BYTES // (8 * max(cells, 1))), 1)
    for begin in range(0, len(nodes), step):
        part = {str(place): node for place, node in enumerate(nodes[begin : begin + step])}
        made = evaluate(part, panel)
        laid = made.reindex(times=raw.times[first:], symbols=raw.symbols)
        yield from (laid[name] for name in part)


def _start_of(nodes: Sequence[Node], first: date) -> date | None:
    """Return the day from which the nodes need data to have values on `first`; None is from the beginning."""
    backs = [lookback_of(node) for node in nodes]
    reach = [back for back in backs if back is not None]
    if len(reach) < len(backs):
        return None
    return first - timedelta(days=int(max(reach, default=0) * DAYS_A_SESSION) + _SPARE)
