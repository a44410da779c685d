"""Data sets against pandas, what a day's prediction sees, and data that are written to meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest, NotFound, VersionConflict
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import open_store
from quantflux.data.panels import PanelTier
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS, Dataset
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.expressions.nodes import Node
from quantflux.expressions.text import parse
from quantflux.factors.engine import FactorEngine
from quantflux.factors.fields import catalogue
from quantflux.factors.market_data import load_market
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Hooks, ValueKeeper
from quantflux.learning.assembly import Assembled, assemble, today, weights_of
from quantflux.learning.features import feature_expressions
from quantflux.learning.specification import ModelSpec, WeightSpec, specification_of

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))
FIRST, LAST = date(2022, 1, 4), date(2022, 9, 30)
NAMES = ("fall", "ts_mean(amount, 5) / amount", "ts_std(close, 10)")
MODEL: dict[str, Any] = {"id": "tried", "kind": "ridge", "features": {"names": NAMES, "missing": "median"}}
WHERE = "ts_mean(amount, 20) > row_median(amount)"


def spec_of(**sections: Any) -> ModelSpec:
    return specification_of(MODEL | sections)


class Place:
    """A store, the door to it and an engine on it."""

    def __init__(self, folder: Path, tables: dict[Dataset, pa.Table], *, panels: bool = False) -> None:
        store = open_store(clock=CLOCK)
        for dataset, table in tables.items():
            store.write(dataset, table)
        tier = PanelTier(store, folder / "panels", clock=CLOCK, check_seconds=3600) if panels else None
        self.data = DataAccessLayer(store, tier, clock=CLOCK)
        self.registry = FactorRegistry(None, CLOCK)
        self.registry.define("fall", "1 - close / delay(close, 1)")
        keeper = ValueKeeper(self.data, folder / "values", threads=1)
        self.factors = FactorEngine(self.data, self.registry, keeper, threads=1)

    def assemble(self, spec: ModelSpec) -> Assembled:
        return assemble(self.data, self.factors, spec)

    def today(self, spec: ModelSpec, day: date, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        return today(self.data, self.factors, spec, day, **options)


@pytest.fixture(scope="module")
def tables() -> dict[Dataset, pa.Table]:
    market = SyntheticMarket(seed=7, companies=26, start=FIRST, end=LAST)
    ((daily, basic),) = market.tables()
    return {DAILY: daily, DAILY_BASIC: basic, INSTRUMENTS: with_treatment(market.instruments())}


def with_treatment(instruments: pa.Table) -> pa.Table:
    """Return instruments of which one was under special treatment for some months, and one is to the end."""
    rows = instruments.slice(0, 2).to_pylist()
    changes = [(rows[0], date(2022, 3, 1), "st"), (rows[0], date(2022, 7, 1), "normal")]
    changes.append((rows[1], date(2022, 8, 1), "star_st"))
    changed = [row | {"valid_from": day, "status": status} for row, day, status in changes]
    return pa.concat_tables([instruments, pa.Table.from_pylist(changed, instruments.schema)])


@pytest.fixture(scope="module")
def place(tables: dict[Dataset, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"), tables)


@pytest.fixture(scope="module")
def frames(tables: dict[Dataset, pa.Table]) -> dict[str, pd.DataFrame]:
    """Adjusted closes and amounts as pandas frames, day by name."""
    daily = tables[DAILY].to_pandas(date_as_object=False)
    daily["close"] *= daily["adj_factor"]
    return {
        name: daily.pivot(index="trade_date", columns="symbol", values=name) for name in ("close", "amount")
    }


@pytest.fixture(scope="module")
def special(tables: dict[Dataset, pa.Table], frames: dict[str, pd.DataFrame]) -> np.ndarray:
    """Who was under special treatment, by a walk through the rows of the instruments."""
    found = pd.DataFrame(False, frames["close"].index, frames["close"].columns)
    rows = tables[INSTRUMENTS].to_pandas(date_as_object=False).sort_values("valid_from")
    for symbol, several in rows.groupby("symbol"):
        if symbol in found:
            for row in several.itertuples():
                found.loc[found.index >= row.valid_from, symbol] = "st" in str(row.status)
    return np.array(found)


# Cells


def test_cells_are_investable_names_of_the_universe_whose_label_is_known(
    place: Place, frames: dict[str, pd.DataFrame], special: np.ndarray
) -> None:
    spec = spec_of(universe={"where": WHERE}, label={"horizon": 3, "entry": "close"})

    found = place.assemble(spec)

    close, amount = frames["close"], frames["amount"]
    traded = close.notna()
    days_before = traded.cumsum() - traded
    seasoned = (days_before >= 60) | traded.iloc[0]
    mean = amount.rolling(20, min_periods=20).mean()
    where = mean.gt(amount.median(axis=1), axis=0) & traded
    chosen = (traded & seasoned & where & ~special).to_numpy()
    ahead = (close.ffill().shift(-3) / close - 1).where(traded).to_numpy()
    row, column = np.nonzero(chosen & np.isfinite(ahead))
    dataset = found.dataset
    assert 1000 < len(row) < 0.6 * traded.to_numpy().sum()
    assert special.any()
    assert np.array_equal(found.chosen, chosen)
    assert (dataset.row.tolist(), dataset.column.tolist()) == (row.tolist(), column.tolist())
    assert dataset.symbols.tolist() == close.columns.tolist()
    assert dataset.days.tolist() == [day.date() for day in close.index]
    np.testing.assert_allclose(dataset.label, ahead[row, column], rtol=1e-4, atol=1e-6)
    assert (dataset.known == row + 3).all()
    assert {dataset.label.dtype, dataset.weight.dtype} == {np.dtype(np.float32)}
    assert set(dataset.weight.tolist()) == {1}


def test_features_are_those_of_the_cells(place: Place, frames: dict[str, pd.DataFrame]) -> None:
    found = place.assemble(spec_of())

    close, amount = frames["close"], frames["amount"]
    means = amount.rolling(5, min_periods=5).mean() / amount
    expected = [1 - close / close.shift(), means, close.rolling(10, min_periods=10).std()]
    features = found.dataset.on(np.arange(len(close))).features()
    for place_, frame in enumerate(expected):
        cells = frame.to_numpy()[found.dataset.row, found.dataset.column]
        np.testing.assert_allclose(features[:, place_], cells, rtol=1e-4, atol=1e-6)
    assert tuple(found.expressions) == NAMES
    assert found.expressions["fall"] == "mask(1 - close / delay(close, 1), close)"
    assert all(parse(t, fields=catalogue()).digest == found.digests[n] for n, t in found.expressions.items())
    assert found.versions == {DAILY.name: 1, INSTRUMENTS.name: 1}
    assert found.notes == ()
    assert found.where is None


def test_labels_that_one_can_earn_are_described_by_the_universe(place: Place) -> None:
    spec = spec_of(universe={"where": WHERE}, label={"horizon": 4, "transform": "rank"})

    found = place.assemble(spec)

    row, label = found.dataset.row, found.dataset.label
    on_time = found.dataset.known == row + 5
    assert found.labels.reach == 5
    assert on_time.mean() > 0.9
    # Of the names on time, of which hardly two are equal, the percentiles lie evenly between 0 and 1.
    means = pd.Series(label[on_time]).groupby(row[on_time]).mean()
    np.testing.assert_allclose(means, 0.5, atol=1e-6)
    assert ((label >= 0) & (label <= 1)).all()


def test_a_label_is_known_when_a_stuck_name_is_sold_at_last(
    tables: dict[Dataset, pa.Table], tmp_path: Path
) -> None:
    daily = tables[DAILY]
    days = pc.unique(daily["trade_date"]).sort()
    bars = pc.value_counts(daily["symbol"]).to_pylist()
    name = [count["values"] for count in bars if count["counts"] == len(days)][-1]
    gap = pc.and_(pc.equal(daily["symbol"], name), pc.is_in(daily["trade_date"], days.slice(110, 6)))
    place = Place(tmp_path, tables | {DAILY: daily.filter(pc.invert(gap))})

    dataset = place.assemble(spec_of(label={"horizon": 4})).dataset

    known = dict(
        zip(zip(dataset.row, dataset.symbols[dataset.column], strict=True), dataset.known, strict=True)
    )
    assert known[102, name] == 107  # bought at the open of row 103, sold at that of 107
    assert {known[row, name] for row in range(105, 108)} == {116}  # to be sold while there was no trade
    assert (109, name) not in known  # the next open has no trade, so the name cannot be bought


def test_a_span_cuts_days_and_what_became_known_but_no_feature(place: Place) -> None:
    label = {"horizon": 3, "entry": "close"}
    whole = place.assemble(spec_of(label=label))

    part = place.assemble(spec_of(label=label, universe={"start": "2022-03-01", "end": "2022-07-15"}))

    assert part.dataset.days[[0, -1]].tolist() == [date(2022, 3, 1), date(2022, 7, 15)]
    assert part.market.raw.shape == part.chosen.shape == part.labels.values.shape
    offset = int(np.searchsorted(whole.dataset.days, part.dataset.days[0]))
    cells = {cell: at for at, cell in enumerate(zip(whole.dataset.row, whole.dataset.column, strict=True))}
    same = [cells[r + offset, c] for r, c in zip(part.dataset.row, part.dataset.column, strict=True)]
    assert part.dataset.row.max() == len(part.dataset.days) - 1 - 3
    assert np.array_equal(part.dataset.label, whole.dataset.label[same])
    everything = [d.on(np.arange(len(d.days))).features() for d in (whole.dataset, part.dataset)]
    assert np.array_equal(everything[1], everything[0][same], equal_nan=True)


def test_labels_and_universes_may_name_factors(place: Place) -> None:
    label = {"kind": "expression", "expression": "lead(fall, 2) * -1 + 0 * turnover_rate"}

    found = place.assemble(spec_of(label=label, universe={"where": "fall"}))

    assert found.where == "1 - close / delay(close, 1)"
    assert found.versions == {DAILY.name: 1, DAILY_BASIC.name: 1, INSTRUMENTS.name: 1}
    fall = place.factors.compute(["fall"])["fall"]
    dataset = found.dataset
    assert len(dataset) > 500
    assert (fall[dataset.row, dataset.column] > 0).all()
    np.testing.assert_allclose(dataset.label, -fall[dataset.row + 2, dataset.column], rtol=1e-4, atol=1e-6)


def test_what_the_data_do_not_allow_is_told(tables: dict[Dataset, pa.Table], tmp_path: Path) -> None:
    place = Place(tmp_path, {DAILY: tables[DAILY]})
    spec = spec_of(features={"names": ["v1", "fall"], "missing": "median"})

    found = place.assemble(spec)

    lacks = place.factors.left_out(["v1"])
    assert lacks and set(found.expressions).isdisjoint(lacks)
    assert found.dataset.features.names == tuple(found.expressions)
    assert all(any(name in note and reason in note for note in found.notes) for name, reason in lacks.items())
    assert "special treatment count as investable" in found.notes[-1]
    with pytest.raises(NotFound, match="stock_daily_basic, which holds no rows here"):
        place.assemble(spec_of(features={"names": ["pb_percentile"], "missing": "zero"}))
    with pytest.raises(InvalidRequest, match="industry need instruments"):
        place.assemble(spec_of(label={"relative": "industry"}))


@pytest.mark.parametrize(
    ("universe", "says"),
    [
        ({"where": "amount < 0"}, r"bars, [\d,]+ were of investable names, 0 of those in the universe"),
        ({"where": "lead(close, 1) > close"}, "universe.where: .*looks at later days"),
        ({"where": "1 > 0"}, "universe.where: '1 > 0' reads no field"),
        ({"start": "2022-09-20"}, "needs at least .* 60 days"),
    ],
)
def test_universes_that_are_refused(place: Place, universe: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        place.assemble(spec_of(universe=universe))


def test_days_on_which_no_share_traded_do_no_harm(tables: dict[Dataset, pa.Table], tmp_path: Path) -> None:
    rows = tables[DAILY].slice(100, 1)
    sunday = rows.set_column(0, "symbol", pa.array(["000300.SH"])).set_column(
        1, "trade_date", pa.array([date(2022, 3, 6)])
    )
    assert rows.column_names[:2] == ["symbol", "trade_date"]
    place = Place(tmp_path, tables)
    before = place.assemble(spec_of())
    place.data.write(DAILY, sunday)

    found = place.assemble(spec_of())

    assert len(found.dataset.days) == len(before.dataset.days) + 1
    row = int(np.searchsorted(found.dataset.days, np.datetime64("2022-03-06")))
    assert not found.chosen[row].any()
    assert np.isfinite(found.dataset.on(np.arange(len(found.dataset.days))).features()).mean() > 0.9
    with pytest.raises(NotFound, match="no bars on 2022-03-06"):
        place.today(spec_of(), date(2022, 3, 6))


# Weights


def test_weights_are_those_of_the_specification(place: Place) -> None:
    spec = spec_of(weights={"half_life": 20, "equal_days": True})

    dataset = place.assemble(spec).dataset

    by_day = pd.Series(dataset.weight.astype(float)).groupby(dataset.row).sum()
    ages = by_day.index.max() - by_day.index
    np.testing.assert_allclose(by_day / by_day.iloc[-1], 0.5 ** (ages / 20), rtol=1e-4)


def test_weights_of_many_kinds_multiply() -> None:
    row, label = np.array([0, 0, 0, 9]), np.array([0.0, 0.0, 1.0, 1.0], dtype=np.float32)

    plain = weights_of(WeightSpec(), row, label)
    every = weights_of(WeightSpec(half_life=9, balanced=True, equal_days=True), row, label)
    oldest = weights_of(WeightSpec(half_life=1, balanced=True), np.array([0, 0, 0, 5000]), label)

    assert plain.tolist() == [1, 1, 1, 1]
    # Classes count 2 to 2 already; the days then 2 to 2, and the first day half of that.
    np.testing.assert_allclose(every, [1 / 3, 1 / 3, 1 / 3, 2], rtol=1e-6)
    assert (oldest > 0).all()
    assert oldest.dtype == np.float32


# One day


def test_a_day_shows_what_the_data_set_shows(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "quantflux.learning.assembly._RECENT", timedelta(days=92)
    )  # hardly 60 days of trading
    spec = spec_of(
        universe={"where": WHERE}, features={"names": NAMES, "missing": "median", "daily": ["rank"]}
    )
    assembled = place.assemble(spec)

    for row in (0, 30, *range(58, len(assembled.dataset.days), 9), len(assembled.dataset.days) - 1):
        symbols, features = place.today(spec, assembled.dataset.days[row].item())

        columns = np.flatnonzero(assembled.chosen[row])
        assert symbols.tolist() == assembled.dataset.symbols[columns].tolist()
        expected = assembled.dataset.features.gather(np.full(len(columns), row), columns)
        assert np.array_equal(features, expected, equal_nan=True)
        assert features.dtype == np.float32
        assert len(symbols) == 0 or row > 20


def changed(table: pa.Table, day: date, change: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Return a table whose rows behind a day are other ones."""
    time = "valid_from" if "valid_from" in table.column_names else "trade_date"
    later = pc.greater(table[time], pa.scalar(day))
    return pa.concat_tables([table.filter(pc.invert(later)), change(table.filter(later))])


