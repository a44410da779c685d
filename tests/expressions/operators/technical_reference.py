"""The indicators again, for one symbol, in plain Python: slow, and written from the books, not from our operators.

A series is a list with None for missing rows. Each function follows the rules of `operators.technical`: the result is
missing on missing rows, smoothing passes over them, and a window must be full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Series = list[float | None]


def each(function: Callable[..., float | None], *series: Series) -> Series:
    """Apply a function to each row in which nothing is missing; what is not finite is missing."""
    out: Series = []
    for row in zip(*series, strict=True):
        try:
            value = None if None in row else function(*row)
        except ZeroDivisionError:
            value = None
        out.append(value if value is not None and math.isfinite(value) else None)
    return out


def rolling(function: Callable[..., float | None], window: int, *series: Series) -> Series:
    """Apply a function to each window that is full of numbers, oldest first."""
    out: Series = []
    for t in range(len(series[0])):
        parts = [s[t - window + 1 : t + 1] if t + 1 >= window else [None] for s in series]
        missing = any(value is None for part in parts for value in part)
        try:
            value = None if missing else function(*parts)
        except ZeroDivisionError:
            value = None
        out.append(value)
    return out


def before(x: Series, rows: int) -> Series:
    return [None] * min(rows, len(x)) + x[: max(len(x) - rows, 0)]


def previous(x: Series) -> Series:
    """Return, for each row, the last number of the rows before."""
    out: Series = []
    last: float | None = None
    for value in x:
        out.append(last)
        last = value if value is not None else last
    return out


def smoothed(x: Series, weight: float, start: int) -> Series:
    """Exponential mean over the numbers, started by the simple mean of the first `start` of them."""
    out: Series = []
    first: list[float] = []
    level = 0.0
    for value in x:
        if value is None:
            out.append(None)
            continue
        if len(first) < start:
            first.append(value)
            level = sum(first) / start
        else:
            level = level * (1 - weight) + weight * value
        out.append(level if len(first) == start else None)
    return out


def wilder(x: Series, n: int) -> Series:
    return smoothed(x, 1 / n, n)


def ema(x: Series, n: int) -> Series:
    return smoothed(x, 2 / (n + 1), n)


def chinese_sma(x: Series, n: int, m: int) -> Series:
    return smoothed(x, m / n, 1)


def running_sum(x: Series) -> Series:
    out: Series = []
    total = 0.0
    for value in x:
        total += value if value is not None else 0.0
        out.append(total if value is not None else None)
    return out


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (len(values) - 1))


def moving(x: Series, n: int) -> Series:
    return rolling(mean, n, x)


def summed(x: Series, n: int) -> Series:
    return rolling(math.fsum, n, x)


def dema(x: Series, n: int) -> Series:
    return each(lambda a, b: 2 * a - b, ema(x, n), ema(ema(x, n), n))


def tema(x: Series, n: int) -> Series:
    return each(lambda a, b, c: 3 * (a - b) + c, ema(x, n), ema(ema(x, n), n), ema(ema(ema(x, n), n), n))


def trix(x: Series, n: int) -> Series:
    thrice = ema(ema(ema(x, n), n), n)
    return each(lambda now, then: 100 * (now - then) / then, thrice, previous(thrice))


def bias(x: Series, n: int) -> Series:
    return rolling(lambda w: 100 * (w[-1] - mean(w)) / mean(w), n, x)


def bbi(x: Series) -> Series:
    return rolling(lambda w: mean([mean(w[-n:]) for n in (3, 6, 12, 24)]), 24, x)


def macd(x: Series, fast: int, slow: int) -> Series:
    return each(lambda a, b: a - b, ema(x, fast), ema(x, slow))


def macd_signal(x: Series, fast: int, slow: int, signal: int) -> Series:
    return ema(macd(x, fast, slow), signal)


def macd_hist(x: Series, fast: int, slow: int, signal: int) -> Series:
    return each(lambda a, b: 2 * (a - b), macd(x, fast, slow), macd_signal(x, fast, slow, signal))


def ppo(x: Series, fast: int, slow: int) -> Series:
    return each(lambda a, b: 100 * (a - b) / b, ema(x, fast), ema(x, slow))


def boll_middle(x: Series, n: int) -> Series:
    return moving(x, n)


def boll_upper(x: Series, n: int, k: float) -> Series:
    return rolling(lambda w: mean(w) + k * deviation(w), n, x)


def boll_lower(x: Series, n: int, k: float) -> Series:
    return rolling(lambda w: mean(w) - k * deviation(w), n, x)


def boll_width(x: Series, n: int, k: float) -> Series:
    return rolling(lambda w: 2 * k * deviation(w) / mean(w), n, x)


def percent_b(x: Series, n: int, k: float) -> Series:
    return rolling(lambda w: ((w[-1] - mean(w)) / (k * deviation(w)) + 1) / 2, n, x)


def true_range(high: Series, low: Series, close: Series) -> Series:
    return each(lambda h, lo, p: max(h - lo, abs(h - p), abs(lo - p)), high, low, previous(close))


def atr(high: Series, low: Series, close: Series, n: int) -> Series:
    return wilder(true_range(high, low, close), n)


def natr(high: Series, low: Series, close: Series, n: int) -> Series:
    return each(lambda a, c: 100 * a / c, atr(high, low, close, n), close)


def _directed(high: Series, low: Series, close: Series, n: int, upward: bool) -> Series:
    def movement(h: float, lo: float, h0: float, l0: float) -> float:
        up, down = h - h0, l0 - lo
        if upward:
            return up if up > down and up > 0 else 0.0
        return down if down > up and down > 0 else 0.0

    moves = each(movement, high, low, previous(high), previous(low))
    return each(lambda m, a: 100 * m / a, wilder(moves, n), atr(high, low, close, n))


def plus_di(high: Series, low: Series, close: Series, n: int) -> Series:
    return _directed(high, low, close, n, upward=True)


def minus_di(high: Series, low: Series, close: Series, n: int) -> Series:
    return _directed(high, low, close, n, upward=False)


def dx(high: Series, low: Series, close: Series, n: int) -> Series:
    plus, minus = plus_di(high, low, close, n), minus_di(high, low, close, n)
    return each(lambda p, m: 100 * abs(p - m) / (p + m), plus, minus)


def adx(high: Series, low: Series, close: Series, n: int) -> Series:
    return wilder(dx(high, low, close, n), n)


def adxr(high: Series, low: Series, close: Series, n: int) -> Series:
    strength = adx(high, low, close, n)
    return each(lambda a, b: (a + b) / 2, strength, before(strength, n - 1))


def aroon_up(high: Series, n: int) -> Series:
    return rolling(lambda w: 100 * w.index(max(w)) / n, n + 1, high)


def aroon_down(low: Series, n: int) -> Series:
    return rolling(lambda w: 100 * w.index(min(w)) / n, n + 1, low)


def aroon_osc(high: Series, low: Series, n: int) -> Series:
    return each(lambda a, b: a - b, aroon_up(high, n), aroon_down(low, n))


def momentum(x: Series, n: int) -> Series:
    return each(lambda a, b: a - b, x, before(x, n))


def roc(x: Series, n: int) -> Series:
    return each(lambda a, b: 100 * (a - b) / b, x, before(x, n))


def _gains_and_losses(x: Series, n: int) -> tuple[Series, Series]:
    changes = each(lambda a, b: a - b, x, previous(x))
    return wilder(each(lambda c: max(c, 0.0), changes), n), wilder(each(lambda c: max(-c, 0.0), changes), n)


def rsi(x: Series, n: int) -> Series:
    return each(lambda g, lo: 100 * g / (g + lo), *_gains_and_losses(x, n))


def cmo(x: Series, n: int) -> Series:
    return each(lambda g, lo: 100 * (g - lo) / (g + lo), *_gains_and_losses(x, n))


def stoch_fast_k(high: Series, low: Series, close: Series, n: int) -> Series:
    def place(h: list[float], lo: list[float], c: list[float]) -> float:
        return 100 * (c[-1] - min(lo)) / (max(h) - min(lo))

    return rolling(place, n, high, low, close)


def stoch_fast_d(high: Series, low: Series, close: Series, n: int, d: int) -> Series:
    return moving(stoch_fast_k(high, low, close, n), d)


def stoch_slow_k(high: Series, low: Series, close: Series, n: int, k: int) -> Series:
    return moving(stoch_fast_k(high, low, close, n), k)


def stoch_slow_d(high: Series, low: Series, close: Series, n: int, k: int, d: int) -> Series:
    return moving(stoch_slow_k(high, low, close, n, k), d)


def kdj_k(high: Series, low: Series, close: Series, n: int, k: int) -> Series:
    return chinese_sma(stoch_fast_k(high, low, close, n), k, 1)


def kdj_d(high: Series, low: Series, close: Series, n: int, k: int, d: int) -> Series:
    return chinese_sma(kdj_k(high, low, close, n, k), d, 1)


def kdj_j(high: Series, low: Series, close: Series, n: int, k: int, d: int) -> Series:
    return each(lambda a, b: 3 * a - 2 * b, kdj_k(high, low, close, n, k), kdj_d(high, low, close, n, k, d))


def wr(high: Series, low: Series, close: Series, n: int) -> Series:
    def place(h: list[float], lo: list[float], c: list[float]) -> float:
        return -100 * (max(h) - c[-1]) / (max(h) - min(lo))

    return rolling(place, n, high, low, close)


def cci(high: Series, low: Series, close: Series, n: int) -> Series:
    typical = each(lambda h, lo, c: (h + lo + c) / 3, high, low, close)
    return rolling(lambda w: (w[-1] - mean(w)) / (0.015 * mean([abs(v - mean(w)) for v in w])), n, typical)


def ultimate_osc(high: Series, low: Series, close: Series, short: int, medium: int, long: int) -> Series:
    last = previous(close)
    pressure = each(lambda lo, c, p: c - min(lo, p), low, close, last)
    spans = true_range(high, low, close)
    sums = [(summed(pressure, n), summed(spans, n)) for n in (short, medium, long)]
    return each(
        lambda a, b, c, d, e, f: 100 * (4 * a / b + 2 * c / d + e / f) / 7,
        *(s for pair in sums for s in pair),
    )


def psy(x: Series, n: int) -> Series:
    rises = each(lambda a, b: float(a > b), x, previous(x))
    return rolling(lambda w: 100 * sum(w) / n, n, rises)


def ar(opened: Series, high: Series, low: Series, n: int) -> Series:
    return each(
        lambda a, b: 100 * a / b,
        summed(each(lambda o, h: h - o, opened, high), n),
        summed(each(lambda o, lo: o - lo, opened, low), n),
    )


def br(high: Series, low: Series, close: Series, n: int) -> Series:
    last = previous(close)
    up = each(lambda h, p: max(h - p, 0.0), high, last)
    down = each(lambda lo, p: max(p - lo, 0.0), low, last)
    return each(lambda a, b: 100 * a / b, summed(up, n), summed(down, n))


def cr(high: Series, low: Series, n: int) -> Series:
    middle = previous(each(lambda h, lo: (h + lo) / 2, high, low))
    up = each(lambda h, p: max(h - p, 0.0), high, middle)
    down = each(lambda lo, p: max(p - lo, 0.0), low, middle)
    return each(lambda a, b: 100 * a / b, summed(up, n), summed(down, n))


def obv(close: Series, volume: Series) -> Series:
    def signed(c: float, p: float, v: float) -> float:
        if c > p:
            return v
        return -v if c < p else 0.0

    return running_sum(each(signed, close, previous(close), volume))


def pvt(close: Series, volume: Series) -> Series:
    return running_sum(each(lambda c, p, v: v * (c - p) / p, close, previous(close), volume))


def _location(high: Series, low: Series, close: Series) -> Series:
    return each(lambda h, lo, c: ((c - lo) - (h - c)) / (h - lo) if h > lo else 0.0, high, low, close)


def ad_line(high: Series, low: Series, close: Series, volume: Series) -> Series:
    return running_sum(each(lambda a, v: a * v, _location(high, low, close), volume))


def adosc(high: Series, low: Series, close: Series, volume: Series, fast: int, slow: int) -> Series:
    line = ad_line(high, low, close, volume)
    means = [smoothed(line, 2 / (n + 1), 1) for n in (fast, slow)]
    return each(lambda a, b: a - b, *means)


def cmf(high: Series, low: Series, close: Series, volume: Series, n: int) -> Series:
    flow = each(lambda a, v: a * v, _location(high, low, close), volume)
    return each(lambda a, b: a / b, summed(flow, n), summed(volume, n))


def mfi(high: Series, low: Series, close: Series, volume: Series, n: int) -> Series:
    typical = each(lambda h, lo, c: (h + lo + c) / 3, high, low, close)
    last = previous(typical)
    inflow = each(lambda p, q, v: p * v if p > q else 0.0, typical, last, volume)
    outflow = each(lambda p, q, v: p * v if p < q else 0.0, typical, last, volume)
    return each(lambda a, b: 100 * a / (a + b), summed(inflow, n), summed(outflow, n))


def vr(close: Series, volume: Series, n: int) -> Series:
    last = previous(close)
    up = summed(each(lambda c, p, v: v if c > p else 0.0, close, last, volume), n)
    down = summed(each(lambda c, p, v: v if c < p else 0.0, close, last, volume), n)
    level = summed(each(lambda c, p, v: v if c == p else 0.0, close, last, volume), n)
    return each(lambda a, b, c: 100 * (2 * a + c) / (2 * b + c), up, down, level)


def emv(high: Series, low: Series, volume: Series, n: int) -> Series:
    both, span = each(lambda h, lo: h + lo, high, low), each(lambda h, lo: h - lo, high, low)
    move = each(lambda a, b: 100 * (a - b) / a, both, previous(both))
    thin = each(lambda a, b: a / b, moving(volume, n), volume)
    wide = each(lambda a, b: a / b, span, moving(span, n))
    return moving(each(lambda a, b, c: a * b * c, move, thin, wide), n)
