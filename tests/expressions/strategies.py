"""Random valid expressions over every operator there is, made from what operators say of their arguments.

`random_expression` draws from a `random.Random`, for large runs; `expressions` is the same as a Hypothesis strategy.
An operator that is added later takes part without a change here.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import operators
from quantflux.expressions.arguments import Input, Parameter
from quantflux.expressions.nodes import OPERATORS, Constant, Family, Field, Node

assert operators.rolling  # importing the operators fills OPERATORS

FIELDS = ("open", "high", "low", "close", "volume")
NUMBERS = (0.0, 1.0, 2.0, 0.5, -1.0, 1e-12, 100.0, 3.75, -0.25)


@dataclass(frozen=True)
class Shape:
    """What random expressions look like.

    Attributes
    ----------
    families : collection of Family
        Which operators take part; fields and numbers always do.
    excluded : collection of str
        Operators that do not, by name.
    depth : int
        Most operators on the way down to a field; operators defined by others count as one.
    windows : tuple of int
        Shortest and longest window or lag.
    fields, numbers : tuple
        The fields and the constants that occur.
    groups : tuple of str
        Fields that stand where an operator wants groups; empty: buckets of a field.
    """

    families: Collection[Family] = tuple(Family)
    excluded: Collection[str] = ()
    depth: int = 4
    windows: tuple[int, int] = (1, 30)
    fields: tuple[str, ...] = FIELDS
    numbers: tuple[float, ...] = NUMBERS
    groups: tuple[str, ...] = ()

    def operators(self) -> list[type[Node]]:
        """Return the operators that take part, sorted by name."""
        chosen = [o for o in OPERATORS.values() if o.family in self.families and o.family is not Family.INPUT]
        return sorted((o for o in chosen if o.name not in self.excluded), key=lambda o: o.name)


def expressions(shape: Shape | None = None) -> st.SearchStrategy[Node]:
    """Return a strategy for expressions of a shape."""
    return st.randoms(use_true_random=False).map(lambda rng: random_expression(rng, shape or Shape()))


def random_expression(rng: random.Random, shape: Shape) -> Node:
    """Return an expression that depends on at least one field."""
    return _expression(rng, shape, rng.randint(1, shape.depth))


def random_call(rng: random.Random, operator: type[Node], shape: Shape, depth: int = 1) -> Node:
    """Return an expression whose outermost operator is the given one (unless it simplifies to something else)."""
    for attempt in range(100):
        try:
            return _call(rng if attempt < 3 else random.Random(attempt), operator, shape, depth)
        except InvalidRequest:
            continue  # parameters that do not go together, such as bounds that cross; Hypothesis may insist on them
    raise AssertionError(f"no arguments for {operator.name} were found in {shape}")


def _expression(rng: random.Random, shape: Shape, depth: int) -> Node:
    if depth <= 0:
        return Field(rng.choice(shape.fields))
    return random_call(rng, rng.choice(shape.operators()), shape, depth)


def _call(rng: random.Random, operator: type[Node], shape: Shape, depth: int) -> Node:
    if operator.__new__ is not Node.__new__:  # takes as many inputs as are given
        names = ["x", "group" if operator.name.startswith("group") else "x"] + ["x"] * rng.randint(1, 2)
        return operator(*(_input(rng, shape, depth, name) for name in names))
    inputs = [a.name for a in operator.arguments if isinstance(a, Input)]
    with_number = None
    if operator.family is Family.ELEMENTWISE and len(inputs) > 1 and rng.random() < 0.3:
        with_number = rng.choice(inputs)  # one at most: numbers alone are computed at once
    given: dict[str, object] = {}
    for argument in operator.arguments:
        if isinstance(argument, Input):
            number = argument.name == with_number
            given[argument.name] = (
                Constant(rng.choice(shape.numbers)) if number else _input(rng, shape, depth, argument.name)
            )
        elif argument.default is None or rng.random() < 0.5:
            given[argument.name] = _parameter(rng, argument, shape, given)
    return operator(**given)


def _input(rng: random.Random, shape: Shape, depth: int, name: str) -> Node:
    if name == "group":
        if shape.groups:
            return Field(rng.choice(shape.groups))
        return OPERATORS["bucket"](Field(rng.choice(shape.fields)), rng.randint(2, 5))
    return _expression(rng, shape, rng.randint(0, depth - 1))


def _parameter(
    rng: random.Random, parameter: Parameter, shape: Shape, given: dict[str, object]
) -> int | float:
    low, high = parameter.low, parameter.high
    if not parameter.whole:
        fair = [n for n in shape.numbers if low <= n <= high]
        return rng.choice(
            [*fair, max(low, -5.0), min(high, 5.0), rng.uniform(max(low, -5.0), min(high, 5.0))]
        )
    if isinstance(parameter.default, str):
        return rng.randint(max(1, int(low)), int(str(given[parameter.default])))
    if (low, high) == (0, 1):
        return rng.randint(0, 1)
    return rng.randint(max(int(low), min(shape.windows[0], int(high))), min(int(high), shape.windows[1]))
