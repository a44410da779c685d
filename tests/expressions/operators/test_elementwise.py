"""Arithmetic, comparison and logic, each by hand: ordinary numbers, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import Constant, parse
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import OPERATORS, Family, Field
from tests.expressions.operators.by_hand import NAN, Case, Numbers, assert_equal, operators_in, over_time

A, B = Field("a"), Field("b")

CASES: list[Case] = [
    ("a + b", {"a": [1, -2, NAN, 1e308], "b": [0.5, 2, 1, 1e308]}, [1.5, 0, NAN, NAN]),  # the last overflows
    ("a - b", {"a": [1, -2, 3, -1e308], "b": [0.5, 2, NAN, 1e308]}, [0.5, -4, NAN, NAN]),
    ("a * b", {"a": [3, -2, NAN, 1e200], "b": [0.5, 0, 0, 1e200]}, [1.5, 0, NAN, NAN]),
    ("a / b", {"a": [3, 1, 0, NAN, 1e200], "b": [2, 0, 0, 1, 1e-200]}, [1.5, NAN, NAN, NAN, NAN]),
    # (-8) ** (1/3) and 0 ** -1 are no real numbers; a missing operand counts even where NumPy says 1.
    (
        "a ** b",
        {"a": [2, -2, 4, -8, 0, 0, 1, NAN, 10], "b": [3, 2, 0.5, 1 / 3, -1, 0, NAN, 0, 400]},
        [8, 4, 2, NAN, NAN, 1, NAN, NAN, NAN],
    ),
    # sign(-4) * 4 ** 0.5; 0 ** 0 is 1, times the sign of 0.
    (
        "signed_power(a, b)",
        {"a": [4, -4, 0, 0, NAN, 1, 0], "b": [0.5, 0.5, 2, 0, 0, NAN, -1]},
        [2, -2, 0, 0, NAN, NAN, NAN],
    ),
    ("max(a, b)", {"a": [1, 5, NAN, 1], "b": [2, -5, 1, NAN]}, [2, 5, NAN, NAN]),
    ("min(a, b)", {"a": [1, 5, NAN, 1], "b": [2, -5, 1, NAN]}, [1, -5, NAN, NAN]),
    ("a > b", {"a": [1, 2, 3, NAN, 1], "b": [2, 2, 2, 2, NAN]}, [0, 0, 1, NAN, NAN]),
    ("a >= b", {"a": [1, 2, 3, NAN, 1], "b": [2, 2, 2, 2, NAN]}, [0, 1, 1, NAN, NAN]),
    ("a == b", {"a": [1, 2, 0.1 + 0.2, NAN, NAN], "b": [2, 2, 0.3, 2, NAN]}, [0, 1, 0, NAN, NAN]),
    ("a != b", {"a": [1, 2, 0.1 + 0.2, NAN, NAN], "b": [2, 2, 0.3, 2, NAN]}, [1, 0, 1, NAN, NAN]),
    ("a and b", {"a": [1, 0, -2, NAN, 0], "b": [0.5, 1, 0, 1, NAN]}, [1, 0, 0, NAN, NAN]),
    ("a or b", {"a": [1, 0, -2, NAN, 1], "b": [0.5, 0, 0, 1, NAN]}, [1, 0, 1, NAN, NAN]),
    ("not a", {"a": [0, 1, -0.5, NAN]}, [1, 0, 0, NAN]),
    ("-a", {"a": [1, -2.5, 0, NAN]}, [-1, 2.5, 0, NAN]),
    ("abs(a)", {"a": [1, -2.5, 0, NAN]}, [1, 2.5, 0, NAN]),
    ("sign(a)", {"a": [3, -2.5, 0, -1e-300, NAN]}, [1, -1, 0, -1, NAN]),
    ("log(a)", {"a": [1, math.e**2, 0, -1, NAN]}, [0, 2, NAN, NAN, NAN]),
    (
        "exp(a)",
        {"a": [0, 1, -1000, 710, NAN]},
        [1, math.e, 0, NAN, NAN],
    ),  # e ** 710 is beyond the largest float
    ("sqrt(a)", {"a": [4, 0, -1, NAN]}, [2, 0, NAN, NAN]),
    ("tanh(a)", {"a": [0, 1000, -1000, math.log(3) / 2, NAN]}, [0, 1, -1, 0.5, NAN]),
    ("floor(a)", {"a": [1.7, -1.2, 3, 1e20, -1e300, NAN]}, [1, -2, 3, 1e20, -1e300, NAN]),
    ("clip(a, -1, 2)", {"a": [-5, -1, 0.5, 2, 7, NAN]}, [-1, -1, 0.5, 2, 2, NAN]),
    # What is not chosen may be missing.
    (
        "where(a, b, c)",
        {"a": [1, 0, -2, NAN, 1, 0], "b": [10, 11, 12, 13, NAN, NAN], "c": [20, 21, 22, 23, 24, 25]},
        [10, 21, 12, NAN, NAN, 25],
    ),
    ("mask(a, b)", {"a": [1, 2, NAN, 4], "b": [0, NAN, 3, -1]}, [1, NAN, NAN, 4]),
]


@pytest.mark.parametrize(("text", "fields", "expected"), CASES, ids=[text for text, _, _ in CASES])
def test_by_hand(text: str, fields: Mapping[str, Numbers], expected: Numbers) -> None:
    assert_equal(over_time(text, fields), expected)


def test_every_operator_of_the_family_has_a_case() -> None:
    assert operators_in(CASES) == {n for n, o in OPERATORS.items() if o.family is Family.ELEMENTWISE}


def test_python_operators_build_the_same_as_text() -> None:
    pairs = {
        "a + b": A + B, "1 + a": 1 + A, "a - 1": A - 1, "1 - a": 1 - A, "a * 2": 2 * A, "a / b": A / B, "1 / a": 1 / A,
        "a ** 2": A**2, "2 ** a": 2**A, "-a": -A, "abs(a)": abs(A), "a > b": A > B, "a >= b": A >= B, "a < b": A < B,
        "a <= b": A <= B, "a and b": A & B, "a or b": A | B, "not a": ~A,
    }  # fmt: skip

    for text, node in pairs.items():
        assert parse(text) is node


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (fn.add(1, 2), 3), (fn.sub(1, 2), -1), (fn.mul(3, 2), 6), (fn.div(3, 2), 1.5), (fn.power(2, 3), 8),
        (fn.signed_power(-4, 0.5), -2), (fn.max(1, 2), 2), (fn.min(1, 2), 1), (fn.gt(1, 2), 0), (fn.ge(2, 2), 1),
        (fn.eq(1, 2), 0), (fn.ne(1, 2), 1), (fn.and_(1, 0), 0), (fn.or_(1, 0), 1), (fn.not_(0), 1), (fn.neg(2), -2),
        (fn.abs(-2), 2), (fn.sign(-2), -1), (fn.log(1), 0), (fn.exp(0), 1), (fn.sqrt(9), 3), (fn.tanh(0), 0),
        (fn.floor(1.5), 1), (fn.clip(5, 0, 1), 1), (fn.where(0, 1, 2), 2), (fn.mask(1, 2), 1), (fn.floor(-1.5), -2),
        (fn.signed_power(0, 2), 0),
    ],
)  # fmt: skip
def test_numbers_alone_are_computed_at_once(node: Constant, value: float) -> None:
    assert node is Constant(value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: fn.div(1, 0), "div of 1, 0 is not a finite number"),
        (lambda: fn.log(0), "log of 0 is not a finite number"),
        (lambda: fn.sqrt(-1), "sqrt of -1"),
        (lambda: fn.power(-8, 0.5), "power of -8, 0.5"),
        (lambda: fn.exp(1000), "exp of 1000"),
        (lambda: fn.mul(1e200, 1e200), r"mul of 1e\+200, 1e\+200"),
        (lambda: fn.clip(A, 2, 1), "low must not be above high"),
    ],
)
def test_numbers_without_a_result_are_refused(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(InvalidRequest, match=message):
        build()


def test_operands_that_commute_have_one_order() -> None:
    for name in ("add", "mul", "max", "min", "eq", "ne", "and_", "or_"):
        assert OPERATORS[name](A, B) is OPERATORS[name](B, A)
    for name in ("sub", "div", "power", "signed_power", "gt", "ge", "mask"):
        assert OPERATORS[name](A, B) is not OPERATORS[name](B, A)


def test_an_expression_has_no_truth_value_in_python() -> None:
    with pytest.raises(InvalidRequest, match="a & b"):
        bool(A > B)
