"""Slow references for the moment-like kernels: every window by itself, in two passes, in extended precision."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from quantflux.expressions.kernels.contract import Kernel, run_whole
from tests.expressions.kernels.reference_order import panel

Array = np.ndarray
NAN = np.longdouble("nan")


def hard_panel(seed: int = 0, rows: int = 700) -> Array:
    """Return prices, volumes and returns with gaps, and columns made to break running sums; see the comments."""
    random = np.random.default_rng(seed)
    x = np.hstack([panel(seed, rows, 14), np.full((rows, 20), np.nan)])
    day = np.arange(rows)
    x[:, 14] = 1e3 + np.round(random.normal(0, 0.02, rows).cumsum(), 2)  # ticks of 0.01 beside 1e3
    x[:, 15] = 1e5 + np.round(random.normal(0, 0.02, rows), 2)
    x[:, 16] = np.floor(random.lognormal(20.7, 1, rows))  # volumes about 1e9
    x[:, 17] = np.floor(random.lognormal(8, 3, rows))  # volumes over six orders
    x[:, 18] = random.normal(0, 0.02, rows)
    x[:, 19] = np.where(day % 97 == 40, 1e12, random.normal(1, 0.1, rows))  # outliers between anchors
    x[:, 20] = np.where(day % 128 == 0, -1e9, random.normal(1, 0.1, rows))  # outliers where anchors are taken
    x[:, 21] = 20 * np.exp(random.normal(0, 0.2, rows).cumsum())  # far from the anchor within days
    x[:, 22] = np.where(day // 40 % 2, 17.31, 20 + random.normal(0, 0.01, rows))  # suspended, filled forward
    x[:, 23] = np.where(day // 90 % 2, 0.1, 1e7)  # constant on two levels
    x[:, 24] = np.where(random.random(rows) < 0.9, 0.3, 0.3 + 1e-9)
    x[:, 25] = random.choice([0.0, 1.0], rows, p=[0.9, 0.1])  # flags
    x[:, 26] = np.where(random.random(rows) < 0.3, 1e4 + random.normal(size=rows), np.nan)  # mostly missing
    x[day > 500, 27] = 1e5 + random.normal(0, 1e-3, rows)[day > 500]  # listed late, far from zero
    x[:, 28] = np.where(day % 7 == 3, np.inf, 5 + random.normal(size=rows))
    x[:, 29] = np.where(day == 100, 1e75, np.where(day == 300, -np.inf, 1.7))
    x[:, 30:] = 50 + random.normal(size=(rows, 4)).cumsum(axis=0)
    x[:, 18:][random.random((rows, 16)) < 0.01] = np.nan
    return x


def windows_of(x: Array, window: int) -> Array:
    """Return the trailing windows, shape (T, N, window), oldest first; NaN where there is no number below 1e70."""
    x = np.where(np.abs(x) < 1e70, x, np.nan).astype(np.longdouble)
    padded = np.vstack([np.full((window - 1, x.shape[1]), NAN), x])
    return np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)


def deviations(w: Array) -> tuple[Array, Array, Array]:
    """Return the count, the mean, and each number's distance from it (0 where missing)."""
    n = np.isfinite(w).sum(axis=-1)
    base = lowest(w)  # so that the mean is not rounded at the scale of numbers far from zero
    with np.errstate(invalid="ignore"):
        above = w - base[..., None]
        mean = np.nansum(above, axis=-1) / n
        return n, base + mean, np.nan_to_num(above - mean[..., None])


def lowest(w: Array) -> Array:
    """Return the smallest number of each window, infinity where there is none."""
    return np.where(np.isnan(w), np.inf, w).min(axis=-1)


def equal(w: Array) -> Array:
    """Return where all numbers of a window are equal."""
    highest, lowest = (
        np.where(np.isnan(w), -np.inf, w).max(axis=-1),
        np.where(np.isnan(w), np.inf, w).min(axis=-1),
    )
    return highest <= lowest


def masked(known: Array, *values: Array) -> list[Array]:
    """Return the values as float64, NaN where they are not known."""
    return [np.where(known, v, NAN).astype(float) for v in values]


def sums(x: Array, window: int, least: int) -> list[Array]:
    """Return sum, mean and count."""
    w = windows_of(x, window)
    n, mean, _ = deviations(w)
    return [*masked(n >= least, np.nansum(w, axis=-1), mean), *masked(n > 0, n)]


def moments(x: Array, window: int, least: int) -> list[Array]:
    """Return variance and standard deviation."""
    w = windows_of(x, window)
    n, _, d = deviations(w)
    with np.errstate(all="ignore"):
        variance = np.where(equal(w), 0, (d**2).sum(axis=-1) / (n - 1))
        return masked(n >= max(least, 2), variance, np.sqrt(variance))


def flat(w: Array, floor: float = 0.0) -> Array:
    """Return where a window's deviation is at most the floor, or 1e-14 of its mean."""
    n, mean, d = deviations(w)
    with np.errstate(all="ignore"):
        variance = np.where(equal(w), 0, (d**2).sum(axis=-1) / (n - 1))
        return (variance <= floor**2) | (n * (n - 1) * variance <= (1e-14 * n * mean) ** 2)


