"""What models predicted, as it is stored: of exactly the day that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import NotFound
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.schema import PREDICTIONS

_MOST_NAMED = 5


def predictions_of(
    data: DataAccessLayer, models: Sequence[str], times: np.ndarray, symbols: np.ndarray
) -> np.ndarray:
    """Return the predicted returns of models on days and symbols.

    Parameters
    ----------
    times : array of datetime64[D], shape (T,)
        Sorted.
    symbols : array of str, shape (N,)
        Sorted.

    Returns
    -------
    array of float64, shape (M, T, N)
        NaN where a model predicted nothing.

    Raises
    ------
    NotFound
        If a model predicted nothing on the last of these days, whatever it did on others; names the days there are.
    """
    first, last = (times[row].astype("datetime64[D]").item() for row in (0, -1))
    rows = _rows(data, first, last)
    found = np.full((len(models), len(times), len(symbols)), np.nan)
    for place, model in enumerate(models):
        mine = rows.filter(pc.equal(rows.column("model_id"), model)).combine_chunks()
        days = mine.column("trade_date").to_numpy().astype("datetime64[D]")
        names = np.array(mine.column("symbol").to_pylist(), dtype=np.str_)
        values = mine.column("predicted_return").to_numpy().astype(np.float64)
        row = np.minimum(np.searchsorted(times, days), len(times) - 1)
        column = np.minimum(np.searchsorted(symbols, names), len(symbols) - 1)
        here = (times[row] == days) & (symbols[column] == names) if len(names) else np.zeros(0, dtype=bool)
        found[place, row[here], column[here]] = values[here]
        if not np.isfinite(found[place, -1]).any():
            raise NotFound(_missing(data, model, last))
    return found


def _rows(data: DataAccessLayer, first: date | None, last: date | None) -> pa.Table:
    columns = ("model_id", "predicted_return")
    if data.store.span(PREDICTIONS) is None:
        raise NotFound("models.ids: no model has stored any predictions yet")
    return data.read(Query(PREDICTIONS, None, first, last, columns))


def _missing(data: DataAccessLayer, model: str, day: date) -> str:
    """Say which days, and which models, there are instead."""
    days: set[date] = set()
    models: set[str] = set()
    for batch in data.store.iter_batches(Query(PREDICTIONS, columns=("model_id", "predicted_return"))):
        models.update(batch.column("model_id").unique().to_pylist())
        mine = pc.and_(
            pc.equal(batch.column("model_id"), model), pc.is_valid(batch.column("predicted_return"))
        )
        days.update(batch.filter(mine).column("trade_date").unique().to_pylist())
    if not days:
        return (
            f"models.ids: no predictions of {model!r} are stored; there are some of: "
            f"{', '.join(sorted(models)[:20])}"
        )
    before = sorted(found for found in days if found < day)[-_MOST_NAMED:]
    after = sorted(found for found in days if found > day)[:_MOST_NAMED]
    if not before and not after:
        return f"models.ids: what {model!r} predicted on {day} is of no name that has bars"
    there = ", ".join(str(found) for found in before + after)
    return (
        f"models.ids: {model!r} predicted nothing for {day}; it did on {len(days):,} days from {min(days)} to "
        f"{max(days)}, nearest: {there}"
    )
