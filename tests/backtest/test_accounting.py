"""No yuan and no share comes from nowhere or gets lost, and no rule is broken, on every row of random runs."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.backtest import account
from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.orders import Reason
from quantflux.backtest.run import Run
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue
from tests.backtest.venues import random_decisions, random_execution, random_venue, venue_of

CAPITAL = 80_000.0


def by_row(run: Run, values: np.ndarray) -> np.ndarray:
    return np.bincount(run.log.row, weights=values, minlength=len(run.times))


def dense_shares(run: Run) -> np.ndarray:
    shares = np.zeros((len(run.times), len(run.symbols)))
    rows = np.repeat(np.arange(len(run.times)), run.holdings.counts)
    shares[rows, run.holdings.columns] = run.holdings.shares
    return shares


def last_prices(venue: Venue) -> np.ndarray:
    """What a share is worth after each row, by the bars and events alone."""
    price = np.full(venue.shape[1], np.nan)
    out = np.empty(venue.shape)
    for row in range(len(venue)):
        if row == 0 or venue.day[row] != venue.day[row - 1]:
            day = venue.day[row]
            for i in range(venue.events.offsets[day], venue.events.offsets[day + 1]):
                column = venue.events.column[i]
                price[column] = max(price[column] - venue.events.cash[i], 0.0) / venue.events.growth[i]
        price = np.where(np.isnan(venue.close[row]), price, venue.close[row])
        out[row] = price
    return out


def check_identity(venue: Venue, run: Run) -> None:
    """Cash and shares after each row are those before, and what fills and events made of them."""
    log = run.log
    paid = by_row(run, log.filled * np.nan_to_num(log.price) + log.fees)
    before = np.concatenate(([CAPITAL], run.cash[:-1]))
    scale = CAPITAL + np.abs(paid) + run.cash
    assert (np.abs(before - paid + run.dividends - run.dividend_tax - run.cash) <= 1e-9 * scale).all()

    shares, filled = dense_shares(run), np.zeros(venue.shape)
    np.add.at(filled, (log.row, log.column), log.filled)
    held = np.zeros(venue.shape[1])
    for row in range(len(venue)):
        credited = 0.0
        if row == 0 or venue.day[row] != venue.day[row - 1]:
            part = slice(*venue.events.offsets[venue.day[row] : venue.day[row] + 2])
            columns = venue.events.column[part]
            credited = float(held[columns] @ venue.events.cash[part])
            held[columns] *= venue.events.growth[part]
        held += filled[row]
        np.testing.assert_allclose(shares[row], held, atol=1e-6)
        held = shares[row].copy()
        assert run.dividends[row] == pytest.approx(credited, abs=1e-6)

    positions = (np.nan_to_num(last_prices(venue)) * shares).sum(axis=1)
    np.testing.assert_allclose(run.positions, positions, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(run.equity, run.cash + positions, rtol=1e-9, atol=1e-6)


def check_rules(venue: Venue, run: Run) -> None:
    """Nothing was traded that the rules of the execution forbid."""
    fills = run.log.where((run.log.filled != 0) & (run.log.reason != Reason.DELISTED))
    cell, day = (fills.row, fills.column), venue.day[fills.row]
    buys = fills.filled > 0
    has = run.execution.has
    assert run.cash.min() >= 0
    assert (run.holdings.shares > 0).all()
    assert (np.abs(fills.filled) <= np.abs(fills.wanted) * (1 + 1e-9)).all()
    assert (np.sign(fills.filled) == np.sign(fills.wanted)).all()
    if has(Rule.SUSPENSION):
        assert not np.isnan(venue.close[cell]).any()
    if has(Rule.LIMITS):
        up, down = venue.limit_up[day, fills.column], venue.limit_down[day, fills.column]
        trades = ~np.isnan(venue.close[cell])  # without suspensions, names that do not trade have no limit
        opened = venue.close[cell] < up if run.execution.fill is Fill.CLOSE else venue.low[cell] < up
        assert (opened | np.isnan(up))[buys & trades].all()  # somebody sold below the limit
        assert not (fills.price > up * (1 + 1e-6))[buys & trades].any()
        assert not (fills.price < down * (1 - 1e-6))[~buys & trades].any()
    if has(Rule.LOTS):
        step, smallest = venue.lots.step[fills.column], venue.lots.smallest[fills.column]
        assert (np.abs(np.round(fills.filled / step) * step - fills.filled) < 1e-6)[buys].all()
        assert (fills.filled >= smallest)[buys].all()
    if has(Rule.VOLUME):
        taken = np.zeros(venue.shape)
        np.add.at(taken, cell, np.abs(fills.filled))
        traded = ~np.isnan(venue.volume)
        assert (taken[traded] <= run.execution.participation * venue.volume[traded] * (1 + 1e-9) + 1e-6).all()
    if not has(Rule.FEES):
        assert run.log.fees.sum() == 0
    if not has(Rule.SLIPPAGE):
        assert np.abs(run.log.slippage).sum() == 0
    if not has(Rule.DIVIDEND_TAX):
        assert run.dividend_tax.sum() == 0


def check_settlement(venue: Venue, run: Run) -> None:
    """Of a name nothing was sold that was bought less than its days of settlement before."""
    if not run.execution.has(Rule.SETTLEMENT):
        return
    log = run.log
    for column in range(venue.shape[1]):
        mine = log.where((log.column == column) & (log.filled != 0) & (log.reason != Reason.DELISTED))
        if not venue.settlement[column]:
            continue
        for row in mine.row[mine.filled < 0]:
            same = (venue.day[mine.row] == venue.day[row]) & (mine.row <= row)
            before = np.flatnonzero(venue.day < venue.day[row])
            held = dense_shares(run)[before[-1], column] if len(before) else 0.0
            grown = _growth(venue, int(venue.day[row]), column)
            sold = -mine.filled[same & (mine.filled < 0)].sum()
            assert sold <= held * grown * (1 + 1e-9)


def _growth(venue: Venue, day: int, column: int) -> float:
    part = slice(*venue.events.offsets[day : day + 2])
    return float(np.prod(venue.events.growth[part][venue.events.column[part] == column]))


def check(seed: int) -> None:
    venue = random_venue(seed, minutes=seed % 2 == 1)
    run = simulate(venue, random_decisions(seed, venue), random_execution(seed), CAPITAL)
    try:
        check_identity(venue, run)
        check_rules(venue, run)
        check_settlement(venue, run)
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise


def test_the_books_balance_on_every_row_and_no_rule_is_broken() -> None:
    for seed in range(200):
        check(seed)


@pytest.mark.slow
def test_the_books_balance_in_ten_thousand_runs() -> None:
    for seed in range(10_000, 20_000):
        check(seed)


@pytest.mark.parametrize("minutes", [False, True])
def test_the_same_run_twice_is_the_same_to_the_last_bit(minutes: bool) -> None:
    venue = random_venue(7, minutes=minutes)
    decisions, execution = random_decisions(7, venue), random_execution(7)

    one, two = (simulate(venue, decisions, execution, CAPITAL) for _ in range(2))

    assert one.equity.tobytes() == two.equity.tobytes()
    assert one.log.price.tobytes() == two.log.price.tobytes()


def test_room_that_fills_up_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Purchases, orders, log and holdings grow while a run goes on."""
    venue = random_venue(11)
    decisions, execution = random_decisions(11, venue), Execution()
    large = simulate(venue, decisions, execution, CAPITAL)
    monkeypatch.setattr(account, "_ROOM", 1)

    small = simulate(venue, decisions, execution, CAPITAL)

    assert small.equity.tobytes() == large.equity.tobytes()
    assert small.holdings.shares.tobytes() == large.holdings.shares.tobytes()
    assert small.log.filled.tobytes() == large.log.filled.tobytes()


