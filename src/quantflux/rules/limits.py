"""Between which prices a share could trade on a day, and who could not be bought or sold at the open for that.

1. The reference is the previous close, carried over suspensions and adjusted for the day's ex-rights event by the
   change of `adj_factor`, rounded to the tick as the exchange publishes it.
2. The limit is the reference times (1 +- ratio), rounded half up to the tick; the ratio depends on board, date and
   special treatment (`_Ratios`).
3. Names in their first days without limit have none.

Rows are judged one after the other, and what later rows need of the past is one number a symbol, so no array of the
panel's size is made but the answer.

Prices that came already adjusted have lost their cents (`are_raw`). Their limits are not rounded, and lie 0.15 % of
the reference inside the true ones: what rounding to the cent can hide at about 3 yuan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.panel import Panel
from quantflux.rules.boards import board_limits, boards_of

_LOST_CENTS = 0.0015
_CENT_NOISE = 0.01  # of a cent: more than binary fractions lose, far less than scaling moves
_HALF_UP = 0.5 + 1e-6  # of a tick; the small part undoes binary fractions such as 1.005 stored as 1.00499
_SAME_PRICE = 1e-6  # relative: more than float32 loses, less than half a tick of any price below 5,000 yuan
_ST_LIMIT = 0.05
_OLD = 1 << 30  # days: older than any rule asks
_ST_WIDENED = np.datetime64(
    "2026-07-06"
)  # main-board names under special treatment: 5 % before, 10 % from then on


@dataclass(frozen=True)
class PriceLimits:
    """Highest and lowest price of each day; arrays of float64, shape (T, N), in the money of the bars.

    NaN where there is no limit, or where it is unknown for want of a previous close.
    """

    up: np.ndarray
    down: np.ndarray

    def at_up(self, prices: np.ndarray) -> np.ndarray:
        """Return where a price stands at its upper limit (or above): nobody need sell there."""
        return np.asarray(prices >= self.up * (1 - _SAME_PRICE))

    def at_down(self, prices: np.ndarray) -> np.ndarray:
        """Return where a price stands at its lower limit (or below): nobody need buy there."""
        return np.asarray(prices <= self.down * (1 + _SAME_PRICE))


@dataclass(frozen=True)
class OpenLocks:
    """Where the open stood at its limit; arrays of bool, shape (T, N).

    A name that opens limit-up cannot be bought then, one that opens limit-down cannot be sold.
    """

    up: np.ndarray
    down: np.ndarray


def price_limits(bars: Panel, special: np.ndarray | None = None) -> PriceLimits:
    """Return between which prices each name could trade on each day.

    Row t depends on rows up to t-1, and on `adj_factor` of row t, which is published before the open.

    Parameters
    ----------
    bars : Panel
        Daily `close` and, where known, `adj_factor`. A name that has a bar on the first row counts as long listed;
        any other is new on its first bar.
    special : array of bool, shape (T, N), optional
        Where a name was under special treatment. Without it such names are judged by their board's wider limit.

    Examples
    --------
    >>> days = np.array(["2024-03-04", "2024-03-05"], dtype="datetime64[D]")
    >>> close = np.array([[10.05], [10.30]])
    >>> limits = price_limits(Panel(days, ["600519.SH"], {"close": close, "adj_factor": np.ones((2, 1))}))
    >>> limits.up[1].tolist(), limits.down[1].tolist()
    ([11.06], [9.05])
    """
    up, down = np.empty(bars.shape), np.empty(bars.shape)
    ratios = _Ratios(bars, special)
    raw = are_raw(bars)
    for row, reference in enumerate(_references(bars)):
        ratio = ratios.on(row)
        if raw:
            ticks = np.floor(reference * 100 + _HALF_UP)
            up[row] = np.floor(ticks * (1 + ratio) + _HALF_UP) / 100
            down[row] = np.floor(ticks * (1 - ratio) + _HALF_UP) / 100
        else:
            up[row] = reference * (1 + ratio - _LOST_CENTS)
            down[row] = reference * (1 - ratio + _LOST_CENTS)
    return PriceLimits(up, down)


def locked_at_open(bars: Panel, special: np.ndarray | None = None) -> OpenLocks:
    """Return where the open stood at the day's price limit.

    Parameters
    ----------
    bars : Panel
        As for `price_limits`, and `open`.
    special : array of bool, shape (T, N), optional
    """
    limits = price_limits(bars, special)
    return OpenLocks(limits.at_up(bars["open"]), limits.at_down(bars["open"]))


def are_raw(bars: Panel) -> bool:
    """Whether prices are as they were traded: closes are whole cents, and there is a factor to adjust them with.

    A vendor's adjusted prices are scaled, so about half of them are not; one in a hundred may be a slip.
    """
    if not _has_factor(bars):
        return False
    traded = whole = 0
    for closes in bars["close"]:
        cents = closes[~np.isnan(closes)] * 100
        traded += len(cents)
        whole += int(np.count_nonzero(np.abs(cents - np.round(cents)) < _CENT_NOISE))
    return whole > 0.99 * traded


def reference_prices(bars: Panel) -> np.ndarray:
    """Return the ex-right previous close that limits are reckoned from, before rounding; shape (T, N).

    NaN before a name's second row.
    """
    reference = np.empty(bars.shape)
    for row, values in enumerate(_references(bars)):
        reference[row] = values
    return reference


def _has_factor(bars: Panel) -> bool:
    return "adj_factor" in bars and not bool(np.isnan(bars["adj_factor"]).all())


def _references(bars: Panel) -> Iterator[np.ndarray]:
    """Yield the ex-right previous close of each row, shape (N,)."""
    width = bars.shape[1]
    unknown = np.full(width, np.nan)
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


class _Ratios:
    """The limit of each symbol as a fraction, row after row; NaN where there is none."""

    def __init__(self, bars: Panel, special: np.ndarray | None) -> None:
        boards = boards_of(bars.symbols.tolist())
        names = sorted({board for board in boards if board}) or ["main"]
        self._board = np.array(
            [names.index(board) if board else len(names) for board in boards], dtype=np.intp
        )
        self._main = np.array([board == "main" for board in boards])
        self._ratio = _by_board(bars.times, names, {b.board: b.limits for b in board_limits()})
        self._free = np.nan_to_num(
            _by_board(bars.times, names, {b.board: b.free_days for b in board_limits()})
        )
        self._narrow = bars.times < _ST_WIDENED
        self._close = bars["close"]
        self._special = special
        self._age = np.where(np.isnan(self._close[0]), 0, _OLD) if len(bars) else np.zeros(0, dtype=np.intp)

    def on(self, row: int) -> np.ndarray:
        """Return the ratios of a row; rows must be asked for in order."""
        ratio = np.take(self._ratio[row], self._board)
        if self._special is not None and self._narrow[row]:
            np.copyto(ratio, _ST_LIMIT, where=self._special[row] & self._main)
        np.copyto(ratio, np.nan, where=self._age < np.take(self._free[row], self._board))
        self._age += ~np.isnan(self._close[row])
        return ratio


def _by_board(
    times: np.ndarray, boards: Sequence[str], table: dict[str, tuple[tuple[object, float], ...]]
) -> np.ndarray:
    """Return the value in force on each day, by board; a last column of NaN stands for what has no board."""
    columns = []
    for board in boards:
        starts = np.array([start for start, _ in table[board]], dtype="datetime64[D]")
        values = np.array([np.nan, *(value for _, value in table[board])], dtype=np.float64)
        columns.append(values[np.searchsorted(starts, times, side="right")])
    return np.stack([*columns, np.full(len(times), np.nan)], axis=1)
