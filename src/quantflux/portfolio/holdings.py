"""Lists that a portfolio file names: what is held, a benchmark's weights, expected returns, members of a universe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quantflux.core.errors import InvalidRequest, UnknownSymbol
from quantflux.core.lists import Column, a_number, a_symbol, a_weight, read_list


def a_count_of_shares(text: str) -> float:
    """Read a whole number of shares from 0."""
    shares = a_number(text.replace(",", ""))
    if shares < 0 or shares != int(shares):
        raise ValueError("valid is a whole number of shares from 0")
    return shares


def read_holdings(path: Path) -> dict[str, float]:
    """Return the shares held of each symbol: a CSV file with `symbol` and `shares`.

    Raises
    ------
    InvalidRequest
        If the file is wrong, or a symbol stands in it twice.
    """
    return _by_symbol(path, "shares", a_count_of_shares)


def read_weights(path: Path) -> dict[str, float]:
    """Return the weights of a benchmark: a CSV file with `symbol` and `weight`, which add up to 1.

    Raises
    ------
    InvalidRequest
        If the file is wrong, a symbol stands in it twice, or the weights add up to something else.
    """
    weights = _by_symbol(path, "weight", a_weight)
    total = sum(weights.values())
    if abs(total - 1) > 1e-3:
        raise InvalidRequest(f"{path}: the weights add up to {total:.6g}; valid is 1")
    return {symbol: weight / total for symbol, weight in weights.items()}


def read_expectations(path: Path) -> dict[str, float]:
    """Return expected returns of a year: a CSV file with `symbol` and `expected_return`, fractions."""
    return _by_symbol(path, "expected_return", a_number)


def read_members(path: Path) -> set[str]:
    """Return the symbols that a CSV file lists."""
    return set(read_list(path, {"symbol": a_symbol})["symbol"])


def laid_on(values: dict[str, float], symbols: Sequence[str], source: str) -> np.ndarray:
    """Return values on an axis of symbols, 0 where there is none; `UnknownSymbol` for those that it lacks."""
    place = {symbol: i for i, symbol in enumerate(symbols)}
    missing = sorted(symbol for symbol, value in values.items() if value and symbol not in place)
    if missing:
        raise UnknownSymbol(missing, f"{source}: the data up to the day")
    made = np.zeros(len(symbols))
    for symbol, value in values.items():
        if symbol in place:
            made[place[symbol]] = value
    return made


def _by_symbol(path: Path, column: str, read: Column) -> dict[str, float]:
    found = read_list(path, {"symbol": a_symbol, column: read})
    symbols = found["symbol"]
    twice = sorted(symbol for symbol, count in Counter(symbols).items() if count > 1)
    if twice:
        raise InvalidRequest(f"{path}: {', '.join(twice[:5])} stands there more than once")
    return dict(zip(symbols, found[column], strict=True))
