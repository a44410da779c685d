"""The engine: one day with ranks, panels, values in the store and in files."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quantflux.config import Settings
from quantflux.config.settings import QuerySettings
from quantflux.config.stores import StoreSettings
from quantflux.core.clock import FixedClock
from quantflux.core.errors import Cancelled, InvalidRequest, NotFound, UnknownSymbol
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import MarketStore, Query
from quantflux.data.schema import DAILY, FACTOR_VALUES
from quantflux.data.stores import open_store
from quantflux.expressions.nodes import OPERATORS, Field
from quantflux.factors import engine as engine_module
from quantflux.factors.engine import FactorEngine
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Course, Hooks, ValueKeeper
from quantflux.platform import Platform
from tests.data.conformance.stores import StoreUnderTest, all_stores
from tests.factors.fields.conftest import market_tables
from tests.factors.stored.markets import LATER, NAMES, Market, bars, day

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))
DEFINED = {
    "fall": "1 - close / delay(close, 1)",
    "ties": "ts_argmax(close, 3)",
    "same": "sign(volume)",
    "shaped": "rank(ts_std(close, 4)) + ema(volume, 5) / volume",
}
WHOLE = list(DEFINED)
ROWS = 40


def engine_on(data: DataAccessLayer, folder: Path, **options: Any) -> FactorEngine:
    registry = FactorRegistry(None, CLOCK)
    for name, text in DEFINED.items():
        registry.define(name, text)
    return FactorEngine(data, registry, ValueKeeper(data, folder, threads=1), threads=1, **options)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    made = Market(tmp_path).start(ROWS)
    made.data.write(DAILY, bars([LATER[0]], range(30, ROWS)))  # listed later
    made.data.write(DAILY, bars([LATER[1]], range(20)))  # gone before the end
    return made


@pytest.fixture
def engine(market: Market, tmp_path: Path) -> FactorEngine:
    return engine_on(market.data, tmp_path / "values")


def ranked_by_pandas(panel: Panel) -> pd.DataFrame:
    """Return the rows that a table of factor values has, computed by pandas."""
    parts = []
    for name in panel:
        frame = pd.DataFrame(panel[name].astype(np.float64), panel.times, panel.symbols)
        shown = {
            "value": frame,
            "percentile_rank": 100 * frame.rank(axis=1, pct=True),
            "z_score": frame.sub(frame.mean(axis=1), axis=0).div(frame.std(axis=1), axis=0),
        }
        long = pd.DataFrame({label: values.T.stack(future_stack=True) for label, values in shown.items()})
        long = long.dropna(subset=["value"]).reset_index(names=["symbol", "trade_date"])
        parts.append(long.assign(factor_id=name))
    return pd.concat(parts, ignore_index=True)


def assert_ranked(found: pa.Table, panel: Panel) -> None:
    expected = ranked_by_pandas(panel)
    frame = found.to_pandas(date_as_object=False)
    for key in ("symbol", "trade_date", "factor_id"):
        assert frame[key].tolist() == expected[key].tolist()
    for label in ("value", "percentile_rank", "z_score"):
        np.testing.assert_allclose(frame[label], expected[label], rtol=1e-9, atol=1e-9, err_msg=label)


# One day


def test_a_day_has_the_values_ranks_and_scores_that_pandas_finds(engine: FactorEngine) -> None:
    when = day(35)

    found = engine.calculate(None, when, WHOLE)

    assert found.schema == FACTOR_VALUES.schema
    assert_ranked(found, engine.compute(WHOLE, when, when))
    same = found.filter(pa.compute.equal(found["factor_id"], "same"))
    assert len(same) > 5
    assert same["z_score"].null_count == len(same)  # nothing deviates
    assert set(same["percentile_rank"].to_pylist()) == {50 * (len(same) + 1) / len(same)}


def test_ranks_are_among_all_symbols_however_few_are_asked_for(engine: FactorEngine) -> None:
    everything = engine.calculate(None, day(35), ["shaped", "fall"]).to_pylist()
    first, second = everything[1]["symbol"], everything[4]["symbol"]

    few = engine.calculate([second.lower(), "sh" + first[:6]], str(day(35)), ["shaped", "fall"]).to_pylist()

    assert [row["symbol"] for row in few][:2] == [first, second]
    assert few == [row for row in everything if row["symbol"] in (first, second)]


def test_a_symbol_without_a_bar_that_day_has_no_row(engine: FactorEngine) -> None:
    assert len(engine.calculate([LATER[1]], day(19), ["same"])) == 1
    assert len(engine.calculate([LATER[1]], day(25), ["same"])) == 0
    assert len(engine.calculate([LATER[0]], day(25), ["same"])) == 0


@pytest.mark.parametrize(
    ("symbols", "when", "factors", "error", "says"),
    [
        (["999999.SH"], day(35), WHOLE, UnknownSymbol, "stock_daily_data holds no row of 999999.SH"),
        (["nonsense"], day(35), WHOLE, InvalidRequest, "nonsense"),
        (None, day(34).replace(day=day(34).day + 1), WHOLE, NotFound, "no bars on .*nearest: .* and "),
        (None, date(2000, 1, 3), WHOLE, NotFound, f"nearest: {day(0)}$"),
        (None, date(2040, 1, 3), WHOLE, NotFound, f"nearest: {day(ROWS - 1)}$"),
        (None, None, WHOLE, InvalidRequest, "needs a trade_date"),
        (None, "yesterday", WHOLE, InvalidRequest, "ISO 8601"),
        (None, day(35), ["fal"], NotFound, "similar: fall"),
        (None, day(35), [], NotFound, "no factors were named"),
        (None, day(35), "fall", InvalidRequest, "must be a list of names"),
    ],
)
def test_days_symbols_and_factors_that_are_refused(
    engine: FactorEngine, symbols: Any, when: Any, factors: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        engine.calculate(symbols, when, factors)


def test_the_asynchronous_twin_from_many_tasks_at_once(engine: FactorEngine) -> None:
    async def ask() -> list[pa.Table]:
        days = [day(20 + n % 15) for n in range(30)]
        return await asyncio.gather(*(engine.calculate_factors(None, d, WHOLE) for d in days))

    found = asyncio.run(ask())

    for number, table in enumerate(found):
        assert table.equals(engine.calculate(None, day(20 + number % 15), WHOLE))
    assert engine.update(WHOLE).decision.course is Course.CURRENT


def test_unless_named_the_factors_are_those_of_version_one(tmp_path: Path) -> None:
    market = Market(tmp_path)
    for dataset, table in market_tables():
        market.data.write(dataset, table)
    engine = engine_on(market.data, tmp_path / "values")
    last = market.data.store.span(DAILY)
    assert last is not None

    found = engine.calculate(None, last.last)

    ids = {factor.id for factor in engine.registry.library("v1")}
    assert len(ids) == 18
    assert set(found["factor_id"].to_pylist()) <= ids
    assert len(set(found["factor_id"].to_pylist())) >= 16
    assert_ranked(
        found,
        engine.compute(["v1"], last.last, last.last).select(
            fields=list(dict.fromkeys(found["factor_id"].to_pylist()))
        ),
    )


def test_factors_of_a_library_that_the_data_do_not_allow_are_left_out(engine: FactorEngine) -> None:
    found = engine.calculate(None, day(35), ["v1"])

    lacks = engine.left_out(["v1"])
    assert lacks["pb_percentile"] == "no rows in stock_daily_basic"
    assert lacks["roe_ttm"] == "no rows in balance_sheet, income_statement"
    assert set(found["factor_id"].to_pylist()).isdisjoint(lacks)
    assert "momentum_5d" not in lacks and "volume_ratio_20d" not in lacks
    assert engine.left_out(["v1", "pb_percentile"]).keys() == lacks.keys() - {"pb_percentile"}
    with pytest.raises(NotFound, match="stock_daily_basic, which holds no rows here"):
        engine.calculate(None, day(35), ["pb_percentile"])


def test_a_library_of_which_nothing_is_left(engine: FactorEngine, tmp_path: Path) -> None:
    empty = engine_on(Market(tmp_path / "empty").data, tmp_path / "none")

    with pytest.raises(NotFound, match="the data allow no factor of v1: no rows in stock_daily_data"):
        empty.calculate(None, day(35))


def test_new_limits_of_queries_reach_the_engine(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, store=StoreSettings(name="memory"))
    with Platform.open(settings, CLOCK) as platform:
        platform.data.write(DAILY, bars(NAMES, range(10)))
        assert platform.factors.compute(["alpha158.KMID"], symbols=NAMES[:2]).shape == (10, 2)

        platform.apply(settings.model_copy(update={"queries": QuerySettings(max_symbols=1)}))

        with pytest.raises(InvalidRequest, match="one request may name 1"):
            platform.factors.compute(["alpha158.KMID"], symbols=NAMES[:2])


# Panels


def test_parts_of_panels_are_parts_of_the_whole(engine: FactorEngine) -> None:
    whole = engine.compute(WHOLE)

    asked = [NAMES[6], NAMES[2]]
    part = engine.compute(WHOLE, str(day(10)), day(20), asked)

    assert list(whole) == WHOLE
    assert whole.shape == (ROWS, len(NAMES) + 2)
    assert part.equals(whole.select(asked, day(10), day(20)))
    assert part.symbols.tolist() == [NAMES[2], NAMES[6]]
    assert part["fall"].dtype == np.float32
    assert len(engine.compute(WHOLE, date(2000, 1, 1), date(2000, 2, 1))) == 0
    assert len(engine.compute(WHOLE, date(2000, 1, 1))) == ROWS
    assert engine.last_day(WHOLE, symbols=asked).equals(whole.select(asked, day(ROWS - 1)))
    assert engine.last_day(WHOLE, end=day(7)).equals(whole.select(start=day(7), end=day(7)))
    assert len(engine.last_day(WHOLE, start="2030-01-01")) == 0


def test_panels_equal_pandas(engine: FactorEngine, market: Market) -> None:
    close = (
        market.data.panel(["close"], adjust="backward")
        .to_pandas()
        .pivot(index="trade_date", columns="symbol", values="close")
    )

    found = engine.compute(["fall"])

    expected = (1 - close / close.shift()).to_numpy(dtype=np.float32)
    np.testing.assert_allclose(found["fall"], expected, rtol=1e-6)


def test_spans_and_symbols_that_are_refused(engine: FactorEngine) -> None:
    with pytest.raises(InvalidRequest, match="start must not be after end"):
        engine.compute(WHOLE, day(20), day(10))
    with pytest.raises(UnknownSymbol, match=r"600001.SH|999999.SH"):
        engine.compute(WHOLE, symbols=["999999.SH"])
    for act in (engine.save, engine.last_day):
        with pytest.raises(InvalidRequest, match="start must not be after end"):
            act(WHOLE, day(20), day(10))


def test_an_answer_larger_than_the_memory_is_refused(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_on(market.data, tmp_path / "values", max_memory=8_000_000_000)
    engine.update(WHOLE)
    monkeypatch.setattr(engine_module, "left_of", lambda most: 4000)

    with pytest.raises(InvalidRequest, match=r"4 factors x 40 days x 10 symbols are 0 MB, 0 MB are left of"):
        engine.compute(WHOLE)

    assert engine.compute(["fall"], day(30), day(35)).shape == (6, len(NAMES) + 2)
    assert len(engine.calculate(None, day(35), WHOLE)) > 20


def test_a_quote_and_an_explanation_compute_nothing(engine: FactorEngine, tmp_path: Path) -> None:
    estimate = engine.quote(WHOLE)

    assert (estimate.rows, estimate.symbols, estimate.expressions) == (ROWS, len(NAMES) + 2, 4)
    assert engine.explain(WHOLE).reason == "nothing was stored yet"
    assert engine.stored() == []
    assert not (tmp_path / "values").exists()


def test_values_of_expressions_without_a_name(engine: FactorEngine) -> None:
    known = engine.expressions(["fall", "same"])

    found = engine.stored_values(known)

    assert found.panel(found.rows()).equals(engine.compute(["fall", "same"]))
    assert len(engine.stored()) == 1
    ahead = {"tomorrow": OPERATORS["lead"](Field("close"), 1)}
    with pytest.raises(InvalidRequest, match="lead"):
        engine.stored_values(ahead)


# In the store


DECIMALS = {"mysql": (6, 2, 4)}
"""Decimals of value, rank and score where a store's columns hold no more, once it is told to round."""