def other_prices(table: pa.Table) -> pa.Table:
    frame = table.to_pandas()
    for name in {"open", "high", "low", "close", "amount", "turnover_rate", "total_mv"} & set(frame.columns):
        frame[name] *= 1.7
    return pa.Table.from_pandas(frame, table.schema, preserve_index=False)


def renamed(instruments: pa.Table, day: date) -> pa.Table:
    """Return rows that put every name under special treatment, and into another industry, the day after."""
    frame = instruments.to_pandas().drop_duplicates("symbol")
    frame = frame.assign(valid_from=day + timedelta(days=1), status="st", industry="elsewhere")
    return pa.Table.from_pandas(frame, instruments.schema, preserve_index=False)


@pytest.mark.parametrize("panels", [False, True])
@pytest.mark.parametrize(
    "change", [lambda table: table.slice(0, 0), other_prices], ids=["removed", "changed"]
)
def test_what_comes_later_changes_no_bit_of_a_day(
    place: Place,
    tables: dict[Dataset, pa.Table],
    tmp_path: Path,
    change: Callable[[pa.Table], pa.Table],
    panels: bool,
) -> None:
    daily = ["winsorise", "neutralise:industry", "neutralise:size", "standardise"]
    names = [*NAMES, "alpha158.CORR10", "rank(turnover_rate)", "ema(close, 8) / close"]
    spec = spec_of(features={"names": names, "missing": "zero", "daily": daily}, universe={"where": WHERE})
    day = date(2022, 6, 15)
    other = {dataset: changed(table, day, change) for dataset, table in tables.items()}
    other[INSTRUMENTS] = pa.concat_tables([other[INSTRUMENTS], renamed(tables[INSTRUMENTS], day)])

    # The same names on both sides: sums over a row take turns by column, and so would have other last digits.
    old = pc.unique(
        tables[DAILY].filter(pc.less_equal(tables[DAILY]["trade_date"], pa.scalar(day)))["symbol"]
    )
    ours, theirs = (
        {dataset: table.filter(pc.is_in(table["symbol"], old)) for dataset, table in side.items()}
        for side in (tables, other)
    )

    symbols, features = Place(tmp_path / "ours", ours).today(spec, day)

    without = Place(tmp_path / "theirs", theirs, panels=panels).today(spec, day)
    assert len(symbols) > 5
    assert np.isfinite(features).mean() > 0.8
    assert without[0].tolist() == symbols.tolist()
    assert without[1].tobytes() == features.tobytes()
    whole = place.today(spec, day)  # with names that are listed later
    assert len(place.data.symbols()) > len(old)
    assert whole[0].tolist() == symbols.tolist()
    np.testing.assert_allclose(whole[1], features, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("day", "near"),
    [
        (date(2022, 6, 18), "2022-06-17 and 2022-06-20"),
        (date(2021, 6, 18), "2022-01-04"),
        (date(2030, 6, 18), "2022-09-30"),
    ],
)
def test_a_day_without_bars_has_nothing_to_see(place: Place, day: date, near: str) -> None:
    with pytest.raises(NotFound, match=f"no bars on {day}, .*nearest: {near}$"):
        place.today(spec_of(), day)


