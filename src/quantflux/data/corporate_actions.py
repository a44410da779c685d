"""Reads corporate actions onto the axes of a panel."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.corporate_actions import CorporateActions
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Query
from quantflux.data.schema import CORPORATE_ACTIONS


class Readable(Protocol):
    """The data access layer, or a store."""

    def read(self, query: Query, /) -> pa.Table:
        """Return the rows asked for."""


def load_corporate_actions(data: Readable, times: np.ndarray, symbols: np.ndarray) -> CorporateActions:
    """Return the actions of these symbols, each on its ex-date or the first of the days that follows it.

    Parameters
    ----------
    data : DataAccessLayer or MarketStore
    times : datetime64[D], shape (T,)
        Increasing.
    symbols : array of str, shape (N,)
        Increasing.

    Returns
    -------
    CorporateActions
        Without any entry where nothing is stored. `quantflux.data.ex_rights.share_growth` moves them to rows on
        which the names trade, and compares them with the factor.

    Raises
    ------
    InvalidRequest
        If times are not days.
    """
    if times.dtype != np.dtype("datetime64[D]"):
        raise InvalidRequest(f"corporate actions are laid on days (datetime64[D]), times were {times.dtype}")
    if not len(times) or not len(symbols):
        return CorporateActions.none()
    query = Query(
        CORPORATE_ACTIONS,
        start=times[0].item(),
        end=times[-1].item(),
        columns=("cash", "shares", "rights_shares", "rights_price"),
    )
    return placed_actions(data.read(query), times, symbols)


def placed_actions(table: pa.Table, times: np.ndarray, symbols: np.ndarray) -> CorporateActions:
    """Return the rows of a `corporate_actions` table that fall on these days and symbols.

    An ex-date that is none of the days counts on the first that follows; one before the first or after the last of
    them is left out, as are other symbols.

    Examples
    --------
    >>> from datetime import date
    >>> row = {"symbol": "600519.SH", "ex_date": date(2024, 6, 8), "cash": 0.5, "shares": 0.3}
    >>> table = pa.Table.from_pylist([row], schema=CORPORATE_ACTIONS.schema)
    >>> days = np.array(["2024-06-07", "2024-06-11"], dtype="datetime64[D]")
    >>> placed = placed_actions(table, days, np.array(["600519.SH"]))
    >>> placed.row.tolist(), placed.cash.tolist()
    ([1], [0.5])
    """
    found = pc.index_in(table.column("symbol"), value_set=pa.array(symbols.tolist(), pa.string()))
    column = found.fill_null(-1).to_numpy().astype(np.int64)
    ex_date = table.column(CORPORATE_ACTIONS.time).to_numpy().astype("datetime64[D]")
    row = np.searchsorted(times, ex_date).astype(np.int64)
    inside = (column >= 0) & (ex_date >= times[0]) & (row < len(times))
    numbers = [
        table.column(name).fill_null(0.0).to_numpy()
        for name in ("cash", "shares", "rights_shares", "rights_price")
    ]
    return CorporateActions.of(*(values[inside] for values in (row, column, *numbers)))
