"""What every operator must have and do, whatever it means."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions import functions, parse
from quantflux.expressions.arguments import Input
from quantflux.expressions.nodes import OPERATORS, Family, Field, Node, lookback_of
from quantflux.expressions.program.lowering import lower
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.run import Shape as Cut
from tests.expressions.program.runs import Array, assert_same_bits, compute, fed, named, rows_of
from tests.expressions.reference.panels import hard_panel, tame_panel
from tests.expressions.strategies import Shape, random_call

SHAPE = Shape(excluded=("lead",), windows=(2, 12), groups=("industry",))
NAMES = [operator.name for operator in SHAPE.operators()]
ROWS = 110


@cache
def calls(name: str, count: int = 2) -> tuple[Node, ...]:
    """Some calls of an operator on fields, with random parameters."""
    rng = random.Random(name)
    return tuple(random_call(rng, OPERATORS[name], SHAPE) for _ in range(count))


def every_call() -> dict[str, Node]:
    return {f"{name} {i}": node for name in NAMES for i, node in enumerate(calls(name))}


def test_there_are_many() -> None:
    assert len(NAMES) > 130


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_is_documented(name: str) -> None:
    """By a docstring of its own, whose first line is a sentence: it stands in the handbook."""
    doc = OPERATORS[name].__dict__.get("__doc__") or ""

    assert len(doc.split("\n")[0]) >= len("-x.")
    assert doc.rstrip().endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_can_be_reached_by_its_name(name: str) -> None:
    operator = OPERATORS[name]

    assert getattr(functions, name) is operator
    assert operator.name == name
    assert operator.family in Family


def test_functions_are_the_operators_and_nothing_else() -> None:
    public = {
        n for n, value in vars(functions).items() if isinstance(value, type) and issubclass(value, Node)
    }

    assert public == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_can_be_computed(name: str) -> None:
    """There is a rule that turns it into steps, or a definition by operators that have one."""
    for node in calls(name):
        graph, values = lower({"x": node})
        assert values["x"].step < len(graph.steps)


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_names_its_arguments_in_an_error(name: str) -> None:
    operator = OPERATORS[name]
    if operator.__new__ is not Node.__new__:
        pytest.skip("takes any number of expressions")
    first = next(a.name for a in operator.arguments if isinstance(a, Input))

    with pytest.raises(InvalidRequest, match=rf"{name}\(.*: {first} is missing"):
        operator()
    with pytest.raises(InvalidRequest, match="has no argument called 'colour'"):
        operator(Field("close"), colour=1)
    with pytest.raises(InvalidRequest, match=f"takes {len(operator.arguments)} arguments, was given 20"):
        operator(*[Field("close")] * 20)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return hard_panel(21, ROWS, 9)


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(every_call())


@pytest.fixture(scope="module")
def whole(program: Program, panel: Panel) -> Array:
    return fed(program, panel)[0]


@pytest.mark.parametrize("known", [1, 2, 40, 109])
def test_the_past_never_changes(program: Program, panel: Panel, whole: Array, known: int) -> None:
    """What every operator says of the first rows does not depend on the rows behind them."""
    found, _ = fed(program, rows_of(panel, 0, known))

    assert_same_bits(found, whole[:, :known], list(every_call()))


def test_the_past_never_changes_with_another_future(program: Program, panel: Panel, whole: Array) -> None:
    known = 60
    fields = {}
    for name, array in panel.fields.items():
        future = np.flip(array[known:], axis=0)
        fields[name] = np.concatenate([array[:known], np.where(np.isnan(future), 3.0, -7 * future)])

    found, _ = fed(program, Panel(panel.times, panel.symbols, fields), Cut(33, 4, 1))

    assert_same_bits(found[:, :known], whole[:, :known], list(every_call()))


def test_nothing_is_infinite(whole: Array) -> None:
    assert not np.isinf(whole).any()


def test_every_operator_gives_numbers_on_a_market(program: Program) -> None:
    values, _ = fed(program, tame_panel(21, ROWS, 13))
    there = {
        node.name for node, v in zip(every_call().values(), values, strict=True) if not np.isnan(v).all()
    }

    assert {node.name for node in every_call().values()} == there


WINDOWED = [name for name in NAMES if any(lookback_of(node) for node in calls(name))]
"""Operators that look back on some rows, not on all."""


@pytest.mark.parametrize("name", WINDOWED)
def test_the_lookback_is_how_far_back_a_value_depends_on_rows(name: str) -> None:
    """A row that is changed shows at most `lookback` rows later, and with plain windows at some place just then.

    Up to rounding: running sums keep a trace of what has left them. The positions of `ts_argmax` and `ts_argmin` count
    from a symbol's first number, so the changed row is not that.
    """
    panel = tame_panel(3, 90, 30)
    for node in calls(name):
        assert _last_change(node, panel, 25) <= 25 + (lookback_of(node) or 0)
    plain = _plain_call(name)
    assert _last_change(plain, panel, 25) == 25 + (lookback_of(plain) or 0)


def _plain_call(name: str) -> Node:
    """Return a call with the windows and shares that it must be given, and fields."""
    operator, numbers = OPERATORS[name], {"window": 5, "rows": 4, "q": 0.3}
    named_alike = {"group": "industry", "opened": "open", "x": "close", "y": "volume"}
    given: list[object] = []
    for argument in operator.arguments:
        if isinstance(argument, Input):
            given.append(Field(named_alike.get(argument.name, argument.name)))
        elif argument.default is None:
            given.append(numbers[argument.name])
    return operator(*given)


def _last_change(node: Node, panel: Panel, changed: int) -> int:
    """Return the last row that differs once a row of all fields is other numbers, or missing."""
    (before,) = compute([node], panel)
    scale = 1e-9 * np.nanmax(np.abs(before), initial=0.0)
    last = changed
    for change in (_thrice, lambda x: np.full_like(x, np.nan)):
        (after,) = compute([node], _with_row(panel, changed, change))
        same = np.isclose(after, before, rtol=1e-9, atol=scale, equal_nan=True)
        rows = np.flatnonzero(~same.all(axis=1))
        assert rows.min(initial=changed) >= changed
        last = max(last, int(rows.max(initial=0)))
    return last


def _thrice(x: Array) -> Array:
    return 3 * x + 1


def _with_row(panel: Panel, row: int, change: Callable[[Array], Array]) -> Panel:
    fields = {}
    for name, array in panel.fields.items():
        fields[name] = array.copy()
        fields[name][row] = change(array[row])
    return Panel(panel.times, panel.symbols, fields)


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_that_looks_across_symbols_says_so(name: str) -> None:
    """Others give a symbol the same bits whoever stands beside it."""
    panel = tame_panel(6, 40, 9)
    alone = Panel(panel.times, panel.symbols[:4], {n: a[:, :4] for n, a in panel.fields.items()})
    nodes = calls(name)
    beside, by_itself = compute(nodes, panel)[:, :, :4], compute(nodes, alone)

    if _looks_across(nodes):
        assert not np.array_equal(beside, by_itself, equal_nan=True)
    else:
        assert_same_bits(by_itself, beside, [name] * len(nodes))


def _looks_across(nodes: tuple[Node, ...]) -> bool:
    return any(rows for _, rows in Program(named(nodes)).schedule.phases)


def test_a_label_is_no_factor() -> None:
    with pytest.raises(InvalidRequest, match="lead"):
        Program({"x": parse("lead(close, 1) / close")})
