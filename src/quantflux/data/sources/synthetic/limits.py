"""The price limits that the synthetic market obeys, by board, status, age and date.

Sources: SSE and SZSE trading rules of 2023 (first five days without limit on registration-based listings from
2023-04-10; before, 44 % up and 36 % down on the main board's first day, taken as 44 % both ways here), SZSE
ChiNext rules of 2020-08-24 (20 %), STAR rules of 2019-07-22 (20 %), BSE rules of 2021-11-15 (30 %, first day free),
main-board ST limits widened from 5 % to 10 % on 2026-07-06.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantflux.data.sources.synthetic.universe import Companies

NO_LIMIT = -1
"""In a table of limits: any price is allowed."""

_CHINEXT_REFORM = np.datetime64("2020-08-24")
_REGISTRATION = np.datetime64("2023-04-10")
_ST_REFORM = np.datetime64("2026-07-06")


def limit_percent(companies: Companies, sessions: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the limit of each day and company in percent, or `NO_LIMIT`; shape (T, N)."""
    day = np.arange(len(sessions))[:, None]
    date = sessions[:, None]
    age = day - companies.listed
    fresh = companies.listed >= 0
    main, chinext = companies.board_rows("main"), companies.board_rows("chinext")
    star, bse = companies.board_rows("star"), companies.board_rows("bse")
    special = (day >= companies.st_from) & (day < companies.st_until)

    percent = np.full((len(sessions), len(companies)), 10, dtype=np.int64)
    percent = np.where(main & special & (date < _ST_REFORM), 5, percent)
    percent = np.where(star | (chinext & (date >= _CHINEXT_REFORM)), 20, percent)
    percent = np.where(bse, 30, percent)

    free_days = np.where(
        star | (chinext & (date >= _CHINEXT_REFORM)) | (main & (date >= _REGISTRATION)), 5, 0
    )
    free_days = np.where(bse, 1, free_days)
    percent = np.where(fresh & (age == 0) & (free_days == 0), 44, percent)
    return np.asarray(np.where(fresh & (age >= 0) & (age < free_days), NO_LIMIT, percent))
