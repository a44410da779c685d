"""Who could not be bought or sold at the open, because the price stood at its limit.

1. The reference is the previous close, carried over suspensions and adjusted for the day's ex-rights event by the
   change of `adj_factor`, rounded to the cent as the exchange publishes it.
2. The limit is the reference times (1 +- ratio), rounded half up to the cent; the ratio depends on board, date and
   special treatment (`_ratios`).
3. Names in their first days without limit are never locked.

Prices that came already adjusted have lost their cents (`are_raw`). There the open is compared as a return, with a
tolerance of 0.15 %, what rounding to the cent can hide at about 3 yuan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.gaps import carried_forward
from quantflux.core.panel import Panel
from quantflux.rules.boards import board_limits, boards_of

_HALF_CENT = 0.005
_LOST_CENTS = 0.0015
_CENT_NOISE = 0.01  # of a cent: more than binary fractions lose, far less than scaling moves
_ST_LIMIT = 0.05
_OLD = 1 << 30  # days: older than any rule asks
_ST_WIDENED = np.datetime64(
    "2026-07-06"
)  # main-board names under special treatment: 5 % before, 10 % from then on


@dataclass(frozen=True)
class OpenLocks:
    """Where the open stood at its limit; arrays of bool, shape (T, N).

    A name that opens limit-up cannot be bought then, one that opens limit-down cannot be sold.
    """

    up: np.ndarray
    down: np.ndarray


def locked_at_open(raw: Panel, special: np.ndarray | None = None) -> OpenLocks:
    """Return where the open stood at the day's price limit.

    Parameters
    ----------
    raw : Panel
        Daily `open`, `close` and, where known, `adj_factor`.
    special : array of bool, shape (T, N), optional
        Where a name was under special treatment. Without it such names are judged by their board's wider limit.
    """
    ratio, opening = _ratios(raw, special), raw["open"]
    reference = _reference(raw)
    with np.errstate(invalid="ignore"):
        if are_raw(raw):
            reference = _cents(reference)
            up = opening > _cents(reference * (1 + ratio)) - _HALF_CENT
            down = opening < _cents(reference * (1 - ratio)) + _HALF_CENT
        else:
            move = opening / reference - 1
            up, down = move > ratio - _LOST_CENTS, move < _LOST_CENTS - ratio
    return OpenLocks(up, down)


def are_raw(bars: Panel) -> bool:
    """Whether prices are as they were traded: closes are whole cents, and there is a factor to adjust them with.

    A vendor's adjusted prices are scaled, so about half of them are not; one in a hundred may be a slip.
    """
    close = bars["close"][~np.isnan(bars["close"])] * 100
    whole = np.abs(close - np.round(close)) < _CENT_NOISE
    return _has_factor(bars) and bool(np.count_nonzero(whole) > 0.99 * len(whole))


def _has_factor(bars: Panel) -> bool:
    return "adj_factor" in bars and not bool(np.isnan(bars["adj_factor"]).all())


def _cents(price: np.ndarray) -> np.ndarray:
    """Round half up to the cent; the small addend undoes binary fractions such as 1.005 stored as 1.00499."""
    return np.asarray(np.floor(price * 100 + 0.5 + 1e-6) / 100)


def _reference(raw: Panel) -> np.ndarray:
    """Return the ex-right previous close."""
    close = carried_forward(raw["close"])
    previous = np.full_like(close, np.nan)
    previous[1:] = close[:-1]
    if not _has_factor(raw):
        return previous
    factor = carried_forward(raw["adj_factor"])
    step = np.ones_like(factor)
    np.divide(factor[:-1], factor[1:], out=step[1:], where=~np.isnan(factor[:-1]))
    return np.asarray(previous * step)


def _ratios(raw: Panel, special: np.ndarray | None) -> np.ndarray:
    """Return the limit of each day and symbol as a fraction; NaN where there is none."""
    boards = boards_of(raw.symbols.tolist())
    ratio = _by_board(raw.times, boards, {b.board: b.limits for b in board_limits()})
    if special is not None:
        main = np.array([board == "main" for board in boards])
        narrow = special & main & (raw.times < _ST_WIDENED)[:, None]
        ratio = np.where(narrow, _ST_LIMIT, ratio)
    free = _by_board(raw.times, boards, {b.board: b.free_days for b in board_limits()})
    age = _age(raw["close"])
    return np.where(age < np.nan_to_num(free), np.nan, ratio)


def _by_board(
    times: np.ndarray, boards: Sequence[str | None], table: dict[str, tuple[tuple[object, float], ...]]
) -> np.ndarray:
    columns = {}
    for board, rows in table.items():
        starts = np.array([start for start, _ in rows], dtype="datetime64[D]")
        values = np.array([np.nan, *(value for _, value in rows)], dtype=np.float64)
        columns[board] = values[np.searchsorted(starts, times, side="right")]
    nothing = np.full(len(times), np.nan)
    return np.stack([columns.get(board or "", nothing) for board in boards], axis=1)


def _age(close: np.ndarray) -> np.ndarray:
    """Return how many days each name had traded before; names there from the first row on count as old."""
    traded = ~np.isnan(close)
    days = np.cumsum(traded, axis=0) - traded
    return np.where(traded[0], _OLD, days)
