"""Which names were under special treatment (ST) on which day."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def special_treatment(instruments: pa.Table, times: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return where a symbol was under special treatment.

    Parameters
    ----------
    instruments : pyarrow.Table
        Rows of the `instruments` dataset: a row says what a symbol was from `valid_from` on.
    times : array of datetime64[D], shape (T,)
    symbols : array of str, shape (N,)

    Returns
    -------
    array of bool, shape (T, N)
        False for symbols that the table does not know.
    """
    marked = np.zeros((len(times), len(symbols)), dtype=bool)
    rows = instruments.select(["symbol", "valid_from", "status"]).sort_by(
        [("symbol", "ascending"), ("valid_from", "ascending")]
    )
    column_of = {str(symbol): column for column, symbol in enumerate(symbols)}
    starts = np.searchsorted(times, rows["valid_from"].to_numpy().astype("datetime64[D]"))
    changes = zip(rows["symbol"].to_pylist(), starts.tolist(), rows["status"].to_pylist(), strict=True)
    for symbol, start, status in changes:
        if symbol in column_of:
            marked[start:, column_of[symbol]] = status.lower().lstrip("*") == "st"
    return marked
