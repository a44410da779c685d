"""Aggregates equal pandas', on every store."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from quantflux.core.clock import SHANGHAI, SystemClock
from quantflux.core.errors import InvalidRequest
from quantflux.data.adapters.memory import open_store
from quantflux.data.aggregates import aggregate
from quantflux.data.contract import Aggregation, Function, MarketStore, Measure, Period, Query
from quantflux.data.schema import DAILY, INSTRUMENTS, MINUTE, Dataset
from tests.data.conformance.samples import DAYS, SYMBOLS, sample
from tests.data.conformance.stores import StoreUnderTest

EVERYTHING = tuple(
    Measure(f"{column}_{function}", column, function)
    for column in ("close", "volume", "amount")
    for function in Function
)
FREQUENCIES = {Period.DAY: "D", Period.WEEK: "W-SUN", Period.MONTH: "M", Period.YEAR: "Y"}


def by_pandas(rows: pa.Table, data: Dataset, aggregation: Aggregation) -> pd.DataFrame:
    """The same, computed by pandas' own periods and reductions."""
    frame = rows.to_pandas()
    times = pd.to_datetime(frame[data.time])
    if times.dt.tz is not None:
        times = times.dt.tz_convert(SHANGHAI.key).dt.tz_localize(None)
    starts = times.dt.to_period(FREQUENCIES[aggregation.period]).dt.start_time.dt.date
    groups = frame.groupby([frame["symbol"], starts.rename("period_start")], sort=True)
    columns = {}
    for m in aggregation.measures:
        values = groups[m.column]
        columns[m.name] = (
            values.sum(min_count=1) if m.function is Function.SUM else getattr(values, m.function.value)()
        )
    return pd.DataFrame(columns).reset_index()


def assert_same(found: pa.Table, expected: pd.DataFrame) -> None:
    frame = found.to_pandas()
    assert frame["symbol"].tolist() == expected["symbol"].tolist()
    assert frame["period_start"].tolist() == expected["period_start"].tolist()
    for name in expected.columns[2:]:
        np.testing.assert_allclose(
            frame[name].astype(float), expected[name].astype(float), rtol=1e-12, err_msg=name
        )


@pytest.fixture
def daily(store: MarketStore, subject: StoreUnderTest) -> pa.Table:
    days = [date(2023, 12, 20) + timedelta(days=n) for n in range(30)]
    rows = subject.representable(DAILY, sample(DAILY, SYMBOLS, days))
    store.write(DAILY, rows)
    return rows


@pytest.mark.parametrize("period", list(Period))
def test_daily_aggregates_equal_pandas(store: MarketStore, daily: pa.Table, period: Period) -> None:
    aggregation = Aggregation(period, EVERYTHING)

    found = aggregate(store, Query(DAILY), aggregation)

    assert_same(found, by_pandas(daily, DAILY, aggregation))
    assert found.schema.field("close_mean").type == pa.float64()
    assert found.schema.field("close_count").type == pa.int64()


@pytest.mark.parametrize("period", list(Period))
def test_minute_aggregates_equal_pandas(store: MarketStore, subject: StoreUnderTest, period: Period) -> None:
    rows = subject.representable(
        MINUTE, sample(MINUTE, SYMBOLS, [date(1991, 4, 12), date(1991, 4, 15), *DAYS])
    )
    store.write(MINUTE, rows)
    aggregation = Aggregation(period, EVERYTHING)

    found = aggregate(store, Query(MINUTE), aggregation)

    assert_same(found, by_pandas(rows, MINUTE, aggregation))


def test_aggregates_of_a_selection(store: MarketStore, daily: pa.Table) -> None:
    aggregation = Aggregation(Period.MONTH, (Measure("volume", "volume", Function.SUM),))
    query = Query(DAILY, ("600519.SH", "999999.SH"), date(2023, 12, 25), date(2024, 1, 3))

    found = aggregate(store, query, aggregation)

    assert_same(found, by_pandas(store.read(query), DAILY, aggregation))
    assert found.column("period_start").to_pylist() == [date(2023, 12, 1), date(2024, 1, 1)]


def test_aggregates_of_nothing(store: MarketStore) -> None:
    found = aggregate(store, Query(DAILY), Aggregation(Period.MONTH, EVERYTHING))

    assert found.num_rows == 0
    assert found.column_names == ["symbol", "period_start", *(m.name for m in EVERYTHING)]


@pytest.mark.parametrize(
    ("dataset", "measures"),
    [
        (DAILY, [Measure("x", "colour", Function.MEAN)]),
        (DAILY, [Measure("x", "symbol", Function.COUNT)]),
        (INSTRUMENTS, [Measure("x", "name", Function.MAX)]),
        (DAILY, [Measure("x", "close", Function.MIN), Measure("x", "close", Function.MAX)]),
        (DAILY, [Measure("symbol", "close", Function.MIN)]),
    ],
    ids=["unknown column", "key", "text", "name twice", "name of a key"],
)
def test_measures_that_make_no_sense(dataset: Dataset, measures: list[Measure]) -> None:
    with pytest.raises(InvalidRequest):
        aggregate(open_store(clock=SystemClock()), Query(dataset), Aggregation(Period.MONTH, tuple(measures)))
