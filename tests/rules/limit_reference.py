"""Price limits once more: slow, exact, one share at a time, and by rules written down here a second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil, floor

REFORM, REGISTRATION, ST_REFORM = date(2020, 8, 24), date(2023, 4, 10), date(2026, 7, 6)


@dataclass(frozen=True)
class Day:
    """One day of one share; `close` is None without a trade, `shares` what one share of the start has become."""

    day: date
    close: Fraction | None
    shares: Fraction
    special: bool
    delisting: bool


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def ratio_of(board: str, day: date, special: bool) -> Fraction:
    if board == "bse":
        return Fraction(30, 100)
    if board == "star" or (board == "chinext" and day >= REFORM):
        return Fraction(20, 100)
    if board in ("main", "b_share") and special and day < ST_REFORM:
        return Fraction(5, 100)
    return Fraction(10, 100)


def free_days_of(board: str, listed: date) -> int:
    five = {"star": date.min, "chinext": REFORM, "main": REGISTRATION}
    return 5 if board in five and listed >= five[board] else 1


def limits_of(
    board: str, tick: Fraction, days: Sequence[Day]
) -> list[tuple[Fraction, Fraction] | tuple[None, None]]:
    """Return the upper and lower limit of each day, None where there is none."""
    last: tuple[Fraction, Fraction] | None = None
    free = 0
    old = days[0].close is not None
    seen = False
    found: list[tuple[Fraction, Fraction] | tuple[None, None]] = []
    for i, now in enumerate(days):
        if now.close is not None and not seen:
            seen = True
            free = 0 if old else free_days_of(board, now.day)
        if now.delisting and (i == 0 or not days[i - 1].delisting) and now.day >= date(2020, 12, 31):
            free = max(free, 1)
        if last is None or free > 0:
            found.append((None, None))
        else:
            reference = half_up(last[0] * last[1] / now.shares / tick)
            ratio = ratio_of(board, now.day, now.special)
            high, low = reference * (1 + ratio), reference * (1 - ratio)
            up, down = (floor(high), ceil(low)) if board == "bse" else (half_up(high), half_up(low))
            found.append((max(up, reference + 1) * tick, max(min(down, reference - 1), 1) * tick))
        if now.close is not None:
            last = (now.close, now.shares)
            free = max(free - 1, 0)
    return found
