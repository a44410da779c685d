"""Writing expressions: the text reads back as the same object, and it is the text that a person would write."""

from __future__ import annotations

import inspect
import pickle
import random
import sys

import pytest
from hypothesis import given, settings

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import Constant, Field, Node, parse, to_text
from quantflux.expressions import functions as fn
from quantflux.expressions.arguments import Parameter
from quantflux.expressions.nodes import OPERATORS, Family
from quantflux.expressions.text import limits
from quantflux.expressions.text.layout import laid_out
from quantflux.expressions.text.names import takes_any_number
from tests.expressions.strategies import Shape, expressions, random_call, random_expression

A, B, C = (Field(name) for name in "abc")
LOGIC = Shape(families=(Family.ELEMENTWISE,), depth=8)


def read_back(node: Node) -> str:
    """The text of an expression, which must give the expression again, on one line and on several."""
    text = to_text(node)
    assert parse(text) is node
    assert parse(to_text(node, width=40)) is node
    return text


@settings(max_examples=150, deadline=None)
@given(expressions())
def test_every_expression_reads_back_as_itself(node: Node) -> None:
    read_back(node)


@settings(max_examples=300, deadline=None)
@given(expressions(LOGIC))
def test_brackets_stand_where_reading_needs_them(node: Node) -> None:
    read_back(node)


@pytest.mark.parametrize("name", sorted(n for n, o in OPERATORS.items() if o.family is not Family.INPUT))
def test_every_operator_reads_back_with_any_parameters(name: str) -> None:
    rng = random.Random(name)
    for _ in range(15):
        read_back(random_call(rng, OPERATORS[name], Shape(depth=2)))


WRITTEN = {
    "a + b * 2": A + B * 2,
    "(a + b) * 2": (A + B) * 2,
    "a - (b - c)": A - (B - C),
    "a - b - c": A - B - C,
    "a / (b / c)": A / (B / C),
    "a / (b * 2)": A / (B * 2),
    "1 - a": 1 - A,
    "a + 1": 1 + A,
    "a * -1": -1 * A,
    "-a": -A,
    "--a": fn.neg(-A),
    "-a * 2": 2 * -A,
    "-(a + 1)": -(A + 1),
    "a - -3": A - -3,
    "(-3) ** a": (-3) ** A,
    "a ** -3": A**-3,
    "-a ** 2": -(A**2),
    "(-a) ** 2": (-A) ** 2,
    "a ** b ** c": A ** (B**C),
    "(a ** b) ** c": (A**B) ** C,
    "a > b": B < A,
    "(a > b) & (c > 1)": (A > B) & (C > 1),
    "!(a > b)": ~(A > B),
    "(!a) > b": (~A) > B,
    "a > !b": A > ~B,
    "(a > b) > c": (A > B) > C,
    "a >= b + c": A >= B + C,
    "(a & b) > c": (A & B) > C,
    "where(a > b, a, 0)": fn.where(A > B, A, 0),
    "ts_mean(a, 20)": fn.ts_mean(A, 20),
    "ts_mean(a, 20, least=15)": fn.ts_mean(A, 20, 15),
    "ts_quantile(a, 20, 0.8)": fn.ts_quantile(A, 20, 0.8),
    "ts_quantile(a, 20, 1, least=1)": fn.ts_quantile(A, 20, 1.0, 1),
    "ema(a, 12)": fn.ema(A, 12, adjust=0, least=1),
    "ema(a, 12, adjust=1)": fn.ema(A, 12, 1),
    "ts_argmax(a, 5, least=1, gaps=1)": fn.ts_argmax(A, 5, 1, 1),
    "fill_after(a, 0, b)": fn.fill_after(A, 0, B),
    "fill_after(a, -0.5, b)": fn.fill_after(A, -0.5, B),
    "clip(a, -3, 3)": fn.clip(A, -3, 3),
    "winsorize(a)": fn.winsorize(A),
    "winsorize(a, high=0.95)": fn.winsorize(A, 0.01, 0.95),
    "neutralize(a, b, c)": fn.neutralize(A, B, C),
    "delay(a, 3)": fn.delay(fn.delay(A, 1), 2),
    "max(a, 0)": fn.max(0, A),
    "rank(-delta(a, 7)) * rank(b)": fn.rank(-fn.delta(A, 7)) * fn.rank(B),
    "5": Constant(5),
    "-5": Constant(-5),
    "0": Constant(-0.0),
    "1e-12": Constant(1e-12),
    "1e+16": Constant(1e16),
    "0.1": Constant(0.1),
    "5e-324": Constant(5e-324),
    "a": A,
}


