"""Between which prices a share could trade on a day, and who could not be bought or sold at the open for that.

1. The reference is the previous close, carried over suspensions and adjusted for ex-rights events by the change of
   `adj_factor`, rounded to the tick as the exchange publishes it (`_references`).
2. The limit is the reference times (1 +- ratio), rounded to the tick, and at least one tick away. Ratio and rounding
   depend on board, date and special treatment (`_DayRules`).
3. There is none in the first days of a new listing, by the rule of its day of listing, and of a delisting period
   (`_FreeDays`). The first day of a share listed under the 44 % rule counts as free, too: its limits lie around the
   issue price, which bars do not tell.

Rows are judged one after the other, and what later rows need of the past is a few numbers a symbol, so no array of the
panel's size is made but the answer.

Prices that came already adjusted have lost their ticks (`are_raw`). Their limits are not rounded, and lie 0.15 % of
the reference inside the true ones: what rounding to the cent can hide at about 3 yuan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.rules.boards import boards_of, by_scope
from quantflux.rules.dated import Tables, shipped_tables
from quantflux.rules.ticks import ticks_of

_LOST_TICKS = 0.0015
_TICK_NOISE = 0.01  # of a tick: more than binary fractions lose, far less than scaling moves
_NUDGE = 1e-6  # of a tick: undoes binary fractions such as 1.005 stored as 1.00499
_NEW_FOR = np.timedelta64(30, "D")  # far longer than sources differ over what the day of listing is
_SAME_PRICE = 1e-6  # relative: more than float32 loses, less than half a tick of any price below 5,000 yuan


class Rounding(StrEnum):
    """How a limit is brought to a tick: half up on both sides, or inward, so that no move is beyond the ratio."""

    HALF_UP = "half_up"
    INWARD = "inward"


@cache
def limit_tables() -> Tables:
    """Return the dated limits and days without one, by board."""
    return shipped_tables(
        "limits.toml",
        {
            "price_limit": {"ratio": float, "rounding": Rounding},
            "special_limit": {"ratio": float},
            "free_days": {"days": int},
            "first_day": {"up": float, "down": float},
            "delisting_free_days": {"days": int},
        },
    )


@dataclass(frozen=True)
class PriceLimits:
    """Highest and lowest price of each day; arrays of float64, shape (T, N), in the money of the bars.

    NaN where there is no limit, or where it is unknown for want of a previous close.
    """

    up: np.ndarray
    down: np.ndarray

    def at_up(self, prices: np.ndarray) -> np.ndarray:
        """Return where a price stands at its upper limit, or above: bool of shape (T, N)."""
        return np.asarray(prices >= self.up * (1 - _SAME_PRICE))

    def at_down(self, prices: np.ndarray) -> np.ndarray:
        """Return where a price stands at its lower limit, or below: bool of shape (T, N)."""
        return np.asarray(prices <= self.down * (1 + _SAME_PRICE))


@dataclass(frozen=True)
class OpenLocks:
    """Where the open stood at its limit; arrays of bool, shape (T, N).

    A name that opens limit-up cannot be bought then, one that opens limit-down cannot be sold.
    """

    up: np.ndarray
    down: np.ndarray


def price_limits(
    bars: Panel,
    special: np.ndarray | None = None,
    *,
    delisting: np.ndarray | None = None,
    listed: np.ndarray | None = None,
) -> PriceLimits:
    """Return between which prices each name could trade on each day.

    Row t depends on rows up to t-1, on which names have a bar on row t, and on `adj_factor`, `special` and `delisting`
    of row t, which are published before the open.

    Parameters
    ----------
    bars : Panel
        Daily `close` and, where known, `adj_factor`.
    special : array of bool, shape (T, N), optional
        Where a name was under special treatment. Without it such names are judged by their board's wider limit.
    delisting : array of bool, shape (T, N), optional
        Where a name was in its delisting period.
    listed : array of datetime64[D], shape (N,), optional
        First trading days; NaT is unknown. A name without one is new on its first bar, unless that is on the first row.
        One whose first bar comes more than a month after its listing is not new: its code was another before, or its
        first days are missing.

    Raises
    ------
    InvalidRequest
        If the bars are not daily, or an array has another shape than they.

    Examples
    --------
    >>> days = np.array(["2024-03-04", "2024-03-05"], dtype="datetime64[D]")
    >>> close = np.array([[10.05], [10.30]])
    >>> limits = price_limits(Panel(days, ["600519.SH"], {"close": close, "adj_factor": np.ones((2, 1))}))
    >>> limits.up[1].tolist(), limits.down[1].tolist()
    ([11.06], [9.05])
    """
    _check(bars, special, delisting, listed)
    up, down = np.empty(bars.shape), np.empty(bars.shape)
    raw = are_raw(bars)
    per_yuan = np.round(1 / ticks_of(bars.symbols))
    free = _FreeDays(bars, delisting, listed)
    for row, (rules, reference) in enumerate(zip(_day_rules(bars), _references(bars), strict=True)):
        ratio = rules.ratio if special is None else np.where(special[row], rules.special_ratio, rules.ratio)
        if raw:
            ticks = np.floor(reference * per_yuan + 0.5 + _NUDGE)
            up[row] = np.maximum(np.floor(ticks * (1 + ratio) + rules.lift_up), ticks + 1) / per_yuan
            lowest = np.minimum(np.floor(ticks * (1 - ratio) + rules.lift_down), ticks - 1)
            down[row] = np.maximum(lowest, 1) / per_yuan
        else:
            up[row] = reference * (1 + ratio - _LOST_TICKS)
            down[row] = reference * (1 - ratio + _LOST_TICKS)
        now_free = free.on(row, rules)
        if now_free.any():
            up[row, now_free] = down[row, now_free] = np.nan
    return PriceLimits(up, down)


def locked_at_open(
    bars: Panel,
    special: np.ndarray | None = None,
    *,
    delisting: np.ndarray | None = None,
    listed: np.ndarray | None = None,
) -> OpenLocks:
    """Return where the open stood at the day's price limit.

    Parameters
    ----------
    bars : Panel
        As for `price_limits`, and `open`.
    special, delisting, listed : array, optional
        As for `price_limits`.
    """
    limits = price_limits(bars, special, delisting=delisting, listed=listed)
    return OpenLocks(limits.at_up(bars["open"]), limits.at_down(bars["open"]))


def are_raw(bars: Panel) -> bool:
    """Whether prices are as they were traded: closes are whole ticks, and there is a factor to adjust them with.

    A vendor's adjusted prices are scaled, so about half of them are not; one in a hundred may be a slip.
    """
    if not _has_factor(bars):
        return False
    per_yuan = np.round(1 / ticks_of(bars.symbols))
    traded = whole = 0
    for closes in bars["close"]:
        ticks = closes * per_yuan
        there = ~np.isnan(ticks)
        traded += int(np.count_nonzero(there))
        whole += int(np.count_nonzero(np.abs(ticks - np.round(ticks)) < _TICK_NOISE))
    return whole > 0.99 * traded


def reference_prices(bars: Panel) -> np.ndarray:
    """Return the ex-right previous close that limits are reckoned from, before rounding; float64, shape (T, N).

    NaN up to a name's first bar.
    """
    reference = np.empty(bars.shape)
    for row, values in enumerate(_references(bars)):
        reference[row] = values
    return reference


def limit_ratios(
    times: np.ndarray, symbols: Sequence[str] | np.ndarray, special: np.ndarray | None = None
) -> np.ndarray:
    """Return the limit of each day as a fraction of the reference; float64, shape (T, N).

    NaN where the board has none. First days of a listing or a delisting period are not known here.

    Examples
    --------
    >>> days = np.array(["2020-08-21", "2020-08-24"], dtype="datetime64[D]")
    >>> limit_ratios(days, ["300750.SZ", "600519.SH"]).tolist()
    [[0.1, 0.1], [0.2, 0.1]]
    """
    ratios = np.empty((len(times), len(symbols)))
    for row, rules in enumerate(_rules_over(times, boards_of(symbols))):
        ratios[row] = (
            rules.ratio if special is None else np.where(special[row], rules.special_ratio, rules.ratio)
        )
    return ratios


def _check(
    bars: Panel, special: np.ndarray | None, delisting: np.ndarray | None, listed: np.ndarray | None
) -> None:
    if not bars.is_daily:
        raise InvalidRequest(f"price limits are those of days, the bars are {bars!r}")
    width = bars.shape[1]
    for name, values, shape in (
        ("special", special, bars.shape),
        ("delisting", delisting, bars.shape),
        ("listed", listed, (width,)),
    ):
        if values is not None and values.shape != shape:
            raise InvalidRequest(f"{name} must have shape {shape} as the bars have, had {values.shape}")


def _has_factor(bars: Panel) -> bool:
    return "adj_factor" in bars and not bool(np.isnan(bars["adj_factor"]).all())


def _references(bars: Panel) -> Iterator[np.ndarray]:
    """Yield the ex-right previous close of each row, shape (N,)."""
    unknown = np.full(bars.shape[1], np.nan)
    factors = bars["adj_factor"] if _has_factor(bars) else [unknown] * len(bars)
    last, scale, factor = unknown.copy(), unknown.copy(), unknown.copy()
    for closes, today in zip(bars["close"], factors, strict=True):
        np.copyto(factor, today, where=~np.isnan(today))
        step = scale / factor
        np.copyto(step, 1.0, where=np.isnan(step))
        yield last * step
        traded = ~np.isnan(closes)
        np.copyto(last, closes, where=traded)
        np.copyto(scale, factor, where=traded)


@dataclass(frozen=True)
class _DayRules:
    """What holds on a day for each symbol; arrays of shape (N,).

    `lift_up` and `lift_down` are what is added before rounding down gives the rounding of that side.
    """

    ratio: np.ndarray
    special_ratio: np.ndarray
    lift_up: np.ndarray
    lift_down: np.ndarray
    free_days: np.ndarray
    delisting_free_days: np.ndarray

    @classmethod
    def of(cls, boards: Sequence[str | None], day: date) -> _DayRules:
        tables = limit_tables()
        ratio = by_scope(tables["price_limit"], boards, "ratio", day)
        special = by_scope(tables["special_limit"], boards, "ratio", day)
        rows = {board: table.on(day) for board, table in tables["price_limit"].items()}
        inward = [
            board for board, row in rows.items() if row is not None and row["rounding"] is Rounding.INWARD
        ]
        cut = np.array([board in inward for board in boards], dtype=bool)
        return cls(
            ratio,
            np.where(np.isnan(special), ratio, special),
            np.where(cut, 0.0, 0.5) + _NUDGE,
            np.where(cut, 1 - _NUDGE, 0.5 + _NUDGE),
            by_scope(tables["free_days"], boards, "days", day, missing=0),
            by_scope(tables["delisting_free_days"], boards, "days", day, missing=0),
        )


def _day_rules(bars: Panel) -> Iterator[_DayRules]:
    return _rules_over(bars.times, boards_of(bars.symbols))


def _rules_over(times: np.ndarray, boards: Sequence[str | None]) -> Iterator[_DayRules]:
    """Yield the rules of each day, made anew only where a table changes."""
    changes = {
        row.since for tables in limit_tables().values() for table in tables.values() for row in table.rows
    }
    days = times.astype("datetime64[D]")
    period = np.searchsorted(np.array(sorted(changes), dtype="datetime64[D]"), days, side="right")
    rules = None
    for row, day in enumerate(days.astype(object)):
        if rules is None or period[row] != period[row - 1]:
            rules = _DayRules.of(boards, day)
        yield rules


class _FreeDays:
    """Who trades without limit, row after row."""

    def __init__(self, bars: Panel, delisting: np.ndarray | None, listed: np.ndarray | None) -> None:
        self._times, self._close, self._delisting = bars.times, bars["close"], delisting
        width = bars.shape[1]
        self._listed = np.full(width, np.datetime64("NaT", "D")) if listed is None else listed
        self._left = np.zeros(width)
        self._seen = np.zeros(width, dtype=bool)
        if len(bars):
            there = ~np.isnan(self._close[0]) & (self._listed != bars.times[0])
            self._seen |= there | (self._listed < bars.times[0])

    def on(self, row: int, rules: _DayRules) -> np.ndarray:
        """Return which names are free on a row, bool of shape (N,); rows must be asked for in order."""
        traded = ~np.isnan(self._close[row])
        new = traded & ~self._seen
        if new.any():
            recent = new & ~(self._listed + _NEW_FOR < self._times[row])
            self._left[recent] = rules.free_days[recent]
            self._seen |= new
        if self._delisting is not None:
            entered = self._delisting[row] & ~(self._delisting[row - 1] if row else False)
            self._left[entered] = np.maximum(self._left[entered], rules.delisting_free_days[entered])
        free = self._left > 0
        self._left -= traded & free
        return free
