"""The price limits that the synthetic market obeys: those of the dated table that imports are judged by, and more.

Two things that an import cannot know are known here: the special-treatment status of a company on a day (main board
5 % until the reform of 2026-07-06, then 10 %), and a first day under the old listing rules, on which a price could rise
by at most 44 % (taken both ways).
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from quantflux.data.sources.synthetic.universe import BOARDS, Companies
from quantflux.rules.boards import board_limits

NO_LIMIT = -1
"""In a table of limits: any price is allowed."""

_ST_REFORM = np.datetime64("2026-07-06")
_FIRST_DAY = 44


def limit_percent(companies: Companies, sessions: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the limit of each day and company in percent, or `NO_LIMIT`; shape (T, N)."""
    day = np.arange(len(sessions))[:, None]
    age = day - companies.listed
    fresh = companies.listed >= 0
    special = (day >= companies.st_from) & (day < companies.st_until)
    early = sessions[:, None] < _ST_REFORM
    tables = {b.board: b for b in board_limits()}
    ratios = [_dated([(d, round(r * 100)) for d, r in tables[b.name].limits], sessions) for b in BOARDS]
    free = [_dated(tables[b.name].free_days, sessions) for b in BOARDS]

    percent = np.stack(ratios, axis=1)[:, companies.board]
    percent = np.where(companies.board_rows("main") & special & early, 5, percent)
    free_days = np.stack(free, axis=1)[:, companies.board]
    # One free day on these boards means the old rule: no ordinary limit on the first day, but a cap all the same.
    old_rule = (free_days == 1) & ~companies.board_rows("bse")
    percent = np.where(fresh & (age == 0) & old_rule, _FIRST_DAY, percent)
    unlimited = fresh & (age >= 0) & (age < free_days) & ~old_rule
    return np.asarray(np.where(unlimited, NO_LIMIT, percent), dtype=np.int64)


def _dated(
    rows: tuple[tuple[date, int], ...] | list[tuple[date, int]], sessions: NDArray[np.datetime64]
) -> NDArray[np.int64]:
    """Return the value in force on each session; the first one before its own start."""
    starts = np.array([d for d, _ in rows], dtype="datetime64[D]")
    values = np.array([v for _, v in rows], dtype=np.int64)
    return np.asarray(values[np.maximum(np.searchsorted(starts, sessions, side="right") - 1, 0)])
