"""Operators that carry something on, each by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import OPERATORS, Family, Field, lookback_of
from tests.expressions.operators.by_hand import NAN, Case, Numbers, assert_equal, operators_in, over_time

A = Field("a")

CASES: list[Case] = [
    # A weight of 1/2 for the newest. Behind the gap the past weighs 1/4 and 8 weighs 1/2: (3 / 4 + 8 / 2) / (3 / 4).
    ("ema(a, 3)", {"a": [NAN, 2, 4, NAN, 8]}, [NAN, 2, 3, 3, 19 / 3]),
    # All weights, over their sum: (2 / 2 + 4) / (3 / 2); (2 / 8 + 4 / 4 + 8) / (11 / 8).
    ("ema(a, 3, adjust=1)", {"a": [NAN, 2, 4, NAN, 8]}, [NAN, 2, 10 / 3, 10 / 3, 9.25 / 1.375]),
    ("ema(a, 3, least=2)", {"a": [NAN, 2, 4, NAN]}, [NAN, NAN, 3, 3]),
    ("ema(a, 1)", {"a": [2, NAN, 4]}, [2, 2, 4]),
    # (x + 2 * before) / 3 and (2 * x + before) / 3; the gap is passed over.
    ("sma(a, 3)", {"a": [NAN, 3, 6, NAN, 9]}, [NAN, 3, 4, NAN, 17 / 3]),
    ("sma(a, 3, 2)", {"a": [NAN, 3, 6, NAN, 9]}, [NAN, 3, 5, NAN, 23 / 3]),
    # Started by (1 + 2 + 6) / 3 = 3; then a third, or half, of the way from 3 to 6.
    ("wilder(a, 3)", {"a": [1, 2, NAN, 6, 6]}, [NAN, NAN, NAN, 3, 4]),
    ("seeded_ema(a, 3)", {"a": [1, 2, NAN, 6, 6]}, [NAN, NAN, NAN, 3, 4.5]),
    ("cumsum(a)", {"a": [NAN, 1, NAN, 2, -5]}, [NAN, 1, NAN, 3, -2]),
    ("last_known(a)", {"a": [NAN, 1, NAN, NAN, 2, NAN]}, [NAN, 1, 1, 1, 2, 2]),
    ("last_known(a, 1)", {"a": [NAN, 1, NAN, NAN, 2, NAN]}, [NAN, 1, 1, NAN, 2, 2]),
    ("fill_after(a, 7, b)", {"a": [NAN, NAN, 1, NAN], "b": [NAN, 5, NAN, NAN]}, [NAN, 7, 1, 7]),
    ("fill_after(a, 7, b)", {"a": [3, NAN], "b": [NAN, NAN]}, [3, NAN]),
]


@pytest.mark.parametrize(("text", "fields", "expected"), CASES, ids=[text for text, _, _ in CASES])
def test_by_hand(text: str, fields: Mapping[str, Numbers], expected: Numbers) -> None:
    assert_equal(over_time(text, fields), expected)


def test_every_operator_of_the_family_has_a_case() -> None:
    assert operators_in(CASES) == {n for n, o in OPERATORS.items() if o.family is Family.RECURSIVE}


def test_the_whole_past_counts() -> None:
    assert lookback_of(fn.ema(A, 5)) is None
    assert lookback_of(fn.ts_mean(fn.cumsum(A), 5)) is None


def test_a_weight_above_one_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="m must not be more than n, were 3 and 2"):
        fn.sma(A, 2, 3)


@pytest.mark.parametrize(
    "build", [lambda: fn.ema(1, 5), lambda: fn.fill_after(A, 0, 1), lambda: fn.fill_after(1, 0, A)]
)
def test_numbers_that_never_change_are_refused(build: object) -> None:
    """A number would be there before the symbol is, and a symbol that is listed later would need a past."""
    assert callable(build)
    with pytest.raises(InvalidRequest, match="needs something that changes over time"):
        build()
