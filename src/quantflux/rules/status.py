"""How names stood with their exchange on which day: listing, special treatment (ST), delisting period."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from quantflux.core.instruments import InstrumentTable, Status


@dataclass(frozen=True, eq=False)
class Standing:
    """What of the `instruments` dataset decides on price limits.

    Attributes
    ----------
    special, delisting : array of bool, shape (T, N)
        Where a name was under special treatment, or in its delisting period.
    listed : array of datetime64[D], shape (N,)
        First day on the exchange; NaT where it is unknown.
    """

    special: np.ndarray
    delisting: np.ndarray
    listed: np.ndarray

    @classmethod
    def of(cls, instruments: pa.Table, times: np.ndarray, symbols: np.ndarray) -> Self:
        """Return the standing of symbols; parameters as of `special_treatment`.

        What the table does not know is not special, nor leaving, and has no day of listing.
        """
        table = InstrumentTable.from_table(instruments)
        return cls(table.st_mask(times, symbols), _leaving(table, times, symbols), table.list_dates(symbols))


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
    return _leaving(InstrumentTable.from_table(instruments), times, symbols)


def _leaving(table: InstrumentTable, times: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    # Under other names: a status that begins and ends as the delisting period does.
    renamed = {Status.DELISTING: Status.ST, Status.DELISTED: Status.DELISTED}
    leaving = [replace(row, status=renamed.get(row.status, Status.NORMAL)) for row in table]
    return InstrumentTable(leaving).st_mask(times, symbols)
