"""Operators over windows of one series: each window by itself, sums by `math.fsum`, which rounds once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tests.expressions.reference.answers import (
    FAINT,
    LARGEST,
    MISSING,
    ROUNDING,
    TINY,
    UNDECIDED,
    Answer,
    Array,
    Cell,
    by_column,
    is_number,
)

Statistic = Callable[[list[float]], Cell]

CONSTANT = 1e-14
"""Numbers with a deviation below this part of their mean vary by rounding alone."""

SMALLEST = 1e-70
"""A deviation at or below this one counts as none, because its fourth power vanishes."""


def _windows(column: Sequence[float], window: int) -> Iterator[list[float]]:
    for t in range(len(column)):
        yield [float(v) for v in column[max(t - window + 1, 0) : t + 1]]


def _over_windows(x: Array, window: int, least: int, statistic: Statistic, limit: float = LARGEST) -> Answer:
    """Apply a statistic to the numbers of each window that holds enough of them."""

    def cells(j: int) -> Iterator[Cell]:
        for cut in _windows(x[:, j], window):
            numbers = [v for v in cut if abs(v) < limit]
            yield statistic(numbers) if len(numbers) >= max(least, 1) else MISSING

    return by_column(x.shape, cells)


def deviations(numbers: Sequence[float]) -> tuple[float, list[float]]:
    """Return the mean and the distances from it, both without the rounding of large equal parts."""
    base = numbers[0]
    shift = math.fsum(v - base for v in numbers) / len(numbers)
    distances = [(v - base) - shift for v in numbers]
    left = math.fsum(distances) / len(numbers)
    return base + shift + left, [d - left for d in distances]


def variance_of(numbers: Sequence[float]) -> float:
    if min(numbers) == max(numbers):
        return 0.0
    return math.fsum(d * d for d in deviations(numbers)[1]) / (len(numbers) - 1)


def variation(numbers: Sequence[float], floor: float = 0.0) -> bool | None:
    """Whether numbers vary, their deviation above a floor and above rounding; None if they are at the threshold."""
    if len(numbers) < 2 or min(numbers) == max(numbers):
        return False
    mean, distances = deviations(numbers)
    squares = math.fsum(d * d for d in distances)
    sample, population = math.sqrt(squares / (len(numbers) - 1)), math.sqrt(squares / len(numbers))
    noise = CONSTANT * abs(mean)
    ratios = (sample / max(floor, SMALLEST), population / noise if noise else math.inf)
    if any(0.5 < ratio < 2 for ratio in ratios) and abs(ratios[0] - 1) < 1e-6:
        return None
    if 0.3 < ratios[1] < 3:
        return None
    return min(ratios) > 1


def _running(x: Array, window: int, least: int, mean: bool) -> Answer:
    """A running sum may keep a trace of numbers that have left: the roundings of their roundings."""
    rows = window + max(128, 4 * window)  # since the sums were added up anew, at the most

    def cells(j: int) -> Iterator[Cell]:
        for t, cut in enumerate(_windows(x[:, j], window)):
            numbers = [v for v in cut if is_number(v)]
            if len(numbers) < max(least, 1):
                yield MISSING
                continue
            recent = [abs(v) for v in x[max(t - rows, 0) : t + 1, j] if is_number(v)]
            total = math.fsum(numbers)
            yield (total / len(numbers) if mean else total), 2.0**-99 * math.fsum(recent) + TINY

    return by_column(x.shape, cells)


def ts_sum(x: Array, window: int, least: int) -> Answer:
    return _running(x, window, least, mean=False)


def ts_mean(x: Array, window: int, least: int) -> Answer:
    return _running(x, window, least, mean=True)


def ts_count(x: Array, window: int) -> Answer:
    counted = _over_windows(x, window, 1, lambda numbers: (float(len(numbers)), 0.0))
    return Answer.exactly(counted.values)


def ts_var(x: Array, window: int, least: int) -> Answer:
    return _over_windows(x, window, max(least, 2), lambda v: (variance_of(v), TINY))


def ts_std(x: Array, window: int, least: int) -> Answer:
    return _over_windows(x, window, max(least, 2), lambda v: (math.sqrt(variance_of(v)), math.sqrt(TINY)))


def _shape(statistic: Callable[[int, float, float, float], float], scale: float) -> Statistic:
    """Return a statistic of the count and the second to fourth central moments; its floor is its usual size."""

    def of(numbers: list[float]) -> Cell:
        varies = variation(numbers)
        if not varies:
            return UNDECIDED if varies is None else MISSING
        n = len(numbers)
        distances = deviations(numbers)[1]
        unit = math.sqrt(math.fsum(d * d for d in distances) / n)  # so that no power over- or underflows
        m3, m4 = (math.fsum((d / unit) ** k for d in distances) / n for k in (3, 4))
        return statistic(n, 1.0, m3, m4), 1e-9 * scale * n

    return of


def ts_skew(x: Array, window: int, least: int) -> Answer:
    """G1 of Joanes and Gill (1998)."""
    skew = _shape(lambda n, m2, m3, m4: math.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5, 1.0)
    return _over_windows(x, window, max(least, 3), skew)


def ts_kurt(x: Array, window: int, least: int) -> Answer:
    """G2 of Joanes and Gill (1998)."""

    def excess(n: int, m2: float, _: float, m4: float) -> float:
        return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)

    return _over_windows(x, window, max(least, 4), _shape(excess, 1.0))


def ts_mad(x: Array, window: int, least: int) -> Answer:
    """The mean is rounded like the numbers themselves, so the floor is some units in their last place."""

    def mad(numbers: list[float]) -> Cell:
        if min(numbers) == max(numbers):
            return 0.0, 0.0
        distances = deviations(numbers)[1]
        return math.fsum(map(abs, distances)) / len(numbers), 16 * ROUNDING * max(map(abs, numbers))

    return _over_windows(x, window, least, mad)


def ts_product(x: Array, window: int, least: int) -> Answer:
    """Undecided where a product of some of the numbers is beyond what a float can hold: the order decides then."""

    def product(numbers: list[float]) -> Cell:
        sizes = [math.log2(abs(v)) if v else -math.inf for v in numbers]
        if sum(s for s in sizes if s > 0) > 1020:
            return UNDECIDED
        faded = sum(s for s in sizes if s < 0) < -1020
        return (0.0 if 0.0 in numbers else math.prod(numbers)), (
            math.inf if faded and 0.0 not in numbers else TINY
        )

    return _over_windows(x, window, least, product)


def _extreme(x: Array, window: int, least: int, choose: Callable[[list[float]], float]) -> Answer:
    """An extreme may be any finite number, but only those that can be added up count towards `least`."""
    out = np.full(x.shape, np.nan)
    for j in range(x.shape[1]):
        for t, cut in enumerate(_windows(x[:, j], window)):
            numbers = [v for v in cut if not math.isnan(v)]
            enough = sum(map(is_number, numbers)) >= least if least > 1 else bool(numbers)
            out[t, j] = choose(numbers) if enough else np.nan
    return Answer.exactly(out)


def ts_max(x: Array, window: int, least: int) -> Answer:
    return _extreme(x, window, least, max)


def ts_min(x: Array, window: int, least: int) -> Answer:
    return _extreme(x, window, least, min)


def _arg_extreme(
    x: Array, window: int, least: int, gaps: int, better: Callable[[float, float], bool]
) -> Answer:
    out = np.full(x.shape, np.nan)
    for j in range(x.shape[1]):
        known = np.flatnonzero(~np.isnan(x[:, j]))
        for t in range(int(known[0]) if len(known) else len(x), len(x)):
            oldest = max(t - window + 1, int(known[0]))
            cut = [float(v) for v in x[oldest : t + 1, j]]
            numbers = [v for v in cut if not math.isnan(v)]
            if not numbers or (least > 1 and sum(map(is_number, numbers)) < least):
                continue
            missing = [k for k, v in enumerate(cut) if math.isnan(v)]
            best = next(k for k, v in enumerate(cut) if not math.isnan(v))
            for k, v in enumerate(cut):
                best = k if better(v, cut[best]) else best
            out[t, j] = 1 + (missing[0] if gaps and missing else best)
    return Answer.exactly(out)


def ts_argmax(x: Array, window: int, least: int, gaps: int) -> Answer:
    return _arg_extreme(x, window, least, gaps, lambda new, old: new > old)


def ts_argmin(x: Array, window: int, least: int, gaps: int) -> Answer:
    return _arg_extreme(x, window, least, gaps, lambda new, old: new < old)


def ts_rank(x: Array, window: int, least: int) -> Answer:
    """Any finite number has a rank."""
    out = np.full(x.shape, np.nan)
    for j in range(x.shape[1]):
        for t, cut in enumerate(_windows(x[:, j], window)):
            numbers = [v for v in cut if not math.isnan(v)]
            newest = cut[-1]
            if not math.isnan(newest) and len(numbers) >= least:
                below, equal = sum(v < newest for v in numbers), sum(v == newest for v in numbers)
                out[t, j] = (below + (equal + 1) / 2) / len(numbers)
    return Answer.exactly(out)


def quantile_of(numbers: Sequence[float], q: float) -> Cell:
    """Return the quantile between the two numbers next to it; its floor allows for the rounding of its place."""
    ordered = sorted(numbers)
    place = q * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 1)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    share = place - below
    value = low if low == high or share == 0 else low * (1 - share) + high * share
    near = ordered[max(below - 1, 0)], high
    return value, 1e-13 * max(map(abs, near))


def ts_quantile(x: Array, window: int, q: float, least: int) -> Answer:
    return _over_windows(x, window, least, lambda numbers: quantile_of(numbers, q), np.inf)


def ts_median(x: Array, window: int, least: int) -> Answer:
    return ts_quantile(x, window, 0.5, least)


def delay(x: Array, rows: int) -> Answer:
    out = np.full(x.shape, np.nan)
    for t in range(rows, len(x)):
        out[t] = x[t - rows]
    return Answer.exactly(out)


def lead(x: Array, rows: int) -> Answer:
    out = np.full(x.shape, np.nan)
    for t in range(len(x) - rows):
        out[t] = x[t + rows]
    return Answer.exactly(out)


def decay_linear(x: Array, window: int, least: int) -> Answer:
    """Sums about an anchor leave an error of a small part of the deviation, and the rounding of the anchor."""

    def cells(j: int) -> Iterator[Cell]:
        for cut in _windows(x[:, j], window):
            weights = range(window - len(cut) + 1, window + 1)
            pairs = [(w, v) for w, v in zip(weights, cut, strict=True) if is_number(v)]
            if len(pairs) < max(least, 1):
                yield MISSING
                continue
            numbers = [v for _, v in pairs]
            value = math.fsum(w * v for w, v in pairs) / sum(w for w, _ in pairs)
            spread = math.sqrt(variance_of(numbers)) if len(numbers) > 1 else 0.0
            yield value, 1e-9 * spread + 8 * ROUNDING * max(map(abs, numbers)) + FAINT

    return by_column(x.shape, cells)


REFERENCES: Mapping[str, Callable[..., Answer]] = {
    f.__name__: f
    for f in (
        ts_sum, ts_mean, ts_count, ts_var, ts_std, ts_skew, ts_kurt, ts_mad, ts_product, ts_max, ts_min, ts_argmax,
        ts_argmin, ts_rank, ts_quantile, ts_median, delay, lead, decay_linear,
    )
}  # fmt: skip
