"""A small synthetic market in memory, with predictions of two models, to score names of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from quantflux.config import Settings
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS, PREDICTIONS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

COMPANIES, FIRST, LAST = 48, date(2022, 12, 1), date(2024, 3, 29)
PREDICTED = (date(2024, 3, 14), date(2024, 3, 15), date(2024, 3, 20))
"""Days of which predictions are stored; those of the model `ridge` but for the first."""

WEEKEND = date(2024, 3, 16)
"""The only day of which predictions of the model `saturday` are stored."""

TROUBLED, TROUBLED_LATER = "600001.SH", "000002.SZ"

SUSPENDED, NEWCOMER = "600010.SH", "688004.SH"
"""Names of the market `interrupted` with a long suspension: the one after 99 days of trade, the other after ten."""

GONE_FROM, BACK = {SUSPENDED: date(2023, 4, 28), NEWCOMER: date(2023, 4, 25)}, date(2024, 2, 15)
"""The first day of each suspension, and the one on which both trade again."""

Change = Callable[[pa.Table], pa.Table]


def opened(folder: Path, change: Change = lambda table: table) -> Platform:
    """Open a platform on the market, its daily bars changed."""
    source = SyntheticMarket(seed=5, companies=COMPANIES, start=FIRST, end=LAST)
    platform = Platform.open(Settings(data_dir=folder, store={"name": "memory"}))
    for daily, basic in source.tables():
        platform.data.write(DAILY, change(daily))
        platform.data.write(DAILY_BASIC, basic)
    platform.data.write(INSTRUMENTS, source.instruments())
    platform.data.write(INSTRUMENTS, troubled(source.instruments()))
    platform.data.write(PREDICTIONS, predictions(platform.data.symbols(DAILY)))
    return platform


def troubled(instruments: pa.Table) -> pa.Table:
    """Rows that put two names under special treatment: one before the day of the tests, one after it."""
    rows = {row["symbol"]: row for row in instruments.to_pylist()}
    told = [
        rows[symbol] | {"valid_from": day, "status": "st", "name": f"ST{rows[symbol]['name']}"}
        for symbol, day in ((TROUBLED, date(2024, 2, 1)), (TROUBLED_LATER, date(2024, 3, 22)))
    ]
    return pa.Table.from_pylist(told, schema=instruments.schema)


def predictions(symbols: list[str]) -> pa.Table:
    """What two models say: `gbm` of all names but the last, `ridge` of all but the first."""
    rng = np.random.default_rng(8)
    rows = [
        {
            "symbol": symbol,
            "trade_date": day,
            "model_id": model,
            "predicted_return": float(np.round(rng.normal(0, 0.02), 4)),
            "probability_score": None,
            "rank_score": None,
        }
        for day in PREDICTED
        for model, names in (("gbm", symbols[:-1]), ("ridge", symbols[1:]))
        if (model, day) != ("ridge", PREDICTED[0])
        for symbol in names
    ]
    idle = {"model_id": "saturday", "trade_date": WEEKEND, "predicted_return": 0.1}
    rows += [{**rows[0], **idle, "symbol": symbol} for symbol in symbols]
    return pa.Table.from_pylist(rows, schema=PREDICTIONS.schema)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Sixteen months of 48 companies, their capitalisations, industries and predictions; to be read only."""
    with opened(tmp_path_factory.mktemp("scoring")) as platform:
        yield platform


def suspend(table: pa.Table) -> pa.Table:
    """Take the bars away that two names would have during their suspensions."""
    names, days = table.column("symbol").to_pylist(), table.column("trade_date").to_pylist()
    kept = [not GONE_FROM.get(name, BACK) <= day < BACK for name, day in zip(names, days, strict=True)]
    return table.filter(pa.array(kept))


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The same market with two long suspensions; to be read only."""
    with opened(tmp_path_factory.mktemp("interrupted"), suspend) as platform:
        yield platform


def bars(platform: Platform, end: date = LAST, days: int = 200) -> pd.DataFrame:
    """Daily bars up to a day as a frame, straight from the store."""
    table = platform.data.get_many(None, end - timedelta(days=days), end)
    frame = table.to_polars().to_pandas()
    frame["trade_date"] = pd.to_datetime(frame["trade_date"])
    return frame


def wide(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a column by day and symbol."""
    return frame.pivot_table(index="trade_date", columns="symbol", values=column)
