"""Which names were under special treatment (ST) or in their delisting period on which day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from quantflux.core.instruments import InstrumentTable, Status


def special_treatment(instruments: pa.Table, times: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return where a symbol was under special treatment.

    Parameters
    ----------
    instruments : pyarrow.Table
        Rows of the `instruments` dataset.
    times : array of datetime64[D], shape (T,)
    symbols : array of str, shape (N,)

    Returns
    -------
    array of bool, shape (T, N)
        False where a symbol was not listed, and for symbols that the table does not know.
    """
    return InstrumentTable.from_table(instruments).st_mask(times, symbols)


def delisting_period(instruments: pa.Table, times: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return where a symbol traded its way out; parameters and result as of `special_treatment`."""
    # Under other names: a status that begins and ends as the delisting period does.
    renamed = {Status.DELISTING: Status.ST, Status.DELISTED: Status.DELISTED}
    rows = InstrumentTable.from_table(instruments)
    leaving = [replace(row, status=renamed.get(row.status, Status.NORMAL)) for row in rows]
    return InstrumentTable(leaving).st_mask(times, symbols)
