"""Which names were under special treatment (ST) on which day."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from quantflux.core.instruments import InstrumentTable


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
