"""Does anything see the future? Found by taking the future away, and by changing it.

A value of row t may depend on rows up to t. So for some rows t:

* **truncation**: computed on rows 0 .. t alone, rows 0 .. t must come out the same, bit for bit;
* **perturbation**: computed with the rows behind t shuffled, scaled or missing, they must, too.

For an expression every node is compared, inputs before what uses them, so the first that differs is where the future
comes in. A label must depend on exactly the rows that its leads name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions.labels import evaluate_label, horizon_of
from quantflux.expressions.nodes import Family, Node, topological
from quantflux.expressions.text import to_text

Compute = Callable[[Panel], Mapping[str, np.ndarray]]
"""From a panel to named arrays of its shape, inputs before what uses them."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A value that depends on what came after it.

    Attributes
    ----------
    node : str
        The first part of the computation whose value changed.
    test : {"truncation", "perturbation"}
    time, symbol : str
        Of the value.
    known_until : str
        The last row that both computations shared.
    with_future, without_future : float
    """

    node: str
    test: str
    time: str
    symbol: str
    known_until: str
    with_future: float
    without_future: float


@dataclass(frozen=True, slots=True)
class LeakCheck:
    """What was checked and found.

    Attributes
    ----------
    leak : Leak or None
    values : int
        Values compared.
    cuts : int
        Rows after which the future was taken away or changed.
    horizon : int
        Rows ahead that were allowed: those of a label.
    """

    leak: Leak | None
    values: int
    cuts: int
    horizon: int = 0


def check_expression(node: Node, panel: Panel, *, cuts: int = 6, seed: int = 0) -> LeakCheck:
    """Check a factor or a label; see the module's text.

    Parameters
    ----------
    panel : Panel
        Some data; a few hundred rows and some dozen symbols tell as much as all.
    cuts : int
        How many rows to cut at.
    """
    horizon = horizon_of(node)
    parts = [n for n in topological([node]) if n.family is not Family.INPUT]
    if not parts:
        parts = [node]

    def compute(data: Panel) -> dict[str, np.ndarray]:
        return {f"{i}": evaluate_label(part, data, threads=1) for i, part in enumerate(parts)}

    allowed = {f"{i}": horizon_of(part) for i, part in enumerate(parts)}
    found = check_function(compute, panel, cuts=cuts, seed=seed, allowed=allowed)
    if found.leak is None:
        return LeakCheck(None, found.values, found.cuts, horizon)
    place = to_text(parts[int(found.leak.node)])
    leak = found.leak
    named = Leak(
        place, leak.test, leak.time, leak.symbol, leak.known_until, leak.with_future, leak.without_future
    )
    return LeakCheck(named, found.values, found.cuts, horizon)


def check_function(
    compute: Compute,
    panel: Panel,
    *,
    cuts: int = 6,
    seed: int = 0,
    allowed: Mapping[str, int] | None = None,
) -> LeakCheck:
    """Check any computation, such as a factor written in Python.

    Parameters
    ----------
    allowed : mapping of str to int, optional
        By name, how many rows ahead an array may look; 0 unless given.
    """
    if len(panel) < 4:
        raise InvalidRequest(f"a check needs at least 4 rows, the panel has {len(panel)}")
    ahead = allowed or {}
    random = np.random.default_rng(seed)
    whole = compute(panel)
    _check_shapes(whole, panel)
    rows = np.unique(np.linspace(len(panel) // 3, len(panel) - 2, cuts).astype(int))
    values = 0
    for row in rows.tolist():
        for test, changed in (
            ("truncation", _truncated(panel, row)),
            ("perturbation", _perturbed(panel, row, random)),
        ):
            other = compute(changed)
            _check_shapes(other, changed)
            for name, array in whole.items():
                known = max(row + 1 - ahead.get(name, 0), 0)
                before, after = array[:known], np.asarray(other[name])[:known]
                values += before.size
                differs = ~((before == after) | (np.isnan(before) & np.isnan(after)))
                if differs.any():
                    return LeakCheck(_leak(name, test, panel, row, differs, before, after), values, len(rows))
    return LeakCheck(None, values, len(rows))


def _leak(
    name: str, test: str, panel: Panel, row: int, differs: np.ndarray, before: np.ndarray, after: np.ndarray
) -> Leak:
    i, j = np.argwhere(differs)[-1].tolist()
    return Leak(
        name,
        test,
        str(panel.times[i]),
        str(panel.symbols[j]),
        str(panel.times[row]),
        float(before[i, j]),
        float(after[i, j]),
    )


def _check_shapes(arrays: Mapping[str, np.ndarray], panel: Panel) -> None:
    for name, array in arrays.items():
        if np.shape(array) != panel.shape:
            raise InvalidRequest(
                f"{name} must have the panel's shape {panel.shape} (times, symbols), had {np.shape(array)}"
            )


def _truncated(panel: Panel, row: int) -> Panel:
    return Panel(panel.times[: row + 1], panel.symbols, {n: a[: row + 1] for n, a in panel.fields.items()})


def _perturbed(panel: Panel, row: int, random: np.random.Generator) -> Panel:
    """Return the panel with another future: its rows shuffled, every value scaled, some missing."""
    fields = {}
    for name, array in panel.fields.items():
        future = random.permutation(array[row + 1 :], axis=0) * random.uniform(
            0.5, 2.0, array[row + 1 :].shape
        )
        future[random.random(future.shape) < 0.2] = np.nan
        fields[name] = np.concatenate([array[: row + 1], future])
    return Panel(panel.times, panel.symbols, fields)