def shape(x: Array, window: int, least: int) -> list[Array]:
    """Return skewness and excess kurtosis: G1 and G2 of Joanes and Gill (1998), which pandas uses."""
    w = windows_of(x, window)
    n, _, d = deviations(w)
    with np.errstate(all="ignore"):
        m2, m3, m4 = ((d**k).sum(axis=-1) / n for k in (2, 3, 4))
        skewness = m3 / m2 ** np.longdouble(1.5) * np.sqrt(n * (n - 1.0)) / (n - 2)
        kurtosis = (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    known = ~flat(w)
    return masked(known & (n >= max(least, 3)), skewness) + masked(known & (n >= max(least, 4)), kurtosis)


def line(y: Array, x: Array) -> tuple[Array, Array, Array, Array]:
    """Return count, slope, R squared and the residual of the newest row, of windows y on windows x."""
    x = np.where(np.isnan(y), NAN, x)
    y = np.where(np.isnan(x), NAN, y)
    (n, _, dx), (_, _, dy) = deviations(x), deviations(y)
    with np.errstate(all="ignore"):
        across, joint, spread = (dx * dx).sum(axis=-1), (dx * dy).sum(axis=-1), (dy * dy).sum(axis=-1)
        slope = np.where(n >= 2, joint / across, NAN)
        residual = np.where(np.isnan(y[..., -1]), NAN, dy[..., -1] - slope * dx[..., -1])
        return n, slope, joint**2 / (across * spread), residual


def regression(y: Array, window: int, least: int) -> list[Array]:
    """Return slope, R squared and residual of the regression on time."""
    w = windows_of(y, window)
    n, slope, rsquare, residual = line(w, np.broadcast_to(np.arange(window, dtype=np.longdouble), w.shape))
    known = n >= max(least, 2)
    return masked(known, slope) + masked(known & ~flat(w, 2e-5), rsquare) + masked(known, residual)


def decay(x: Array, window: int, least: int) -> list[Array]:
    """Return the mean with weights from 1 to the window."""
    w = windows_of(x, window)
    n, mean, d = deviations(w)
    weights = np.where(np.isnan(w), 0, np.arange(1, window + 1))
    with np.errstate(invalid="ignore"):
        return masked(n >= least, mean + (weights * d).sum(axis=-1) / weights.sum(axis=-1))


def correlation(x: Array, y: Array, window: int, least: int, floor: float) -> list[Array]:
    """Return correlation and covariance over the rows where both are numbers."""
    wx, wy = windows_of(x, window), windows_of(y, window)
    wx, wy = np.where(np.isnan(wy), NAN, wx), np.where(np.isnan(wx), NAN, wy)
    (n, _, dx), (_, _, dy) = deviations(wx), deviations(wy)
    with np.errstate(all="ignore"):
        joint = (dx * dy).sum(axis=-1)
        r = joint / np.sqrt((dx * dx).sum(axis=-1) * (dy * dy).sum(axis=-1))
        covariance = joint / (n - 1)
    known = n >= max(least, 2)
    return masked(known & ~flat(wx, floor) & ~flat(wy, floor), r) + masked(known, covariance)


def beta(y: Array, x: Array, window: int, least: int) -> list[Array]:
    """Return slope and residual of the regression of y on x."""
    wx, wy = windows_of(x, window), windows_of(y, window)
    wx, wy = np.where(np.isnan(wy), NAN, wx), np.where(np.isnan(wx), NAN, wy)
    n, slope, _, residual = line(wy, wx)
    return masked((n >= max(least, 2)) & ~flat(wx), slope, residual)


def spreads(x: Array, window: int) -> Array:
    """Return the standard deviation of each window (1 where there is none): the scale of what depends on it."""
    return np.nan_to_num(moments(x, window, 2)[1], nan=1.0)


def assert_within(found: Array, expected: Array, scale: Array | float, tolerance: float = 1e-9) -> None:
    """Equal NaN masks, and errors below the tolerance times the scale."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    error = np.nan_to_num(np.abs(found - expected))
    excess = np.max(error - tolerance * np.abs(np.nan_to_num(scale)), axis=0)
    assert (excess <= 0).all(), f"beyond the tolerance by {excess.max()} in column {excess.argmax()}"


def assert_interpreted_alike(
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    kernel: Kernel,
    *inputs: Array,
    parameters: tuple[float, ...],
) -> None:
    """A kernel and all that it calls, run by the interpreter, compute what the machine code does."""
    expected = run_whole(kernel, *inputs, parameters=parameters)
    for name, value in vars(module).copy().items():
        if hasattr(value, "py_func"):
            monkeypatch.setattr(module, name, value.py_func)
    interpreted = Kernel(**{**vars(kernel), "function": kernel.function.py_func})

    with np.errstate(all="ignore"):
        found = run_whole(interpreted, *inputs, parameters=parameters, chunk=50)

    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=0, equal_nan=True)
