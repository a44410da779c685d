"""Does a factor or label see the future on the data of an installation?

Two places could let it in: the expression (`quantflux.expressions.leaks`), and the loading of its fields, such as a
statement that counts before it was announced. Fields are loaded once with all days and once up to an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.core.symbols import is_share
from quantflux.data.access import DataAccessLayer
from quantflux.expressions.leaks import Leak, LeakCheck, check_expression, check_function
from quantflux.expressions.nodes import Node, fields_of
from quantflux.factors.fields import load_fields

_ROWS, _SYMBOLS, _CUTS = 500, 60, 4


def check_on_data(node: Node, data: DataAccessLayer) -> LeakCheck:
    """Check an expression and the fields that it reads, on the last days of some symbols.

    Raises
    ------
    NotFound
        If there are no data for it.
    InvalidRequest
        If there are fewer than 4 days of them.
    """
    return _checked(fields_of(node), data, partial(check_expression, node))


def check_python_on_data(
    function: Callable[[Panel], np.ndarray], fields: Sequence[str], data: DataAccessLayer
) -> LeakCheck:
    """Check a factor written in Python, and the fields that it reads, in the same way.

    Parameters
    ----------
    function : callable
        From a panel of the fields to an array of its shape. Whatever it raises becomes an `InvalidRequest`.
    """
    name = getattr(function, "__name__", "the function")

    def compute(panel: Panel) -> dict[str, np.ndarray]:
        try:
            return {name: np.asarray(function(panel), dtype=np.float64)}
        except Exception as error:  # somebody's own code may raise anything
            raise InvalidRequest(f"{name} failed: {type(error).__name__}: {error}") from error

    return _checked(fields, data, partial(check_function, compute))


def _checked(fields: Sequence[str], data: DataAccessLayer, check: Callable[[Panel], LeakCheck]) -> LeakCheck:
    """Check the loading of fields, and then what is computed from them."""
    panel = _sample(data, fields)
    loaded = _check_fields(data, panel)
    if loaded.leak is not None:
        return loaded
    found = check(panel)
    return replace(found, values=found.values + loaded.values)


def _sample(data: DataAccessLayer, fields: Sequence[str]) -> Panel:
    known = data.symbols()
    symbols = [symbol for symbol in known if is_share(symbol)] or known
    step = max(len(symbols) // _SYMBOLS, 1)
    panel = load_fields(data, fields, symbols=symbols[::step][:_SYMBOLS]).panel
    if len(panel) < 4:
        raise InvalidRequest(f"a check needs at least 4 days of data, found {len(panel)}")
    first = panel.times[max(len(panel) - _ROWS, 0)]
    return panel.select(start=first)


def _check_fields(data: DataAccessLayer, panel: Panel) -> LeakCheck:
    """Load the fields again without the last days, and compare."""
    values = 0
    rows = np.unique(np.linspace(len(panel) // 3, len(panel) - 2, _CUTS).astype(int)).tolist()
    for row in rows:
        until = panel.times[row]
        earlier = load_fields(
            data, list(panel), panel.symbols.tolist(), start=str(panel.times[0]), end=str(until)
        ).panel
        for name in panel:
            before, after = panel[name][: row + 1], earlier[name]
            values += before.size
            differs = ~((before == after) | (np.isnan(before) & np.isnan(after)))
            if differs.any():
                i, j = np.argwhere(differs)[-1].tolist()
                leak = Leak(
                    name,
                    "truncation",
                    str(panel.times[i]),
                    str(panel.symbols[j]),
                    str(until),
                    float(before[i, j]),
                    float(after[i, j]),
                )
                return LeakCheck(leak, values, len(rows))
    return LeakCheck(None, values, len(rows))