def opened(subject: StoreUnderTest) -> MarketStore:
    if subject.name in DECIMALS:
        return open_store(subject.name, {**subject.options(), "rounding": "v1"}, CLOCK)
    return subject.open()


def subjects() -> list[Any]:
    return [pytest.param(kind, id=kind.name, marks=[*kind.marks]) for kind in all_stores()]


@pytest.mark.parametrize("kind", subjects())
def test_saved_values_read_back_from_every_store(
    kind: type[StoreUnderTest],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "_SAVED_ROWS", 400)
    subject = kind(tmp_path, request, CLOCK)
    store = opened(subject)
    data = DataAccessLayer(store, clock=CLOCK)
    data.write(DAILY, bars(NAMES, range(ROWS)))
    engine = engine_on(data, tmp_path / "values")

    receipt = engine.save(WHOLE, day(5))

    assert receipt is not None and receipt.span is not None
    assert (receipt.span.first, receipt.span.last) == (day(5), day(ROWS - 1))
    expected = pa.concat_tables([engine.calculate(None, day(n), WHOLE) for n in range(5, ROWS)])
    assert receipt.rows == len(expected)
    order = [("symbol", "ascending"), ("trade_date", "ascending"), ("factor_id", "ascending")]
    wanted = expected.sort_by(order)
    found = store.read(Query(FACTOR_VALUES))
    for key in ("symbol", "trade_date", "factor_id"):
        assert found[key].equals(wanted[key])
    decimals = DECIMALS.get(subject.name, (15, 15, 15))
    for label, places in zip(("value", "percentile_rank", "z_score"), decimals, strict=True):
        near = {"rtol": 0, "atol": 0.50001 * 10.0**-places, "err_msg": label}
        np.testing.assert_allclose(found[label].to_numpy(), wanted[label].to_numpy(), **near)
    again = engine.save(WHOLE, day(5))
    assert again is not None and again.rows == receipt.rows
    assert store.read(Query(FACTOR_VALUES)).equals(found)
    store.close()


