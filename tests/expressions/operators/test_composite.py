"""Operators that others define: `delta`, `pct_change`, parts of risk factors. Indicators have tests of their own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import OPERATORS, Constant, Family, Field, Node, lookback_of
from quantflux.expressions.operators.composite import Composite, expanded
from quantflux.expressions.operators.technical.indicator import Indicator
from tests.expressions.operators.by_hand import (
    NAN,
    Case,
    Numbers,
    across,
    assert_equal,
    operators_in,
    over_time,
)

A, B = Field("a"), Field("b")

# Weights 1/2 and 1, or 1/4, 1/2 and 1, over their sums.
OVER_TIME: list[Case] = [
    ("delta(a, 2)", {"a": [1, 2, 4, NAN, 5]}, [NAN, NAN, 3, NAN, 1]),
    ("pct_change(a, 1)", {"a": [2, 3, 0, 5, NAN]}, [NAN, 0.5, -1, NAN, NAN]),
    ("ewm_std(a, 3)", {"a": [1, -1]}, [NAN, (1 - 1 / 9) ** 0.5]),  # mean -1/3, mean square 1
    # Means 1/7 and 2/7, mean squares 1/7 and 2/7, mean product 0: covariance -2/49, variances 6/49 and 10/49.
    ("ewm_beta(a, b, 3)", {"a": [1, 0, 0], "b": [0, 1, 0]}, [NAN, -1, -0.2]),
    (
        "ewm_resid_std(a, b, 3, least=3)",
        {"a": [1, 0, 0], "b": [0, 1, 0]},
        [NAN, NAN, (6 / 49 - 4 / 490) ** 0.5],
    ),
]
ACROSS: list[Case] = [
    # Nothing to cut off; the mean (1 * 1 + 2 * 1 + 3 * 2) / 4 is 2.25, the deviation 1. The last has no weight.
    ("standardize(a, b)", {"a": [1, 2, 3, 7], "b": [1, 1, 2, NAN]}, [-1.25, -0.25, 0.75, NAN]),
]


@pytest.mark.parametrize(("text", "fields", "expected"), OVER_TIME, ids=[text for text, _, _ in OVER_TIME])
def test_by_hand(text: str, fields: Mapping[str, Numbers], expected: Numbers) -> None:
    assert_equal(over_time(text, fields), expected)


@pytest.mark.parametrize(("text", "fields", "expected"), ACROSS, ids=[text for text, _, _ in ACROSS])
def test_across_by_hand(text: str, fields: Mapping[str, Numbers], expected: Numbers) -> None:
    assert_equal(across(text, fields), expected)


def test_every_operator_that_is_no_indicator_has_a_case() -> None:
    composites = {
        n for n, o in OPERATORS.items() if o.family is Family.COMPOSITE and not issubclass(o, Indicator)
    }

    assert operators_in(OVER_TIME) | operators_in(ACROSS) == composites


def test_a_composite_reads_as_far_back_as_its_definition() -> None:
    assert lookback_of(fn.delta(A, 3)) == 3
    assert lookback_of(fn.pct_change(fn.ts_mean(A, 5), 3)) == 7
    assert lookback_of(fn.ts_max(fn.delta(A, 3), 10)) == 12
    assert lookback_of(fn.ewm_std(A, 20)) is None


def test_what_a_definition_refuses_is_refused_when_the_operator_is_built() -> None:
    with pytest.raises(InvalidRequest, match="delay needs something that changes"):
        fn.delta(1, 5)
    with pytest.raises(InvalidRequest, match="delay needs something that changes"):
        fn.pct_change(1, 5)


def test_a_definition_without_an_end_is_refused() -> None:
    class Endless(Composite):
        __slots__ = ()
        arguments = OPERATORS["delta"].arguments

        def expansion(self) -> Node:
            return Endless.interned((self.inputs[0],), (int(self.parameters[0]) + 1,))

    with pytest.raises(InvalidRequest, match="does not end"):
        expanded(Endless.interned((A,), (1,)))


def test_what_is_no_composite_stands_for_itself() -> None:
    assert expanded(Constant(2)) is Constant(2)
    assert expanded(fn.delta(A, 1)) is A - fn.delay(A, 1)
