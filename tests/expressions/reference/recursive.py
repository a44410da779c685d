"""Operators that depend on all rows so far: walked through a symbol at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from tests.expressions.reference.answers import (
    MISSING,
    ROUNDING,
    TINY,
    Answer,
    Array,
    Cell,
    by_column,
    is_number,
)


def ema(x: Array, span: int, adjust: int, least: int) -> Answer:
    """Each step rounds like the mean before it and the number that arrives, and later steps let that fade.

    pandas is no oracle here: its versions 3.0 and 3.1 weigh numbers behind a gap in another way for a span of 3 alone.
    """
    keep = 1 - 2 / (span + 1)
    arriving = 1.0 if adjust else 1 - keep

    def cells(j: int) -> Iterator[Cell]:
        mean, floor, count, weight = math.nan, 0.0, 0, 0.0
        for value in x[:, j].tolist():
            weight *= keep
            if is_number(value):
                total = weight + arriving
                before = mean if count else 0.0
                mean = (weight * before + arriving * value) / total
                floor = floor * weight / total + 8 * ROUNDING * (abs(before) + abs(value)) + TINY
                weight = total if adjust else 1.0
                count += 1
            yield (mean, floor) if count >= max(least, 1) else MISSING

    return by_column(x.shape, cells)


def _smoothed(x: Array, weight: float, seed: int) -> Answer:
    """Return weight * x + (1 - weight) * the mean before, from the mean of the first `seed` numbers on."""

    def cells(j: int) -> Iterator[Cell]:
        first: list[float] = []
        mean, floor = math.nan, 0.0
        for value in x[:, j].tolist():
            if not is_number(value):
                yield MISSING
                continue
            if len(first) < seed:
                first.append(value)
                mean, floor = math.fsum(first) / seed, ROUNDING * math.fsum(map(abs, first))
            else:
                floor = (1 - weight) * floor + 8 * ROUNDING * (abs(mean) + abs(value))
                mean = weight * value + (1 - weight) * mean
            yield (mean, floor + TINY) if len(first) == seed else MISSING

    return by_column(x.shape, cells)


def sma(x: Array, n: int, m: int) -> Answer:
    return _smoothed(x, m / n, 1)


def wilder(x: Array, window: int) -> Answer:
    return _smoothed(x, 1 / window, window)


def seeded_ema(x: Array, window: int) -> Answer:
    return _smoothed(x, 2 / (window + 1), window)


def cumsum(x: Array) -> Answer:
    """Each addition rounds like the sum."""

    def cells(j: int) -> Iterator[Cell]:
        seen: list[float] = []
        floor = 0.0
        for value in x[:, j].tolist():
            if not is_number(value):
                yield MISSING
                continue
            seen.append(value)
            total = math.fsum(seen)
            floor += 2 * ROUNDING * (abs(total) + abs(value))
            yield total, floor

    return by_column(x.shape, cells)


def last_known(x: Array, limit: int) -> Answer:
    out = np.full(x.shape, np.nan)
    for j in range(x.shape[1]):
        for t in range(len(x)):
            oldest = 0 if limit == 0 else max(t - limit, 0)
            known = [v for v in x[oldest : t + 1, j].tolist() if not math.isnan(v)]
            out[t, j] = known[-1] if known else np.nan
    return Answer.exactly(out)


def fill_after(x: Array, since: Array, value: float) -> Answer:
    out = x.copy()
    for j in range(x.shape[1]):
        for t in range(len(x)):
            if math.isnan(x[t, j]) and not np.isnan(since[: t + 1, j]).all():
                out[t, j] = value
    return Answer.exactly(out)


REFERENCES: Mapping[str, Callable[..., Answer]] = {
    f.__name__: f for f in (ema, sma, wilder, seeded_ema, cumsum, last_known, fill_after)
}
