"""Statement rows written by hand and at random."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from quantflux.data.schema import Dataset, dataset

INCOME, BALANCE, CASH = (dataset(n) for n in ("income_statement", "balance_sheet", "cash_flow"))

Report = tuple[str, str, str, float | None]
"""End of the period, report type, day of announcement, amount."""


def business_days(first: str, last: str) -> np.ndarray:
    return np.arange(first, last, dtype="datetime64[D]")[
        np.is_busday(np.arange(first, last, dtype="datetime64[D]"))
    ]


def written(
    source: Dataset, column: str, reports: Sequence[Report], symbol: str = "600000.SH", comp_type: str = "1"
) -> pa.Table:
    """Return reports of one company in which one column is filled."""
    ends, kinds, announced, amounts = zip(*reports, strict=True)
    return filled(
        source,
        symbol=[symbol] * len(reports),
        end_date=[date.fromisoformat(d) for d in ends],
        report_type=list(kinds),
        f_ann_date=[date.fromisoformat(d) for d in announced],
        comp_type=[comp_type] * len(reports),
        **{column: list(amounts)},
    )


def filled(source: Dataset, **columns: Sequence[object]) -> pa.Table:
    """Return a table in a dataset's schema, null where no column is given."""
    rows = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type)
        for f in source.schema
    ]
    return pa.table(arrays, schema=source.schema)


def random_reports(seed: int, source: Dataset, columns: Sequence[str], symbols: int = 6) -> pa.Table:
    """Return reports with everything that goes wrong: gaps, late ones, corrections, restatements, ties, nulls.

    Some are of kinds that have to be left out, of periods that are no quarters, or announced before their end.
    """
    rng = np.random.default_rng(seed)
    ends = [p.end_time.date() for p in pd.period_range("2020Q1", "2023Q4", freq="Q")] + [date(2022, 5, 31)]
    rows: dict[tuple[str, date, str, date], list[float | None]] = {}
    for symbol in (f"{600000 + i}.SH" for i in range(symbols)):
        for end in ends:
            for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 1, 2, 2, 3])):
                lag = int(rng.choice([int(rng.integers(15, 60)), int(rng.integers(60, 420)), 30, 45, -3]))
                kind = str(rng.choice(["1"] * 6 + ["4", "4", "5", "5", "2", "6"]))
                key = (symbol, end, kind, end + timedelta(days=lag))
                amounts = rng.normal(100, 30, len(columns)).round(2).tolist()
                rows[key] = [None if rng.random() < 0.03 else a for a in amounts]
    order = rng.permutation(len(rows))
    keys, amounts = ([list(part)[i] for i in order] for part in (rows, rows.values()))
    names = ("symbol", "end_date", "report_type", "f_ann_date")
    return filled(
        source,
        **{name: [key[i] for key in keys] for i, name in enumerate(names)},
        comp_type=rng.choice(["1", "2"], len(keys)).tolist(),
        **{name: [row[i] for row in amounts] for i, name in enumerate(columns)},
    )
