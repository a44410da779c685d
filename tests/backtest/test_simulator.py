"""The day loop: worked by hand, against an independent replay in pandas, and by its invariants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.backtest import Refusal, Run, Targets, Venue, simulate
from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.factors import Market, adjustment, research_panel
from quantflux.rules import OpenLocks
from tests.factors.markets import days, hand_panel, market_of, random_panel, symbols


def venue_of(raw: Panel, market: Market | None = None) -> Venue:
    return Venue.of(market or market_of(research_panel(raw)), adjustment(raw))


def hold(weights: list[list[float]], rows: list[int]) -> Targets:
    return Targets(np.array(rows), np.array(weights))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Panel, Venue, Targets]:
    """A random market with locks, and random decisions in it."""
    seed = draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    raw = random_panel(draw(st.integers(20, 60)), draw(st.integers(3, 9)), seed)
    up, down = (rng.random(raw.shape) < 0.15 for _ in range(2))
    market = Market.of(research_panel(raw), OpenLocks(up, down))
    rows = np.flatnonzero(rng.random(len(raw) - 1) < 0.3)
    rows = rows if len(rows) else np.array([3])
    weights = rng.random((len(rows), raw.shape[1])) * (rng.random((len(rows), raw.shape[1])) < 0.6)
    weights = np.where(weights.sum(axis=1, keepdims=True) > 0, weights, 1.0)
    return raw, venue_of(raw, market), Targets(rows, weights / weights.sum(axis=1, keepdims=True))


def replayed(raw: Panel, run: Run) -> pd.DataFrame:
    """Cash and positions once more, from the list of fills and the raw bars alone, one fill at a time in pandas."""
    close = pd.DataFrame(raw["close"]).ffill().fillna(0.0)
    factor = pd.DataFrame(raw["adj_factor"]).ffill().bfill()
    cash, shares, out = run.capital, pd.Series(0.0, index=close.columns), []
    fills = pd.DataFrame({name: getattr(run.fills, name) for name in run.fills.__dataclass_fields__})
    for day in close.index:
        if day:
            shares = shares * factor.loc[day] / factor.loc[day - 1]
        for fill in fills[fills["row"] == day].itertuples():
            shares[fill.column] += fill.shares
            cash -= fill.shares * fill.price + fill.commission + fill.stamp_duty + fill.transfer_fee
        out.append((cash, float((shares * close.loc[day]).sum())))
    return pd.DataFrame(out, columns=["cash", "positions"])


@settings(deadline=None, max_examples=25)
@given(worlds())
def test_cash_and_positions_are_what_the_fills_made_of_them(world: tuple[Panel, Venue, Targets]) -> None:
    raw, venue, targets = world

    run = simulate(venue, targets, 1_000_000.0)

    again = replayed(raw, run)
    np.testing.assert_allclose(run.cash, again["cash"], atol=1e-4)
    np.testing.assert_allclose(run.positions, again["positions"], rtol=1e-9, atol=1e-4)
    np.testing.assert_allclose(run.equity, again["cash"] + again["positions"], rtol=1e-9)


@settings(deadline=None, max_examples=25)
@given(worlds())
def test_no_rule_of_the_market_is_broken(world: tuple[Panel, Venue, Targets]) -> None:
    _, venue, targets = world

    run = simulate(venue, targets, 1_000_000.0)

    fills = run.fills
    buys, sells = fills.shares > 0, fills.shares < 0
    assert (run.cash >= -1e-6).all()
    assert venue.buyable[fills.row[buys], fills.column[buys]].all()
    assert venue.sellable[fills.row[sells], fills.column[sells]].all()
    np.testing.assert_allclose(fills.shares[buys] % 100, 0, atol=1e-9)
    assert (fills.commission >= 5).all()
    assert (fills.stamp_duty[buys] == 0).all()
    bought = set(zip(fills.row[buys].tolist(), fills.column[buys].tolist(), strict=True))
    assert bought.isdisjoint(zip(fills.row[sells].tolist(), fills.column[sells].tolist(), strict=True))  # T+1
    first = targets.rows[0] + 1
    assert (run.equity[:first] == 1_000_000.0).all()
    assert fills.row.min(initial=first) >= first


@settings(deadline=None, max_examples=15)
@given(worlds(), st.integers(8, 19))
def test_the_future_changes_no_past_day(world: tuple[Panel, Venue, Targets], cut: int) -> None:
    _, venue, targets = world
    known = targets.rows < cut
    if not known.any():
        return
    arrays = {n: getattr(venue, n)[:cut] for n in ("times", "at_open", "at_close", "growth")}
    arrays |= {n: getattr(venue, n)[:cut] for n in ("traded", "buyable", "sellable")}

    past = simulate(replace(venue, **arrays), Targets(targets.rows[known], targets.weights[known]))
    whole = simulate(venue, targets)

    assert np.array_equal(past.equity, whole.equity[:cut])


def test_a_purchase_by_hand() -> None:
    raw = hand_panel(close=[[10.0], [10.5], [11.0]], opening=[[10.0], [10.2], [10.8]])

    run = simulate(venue_of(raw), hold([[1.0]], [0]), 100_000.0)

    # 100,000 / 10.2 is 9,803 shares: 98 lots for 99,960, commission 24.99 and transfer fee 1.00 leave 14.01.
    assert run.fills.shares.tolist() == [9_800.0]
    assert run.cash[-1] == pytest.approx(100_000 - 99_960 - 24.99 - 0.9996)
    assert run.equity.tolist() == pytest.approx([100_000.0, 102_900 + run.cash[-1], 107_800 + run.cash[-1]])


def test_the_cash_pays_for_costs_too() -> None:
    raw = hand_panel([[10.0], [10.0], [10.0]])

    run = simulate(venue_of(raw), hold([[1.0]], [0]), 100_000.0)

    assert run.fills.shares.tolist() == [9_900.0]  # 10,000 shares would leave nothing for the fees


def test_a_sale_by_hand_pays_stamp_duty() -> None:
    raw = hand_panel([[10.0, 10.0], [10.0, 10.0], [10.0, 10.0], [20.0, 10.0]])

    run = simulate(venue_of(raw), hold([[1.0, 0.0], [0.0, 0.0]], [0, 2]), 100_000.0)

    sale = run.fills.shares < 0
    assert run.fills.amount[sale].tolist() == [198_000.0]
    assert run.fills.stamp_duty[sale] == pytest.approx([99.0])  # 0.05 % since 2023-08-28
    assert run.fills.commission[sale] == pytest.approx([49.5])


def test_a_split_keeps_the_value() -> None:
    raw = hand_panel([[10.0], [10.0], [5.0], [5.0]]).with_field(
        "adj_factor", np.array([[1.0], [1.0], [2.0], [2.0]])
    )

    run = simulate(venue_of(raw), hold([[1.0]], [0]), 100_000.0)

    assert run.equity[3] == pytest.approx(run.equity[1])


def test_what_was_not_bought_at_the_limit_stays_cash() -> None:
    raw = hand_panel([[10.0, 10.0]] * 4)
    up = np.zeros((4, 2), dtype=bool)
    up[1, 0] = True

    run = simulate(venue_of(raw, market_of(raw, up=up)), hold([[0.5, 0.5]], [0]), 100_000.0)

    assert run.fills.column.tolist() == [1]
    assert run.refused[1].tolist() == [1, 0, 0, 0]
    assert run.refused.sum() == 1  # given up, not tried again
    assert run.cash[-1] > 49_000


def test_a_locked_sale_is_tried_again_every_day_and_counted_once() -> None:
    raw = hand_panel([[10.0], [10.0], [9.0], [8.1], [8.0]])
    down = np.zeros((5, 1), dtype=bool)
    down[2:4] = True

    run = simulate(venue_of(raw, market_of(raw, down=down)), hold([[1.0], [0.0]], [0, 1]), 100_000.0)

    assert run.fills.row.tolist() == [1, 4]
    assert run.refused.sum(axis=0)[Refusal.LIMIT_DOWN] == 1
    assert run.positions[-1] == 0


def test_a_locked_sale_grows_with_a_split() -> None:
    factor = np.array([[1.0], [1.0], [1.0], [2.0]])
    raw = hand_panel([[10.0], [10.0], [9.0], [4.5]]).with_field("adj_factor", factor)
    down = np.array([[False], [False], [True], [False]])

    run = simulate(venue_of(raw, market_of(raw, down=down)), hold([[1.0], [0.0]], [0, 1]), 100_000.0)

    assert run.fills.shares.tolist() == [9_900.0, -19_800.0]
    assert run.names[-1] == 0


def test_a_suspended_name_cannot_be_sold() -> None:
    nan = float("nan")
    raw = hand_panel([[10.0], [10.0], [nan], [7.0]])

    run = simulate(venue_of(raw), hold([[1.0], [0.0]], [0, 1]), 100_000.0)

    assert run.fills.row.tolist() == [1, 3]
    assert run.refused[2, Refusal.NO_TRADE] == 1
    assert run.positions[2] == 99_000.0  # at its last price


def test_odd_shares_are_sold_with_the_rest() -> None:
    raw = hand_panel([[10.0], [10.0], [9.1], [9.1]]).with_field(
        "adj_factor", np.array([[1.0], [1.0], [1.1], [1.1]])
    )

    run = simulate(venue_of(raw), hold([[1.0], [0.0]], [0, 2]), 100_000.0)

    assert run.fills.shares[-1] == pytest.approx(-9_900 * 1.1)
    assert run.names[-1] == 0


def test_purchases_too_small_for_a_lot_are_counted() -> None:
    raw = hand_panel([[500.0, 1.0]] * 3)

    run = simulate(venue_of(raw), hold([[0.5, 0.5]], [0]), 60_000.0)

    assert run.fills.column.tolist() == [1]
    assert run.refused[1, Refusal.LOT] == 1


def test_free_and_unhindered_it_is_the_mean_of_returns() -> None:
    """Without costs, lots and barriers, equal weights decided daily earn the mean return from open to open."""
    raw = random_panel(40, 6, seed=2)
    full = Panel(
        raw.times, raw.symbols, {n: pd.DataFrame(v).ffill().bfill().to_numpy() for n, v in raw.fields.items()}
    )
    venue = venue_of(full).without_costs().without_barriers().without_lots()
    everyone = Targets(np.arange(39), np.full((39, 6), 1 / 6))

    run = simulate(venue, everyone, 1e12)

    opens = pd.DataFrame(full["open"] * adjustment(full))
    expected = 1e12 * (1 + opens.pct_change().iloc[2:].mean(axis=1)).cumprod()
    # Positions are valued at closes: carry them to the next open, each by its own overnight return.
    closes = pd.DataFrame(full["close"] * adjustment(full))
    overnight = (opens.shift(-1) / closes).iloc[1:-1]
    weights = (closes / opens).iloc[1:-1].div((closes / opens).iloc[1:-1].sum(axis=1), axis=0)
    carried = run.cash[1:-1] + run.positions[1:-1] * (overnight * weights).sum(axis=1).to_numpy()
    np.testing.assert_allclose(carried, expected, rtol=1e-6)


def test_it_is_deterministic() -> None:
    raw = random_panel(60, 8, seed=3)
    targets = hold([[1 / 8] * 8, [0.5, 0.5, 0, 0, 0, 0, 0, 0]], [5, 20])

    one, two = (simulate(venue_of(raw), targets) for _ in range(2))

    assert np.array_equal(one.equity, two.equity)


def test_nothing_to_do_is_refused() -> None:
    venue = venue_of(hand_panel([[1.0], [1.0]]))
    with pytest.raises(InvalidRequest, match="no decision"):
        simulate(venue, Targets(np.zeros(0, dtype=int), np.zeros((0, 1))))
    with pytest.raises(InvalidRequest, match="capital must be positive"):
        simulate(venue, hold([[1.0]], [0]), 0.0)


def test_a_market_without_orders_filled_has_an_empty_ledger() -> None:
    panel = Panel(days(3), symbols(1), hand_panel([[10.0]] * 3).fields)
    locked = np.ones((3, 1), dtype=bool)

    run = simulate(venue_of(panel, market_of(panel, up=locked)), hold([[1.0]], [0]))

    assert len(run.fills) == 0
    assert (run.equity == run.capital).all()
