"""Tax on cash dividends by how long a share was held.

The law counts calendar months from the purchase to the day before the sale. Here a month is 30 days and a year 365,
between the day of purchase and the day of sale, so a sale within two days of a boundary may be taxed by its neighbour.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np

from quantflux.core.errors import ConfigError
from quantflux.rules.dated import ALL, DatedTable, shipped_tables

_DAYS_OF = {1: 30, 12: 365}


@cache
def dividend_tax_table() -> DatedTable:
    """Return the dated rates by months held."""
    table = shipped_tables("dividend_tax.toml", {"dividend_tax": {"months": list, "rates": list}})[
        "dividend_tax"
    ][ALL]
    for row in table.rows:
        if len(row["rates"]) != len(row["months"]) + 1 or not set(row["months"]) <= _DAYS_OF.keys():
            raise ConfigError(
                f"dividend_tax.toml, row from {row.since}: needs one rate more than months, and months out of "
                f"{sorted(_DAYS_OF)}; was {row['months']} and {row['rates']}"
            )
    return table


def dividend_tax_rates(day: date) -> list[tuple[float, float]]:
    """Return the rates in force for dividends with this record date: (held up to so many days, rate), the last endless.

    Days before the first row take its rate.

    Examples
    --------
    >>> dividend_tax_rates(date(2024, 6, 3))
    [(30.0, 0.2), (365.0, 0.1), (inf, 0.0)]
    """
    table = dividend_tax_table()
    row = table.on(day) or table.rows[0]
    ends = [float(_DAYS_OF[months]) for months in row["months"]]
    return list(zip([*ends, np.inf], row["rates"], strict=True))


def tax_rate(held_days: np.ndarray, day: date) -> np.ndarray:
    """Return the tax on a dividend as a fraction of its cash, float64 of the shape of `held_days`.

    Parameters
    ----------
    held_days : array
        Calendar days from the purchase to the sale.
    day : date
        Record date of the dividend.

    Examples
    --------
    >>> tax_rate(np.array([30, 31, 365, 366]), date(2024, 6, 3)).tolist()
    [0.2, 0.1, 0.1, 0.0]
    """
    ends, rates = zip(*dividend_tax_rates(day), strict=True)
    return np.asarray(rates)[np.searchsorted(ends, held_days, side="left")]