@pytest.mark.parametrize("text", WRITTEN)
def test_the_text_is_short_and_familiar(text: str) -> None:
    # The order of the operands of +, *, & is the digests'; one text shows that it does not matter to a reader.
    written = read_back(WRITTEN[text])

    assert len(written) == len(text) and parse(text) is WRITTEN[text]
    assert sorted(written) == sorted(text)
    if not any(symbol in text for symbol in ("+ b", "* b", "&", "* rank", "+ c", "* (")):
        assert written == text


def test_any_finite_number_reads_back() -> None:
    rng = random.Random(5)
    for _ in range(500):
        value = rng.choice([rng.uniform(-1, 1), rng.gauss(0, 1), float(rng.randint(-(10**6), 10**6))])
        value *= 10.0 ** rng.randint(-300, 300)
        assert read_back(A + value).startswith("a + ")
        assert read_back(fn.fill_after(A, max(-1e300, min(1e300, value)), B))


def test_minus_zero_is_zero() -> None:
    assert fn.fill_after(A, -0.0, B) is fn.fill_after(A, 0.0, B)
    assert fn.clip(A, -0.0, 1) is fn.clip(A, 0, 1)


def test_a_text_that_could_not_be_read_is_not_written() -> None:
    shared = A
    for _ in range(20):
        shared = shared * shared  # a million letters, but twenty nodes
    with pytest.raises(
        InvalidRequest, match="longer than 4,096 characters, because what it shares is written out"
    ):
        to_text(shared)

    deep = A
    for _ in range(limits.MAX_NESTING + 1):
        deep = fn.abs(deep - 1)
    with pytest.raises(InvalidRequest, match="nested more than 32 deep; name its parts"):
        to_text(deep)


@pytest.mark.parametrize(
    "wrap", [fn.abs, fn.neg, lambda x: 2**x, lambda x: A - (B - x), fn.not_, lambda x: x**-A]
)
def test_what_is_written_is_never_too_deep_to_read(wrap: object) -> None:
    node: Node = A
    written = 0
    for _ in range(40):
        node = wrap(node)  # type: ignore[operator]
        try:
            text = to_text(node)
        except InvalidRequest:
            break
        assert parse(text) is node
        written += 1
    assert written >= 15


def test_long_sums_need_no_nesting() -> None:
    node: Node = A
    for k in range(250):
        node = node + float(k)

    assert "(" not in read_back(node)


def test_what_must_be_given_comes_first_in_every_operator() -> None:
    for operator in OPERATORS.values():
        optional = [isinstance(a, Parameter) and a.default is not None for a in operator.arguments]
        assert optional == sorted(optional), operator.name


def test_operators_of_any_number_of_inputs_are_found() -> None:
    assert {n for n, o in OPERATORS.items() if takes_any_number(o) and o.family is not Family.INPUT} == {
        "neutralize",
        "group_neutralize",
    }


def test_a_long_text_is_broken_where_it_is_loosest() -> None:
    node = parse(
        "rank(ts_beta(rank(volume), rank(close - open), 10)) * -1"
        " - where(close > delay(close, 1), ts_std(close / delay(close, 1) - 1, 20), close) / 3"
    )

    assert to_text(node, width=60).split("\n") == [
        "rank(ts_beta(rank(volume), rank(close - open), 10)) * -1",
        "- where(",
        "        close > delay(close, 1),",
        "        ts_std(close / delay(close, 1) - 1, 20),",
        "        close",
        "    )",
        "    / 3",
    ]
    assert to_text(node, width=20_000) == to_text(node)


def test_the_deepest_text_is_broken_without_recursion() -> None:
    node: Node = A
    for _ in range(12):
        node = fn.abs(B | (C & (A + (B * (C / (node - 1))))))

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 40)
    try:
        line = to_text(node)
        text = laid_out(line, 40)
        assert parse(line) is node
    finally:
        sys.setrecursionlimit(before)
    assert text.count("\n") > 40 and text.split() == line.replace("(", "( ").replace(")", " )").split()
    assert len(text) > limits.MAX_LENGTH and to_text(node, width=40) == line  # its indents make it too long


def test_lines_are_as_short_as_the_longest_piece_allows() -> None:
    rng = random.Random(11)
    for _ in range(200):
        node = random_expression(rng, Shape(depth=6))
        text = to_text(node, width=50)
        assert parse(text) is node
        for line in text.split("\n"):
            assert len(line) <= 50 or len(line.lstrip()) < 50, text


def test_expressions_are_not_pickled() -> None:
    with pytest.raises(TypeError, match="expressions are stored as text"):
        pickle.dumps(A)