def chased(venue: Venue) -> Decisions:
    """All of the account in the first name that closed at its upper limit, every day."""
    rows, columns = [], []
    for row in range(len(venue) - 1):
        locked = np.flatnonzero(venue.close[row] >= venue.limit_up[row] - 1e-6)
        if len(locked):
            rows.append(row)
            columns.append(locked[0])
    return Decisions.of(np.array(rows), Kind.REPLACE, [1] * len(rows), np.array(columns), np.ones(len(rows)))


def test_a_chaser_of_limit_up_stocks_earns_nothing_that_it_could_not_have_bought() -> None:
    """A name rises by its limit on boards of one price, day after day, and falls on the first day that it trades."""
    close = [[10.0], [11.0], [12.1], [13.31], [14.64], [14.2], [14.2]]
    up = [[11.0], [11.0], [12.1], [13.31], [14.64], [16.1], [15.62]]
    venue = venue_of(close, up=up)

    ideal = simulate(venue, chased(venue), Execution.ideal(), 10_000.0)
    real = simulate(venue, chased(venue), Execution(), 10_000.0)

    assert ideal.equity[-1] == pytest.approx(10_000 * 14.2 / 12.1)  # bought at a price that nobody sold at
    assert real.equity.max() <= 10_000.0
    assert real.log.cut().row.tolist() == [2, 3, 4]
    assert set(real.log.cut().reason.tolist()) == {Reason.LIMIT_UP}
