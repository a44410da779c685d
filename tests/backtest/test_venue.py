"""What a venue makes of bars, actions and listings; minutes against days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quantflux.backtest.events import Events
from quantflux.backtest.execution import Execution
from quantflux.backtest.listing import last_rows, traded_span
from quantflux.backtest.policies import TopRanked
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue
from quantflux.core.corporate_actions import CorporateActions
from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.data.ex_rights import Growth
from quantflux.rules.limits import price_limits
from tests.backtest.markets import venue as synthetic
from tests.factors.markets import days, random_panel, symbols

NAN = float("nan")


def bars_of(close: list[list[float]], factor: list[list[float]] | None = None) -> Panel:
    values = np.array(close)
    fields = dict.fromkeys(("open", "high", "low", "close"), values) | {"volume": np.full_like(values, 1e5)}
    if factor is not None:
        fields["adj_factor"] = np.array(factor)
    return Panel(days(len(values)), symbols(values.shape[1]), fields)


def test_what_actions_tell_is_credited_and_the_rest_of_the_factor_is_growth() -> None:
    """The first name pays 0.50 of 10.00; the factor of the second doubles without a known cause."""
    bars = bars_of([[10.0, 8.0], [9.5, 4.0]], [[1.0, 1.0], [10 / 9.5, 2.0]])
    one, zero = np.ones(1), np.zeros(1)
    at = np.array([1]), np.array([0])
    actions = CorporateActions(*at, 0.5 * one, zero, zero, zero)

    events = Venue.daily(bars, actions=actions).events

    assert events.offsets.tolist() == [0, 0, 2]
    assert events.column.tolist() == [0, 1]
    assert events.cash.tolist() == [0.5, 0.0]
    assert events.growth.tolist() == [1.0, 2.0]


def test_events_of_some_days_and_names_keep_their_places() -> None:
    growth = Growth(np.array([1, 2, 3]), np.array([0, 2, 1]), np.array([1.1, 1.2, 1.3]))

    part = Events.of((4, 3), CorporateActions.none(), growth).within(np.array([2, 3]), np.array([1, 2]))

    assert part.offsets.tolist() == [0, 1, 2]
    assert part.column.tolist() == [1, 0]
    assert part.growth.tolist() == [1.2, 1.3]
    assert len(Events.none(3)) == 0


def test_limits_are_those_of_the_rule_book() -> None:
    bars = random_panel(40, 6, seed=8)

    venue = Venue.daily(bars)

    np.testing.assert_array_equal(venue.limit_up, price_limits(bars).up)
    np.testing.assert_array_equal(venue.limit_down, price_limits(bars).down)
    assert not venue.close.flags.writeable
    assert venue.settlement.tolist() == [1] * 6


def test_the_vwap_is_amount_over_volume_and_unknown_for_adjusted_prices() -> None:
    raw = random_panel(30, 3, seed=2)
    adjusted = raw.with_field("close", raw["close"] * 1.2345)

    vwap = Venue.daily(raw).vwap

    np.testing.assert_allclose(vwap, raw["amount"] / raw["volume"])
    with pytest.raises(InvalidRequest, match="no VWAP"):
        _ = Venue.daily(adjusted).vwap


def test_spans_of_listing() -> None:
    close = np.array([[NAN, 1.0, NAN], [1.0, NAN, NAN], [NAN, NAN, NAN]])

    first, last = traded_span(close)

    assert first.tolist() == [1, 0, 3]
    assert last.tolist() == [1, 0, -1]


def test_without_a_listing_a_name_is_gone_after_sixty_rows() -> None:
    day = days(100)

    assert last_rows(day, np.array([38, 39, 99]), None).tolist() == [38, 99, 99]


def test_delisting_dates_count_from_the_row_before() -> None:
    delisted = np.array(
        [np.datetime64("NaT"), days(5)[3], np.datetime64("2030-01-01"), np.datetime64("2000-01-01")]
    )

    assert last_rows(days(5), np.full(4, 4), delisted).tolist() == [4, 2, 4, -1]


def test_shapes_and_rows_are_checked() -> None:
    bars = bars_of([[1.0], [1.0]])
    minutes = Panel(days(2).astype("datetime64[s]"), bars.symbols, dict(bars.fields))
    with pytest.raises(InvalidRequest, match="daily bars"):
        Venue.daily(minutes)
    with pytest.raises(InvalidRequest, match="minute bars"):
        Venue.minute(bars, Venue.daily(bars))
    with pytest.raises(InvalidRequest, match="had Panel"):
        Venue.daily(bars.select(start="2030-01-01"))
    with pytest.raises(InvalidRequest, match=r"shape \(2, 1\)"):
        Venue.daily(bars, capitalisation=np.ones((1, 1)))
    with pytest.raises(InvalidRequest, match=r"shape \(2, 1\)"):
        Venue.daily(bars).with_capitalisation(np.ones((3, 1)))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf])
@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
def test_prices_that_nobody_can_pay_are_refused(name: str, bad: float) -> None:
    bars = bars_of([[1.0, NAN], [1.0, 2.0]])
    values = bars[name].copy()
    values[1, 1] = bad
    wrong = Panel(bars.times, bars.symbols, {**{n: bars[n] for n in bars.fields}, name: values})

    with pytest.raises(
        InvalidRequest, match=f"the {name} of {bars.symbols[1]} at {bars.times[1]} is {bad:g}"
    ):
        Venue.daily(wrong)


def one_minute_a_day(venue: Venue, first: int, stop: int, columns: slice) -> Panel:
    fields = {
        n: getattr(venue, n)[first:stop, columns]
        for n in ("open", "high", "low", "close", "volume", "amount")
    }
    times = venue.times[first:stop].astype("datetime64[s]") + np.timedelta64(15, "h")
    return Panel(times, venue.symbols[columns], fields)


def test_one_minute_a_day_is_the_day() -> None:
    daily = synthetic()
    minute = Venue.minute(one_minute_a_day(daily, 0, len(daily), slice(None)), daily)
    score = np.random.default_rng(1).random(daily.shape)
    policy = TopRanked(score, np.arange(0, len(daily) - 1, 5), top=8, buffer=4)

    by_day, by_minute = (simulate(venue, policy, Execution()) for venue in (daily, minute))

    assert by_day.equity.tobytes() == by_minute.equity.tobytes()
    assert by_day.log.filled.tobytes() == by_minute.log.filled.tobytes()
    assert by_day.dividends.sum() > 0


def test_minutes_take_limits_events_and_listings_from_their_days() -> None:
    daily = synthetic()
    last = daily.last_row.copy()
    last[5:8] = 300, 450, 5
    daily = replace(daily, capitalisation=daily.close, last_row=last)

    minute = Venue.minute(one_minute_a_day(daily, 10, 400, slice(5, 9)), daily)

    assert minute.days.tolist() == daily.days[10:400].tolist()
    np.testing.assert_array_equal(minute.limit_up, daily.limit_up[10:400, 5:9])
    assert minute.last_row.tolist() == [290, 389, -1, 389]
    assert minute.capitalisation is not None
    assert minute.capitalisation.shape == (390, 4)
    within = daily.events.within(np.arange(10, 400), np.arange(5, 9))
    assert minute.events.growth.tolist() == within.growth.tolist()


def test_minutes_of_unknown_names_or_days_are_refused() -> None:
    daily = synthetic()
    known = one_minute_a_day(daily, 0, 3, slice(0, 2))
    stranger = Panel(known.times, np.array(["000000.SZ", "999999.SH"]), dict(known.fields))
    late = Panel(known.times + np.timedelta64(3650, "D"), known.symbols, dict(known.fields))
    gap = known.select(start=str(daily.times[0]), end=str(daily.times[2]))
    for bars, message in ((stranger, "lacks symbols"), (late, "lacks days")):
        with pytest.raises(InvalidRequest, match=message):
            Venue.minute(bars, daily)
    kept = np.array([0, 2])
    holes = Panel(gap.times[kept], gap.symbols, {n: v[kept] for n, v in gap.fields.items()})
    with pytest.raises(InvalidRequest, match="leave out whole days"):
        Venue.minute(holes, daily)
