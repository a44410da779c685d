"""Stored values follow the data: whatever was computed again, they equal a full computation, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from quantflux.core.errors import VersionConflict
from quantflux.data.access import DataAccessLayer
from quantflux.data.panels import PanelTier
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import Node
from quantflux.factors.fields import FieldSet, load_fields
from quantflux.factors.stored import Course, ValueKeeper
from quantflux.factors.stored import keeper as keeper_module
from tests.factors.fields.reports import INCOME
from tests.factors.stored.markets import (
    CLOCK,
    EVERY_FAMILY,
    FIRST,
    FUNDAMENTAL,
    GROUPED,
    LATER,
    NAMES,
    VALUED,
    Market,
    assert_same,
    bars,
    basics,
    day,
    expressions,
    listing,
    reports,
)

WANTED = expressions(EVERY_FAMILY)


def test_stored_values_equal_the_expressions_evaluated_in_memory(market: Market) -> None:
    market.start()

    found = market.values(WANTED)

    panel = load_fields(market.data, ["open", "high", "low", "close", "volume", "amount", "vwap"]).panel
    whole = evaluate(WANTED, panel, dtype=np.float32)
    assert_same(found, whole)
    for name in whole:
        assert np.isfinite(whole[name]).mean() > 0.3, f"{name} tests nothing"


@pytest.mark.parametrize("panels", [False, True])
def test_days_appended_one_by_one(tmp_path: Path, panels: bool) -> None:
    market = Market(tmp_path, panels=panels).start()
    market.values(WANTED)

    for number in range(60, 72):
        market.data.write(DAILY, bars(NAMES, [number]))
        done = market.keeper.update(WANTED)

        assert (done.decision.course, done.rows_computed) == (Course.APPENDED, 1)
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_panels_that_lag_behind_the_store_are_not_waited_for(tmp_path: Path) -> None:
    market = Market(tmp_path).start()
    tier = PanelTier(market.store, tmp_path / "panels", clock=CLOCK, check_seconds=3600)
    keeper = ValueKeeper(DataAccessLayer(market.store, tier, clock=CLOCK), tmp_path / "values", threads=1)
    keeper.update(WANTED)

    market.data.write(DAILY, bars(NAMES, [60]))  # by another process, as the tier sees it

    assert keeper.update(WANTED).rows_computed == 1
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_data_that_change_while_they_are_read_are_read_again(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.start()
    writes = iter(range(60, 62))

    def load_late(*arguments: Any, **options: Any) -> FieldSet:
        for number in writes:
            market.data.write(DAILY, bars(NAMES, [number]))
            break
        return load_fields(*arguments, **options)

    monkeypatch.setattr(keeper_module, "load_fields", load_late)
    assert market.keeper.update(WANTED).rows_computed == 62

    market.data.write(DAILY, bars(NAMES, [62]))
    writes = iter(range(63, 99))
    with pytest.raises(VersionConflict, match="written to during each of 3 attempts"):
        market.keeper.update(WANTED)

    monkeypatch.undo()
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_many_days_at_once_over_several_checkpoints(market: Market) -> None:
    market.start(20)
    market.values(WANTED)

    market.data.write(DAILY, bars(NAMES, range(20, 75)))
    done = market.keeper.update(WANTED)

    assert (done.decision.course, done.rows_computed) == (Course.APPENDED, 55)
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_symbols_that_are_listed_and_symbols_that_vanish(market: Market) -> None:
    market.start(40)
    market.values(WANTED)

    for number, listed in enumerate(range(1, 6), start=40):
        market.data.write(DAILY, bars((*NAMES[listed:], *LATER[:listed]), [number]))
        market.keeper.update(WANTED)
    market.data.write(DAILY, bars(NAMES, [45]))

    found = market.values(WANTED)
    assert set(LATER[:5]) < set(found.symbols.tolist())
    assert_same(found, market.computed_anew(WANTED))


@pytest.mark.parametrize("corrected", [0, 15, 16, 31, 40, 58, 59])
def test_a_correction_in_the_past(market: Market, corrected: int) -> None:
    market.start()
    market.values(WANTED)
    before = market.values(WANTED)

    market.data.write(DAILY, bars(NAMES[2:3], [corrected], seed=7))
    done = market.keeper.update(WANTED)

    assert done.decision.keep_rows == corrected // 16 * 16
    assert done.rows_computed == 60 - corrected // 16 * 16
    assert done.decision.course is (Course.RESTARTED if corrected >= 16 else Course.COMPUTED)
    assert f"stock_daily_data changed from {day(corrected)} on" in done.decision.reason
    found = market.values(WANTED)
    assert not found.equals(before)
    assert_same(found, market.computed_anew(WANTED))


def test_the_newest_day_is_mended_from_the_day_before(market: Market) -> None:
    market.start()
    market.values(WANTED)
    for number in (60, 61, 62):
        market.data.write(DAILY, bars(NAMES, [number]))
        market.keeper.update(WANTED)

    market.data.write(DAILY, bars(NAMES, [62], seed=3))
    done = market.keeper.update(WANTED)

    assert (done.decision.course, done.decision.keep_rows) == (Course.RESTARTED, 62)
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_a_change_before_every_state_that_is_kept(market: Market) -> None:
    market.start(150)
    market.values(WANTED)

    market.data.write(DAILY, bars(NAMES, [17], seed=7))
    done = market.keeper.update(WANTED)

    assert done.decision.course is Course.COMPUTED
    assert "no state from before that is kept" in done.decision.reason
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_days_that_were_missing_in_the_past_arrive(market: Market) -> None:
    market.data.write(DAILY, bars(NAMES, [n for n in range(60) if n not in (0, 33)]))
    market.values(WANTED)

    market.data.write(DAILY, bars(NAMES, [33]))
    assert market.keeper.update(WANTED).decision.course is Course.RESTARTED
    assert_same(market.values(WANTED), market.computed_anew(WANTED))

    market.data.write(DAILY, bars(NAMES, [0]))
    assert market.keeper.update(WANTED).decision.course is Course.COMPUTED
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_nothing_is_computed_when_nothing_changed(market: Market) -> None:
    market.start()
    market.values(WANTED)

    market.data.write(DAILY, bars(NAMES, range(60)))
    done = market.keeper.update(WANTED)

    assert (done.decision.course, done.rows_computed) == (Course.CURRENT, 0)
    assert done.decision.reason == "nothing changed: stock_daily_data 1"


def test_a_version_that_rose_without_a_row_is_noted_and_not_asked_about_again(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.start()
    market.values(WANTED)
    monkeypatch.setattr(market.store, "version", lambda dataset: 2)
    monkeypatch.setattr(market.store, "changes", lambda dataset, since: Nothing())

    done = market.keeper.update(WANTED)

    assert (done.decision.course, done.decision.reason) == (
        Course.CURRENT,
        "versions rose, but no row changed",
    )
    assert market.keeper.decide(WANTED).reason == "nothing changed: stock_daily_data 2"


class Nothing:
    spans = ()


def test_rows_of_another_dataset_for_a_day_without_bars(market: Market) -> None:
    wanted = expressions(VALUED)
    market.start()
    market.data.write(DAILY_BASIC, basics(NAMES, range(60)))
    market.values(wanted)

    market.data.write(DAILY_BASIC, basics(NAMES, [60]))
    done = market.keeper.update(wanted)

    assert (done.decision.course, done.rows_computed) == (Course.APPENDED, 0)
    assert market.keeper.update(wanted).decision.course is Course.CURRENT
    market.data.write(DAILY, bars(NAMES, [60]))
    assert_same(market.values(wanted), market.computed_anew(wanted))


def test_another_dataset_that_arrives_after_the_bars(market: Market) -> None:
    wanted = expressions(VALUED)
    market.start()
    market.data.write(DAILY_BASIC, basics(NAMES, range(60)))
    market.values(wanted)
    market.data.write(DAILY, bars(NAMES, [60]))
    assert np.isnan(market.values(wanted)["cheap"][-1]).all()

    market.data.write(DAILY_BASIC, basics(NAMES, [60]))
    done = market.keeper.update(wanted)

    assert (done.decision.course, done.rows_computed) == (Course.RESTARTED, 1)
    found = market.values(wanted)
    assert np.isfinite(found["cheap"][-1]).any()
    assert_same(found, market.computed_anew(wanted))


@pytest.mark.parametrize("texts", [VALUED, {"growth": "rank(revenue_ttm / 3)"}])
def test_symbols_without_a_bar_count_where_a_rank_is_among_all_that_have_a_value(
    market: Market, texts: Mapping[str, str]
) -> None:
    wanted = expressions(texts)
    market.start()
    for name in NAMES[:4]:
        market.data.write(INCOME, reports(name, float(name[4:6])))
    market.data.write(DAILY_BASIC, basics(NAMES, range(61)))
    market.values(wanted)

    market.data.write(DAILY, bars(NAMES[1:], [60]))  # the first one is suspended
    done = market.keeper.update(wanted)

    assert (done.decision.course, done.rows_computed) == (Course.APPENDED, 1)
    found = market.values(wanted)
    assert np.isfinite(found[next(iter(wanted))][-1]).sum() >= 3
    assert_same(found, market.computed_anew(wanted))


def write_listing(market: Market) -> None:
    market.data.write(INSTRUMENTS, listing(NAMES, FIRST + timedelta(days=40), shift=1))


def write_report(market: Market) -> None:
    market.data.write(INCOME, reports(NAMES[0], 20.0, "2023-02-20"))


@pytest.mark.parametrize(
    ("texts", "name", "change"),
    [(GROUPED, "instruments", write_listing), (FUNDAMENTAL, "income_statement", write_report)],
)
def test_datasets_whose_rows_take_effect_on_other_days(
    market: Market, texts: Mapping[str, str], name: str, change: Callable[[Market], None]
) -> None:
    wanted = expressions(texts)
    market.start()
    market.data.write(INSTRUMENTS, listing(NAMES))
    market.data.write(INCOME, reports(NAMES[0], 12.0))
    before = market.values(wanted)
    market.data.write(DAILY, bars((*NAMES, LATER[0]), [60]))
    assert market.keeper.update(wanted).decision.course is Course.APPENDED
    assert_same(market.values(wanted), market.computed_anew(wanted))

    change(market)
    done = market.keeper.update(wanted)

    assert done.decision.course is Course.COMPUTED
    assert f"{name} changed (version 1 to 2), whose rows take effect on other days" in done.decision.reason
    found = market.values(wanted)
    assert_same(found, market.computed_anew(wanted))
    assert any(
        not np.array_equal(found[n][:60][:, : before.shape[1]], before[n], equal_nan=True) for n in before
    )


def test_a_store_made_anew_counts_its_versions_from_the_start(tmp_path: Path) -> None:
    Market(tmp_path).start().values(WANTED)
    other = Market(tmp_path)
    other.data.write(DAILY, bars(NAMES, range(60), seed=9))
    assert other.data.version() == 1

    done = other.keeper.update(WANTED)

    assert (done.decision.course, done.decision.reason) == (
        Course.COMPUTED,
        "stock_daily_data was made anew",
    )
    assert_same(other.values(WANTED), other.computed_anew(WANTED))


def test_a_store_that_went_back_to_an_earlier_version(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.start(50)
    market.data.write(DAILY, bars(NAMES, range(50, 60)))
    market.values(WANTED)
    monkeypatch.setattr(market.store, "version", lambda dataset: 1)

    decision = market.keeper.decide(WANTED)

    assert decision.course is Course.COMPUTED
    assert decision.reason == "stock_daily_data went back from version 2 to 1"


def test_another_release_computes_everything(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    market.start()
    market.values(WANTED)
    monkeypatch.setattr("quantflux.factors.stored.keeper.__version__", "99.0")

    assert "by another release of quantflux" in market.keeper.decide(WANTED).reason
    assert market.keeper.update(WANTED).decision.course is Course.COMPUTED
    assert market.keeper.update(WANTED).decision.course is Course.CURRENT


def test_stores_in_other_places_have_values_of_their_own(tmp_path: Path) -> None:
    market = Market(tmp_path).start()
    market.values(WANTED)

    elsewhere = ValueKeeper(market.data, tmp_path / "values", source="db2:3306/stocks")

    assert elsewhere.decide(WANTED).reason == "nothing was stored yet"


# What stands in for data that no day has is asked of all days at once: one row can change the whole past.


@pytest.mark.parametrize("symbol", [NAMES[3], NAMES[0]])
def test_the_first_adjustment_factor_of_a_symbol(market: Market, symbol: str) -> None:
    others = [name for name in NAMES if name != symbol]
    market.data.write(DAILY, bars(others, range(60)))
    market.data.write(DAILY, bars([symbol], range(40), factor=None))
    before = market.values(WANTED)
    column = before.column_of(symbol)
    assert np.isfinite(before["endless"][:40, column]).any()

    market.data.write(DAILY, bars([symbol], [60], factor=2.0))
    done = market.keeper.update(WANTED)

    assert done.decision.course is Course.COMPUTED
    assert f"whether {symbol} has any adj_factor" in done.decision.reason
    found = market.values(WANTED)
    assert np.isnan(found["endless"][:60, column]).all()
    assert_same(found, market.computed_anew(WANTED))


def test_the_first_adjustment_factor_after_days_without_a_bar(market: Market) -> None:
    market.start()
    market.data.write(DAILY, bars([LATER[0]], range(40), factor=None))
    market.values(WANTED)
    market.data.write(DAILY, bars(NAMES, [60]))
    assert market.keeper.update(WANTED).decision.course is Course.APPENDED

    market.data.write(DAILY, bars([LATER[0]], [61], factor=2.0))

    assert market.keeper.update(WANTED).decision.course is Course.COMPUTED
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_the_only_adjustment_factor_of_a_symbol_is_taken_back(market: Market) -> None:
    market.start()
    market.data.write(DAILY, bars([LATER[0]], range(60), factor=None))
    market.data.write(DAILY, bars([LATER[0]], [50], factor=2.0))
    market.values(WANTED)

    market.data.write(DAILY, bars([LATER[0]], [50], factor=None))
    done = market.keeper.update(WANTED)

    assert done.decision.course is Course.COMPUTED
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_the_first_amount_of_any_bar(market: Market) -> None:
    market.data.write(DAILY, bars(NAMES, range(60), amount=False))
    market.values(WANTED)

    market.data.write(DAILY, bars(NAMES, [60]))
    done = market.keeper.update(WANTED)

    assert done.decision.course is Course.COMPUTED
    assert "whether any bar has an amount" in done.decision.reason
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_symbols_that_never_have_factors_are_appended_like_others(market: Market) -> None:
    market.data.write(DAILY, bars(NAMES, range(60), factor=None))
    market.values(WANTED)

    for number in (60, 61):
        market.data.write(DAILY, bars((*NAMES, LATER[number - 60]), [number], factor=None))
        assert market.keeper.update(WANTED).decision.course is Course.APPENDED
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


class History:
    """A random history of a market: what its writers may do, in any order."""

    def __init__(self, market: Market, rng: random.Random) -> None:
        self.market, self.rng = market, rng
        self.listed = list(NAMES)
        self.rows = 40
        market.data.write(DAILY, bars(NAMES, range(self.rows)))
        market.data.write(DAILY_BASIC, basics(NAMES, range(self.rows)))
        market.data.write(INSTRUMENTS, listing(NAMES + LATER))
        market.data.write(INCOME, reports(NAMES[0], 12.0))

    def step(self) -> None:
        choices = [self.append, self.append, self.list_one, self.correct, self.late, self.report]
        self.rng.choice([*choices, self.vanish, self.unadjusted])()

    def append(self) -> None:
        count = self.rng.choice([1, 1, 1, 5, 20])
        self._write(bars(self.listed, range(self.rows, self.rows + count)))
        self.rows += count

    def list_one(self) -> None:
        new = [name for name in LATER if name not in self.listed]
        if new:
            self.listed.append(self.rng.choice(new))
        self.append()

    def vanish(self) -> None:
        self.listed.remove(self.rng.choice(self.listed[1:]))
        self.append()

    def correct(self) -> None:
        back = self.rng.choice([1, 1, 3, 10, 30, self.rows])
        self._write(bars(self.listed[:2], [self.rows - back], seed=self.rng.randrange(9)))

    def late(self) -> None:
        self.market.data.write(DAILY_BASIC, basics(self.listed, [self.rows - self.rng.choice([1, 2, 20])]))

    def report(self) -> None:
        self.market.data.write(INCOME, reports(self.rng.choice(NAMES), self.rng.random() * 50))

    def unadjusted(self) -> None:
        factor = self.rng.choice([None, 1.5, 3.0])
        self._write(bars([self.rng.choice(self.listed)], [self.rows - 1], factor=factor))

    def _write(self, rows: pa.Table) -> None:
        self.market.data.write(DAILY, rows)


MIXED: dict[str, Node] = expressions(EVERY_FAMILY | VALUED | FUNDAMENTAL | GROUPED)


@pytest.mark.parametrize("seed", range(6))
def test_random_histories(market: Market, seed: int) -> None:
    rng = random.Random(seed)
    history = History(market, rng)
    sets = [expressions(EVERY_FAMILY), expressions(VALUED), MIXED]
    courses = set()

    for _ in range(12):
        history.step()
        for wanted in sets:
            if rng.random() < 0.6:
                courses.add(market.keeper.update(wanted).decision.course)
        checked = rng.choice(sets)
        assert_same(market.values(checked), market.computed_anew(checked))

    assert Course.APPENDED in courses


def test_a_hundred_days_with_a_listing_on_each(market: Market) -> None:
    market.start(30)
    wanted = {name: WANTED[name] for name in ("rolling", "endless", "across")}
    market.values(wanted)
    names = [f"{300000 + n}.SZ" for n in range(100)]

    for number in range(100):
        market.data.write(DAILY, bars((*NAMES, *names[: number + 1]), [30 + number]))
        market.keeper.update(wanted)

    ((meta, _),) = market.keeper.stored_sets()
    assert len(meta.segments) <= 6
    assert_same(market.values(wanted), market.computed_anew(wanted))


def test_the_door_may_be_another_object(market: Market) -> None:
    """A keeper that starts later goes on where another stopped."""
    market.start()
    market.values(WANTED)
    market.data.write(DAILY, bars(NAMES, [60]))

    later = ValueKeeper(DataAccessLayer(market.store, clock=CLOCK), market.folder / "values", threads=1)

    assert later.update(WANTED).rows_computed == 1
    assert_same(market.values(WANTED), market.computed_anew(WANTED))
