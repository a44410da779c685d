"""The cumulative adjustment factor of bars that only v1 wrote.

v1 keeps no usable factor: `stock_factor.adj_factor` has two decimals. But its daily table has the exchange's
previous close of every day, and where that differs from the close before, the two tell the day's ratio:

    factor(t) = product over all days d <= t of close(d - 1) / pre_close(d)

starting from 1 at a stock's first row. Both prices are rounded to the column (a cent, or a hundredth of one), so a
ratio is good to about one part in (price / 0.01), and the product to that times the number of events. Where we
wrote factors for some of a stock's rows, the others are chained to the nearest of those before, or else after.
"""

# ruff: noqa: S608  (statements are composed of our own identifiers only; values travel as parameters or literals)

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.daily import KNOWN
from quantflux.data.adapters.mysql.tables import ADJUSTMENTS

_EVENTS = (
    "SELECT `ts_code`, `trade_date`, `previous`, `pre_close` FROM (SELECT `ts_code`, `trade_date`, `pre_close`,"
    " LAG(`close`) OVER (PARTITION BY `ts_code` ORDER BY `trade_date`) AS `previous`"
    " FROM `stock_daily_history` WHERE `ts_code` IN %s) `x`"
    " WHERE `previous` <> `pre_close` AND `previous` > 0 AND `pre_close` > 0 ORDER BY `trade_date`"
)
_ANCHORS = (
    f"SELECT `ts_code`, `trade_date`, `adj_factor` FROM `{ADJUSTMENTS}`"
    " WHERE `ts_code` IN %s AND `adj_factor` IS NOT NULL ORDER BY `trade_date`"
)

_SYMBOLS_AT_ONCE = 500


class Series:
    """One stock's values by day, in time order."""

    def __init__(self) -> None:
        self.days: list[int] = []
        self.values: list[float] = []

    def add(self, day: bytes, value: float) -> None:
        """Append a value."""
        self.days.append((date.fromisoformat(day.decode()) - date(1970, 1, 1)).days)
        self.values.append(value)


Ledger = dict[str, Series]


def with_factors(connection: Connection, rows: pa.Table, *, anchored: bool) -> pa.Table:
    """Fill `adj_factor` where no row of ours knows it, and drop the column that says so.

    Parameters
    ----------
    rows : pyarrow.Table
        Sorted by symbol, with `trade_date`, `adj_factor` and the mark of known rows.
    anchored : bool
        Whether our own table exists.
    """
    unknown = ~rows.column(KNOWN).fill_null(False).to_numpy(zero_copy_only=False).astype(bool)
    if unknown.any():
        wanted = pc.unique(rows.column("symbol").filter(pa.array(unknown))).to_pylist()
        factors = rows.column("adj_factor").to_numpy().copy()
        missing = rows.column("adj_factor").is_null().to_numpy(zero_copy_only=False) & ~unknown
        days = rows.column("trade_date").cast(pa.int32()).to_numpy()
        events = _ledger(connection, _EVENTS, wanted)
        anchors = _ledger(connection, _ANCHORS, wanted) if anchored else {}
        codes = rows.column("symbol").combine_chunks().dictionary_encode()
        position = {name: place for place, name in enumerate(codes.dictionary.to_pylist())}
        indices = codes.indices.to_numpy()
        edges = np.searchsorted(indices, [[position[s], position[s] + 1] for s in wanted])
        for symbol, (start, stop) in zip(wanted, edges, strict=True):
            here = slice(start, stop)
            chained = chain(days[here], events.get(symbol), anchors.get(symbol))
            factors[here] = np.where(unknown[here], chained, factors[here])
        column = pa.array(factors, mask=missing)
        rows = rows.set_column(rows.column_names.index("adj_factor"), "adj_factor", column)
    return rows.drop_columns([KNOWN])


def chain(days: np.ndarray, events: Series | None, anchors: Series | None) -> np.ndarray:
    """Return the factor of each day (days since 1970, sorted), from a stock's events and known factors.

    Examples
    --------
    >>> events = Series(); events.add(b"1970-01-11", 2.0)
    >>> chain(np.array([9, 10, 11]), events, None).tolist()
    [1.0, 2.0, 2.0]
    """
    steps = np.array([] if events is None else events.days)
    product = np.concatenate([[1.0], np.cumprod([] if events is None else events.values)])
    factors: np.ndarray = product[np.searchsorted(steps, days, side="right")]
    if anchors is None:
        return factors
    known = np.array(anchors.days)
    base = np.array(anchors.values) / product[np.searchsorted(steps, known, side="right")]
    nearest = np.maximum(np.searchsorted(known, days, side="right") - 1, 0)
    anchored: np.ndarray = factors * base[nearest]
    return anchored


def _ledger(connection: Connection, statement: str, symbols: Sequence[str]) -> Ledger:
    result: Ledger = {}
    for start in range(0, len(symbols), _SYMBOLS_AT_ONCE):
        for code, day, *numbers in connection.rows(
            statement, (list(symbols[start : start + _SYMBOLS_AT_ONCE]),)
        ):
            value, *divisor = (float(n) for n in numbers if n is not None)
            result.setdefault(code.decode(), Series()).add(day, value / divisor[0] if divisor else value)
    return result
