"""Infinite numbers: none comes out, whatever goes in; those of a field are missing.

Panels that are loaded hold none. One that was made in Python may, by a division by zero.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from quantflux.core.panel import Panel
from quantflux.expressions import functions as fn
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import OPERATORS, Family, Field, Node
from quantflux.expressions.program.run import Shape as Cut
from tests.expressions.program.runs import assert_same_bits, compute
from tests.expressions.reference.panels import panel_of, tame_panel
from tests.expressions.strategies import FIELDS, Shape, random_call, random_expression

CLOSE = Field("close")
SHAPE = Shape(excluded=("lead",), windows=(1, 9), groups=("industry",))
EXTREMES = (0.0, -0.0, 1.0, -1.0, 1e-320, -1e-300, 1e-160, 1e160, -1e160, 1e75, 1e300, -1.7e308, 1.7e308)


def every_call() -> dict[str, Node]:
    return {
        f"{operator.name} {i}": random_call(random.Random(f"{operator.name} {i}"), operator, SHAPE)
        for operator in SHAPE.operators()
        for i in range(2)
    }


def extreme_panel(seed: int, rows: int = 60, columns: int = 7) -> Panel:
    """Zeros and numbers of the largest and smallest magnitudes, side by side and one after the other."""
    rng = np.random.default_rng(seed)
    fields = {}
    for name in FIELDS:
        chosen = rng.choice(EXTREMES, rng.integers(2, len(EXTREMES) + 1), replace=False)
        fields[name] = rng.choice([*chosen, np.nan], (rows, columns))
    return panel_of(fields | {"industry": rng.choice([0.0, 1.0, np.nan], (rows, columns))})


@pytest.mark.parametrize("seed", range(6))
def test_nothing_infinite_comes_out(seed: int) -> None:
    calls = every_call()

    values = compute(list(calls.values()), extreme_panel(seed), Cut(20, 4, 1))

    names = np.array(list(calls))
    assert not set(names[np.isinf(values).any(axis=(1, 2))])


@pytest.mark.parametrize("seed", range(4))
def test_nothing_infinite_comes_out_of_random_expressions(seed: int) -> None:
    rng = random.Random(seed)
    roots = [random_expression(rng, Shape(excluded=("lead",), windows=(1, 9))) for _ in range(100)]

    values = compute(roots, extreme_panel(seed + 10), Cut(64, 8, 1))

    infinite = np.isinf(values).any(axis=(1, 2))
    assert [repr(root) for root, found in zip(roots, infinite, strict=True) if found] == []


def test_nothing_infinite_comes_out_as_float32() -> None:
    calls = {name: node for name, node in every_call().items() if node.family is Family.ELEMENTWISE}

    values = evaluate(calls, extreme_panel(20), dtype=np.float32)

    assert not any(np.isinf(values[name]).any() for name in calls)


def test_an_infinite_number_of_a_field_is_missing_to_every_operator() -> None:
    panel = tame_panel(9, 60, 9)
    rng = np.random.default_rng(9)
    infinite, missing = {}, {}
    for name, array in panel.fields.items():
        hit = rng.random(array.shape) < 0.1
        infinite[name] = np.where(hit, rng.choice([np.inf, -np.inf], array.shape), array)
        missing[name] = np.where(hit, np.nan, array)
    calls = every_call() | {"field": CLOSE, "delay": fn.delay(CLOSE, 3)}

    found = compute(list(calls.values()), Panel(panel.times, panel.symbols, infinite), Cut(25, 4, 1))
    expected = compute(list(calls.values()), Panel(panel.times, panel.symbols, missing))

    assert_same_bits(found, expected, list(calls))


@pytest.mark.parametrize("name", ["row_sum", "row_mean", "demean", "row_std", "scale", "zscore"])
def test_a_row_that_overflows_is_missing_or_finite(name: str) -> None:
    panel = panel_of({"close": np.array([[1.7e308, 1.7e308, -1.0, np.nan]])})

    (values,) = compute([OPERATORS[name](CLOSE)], panel)

    assert not np.isinf(values).any()
    assert np.isnan(values[0, 3])
