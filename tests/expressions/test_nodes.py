"""Expressions as values: equal ones are one object, they do not change, and say what they read."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import (
    MAX_DEPTH,
    OPERATORS,
    Constant,
    Field,
    Node,
    as_node,
    fields_of,
    lookback_of,
    rebuilt,
    substituted,
    topological,
    walk,
)

A, B = Field("a"), Field("b")


def test_equal_expressions_are_one_object() -> None:
    assert fn.rank(fn.ts_corr(A, B, 10)) * -1 is fn.rank(fn.ts_corr(A, B, 10)) * -1
    assert fn.ts_mean(A, 5) is fn.ts_mean(A, window=5, least=5)
    assert fn.ts_mean(A, 5) is fn.ts_mean(A, 5.0)
    assert fn.ts_mean(A, 5) is fn.ts_mean(A, Constant(5))
    assert Constant(0.0) is Constant(-0.0)
    assert A + 1 is A + 1.0


@pytest.mark.parametrize(
    "other",
    [fn.ts_mean(A, 6), fn.ts_mean(B, 5), fn.ts_sum(A, 5), fn.ts_mean(A, 5, least=4), fn.ts_mean(A + 0, 5), A],
)
def test_different_expressions_are_different(other: Node) -> None:
    one = fn.ts_mean(A, 5)

    assert one is not other
    assert one.digest != other.digest


def test_threads_get_the_same_object() -> None:
    def build(number: int) -> Node:
        return fn.rank(fn.ts_mean(A * (number % 7), 5 + number % 11)) + B

    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(build, range(77), timeout=60)) + list(pool.map(build, range(77), timeout=60))

    assert all(one is two for one, two in zip(built[:77], built[77:], strict=True))
    assert len(set(built)) == 77


def test_an_expression_that_nobody_holds_is_forgotten() -> None:
    digest = fn.ts_mean(Field("only_here"), 17).digest
    gc.collect()

    again = fn.ts_mean(Field("only_here"), 17)

    assert again.digest == digest


def test_digests_stay_as_they_are() -> None:
    """Stored values are found by them. This one is the SHA-256 of `field`, 1 and `str:'a'`, joined by 0x1f."""
    assert A.digest == "b6820d489f1794a69b3f21a6ed409418"


def test_an_expression_does_not_change() -> None:
    node = fn.ts_mean(A, 5)

    for name in ("parameters", "inputs", "digest", "anything"):
        with pytest.raises(AttributeError, match="expressions do not change"):
            setattr(node, name, ())


def test_parameters_have_names() -> None:
    node = fn.ts_quantile(A, 9, 0.25, least=3)

    assert [node.parameter(name) for name in ("window", "q", "least")] == [9, 0.25, 3]


def test_fields_are_named_once_and_sorted() -> None:
    assert fields_of(B / A + fn.rsi(A, 5), fn.rank(Field("c"))) == ("a", "b", "c")
    assert fields_of(Constant(1)) == ()


def test_inputs_stand_before_what_uses_them_and_each_once() -> None:
    shared = A + B
    root = fn.rank(shared) - shared

    order = topological([root])

    assert set(order) == {A, B, shared, fn.rank(shared), root}
    assert len(order) == 5
    assert all(order.index(i) < order.index(node) for node in order for i in node.inputs)
    assert list(walk(root)) == order


def test_a_long_chain_is_walked_without_recursion() -> None:
    node: Node = A
    for _ in range(MAX_DEPTH - 1):
        node = fn.tanh(node)

    assert node.depth == MAX_DEPTH
    assert len(topological([node])) == MAX_DEPTH
    with pytest.raises(InvalidRequest, match="more than 256 operators deep"):
        fn.tanh(node)


def test_lookbacks_add_up_along_the_longest_way() -> None:
    assert lookback_of(A) == 0
    assert lookback_of(fn.ts_mean(A, 5)) == 4
    assert lookback_of(fn.ts_mean(fn.delay(A, 3), 5) + fn.ts_max(A, 6)) == 7
    assert lookback_of(fn.rank(fn.ts_mean(A, 5))) == 4
    assert lookback_of(fn.ts_mean(fn.ema(A, 5), 3)) is None


def test_parts_may_be_replaced() -> None:
    mean = fn.ts_mean(A, 5)

    assert substituted(fn.rank(mean) + mean, {mean: B}) is fn.rank(B) + B
    assert substituted(A * 2, {A: Constant(3)}) is Constant(6)
    assert substituted(fn.delay(A, 2), {A: fn.delay(B, 1)}) is fn.delay(B, 3)
    assert substituted(A + B, {}) is A + B


def test_rebuilding_with_other_inputs_simplifies() -> None:
    assert rebuilt(fn.ts_mean(A, 5), (B,)) is fn.ts_mean(B, 5)
    assert rebuilt(A + B, (Constant(1), Constant(2))) is Constant(3)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a-b", "größe", "x" * 65, "and", "or", "not", "$close"])
def test_a_field_has_a_plain_name(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Field(name)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_a_number_is_finite(value: float) -> None:
    with pytest.raises(InvalidRequest, match="must be finite"):
        Constant(value)


@pytest.mark.parametrize("value", [True, None, "close", [1], 1j])
def test_an_operand_is_an_expression_or_a_number(value: object) -> None:
    with pytest.raises(InvalidRequest, match="takes expressions and numbers"):
        as_node(value)
    with pytest.raises(InvalidRequest, match="takes expressions and numbers"):
        fn.ts_mean(value, 5)


def test_two_operators_cannot_have_one_name() -> None:
    with pytest.raises(TypeError, match="two operators are called rank"):
        type("Again", (Node,), {"__slots__": (), "name": "rank"})
    assert OPERATORS["rank"] is fn.rank


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: fn.ts_mean(A), r"ts_mean\(x, window, least=window\): window is missing"),
        (lambda: fn.ts_mean(window=5), "x is missing"),
        (lambda: fn.ts_mean(A, 5, window=6), "window was given twice"),
        (lambda: fn.ts_mean(A, 5, 4, 3), "takes 3 arguments, was given 4"),
        (lambda: fn.ts_mean(A, 5, most=3), "has no argument called 'most'"),
        (lambda: fn.ts_mean(A, B), "window must be a number, was Field"),
        (lambda: fn.ts_quantile(A, 5, 1.5), "q must be 0 to 1, was 1.5"),
        (lambda: fn.clip(A, float("nan"), 1), "low must be a number, was nan"),
    ],
)
def test_a_call_that_does_not_fit_says_what_would(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(InvalidRequest, match=message):
        build()
