"""Windows over time, each operator by hand; the last comments say how the numbers come about."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import OPERATORS, Family, Field
from quantflux.expressions.operators.rolling import Delay
from tests.expressions.operators.by_hand import NAN, Case, Numbers, assert_equal, operators_in, over_time

A, B = Field("a"), Field("b")

GAPPED = {"a": [1, 2, NAN, 4, 5, 6]}
LATE = {"a": [NAN, 5, 7, 7, 1, NAN, 0]}
PAIRS = {"a": [1, 2, 3, NAN, 5], "b": [2, 4, 4, 1, 4]}

CASES: list[Case] = [
    ("delay(a, 2)", GAPPED, [NAN, NAN, 1, 2, NAN, 4]),
    ("ts_sum(a, 3)", GAPPED, [NAN, NAN, NAN, NAN, NAN, 15]),
    ("ts_sum(a, 3, least=1)", GAPPED, [1, 3, 3, 6, 9, 15]),
    ("ts_mean(a, 3, least=2)", GAPPED, [NAN, 1.5, 1.5, 3, 4.5, 5]),
    ("ts_count(a, 3)", {"a": [NAN, 1, NAN, NAN, NAN, 2]}, [NAN, 1, 1, 1, NAN, 1]),
    # (1, 3): distances of 1 from 2, their squares over n - 1 = 1; (3, 7) likewise; equal numbers do not vary.
    ("ts_var(a, 3, least=2)", {"a": [1, 3, NAN, 7, 7, 7]}, [NAN, 2, 2, 8, 0, 0]),
    (
        "ts_var(a, 3, least=1)",
        {"a": [1, NAN, NAN, NAN, 7, 9]},
        [NAN, NAN, NAN, NAN, NAN, 2],
    ),  # one does not vary
    ("ts_std(a, 3, least=2)", {"a": [1, 3, NAN, 7, 7, 7]}, [NAN, 2**0.5, 2**0.5, 8**0.5, 0, 0]),
    # (1, 2, 6): distances -2, -1, 3, second moment 14/3, third 18/3; sqrt(3 * 2) / 1 corrects for bias.
    # (2, 6, 6): one of three apart gives the square root of 3 with its sign; (6, 6, 6) has none.
    (
        "ts_skew(a, 3)",
        {"a": [1, 2, 6, 6, 6]},
        [NAN, NAN, 6**0.5 * 6 / (14 / 3) ** 1.5, -(3**0.5), NAN],
    ),
    # (0, 0, 0, 4): distances -1, -1, -1, 3, moments 3 and 21, 21/9 - 3 = -2/3; 3/2 * (5 * -2/3 + 6) = 4.
    # (0, 0, 4, 4): moments 4 and 16, 16/16 - 3 = -2; 3/2 * (5 * -2 + 6) = -6. (4, 4, 4, 4) has none.
    ("ts_kurt(a, 4)", {"a": [0, 0, 0, 4, 4, 4, 4]}, [NAN, NAN, NAN, 4, -6, 4, NAN]),
    # (1, 2): 0.5 each from 1.5; (1, 2, 6): 2, 1 and 3 from 3; (2, 6): 2 each from 4.
    ("ts_mad(a, 3, least=2)", {"a": [1, 2, 6, NAN]}, [NAN, 0.5, 2, 2]),
    ("ts_product(a, 3, least=1)", {"a": [2, 3, NAN, -1, 0]}, [2, 6, 6, -3, 0]),
    ("ts_max(a, 3, least=2)", {"a": [5, 1, NAN, 2, NAN, NAN]}, [NAN, 5, 5, 2, NAN, NAN]),
    ("ts_max(a, 3, least=1)", {"a": [5, 1, NAN, 2, NAN, NAN]}, [5, 5, 5, 2, 2, 2]),
    ("ts_min(a, 3, least=1)", {"a": [5, 1, NAN, 2, NAN, NAN]}, [5, 1, 1, 1, 2, 2]),
    # The first number stands in row 1, so windows count from there until row 3; then (7, 7, 1), (7, 1, -), (1, -, 0).
    ("ts_argmax(a, 3, least=1)", LATE, [NAN, 1, 2, 2, 1, 1, 1]),
    ("ts_argmax(a, 3, least=1, gaps=1)", LATE, [NAN, 1, 2, 2, 1, 3, 2]),
    ("ts_argmax(a, 3)", LATE, [NAN, NAN, NAN, 2, 1, NAN, NAN]),
    ("ts_argmin(a, 3, least=1)", LATE, [NAN, 1, 1, 1, 3, 2, 3]),
    ("ts_argmin(a, 3, least=1, gaps=1)", LATE, [NAN, 1, 1, 1, 3, 3, 2]),
    # (3, 1): lowest of 2; (3, 1, 2): second of 3; (3, 1, 2, 2): ranks 2 and 3 shared; (2, 2, -, 2): all three share.
    ("ts_rank(a, 4, least=2)", {"a": [3, 1, 2, 2, NAN, 2]}, [NAN, 1 / 2, 2 / 3, 2.5 / 4, NAN, 2 / 3]),
    # A quarter of the way through (1, 3), (1, 3, 11) and (3, 11).
    ("ts_quantile(a, 3, 0.25, least=2)", {"a": [1, 3, 11, NAN]}, [NAN, 1.5, 2, 5]),
    ("ts_quantile(a, 3, 0.75, least=2)", {"a": [1, 3, 11, NAN]}, [NAN, 2.5, 7, 9]),
    ("ts_quantile(a, 3, 0, least=1)", {"a": [1, 3, 11, NAN]}, [1, 1, 1, 3]),
    ("ts_quantile(a, 3, 1, least=1)", {"a": [1, 3, 11, NAN]}, [1, 3, 11, 11]),
    ("ts_median(a, 3, least=1)", {"a": [1, 3, 11, NAN]}, [1, 2, 3, 7]),
    # Row 2: distances -1, 0, 1 and -4/3, 2/3, 2/3; 2 / sqrt(2 * 8/3). Then two pairs are left, in which b is 4.
    ("ts_corr(a, b, 3, least=2)", PAIRS, [NAN, 1, 0.75**0.5, NAN, NAN]),
    (
        "ts_corr(a, b, 2, floor=1)",
        {"a": [1, 2, 5], "b": [1, 4, 6]},
        [NAN, NAN, 1],
    ),  # (1, 2) deviates by 0.71 only
    ("ts_cov(a, b, 3, least=2)", PAIRS, [NAN, 1, 1, 0, 0]),
    ("ts_beta(a, b, 3, least=2)", PAIRS, [NAN, 0.5, 0.75, NAN, NAN]),  # a rises by 1 for 2 of b; 2 / (8/3)
    ("ts_beta_resid(a, b, 3, least=2)", PAIRS, [NAN, 0, 0.5, NAN, NAN]),  # (3 - 2) - 0.75 * (4 - 10/3)
    # Rows 1, 2, 4 less 7/3 and numbers 1, 3, 4 less 8/3: products 39/9, squares 42/9 each.
    ("ts_slope(a, 4, least=2)", {"a": [1, 3, NAN, 4]}, [NAN, 2, 2, 39 / 42]),
    ("ts_rsquare(a, 4, least=2)", {"a": [1, 3, NAN, 4]}, [NAN, 1, 1, (39 / 42) ** 2]),
    ("ts_rsquare(a, 2)", {"a": [2, 2, 2.00002, 3]}, [NAN, NAN, NAN, 1]),  # a deviation of 1.4e-5 is none
    ("ts_resid(a, 4, least=2)", {"a": [1, 3, NAN, 4]}, [NAN, 0, NAN, 4 / 3 - 39 / 42 * 5 / 3]),
    # Weights 1, 2, 3 from the oldest row on: (1 * 1 + 3 * 5) / 4, (2 * 5 + 3 * 2) / 5.
    ("decay_linear(a, 3, least=1)", {"a": [1, NAN, 5, 2]}, [1, 1, 4, 3.2]),
]


@pytest.mark.parametrize(("text", "fields", "expected"), CASES, ids=[text for text, _, _ in CASES])
def test_by_hand(text: str, fields: Mapping[str, Numbers], expected: Numbers) -> None:
    assert_equal(over_time(text, fields), expected)


def test_every_operator_of_the_family_has_a_case() -> None:
    family = {n for n, o in OPERATORS.items() if o.family is Family.ROLLING} - {"lead"}

    assert operators_in(CASES) == family


@pytest.mark.parametrize("name", ["ts_var", "ts_std", "ts_corr", "ts_slope", "ts_skew", "ts_kurt", "ts_beta"])
def test_a_window_that_is_too_short_is_refused(name: str) -> None:
    operator = OPERATORS[name]
    inputs = [Field(c) for c in "ab"[: sum(type(a).__name__ == "Input" for a in operator.arguments)]]

    with pytest.raises(InvalidRequest, match=f"{name} needs a window of at least"):
        operator(*inputs, 1)


@pytest.mark.parametrize("window", [0, -1, 5_001, 2.5, math.nan, True, "5", A])
def test_a_window_is_a_number_of_rows(window: object) -> None:
    with pytest.raises(InvalidRequest, match="window must be"):
        fn.ts_mean(A, window)


def test_the_longest_window_is_allowed() -> None:
    assert fn.ts_mean(A, 5_000).own_lookback() == 4_999


def test_more_numbers_than_the_window_holds_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="least must not be more than the window of 5 rows, was 6"):
        fn.ts_mean(A, 5, least=6)


@pytest.mark.parametrize(
    "build", [lambda: fn.ts_mean(3, 5), lambda: fn.ts_corr(1, 2, 5), lambda: fn.delay(1, 5)]
)
def test_numbers_that_never_change_are_refused(build: object) -> None:
    assert callable(build)
    with pytest.raises(InvalidRequest, match="needs something that changes over time"):
        build()


def test_a_future_value_cannot_be_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="rows must be 0 to 5000, was -1"):
        fn.delay(A, -1)


def test_delays_add_up_and_none_is_none() -> None:
    assert fn.delay(A, 0) is A
    assert fn.delay(fn.delay(A, 2), 3) is fn.delay(A, 5)
    assert isinstance(fn.delay(A + 1, 2), Delay)


def test_the_operands_of_symmetric_statistics_have_one_order() -> None:
    assert fn.ts_corr(A, B, 5) is fn.ts_corr(B, A, 5)
    assert fn.ts_cov(A, B, 5) is fn.ts_cov(B, A, 5)
    assert fn.ts_beta(A, B, 5) is not fn.ts_beta(B, A, 5)


HUGE: list[Case] = [
    # Sums skip what they could not take to the fourth power, as if it were missing; what orders, orders it as well.
    ("ts_sum(a, 2, least=1)", {"a": [1, 1e70, 2]}, [1, 1, 2]),
    ("ts_std(a, 3, least=1)", {"a": [1, -1e300, 3]}, [NAN, NAN, 2**0.5]),
    ("ts_count(a, 3)", {"a": [1, 1e70, 9.9e69]}, [1, 1, 2]),
    ("ts_max(a, 2, least=1)", {"a": [1, 1e70, 2]}, [1, 1e70, 1e70]),
    ("ts_rank(a, 2, least=1)", {"a": [1, 1e70, 2]}, [1, 1, 0.5]),
    ("ts_median(a, 3, least=1)", {"a": [1, 1e300, 2]}, [1, 5e299, 2]),
    ("ts_corr(a, b, 3, least=2)", {"a": [1, 1e80, 3], "b": [2, 3, 4]}, [NAN, NAN, 1]),
    ("ema(a, 1)", {"a": [1, 1e80, 3]}, [1, 1, 3]),
    ("cumsum(a)", {"a": [1, 1e80, 3]}, [1, NAN, 4]),
    ("ts_product(a, 2)", {"a": [1e69, 1e69, 1]}, [NAN, 1e138, 1e69]),
    (
        "ts_product(a, 5, least=5)",
        {"a": [9e69, 9e69, 9e69, 9e69, 9e69]},
        [NAN, NAN, NAN, NAN, NAN],
    ),  # beyond a float
]


@pytest.mark.parametrize(("text", "fields", "expected"), HUGE, ids=[text for text, _, _ in HUGE])
def test_huge_numbers(text: str, fields: Mapping[str, Numbers], expected: Numbers) -> None:
    assert over_time(text, fields) == pytest.approx(list(expected), rel=1e-12, nan_ok=True)