def test_a_day_is_seen_by_the_expressions_that_were_learnt_from(
    tables: dict[Dataset, pa.Table], tmp_path: Path
) -> None:
    place = Place(tmp_path, tables)
    spec = spec_of(universe={"where": "fall > 0"})
    learnt, day = place.assemble(spec), date(2022, 8, 1)
    before = place.today(spec, day)
    place.registry.define("fall", "volume / delay(volume, 1)")

    kept = place.today(spec, day, expressions=learnt.expressions, where=learnt.where)
    now = place.today(spec, day)

    assert kept[0].tolist() == before[0].tolist() != now[0].tolist()
    assert kept[1].tobytes() == before[1].tobytes()
    assert 0 < len(kept[0]) < len(now[0])


@pytest.mark.parametrize("single", [False, True], ids=["a data set", "one day"])
def test_a_new_day_is_seen_though_panels_lag(
    tables: dict[Dataset, pa.Table], tmp_path: Path, single: bool
) -> None:
    last = pc.equal(tables[DAILY]["trade_date"], pa.scalar(LAST))
    early = tables | {DAILY: tables[DAILY].filter(pc.invert(last))}
    place = Place(tmp_path, early, panels=True)
    assert len(place.assemble(spec_of()).dataset.days) == len(place.factors.compute(["fall"]))

    # As another process does, which brings the features up to date, too.
    place.data.store.write(DAILY, tables[DAILY].filter(last))
    keeper = ValueKeeper(DataAccessLayer(place.data.store, clock=CLOCK), tmp_path / "values", threads=1)
    keeper.update(feature_expressions(place.registry, spec_of().features))

    if single:
        assert len(place.today(spec_of(), LAST)[0]) > 10
    else:
        assert place.assemble(spec_of()).dataset.days[-1] == np.datetime64(LAST)


