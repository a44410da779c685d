"""Alpha158 in float64, one symbol at a time: an independent judge of the rivals and of us.

Qlib's own expressions are evaluated as Qlib documents them (NaN is skipped, one number is enough, comparisons with NaN
are False, an index of an extreme counts from 1 within the window), but every step is float64, regressions and
correlations are two-pass, and nothing is kept from row to row. Slow, so it is asked for some symbols only.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_FLAT = 2e-5
"""A window whose standard deviation is at most this has no correlation and no R square."""

_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
}


def evaluate(expression: str, fields: Mapping[str, pd.Series]) -> NDArray[np.float64]:
    """Return one of Qlib's expressions over one symbol's rows, from its listing to its delisting.

    Parameters
    ----------
    expression : str
        As Qlib writes it: `Mean($close, 5)/$close`.
    fields : mapping of str to Series
        `open`, `close`, ... in float64.
    """
    tree = ast.parse(expression.replace("$", "_"), mode="eval").body
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(_value(tree, fields), dtype=np.float64)


def _value(node: ast.AST, fields: Mapping[str, pd.Series]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return fields[node.id[1:]]
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](_value(node.left, fields), _value(node.right, fields))
    if isinstance(node, ast.Compare):
        return _ARITHMETIC[type(node.ops[0])](
            _value(node.left, fields), _value(node.comparators[0], fields)
        ).astype(float)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _OPERATORS[node.func.id](*(_value(argument, fields) for argument in node.args))
    raise ValueError(f"not one of Qlib's expressions: {ast.dump(node)}")


def _rolling(x: pd.Series, window: int) -> Any:
    return x.rolling(window, min_periods=1)


def _windows(x: pd.Series, window: int) -> NDArray[np.float64]:
    """Return the last `window` values at each row, shape (T, window), NaN before the first row."""
    padded = np.concatenate([np.full(window - 1, np.nan), x.to_numpy(np.float64)])
    return sliding_window_view(padded, window)


def _std(x: pd.Series, window: int) -> pd.Series:
    """Two-pass standard deviation; NaN for fewer than two numbers."""
    seen = _windows(x, window)
    count = np.isfinite(seen).sum(axis=1)
    apart = seen - (np.nansum(seen, axis=1) / np.maximum(count, 1))[:, None]
    variance = np.nansum(apart**2, axis=1) / np.maximum(count - 1, 1)
    return pd.Series(np.where(count > 1, np.sqrt(variance), np.nan))


def _pair(
    y: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Return the means and the sums of squares and products of windows, over rows where both are numbers."""
    both = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(both.sum(axis=1), 1)
    x_mean, y_mean = (np.where(both, v, 0).sum(axis=1) / count for v in (x, y))
    dx, dy = (np.where(both, v - m[:, None], 0) for v, m in ((x, x_mean), (y, y_mean)))
    return x_mean, y_mean, ((dx * dx).sum(axis=1), (dy * dy).sum(axis=1), (dx * dy).sum(axis=1))


def _regression(x: pd.Series, window: int, part: str) -> pd.Series:
    """Regress on 1..window, where the newest row is `window`."""
    seen = _windows(x, window)
    steps = np.broadcast_to(np.arange(1.0, window + 1), seen.shape)
    x_mean, y_mean, (xx, yy, xy) = _pair(seen, steps)
    slope = xy / np.where(xx > 0, xx, np.nan)
    if part == "slope":
        return pd.Series(slope)
    if part == "residual":
        return pd.Series(x.to_numpy() - (y_mean + slope * (window - x_mean)))
    flat = _std(x, window).to_numpy() <= _FLAT
    return pd.Series(np.where(flat | (yy == 0), np.nan, xy * slope / yy))


def _corr(x: pd.Series, y: pd.Series, window: int) -> pd.Series:
    _, _, (xx, yy, xy) = _pair(_windows(y, window), _windows(x, window))
    flat = (_std(x, window).to_numpy() <= _FLAT) | (_std(y, window).to_numpy() <= _FLAT)
    product = xx * yy
    return pd.Series(np.where(flat | (product == 0), np.nan, xy / np.sqrt(product)))


def _index_of(x: pd.Series, window: int, extreme: Callable[..., NDArray[np.int64]]) -> pd.Series:
    """Return the place of an extreme in the window that is there, from 1; a NaN among numbers counts as the extreme."""
    values = x.to_numpy(np.float64)
    rows = range(len(values))
    places = pd.Series([float(extreme(values[max(t - window + 1, 0) : t + 1])) + 1 for t in rows])
    return places.where(_rolling(x, window).count().to_numpy() > 0)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Log": np.log,
    "Greater": np.maximum,
    "Less": np.minimum,
    "Ref": lambda x, n: x.shift(n),
    "Mean": lambda x, n: _rolling(x, n).mean(),
    "Sum": lambda x, n: _rolling(x, n).sum(),
    "Max": lambda x, n: _rolling(x, n).max(),
    "Min": lambda x, n: _rolling(x, n).min(),
    "Std": _std,
    "Quantile": lambda x, n, q: _rolling(x, n).quantile(q),
    "Rank": lambda x, n: _rolling(x, n).rank(pct=True),
    "Slope": lambda x, n: _regression(x, n, "slope"),
    "Resi": lambda x, n: _regression(x, n, "residual"),
    "Rsquare": lambda x, n: _regression(x, n, "square"),
    "Corr": _corr,
    "IdxMax": lambda x, n: _index_of(x, n, np.argmax),
    "IdxMin": lambda x, n: _index_of(x, n, np.argmin),
}
