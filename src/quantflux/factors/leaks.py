"""Does a factor or label see the future on the data of an installation?

Two places could let it in: the expression (`quantflux.expressions.leaks`), and the loading of its fields, such as a
statement that counts before it was announced. Fields are loaded once with all days and once up to an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.expressions.leaks import Leak, LeakCheck, check_expression, check_function
from quantflux.expressions.nodes import Node, fields_of
from quantflux.factors.fields import load_fields

_ROWS, _SYMBOLS, _CUTS = 500, 60, 4


def check_on_data(node: Node, data: DataAccessLayer) -> LeakCheck:
    """Check an expression and the fields that it reads, on the last days of some symbols."""
    panel = _sample(data, fields_of(node))
    fields = _check_fields(data, panel)
    if fields.leak is not None:
        return fields
    found = check_expression(node, panel)
    return LeakCheck(found.leak, found.values + fields.values, found.cuts, found.horizon)


def check_python_on_data(
    function: Callable[[Panel], np.ndarray], fields: tuple[str, ...], data: DataAccessLayer
) -> LeakCheck:
    """Check a factor written in Python: a function from a panel of fields to an array of its shape."""
    name = getattr(function, "__name__", "the function")
    return check_function(
        lambda panel: {name: np.asarray(function(panel), dtype=np.float64)}, _sample(data, fields)
    )


def _sample(data: DataAccessLayer, fields: tuple[str, ...]) -> Panel:
    symbols = data.symbols()
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