def test_saving_nothing(engine: FactorEngine) -> None:
    assert engine.save(WHOLE, date(2030, 1, 1)) is None
    assert engine.save(["fall"], end=day(0)) is None


# In files


def test_an_export_equals_the_panel(engine: FactorEngine, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"

    rows = engine.export(WHOLE, path)

    table = pq.read_table(path)
    panel = engine.compute(WHOLE)
    assert table.column_names == ["trade_date", "symbol", *WHOLE]
    assert rows == table.num_rows
    frame = table.to_pandas()
    traded = ~np.isnan(panel["same"])
    row, column = np.nonzero(traded)
    assert frame["trade_date"].tolist() == panel.times[row].tolist()
    assert frame["symbol"].tolist() == panel.symbols[column].tolist()
    for name in WHOLE:
        assert np.array_equal(frame[name].to_numpy(), panel[name][traded], equal_nan=True)
        assert table[name].null_count == np.isnan(panel[name][traded]).sum()
    assert engine.stored() != [] and list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize("first", [0, 7, 39])
def test_an_export_of_later_days_knows_the_days_before(
    engine: FactorEngine, tmp_path: Path, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.export(WHOLE, tmp_path / "whole.parquet")
    whole = pq.read_table(tmp_path / "whole.parquet").to_pandas()

    rows = engine.export(WHOLE, tmp_path / "part.parquet", day(first), day(39))

    part = pq.read_table(tmp_path / "part.parquet").to_pandas()
    assert rows == len(part)
    expected = whole[whole["trade_date"] >= day(first)].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, expected)


def test_an_export_of_no_days(engine: FactorEngine, tmp_path: Path) -> None:
    assert engine.export(WHOLE, tmp_path / "none.parquet", "2030-01-01") == 0

    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def cancelled_after(times: int) -> Hooks:
    left = [times]

    def cancelled() -> bool:
        left[0] -= 1
        return left[0] < 0

    return Hooks(cancelled=cancelled)


def test_an_interrupted_export_leaves_the_file_that_was_there(engine: FactorEngine, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"

    with pytest.raises(Cancelled):
        engine.export(WHOLE, path, hooks=cancelled_after(1))
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []

    engine.export(["fall"], path)
    before = path.read_bytes()
    with pytest.raises(Cancelled):
        engine.export(WHOLE, path, hooks=cancelled_after(1))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["out.parquet"]


def test_an_export_on_a_disk_that_refuses_leaves_nothing(
    engine: FactorEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(pq.ParquetWriter, "write_table", refuse)

    with pytest.raises(OSError, match="No space left"):
        engine.export(WHOLE, tmp_path / "out.parquet")

    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("out.csv", r"must end in .parquet"),
        ("missing/out.parquet", "a folder that exists"),
        ("folder.parquet", "must be a file"),
    ],
)
def test_files_that_are_refused_before_anything_is_read(
    engine: FactorEngine, tmp_path: Path, name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.parquet").mkdir()
    monkeypatch.setattr(engine_module, "load_fields", None)

    with pytest.raises(InvalidRequest, match=says):
        engine.export(WHOLE, tmp_path / name)


def test_an_export_within_a_memory_bound_is_cut_to_fit(market: Market, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="of memory"):
        engine_on(market.data, tmp_path / "values", max_memory=1000).export(WHOLE, tmp_path / "out.parquet")

    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []
