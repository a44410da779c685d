"""Plain pandas on wide tables, as the well-known scripts for Alpha101 are written: one call for each operator.

Formulas are text in calls (`ts_mean(close, 5)`). A formula that occurs in another one is computed once, which those
scripts do not do.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.rivals.protocol import Market, claim_output, serve

FIELDS = ("open", "high", "low", "close", "volume", "vwap", "amount")


def _extreme(where: Callable[..., Any]) -> Callable[[pd.DataFrame, int], pd.DataFrame]:
    """Return a rolling place of the extreme, from 1; the window must be full."""
    return lambda x, n: x.rolling(n).apply(where, raw=True) + 1


def _decay_linear(x: pd.DataFrame, window: int) -> pd.DataFrame:
    weights = np.arange(1, window + 1) / (window * (window + 1) / 2)
    values = np.full(x.shape, np.nan)
    values[window - 1 :] = sliding_window_view(x.to_numpy(), window, axis=0) @ weights
    return pd.DataFrame(values, x.index, x.columns)


def _product(x: pd.DataFrame, window: int) -> pd.DataFrame:
    values = np.full(x.shape, np.nan)
    values[window - 1 :] = sliding_window_view(x.to_numpy(), window, axis=0).prod(axis=-1)
    return pd.DataFrame(values, x.index, x.columns)


def _where(condition: Any, x: Any, y: Any) -> pd.DataFrame:
    return pd.DataFrame(np.where(condition != 0, x, y), condition.index, condition.columns)


def _fill(x: pd.DataFrame, value: float, since: pd.DataFrame) -> pd.DataFrame:
    """Fill what is no number, wherever the symbol was listed."""
    listed = since.notna().cummax()
    return x.where(np.isfinite(x) | ~listed, value)


OPERATORS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "power": lambda x, y: x**y,
    "max": np.maximum,
    "min": np.minimum,
    "gt": lambda x, y: (x > y) * 1.0,
    "ge": lambda x, y: (x >= y) * 1.0,
    "eq": lambda x, y: (x == y) * 1.0,
    "and_": lambda x, y: ((x != 0) & (y != 0)) * 1.0,
    "or_": lambda x, y: ((x != 0) | (y != 0)) * 1.0,
    "not_": lambda x: (x == 0) * 1.0,
    "abs": np.abs,
    "sign": np.sign,
    "log": np.log,
    "where": _where,
    "fill_after": _fill,
    "rank": lambda x: x.rank(axis=1, pct=True),
    "scale": lambda x: x.div(x.abs().sum(axis=1), axis=0),
    "delay": lambda x, n: x.shift(n),
    "ts_mean": lambda x, n: x.rolling(n).mean(),
    "ts_sum": lambda x, n: x.rolling(n).sum(),
    "ts_std": lambda x, n: x.rolling(n).std(),
    "ts_min": lambda x, n: x.rolling(n).min(),
    "ts_max": lambda x, n: x.rolling(n).max(),
    "ts_rank": lambda x, n: x.rolling(n).rank(pct=True),
    "ts_corr": lambda x, y, n: x.rolling(n).corr(y),
    "ts_cov": lambda x, y, n: x.rolling(n).cov(y),
    "ts_argmax": _extreme(np.argmax),
    "ts_argmin": _extreme(np.argmin),
    "ts_product": _product,
    "decay_linear": _decay_linear,
}


class PandasDriver:
    """A set of formulas on one thread."""

    def __init__(self, market: Market, expressions: dict[str, str]) -> None:
        self.expressions = expressions
        self.about = {"version": f"pandas {pd.__version__}"}
        index = pd.DatetimeIndex(market.sessions.astype("datetime64[ns]"))
        self.fields = {
            name: pd.DataFrame(np.array(market.field(name)), index, market.symbols) for name in FIELDS
        }
        self.values: dict[str, np.ndarray] = {}

    def compute(self) -> None:
        """Evaluate every formula; results are kept as 4-byte floats, steps as long as another formula needs them."""
        trees = {name: ast.parse(text, mode="eval").body for name, text in self.expressions.items()}
        uses: dict[str, int] = {}
        for tree in trees.values():
            _count_uses(tree, uses)
        memory: dict[str, pd.DataFrame] = {}
        with np.errstate(all="ignore"):
            for name, tree in trees.items():
                self.values[name] = self._value(tree, uses, memory).to_numpy(np.float32)

    def _value(self, node: ast.expr, uses: dict[str, int], memory: dict[str, pd.DataFrame]) -> Any:
        if isinstance(node, ast.Name):
            return self.fields[node.id]
        if not isinstance(node, ast.Call):
            return ast.literal_eval(node)
        key = ast.unparse(node)
        if key not in memory:
            assert isinstance(node.func, ast.Name)
            memory[key] = OPERATORS[node.func.id](*(self._value(a, uses, memory) for a in node.args))
        uses[key] -= 1
        return memory[key] if uses[key] else memory.pop(key)

    def drop(self) -> None:
        """Forget the arrays."""
        self.values = {}

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the factors."""
        yield from self.values.items()


def _count_uses(node: ast.expr, uses: dict[str, int]) -> None:
    """Count how often each call is needed: what is inside it only once."""
    if isinstance(node, ast.Call):
        key = ast.unparse(node)
        uses[key] = uses.get(key, 0) + 1
        if uses[key] == 1:
            for argument in node.args:
                _count_uses(argument, uses)


def main() -> None:
    """Serve one set of formulas."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--market", type=Path, required=True)
    parser.add_argument("--expressions", type=Path, required=True, help="JSON: formulas by name")
    chosen = parser.parse_args()
    output = claim_output()
    start = time.perf_counter()
    expressions = json.loads(chosen.expressions.read_text(encoding="utf-8"))
    serve(PandasDriver(Market(chosen.market), expressions), output, time.perf_counter() - start)


if __name__ == "__main__":
    main()
