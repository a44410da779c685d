"""Small venues: made by hand, and random ones in which every rule bites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.events import Events
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.venue import Venue
from quantflux.core.corporate_actions import CorporateActions
from quantflux.data.ex_rights import Growth
from quantflux.rules import Commission, FeeRates, LotRule
from quantflux.rules.lots import lots_of
from tests.factors.markets import days

NAN = float("nan")
FREE = Execution().under(())


def frozen(values: object, dtype: type = np.float64) -> np.ndarray:
    array = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


def venue_of(
    close: Sequence[Sequence[float]],
    *,
    opens: Sequence[Sequence[float]] | None = None,
    high: Sequence[Sequence[float]] | None = None,
    low: Sequence[Sequence[float]] | None = None,
    volume: float | Sequence[Sequence[float]] = 1e6,
    amount: Sequence[Sequence[float]] | None = None,
    up: Sequence[Sequence[float]] | None = None,
    down: Sequence[Sequence[float]] | None = None,
    events: Events | None = None,
    last_row: Sequence[int] | None = None,
    lots: LotRule | None = None,
    settlement: int = 1,
    day: Sequence[int] | None = None,
    fees: float = 0.0,
) -> Venue:
    """A venue from written-out numbers; fees are a stamp duty on sales unless there are none."""
    closes = frozen(close)
    rows, names = closes.shape
    place = np.arange(rows) if day is None else np.array(day)
    total = int(place[-1]) + 1
    nothing = np.full((total, names), np.nan)
    there = ~np.isnan(closes)
    first = np.where(there.any(axis=0), there.argmax(axis=0), rows)
    zero = np.zeros(total)
    times = days(total)
    if day is not None:
        minute = np.concatenate([np.arange(n) for n in np.bincount(place)])
        times = times[place].astype("datetime64[m]") + minute
    return Venue(
        times=times,
        symbols=np.array([f"{600000 + i}.SH" for i in range(names)]),
        days=days(total),
        day=frozen(place, np.int64),
        open=closes if opens is None else frozen(opens),
        high=closes if high is None else frozen(high),
        low=closes if low is None else frozen(low),
        close=closes,
        volume=frozen(np.where(there, volume, np.nan)),
        amount=None if amount is None else frozen(amount),
        limit_up=frozen(nothing if up is None else up),
        limit_down=frozen(nothing if down is None else down),
        events=events or Events.none(total),
        first_row=frozen(first, np.int64),
        last_row=frozen(np.full(names, rows - 1) if last_row is None else last_row, np.int64),
        lots=lots or LotRule(np.full(names, 100.0), np.full(names, 100.0)),
        fees=FeeRates(zero, zero + fees, zero, zero, Commission()),
        settlement=frozen(np.full(names, settlement), np.int64),
    )


def events_of(total: int, names: int, *entries: tuple[int, int, float, float]) -> Events:
    """Events from (day, column, cash, new shares a share)."""
    row, column, cash, shares = (np.array(part) for part in zip(*sorted(entries), strict=True))
    zero = np.zeros(len(row))
    return Events.of((total, names), CorporateActions(row, column, cash, shares, zero, zero), Growth.none())


def random_venue(seed: int, *, minutes: bool = False) -> Venue:
    """Limits that lock, suspensions, late listings, delistings, actions, thin volumes, mixed lots and dated fees."""
    rng = np.random.default_rng(seed)
    total, names = int(rng.integers(8, 40)), int(rng.integers(2, 8))
    place = np.repeat(np.arange(total), rng.integers(1, 5, total)) if minutes else np.arange(total)
    rows = len(place)
    close = np.round(
        rng.uniform(2, 40, names) * np.exp(np.cumsum(rng.normal(0, 0.03, (rows, names)), axis=0)), 2
    )
    opens = np.round(close * np.exp(rng.normal(0, 0.02, close.shape)), 2)
    high = np.round(np.maximum(opens, close) * np.exp(np.abs(rng.normal(0, 0.01, close.shape))), 2)
    low = np.round(np.minimum(opens, close) * np.exp(-np.abs(rng.normal(0, 0.01, close.shape))), 2)
    board = rng.random(close.shape) < 0.05
    opens, high, low = (np.where(board, close, a) for a in (opens, high, low))
    first = np.concatenate(([0], np.flatnonzero(np.diff(place)) + 1))
    day_high = np.maximum.reduceat(high, first, axis=0)
    day_low = np.minimum.reduceat(low, first, axis=0)
    at_limit, none = rng.random(day_high.shape), rng.random(day_high.shape) < 0.1
    up = np.where(none, np.nan, np.round(day_high * np.where(at_limit < 0.25, 1.0, 1.05), 2))
    down = np.where(none, np.nan, np.round(day_low * np.where(at_limit > 0.75, 1.0, 0.95), 2))
    gap = rng.random(close.shape) < 0.08
    last_row = np.full(names, rows - 1)
    if names > 2 and rows > 6:
        gap[: rows // 4, 0] = True
        last_row[1] = rows // 2
        gap[rows // 2 + 1 :, 1] = True
    volume = rng.integers(1, 300, close.shape) * 100.0
    amount = volume * rng.uniform(low, high)
    opens, high, low, close, volume, amount = (
        np.where(gap, np.nan, a) for a in (opens, high, low, close, volume, amount)
    )
    there = ~np.isnan(close)
    codes = ["600000.SH", "688001.SH", "300001.SZ", "920001.BJ", "000001.SZ", "688002.SH", "600519.SH"]
    lots = lots_of(codes[:names])
    stamp = np.where(np.arange(total) < total // 2, 0.001, 0.0005)
    return Venue(
        times=days(total)[place].astype("datetime64[m]") + (np.arange(rows) - first[place])
        if minutes
        else days(total),
        symbols=np.array(codes[:names]),
        days=days(total),
        day=frozen(place, np.int64),
        open=frozen(opens),
        high=frozen(high),
        low=frozen(low),
        close=frozen(close),
        volume=frozen(volume),
        amount=frozen(amount),
        limit_up=frozen(up),
        limit_down=frozen(down),
        events=_random_events(rng, total, names),
        first_row=frozen(np.where(there.any(axis=0), there.argmax(axis=0), rows), np.int64),
        last_row=frozen(last_row, np.int64),
        lots=lots,
        fees=FeeRates(np.zeros(total), stamp, np.full(total, 1e-5), np.full(total, 2e-5), Commission()),
        settlement=frozen(rng.integers(0, 3, names), np.int64),
    )


def _random_events(rng: np.random.Generator, total: int, names: int) -> Events:
    row, column = np.nonzero(rng.random((total, names)) < 0.06)
    cash = np.where(rng.random(len(row)) < 0.7, np.round(rng.uniform(0, 0.8, len(row)), 2), 0.0)
    shares = np.where(rng.random(len(row)) < 0.4, np.round(rng.uniform(0, 1, len(row)), 1), 0.0)
    zero = np.zeros(len(row))
    cells = np.nonzero(rng.random((total, names)) < 0.02)
    growth = Growth(*cells, np.full(len(cells[0]), 1.07))
    return Events.of((total, names), CorporateActions(row, column, cash, shares, zero, zero), growth)


def random_decisions(seed: int, venue: Venue) -> Decisions:
    """Weights, signals and orders of all kinds, on about a third of the rows."""
    rng = np.random.default_rng(seed + 1)
    rows, names = venue.shape
    parts = [
        (row, *_random_decision(rng, venue, row, names))
        for row in range(-1, rows)
        if rng.random() < 0.35 or row == rows // 3
    ]
    counts = [len(columns) for _, _, columns, _, _ in parts]
    return Decisions(
        np.array([row for row, *_ in parts]),
        np.array([int(kind) for _, kind, *_ in parts]),
        np.concatenate(([0], np.cumsum(counts))),
        np.concatenate([columns for _, _, columns, _, _ in parts]).astype(np.int64),
        np.concatenate([values for *_, values, _ in parts]),
        np.concatenate([limits for *_, limits in parts]),
    )


def _random_decision(
    rng: np.random.Generator, venue: Venue, row: int, names: int
) -> tuple[Kind, np.ndarray, np.ndarray, np.ndarray]:
    kind = rng.choice([Kind.REPLACE, Kind.REPLACE, Kind.SIGNALS, Kind.ORDERS])
    if kind == Kind.ORDERS:
        count = int(rng.integers(1, 6))
        columns = rng.integers(0, names, count)
        shares = np.round(rng.uniform(-900, 900, count))
        shares[shares == 0] = 100.0
        limits = np.round(
            np.nan_to_num(venue.close[max(row, 0), columns], nan=10.0) * rng.uniform(0.97, 1.03, count), 2
        )
        return Kind.ORDERS, columns, shares, np.where(rng.random(count) < 0.5, limits, np.nan)
    columns = np.flatnonzero(rng.random(names) < 0.6)
    if kind == Kind.SIGNALS:
        values = np.where(rng.random(len(columns)) < 0.5, 1 / 3, 0.0)
        values[np.cumsum(values) > 1] = 0.0
    else:
        values = rng.random(len(columns)) * (rng.random(len(columns)) < 0.85)
        values = values / max(values.sum(), 1.0) * rng.choice([1.0, 0.7])
        values[rng.random(len(columns)) < 0.1] = np.nan
    return Kind(int(kind)), columns, values, np.full(len(columns), np.nan)


def random_execution(seed: int) -> Execution:
    """Any fill and any set of rules."""
    rng = np.random.default_rng(seed + 2)
    made = Execution(
        fill=list(Fill)[rng.integers(3)],
        participation=float(rng.choice([0.05, 0.3, 1.0])),
        slippage=float(rng.choice([0.0, 0.001, 0.02])),
        impact=float(rng.choice([0.0, 1.0])),
        recovery=float(rng.choice([0.0, 0.5, 1.0])),
    )
    return made.without(*(rule for rule in Rule if rng.random() < 0.15))
