"""Operators over windows of two series, or of one series and time: rows in which both are numbers count."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.expressions.reference.answers import (
    FAINT,
    MISSING,
    TINY,
    UNDECIDED,
    Answer,
    Array,
    Cell,
    by_column,
    is_number,
)
from tests.expressions.reference.rolling import deviations, variation

FLAT = 2e-5
"""The deviation at or below which R squared is missing."""


@dataclass(frozen=True)
class Pairs:
    """The pairs of a window, and the newest row, whether or not it is a pair."""

    x: list[float]
    y: list[float]
    newest: tuple[float, float]

    def __len__(self) -> int:
        return len(self.x)


def _over_pairs(x: Array, y: Array, window: int, least: int, statistic: Callable[[Pairs], Cell]) -> Answer:
    def cells(j: int) -> Iterator[Cell]:
        for t in range(len(x)):
            rows = range(max(t - window + 1, 0), t + 1)
            both = [r for r in rows if is_number(x[r, j]) and is_number(y[r, j])]
            pairs = Pairs(
                [float(x[r, j]) for r in both],
                [float(y[r, j]) for r in both],
                (float(x[t, j]), float(y[t, j])),
            )
            yield statistic(pairs) if len(pairs) >= max(least, 2) else MISSING

    return by_column(x.shape, cells)


@dataclass(frozen=True)
class Moments:
    """Means, standard deviations (ddof=1) and the distances from the means."""

    mean_x: float
    mean_y: float
    dx: list[float]
    dy: list[float]

    @property
    def joint(self) -> float:
        return math.fsum(a * b for a, b in zip(self.dx, self.dy, strict=True))

    @property
    def std_x(self) -> float:
        return math.sqrt(math.fsum(a * a for a in self.dx) / (len(self.dx) - 1))

    @property
    def std_y(self) -> float:
        return math.sqrt(math.fsum(b * b for b in self.dy) / (len(self.dy) - 1))


def _moments(pairs: Pairs) -> Moments:
    (mean_x, dx), (mean_y, dy) = deviations(pairs.x), deviations(pairs.y)
    return Moments(mean_x, mean_y, dx, dy)


def _undecided_or_missing(*variations: bool | None) -> Cell:
    return MISSING if False in variations else UNDECIDED


def ts_corr(x: Array, y: Array, window: int, least: int, floor: float) -> Answer:
    """A correlation is of the size of 1."""

    def correlation(pairs: Pairs) -> Cell:
        vary = variation(pairs.x, floor), variation(pairs.y, floor)
        if not all(vary):
            return _undecided_or_missing(*vary)
        m = _moments(pairs)
        return m.joint / (len(pairs) - 1) / m.std_x / m.std_y, 1e-9

    return _over_pairs(x, y, window, least, correlation)


def ts_cov(x: Array, y: Array, window: int, least: int) -> Answer:
    """A covariance is of the size of the product of the deviations."""

    def covariance(pairs: Pairs) -> Cell:
        m = _moments(pairs)
        faint = FAINT * (m.std_x + m.std_y)
        return m.joint / (len(pairs) - 1), 1e-9 * m.std_x * m.std_y + faint + TINY

    return _over_pairs(x, y, window, least, covariance)


def _slope(m: Moments) -> float:
    return m.joint / (len(m.dy) - 1) / m.std_y / m.std_y


def ts_beta(x: Array, y: Array, window: int, least: int) -> Answer:
    """A slope is of the size of the quotient of the deviations."""

    def beta(pairs: Pairs) -> Cell:
        varies = variation(pairs.y)
        if not varies:
            return _undecided_or_missing(varies)
        m = _moments(pairs)
        return _slope(m), (1e-9 * m.std_x + FAINT) / m.std_y

    return _over_pairs(x, y, window, least, beta)


def ts_beta_resid(x: Array, y: Array, window: int, least: int) -> Answer:
    """A residual is of the size of the deviation of what is explained."""

    def residual(pairs: Pairs) -> Cell:
        newest_x, newest_y = pairs.newest
        if not (is_number(newest_x) and is_number(newest_y)):
            return MISSING
        varies = variation(pairs.y)
        if not varies:
            return _undecided_or_missing(varies)
        m = _moments(pairs)
        return m.dx[-1] - _slope(m) * m.dy[-1], 1e-9 * m.std_x * math.sqrt(len(pairs)) + FAINT

    return _over_pairs(x, y, window, least, residual)


def _over_time(x: Array, window: int, least: int, statistic: Callable[[Moments, Pairs], Cell]) -> Answer:
    """Apply a statistic to a window's numbers and their rows."""

    def cells(j: int) -> Iterator[Cell]:
        for t in range(len(x)):
            rows = [r for r in range(max(t - window + 1, 0), t + 1) if is_number(x[r, j])]
            numbers = [float(x[r, j]) for r in rows]
            if len(rows) < max(least, 2):
                yield MISSING
                continue
            pairs = Pairs(numbers, [float(r) for r in rows], (float(x[t, j]), float(t)))
            yield statistic(_moments(pairs), pairs)

    return by_column(x.shape, cells)


def ts_slope(x: Array, window: int, least: int) -> Answer:
    return _over_time(x, window, least, lambda m, _: (_slope(m), 1e-9 * m.std_x / m.std_y + FAINT))


def ts_rsquare(x: Array, window: int, least: int) -> Answer:
    def rsquare(m: Moments, pairs: Pairs) -> Cell:
        varies = variation(pairs.x, FLAT)
        if not varies:
            return _undecided_or_missing(varies)
        return (m.joint / (len(pairs) - 1) / m.std_x / m.std_y) ** 2, 1e-9

    return _over_time(x, window, least, rsquare)


def ts_resid(x: Array, window: int, least: int) -> Answer:
    def residual(m: Moments, pairs: Pairs) -> Cell:
        if not is_number(pairs.newest[0]):
            return MISSING
        return m.dx[-1] - _slope(m) * m.dy[-1], 1e-9 * m.std_x * math.sqrt(len(pairs)) + FAINT

    return _over_time(x, window, least, residual)


REFERENCES: Mapping[str, Callable[..., Answer]] = {
    f.__name__: f for f in (ts_corr, ts_cov, ts_beta, ts_beta_resid, ts_slope, ts_rsquare, ts_resid)
}