# Data that are written to meanwhile


@pytest.mark.parametrize("times", [1, 5])
def test_data_written_to_while_they_are_read(
    tables: dict[Dataset, pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    place = Place(tmp_path, tables)
    left = [times]

    def written_to(*given: Any) -> Any:
        if left[0]:
            left[0] -= 1
            place.data.write(DAILY, other_prices(tables[DAILY].slice(left[0], 1)))
        return load_market(*given)

    monkeypatch.setattr("quantflux.learning.assembly.load_market", written_to)

    if times > 3:
        with pytest.raises(VersionConflict, match="during each of 3 attempts"):
            place.assemble(spec_of())
    else:
        assert place.assemble(spec_of()).versions[DAILY.name] == 2


def test_hooks_hear_of_the_features(place: Place) -> None:
    heard: list[tuple[int, int]] = []
    spec = spec_of(features={"names": ["ts_mean(close, 3)"], "missing": "zero"})

    assemble(place.data, place.factors, spec, hooks=replace(Hooks(), progress=lambda *at: heard.append(at)))

    assert heard and heard[-1][0] == heard[-1][1]


def test_a_node_is_the_same_however_it_was_written(place: Place) -> None:
    found: dict[str, Node] = {
        n: parse(t, fields=catalogue()) for n, t in place.assemble(spec_of()).expressions.items()
    }

    assert place.factors.stored_values(found).names == NAMES
