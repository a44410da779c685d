"""Operators across the symbols of a row, each by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import OPERATORS, Family, Field
from tests.expressions.operators.by_hand import NAN, Case, Numbers, across, assert_equal, operators_in

A, B, G = Field("a"), Field("b"), Field("g")

TIED = {"a": [3, 1, 2, 2, NAN]}
SPREAD = {"a": [0, 1, 2, 3, 100, NAN]}
PLAIN = {"a": [1, 2, NAN, 6]}
GROUPS = {"a": [3, 1, 2, 5, NAN, 4, 8, 9], "g": [1, 1, 1, 2, 2, NAN, -1, 0.5]}  # the last two are no groups

CASES: list[Case] = [
    ("rank(a)", TIED, [1, 0.25, 0.625, 0.625, NAN]),
    ("bucket(a, 2)", TIED, [1, 0, 1, 1, NAN]),  # floor((4 - 1/2) * 2/4), (1 - 1/2) * 2/4, (2.5 - 1/2) * 2/4
    ("bucket(a, 4)", {"a": [4, 1, 3, 2]}, [3, 0, 2, 1]),
    ("bucket(a, 5)", TIED, [NAN, NAN, NAN, NAN, NAN]),  # four names do not fill five
    ("zscore(a)", TIED, [1.5**0.5, -(1.5**0.5), 0, 0, NAN]),  # squares 1 + 1 over n - 1 = 3
    ("zscore(a)", {"a": [2, 2, 2]}, [NAN, NAN, NAN]),
    ("demean(a)", TIED, [1, -1, 0, 0, NAN]),
    ("scale(a)", {"a": [1, -3, NAN]}, [0.25, -0.75, NAN]),
    ("scale(a, 2)", {"a": [1, -3, NAN]}, [0.5, -1.5, NAN]),
    ("scale(a)", {"a": [0, 0, NAN]}, [NAN, NAN, NAN]),
    ("winsorize(a, 0.25, 0.75)", SPREAD, [1, 1, 2, 3, 3, NAN]),
    # Median 2, distances 2, 1, 0, 1, 98 with median 1: 1.4826 to both sides.
    ("winsorize_mad(a, 1)", SPREAD, [2 - 1.4826, 1, 2, 3, 2 + 1.4826, NAN]),
    ("row_mean(a)", PLAIN, [3, 3, NAN, 3]),
    ("row_std(a)", PLAIN, [7**0.5, 7**0.5, NAN, 7**0.5]),  # (4 + 1 + 9) / 2
    ("row_std(a)", {"a": [5, NAN]}, [NAN, NAN]),
    ("row_sum(a)", PLAIN, [9, 9, NAN, 9]),
    ("row_count(a)", PLAIN, [3, 3, NAN, 3]),
    ("row_median(a)", PLAIN, [2, 2, NAN, 2]),
    ("row_median(a)", {"a": [1, 2, 5, 6]}, [3.5, 3.5, 3.5, 3.5]),
    ("row_max(a)", PLAIN, [6, 6, NAN, 6]),
    ("row_min(a)", PLAIN, [1, 1, NAN, 1]),
    # (1 * 1 + 6 * 3 + 4 * 0) / 4; who has no weight takes no part, a weight of 0 is one.
    ("row_weighted_mean(a, b)", {"a": [1, 2, 6, 4], "b": [1, NAN, 3, 0]}, [4.75, NAN, 4.75, 4.75]),
    ("row_weighted_mean(a, b)", {"a": [1, 2], "b": [1, -1]}, [NAN, NAN]),
    # The line through (0, 1), (1, 2), (2, 6) has slope 2.5 and passes (1, 3).
    ("neutralize(a, b)", {"a": [1, 2, 6, NAN], "b": [0, 1, 2, 3]}, [0.5, -1, 0.5, NAN]),
    # Means 1.5 and 3.5 for b = 0 and 1, and likewise for c: 2.5 - 1 - 1, 2.5 + 1 - 1, .. are explained.
    (
        "neutralize(a, b, c)",
        {"a": [1, 2, 2, 5], "b": [0, 1, 0, 1], "c": [0, 0, 1, 1]},
        [0.5, -0.5, -0.5, 0.5],
    ),
    (
        "neutralize(a, b)",
        {"a": [1, 2, NAN], "b": [0, 1, 2]},
        [NAN, NAN, NAN],
    ),  # a line through two says nothing
    (
        "neutralize(a, b)",
        {"a": [1, 2, 6], "b": [5, 5, 5]},
        [-2, -1, 3],
    ),  # an exposure that is the same for all
    # Less their group's means: -2, -1, 3 and -5, 5 on -1, 0, 1 and -1/2, 1/2; slope 10 / 2.5 = 4.
    (
        "group_neutralize(a, g, b)",
        {"a": [1, 2, 6, 10, 20, 7], "g": [1, 1, 1, 2, 2, NAN], "b": [0, 1, 2, 5, 6, 7]},
        [2, -1, -1, -3, 3, NAN],
    ),
    (
        "group_neutralize(a, g, b)",
        {"a": [1, 2, 6, 10, 20, 7], "g": [1, 1, 1, 2, 2, NAN], "b": [0, 1, 2, 5, 6, 1e200]},
        [2, -1, -1, -3, 3, NAN],  # the same: who has no group takes no part, whatever the exposure
    ),
    ("group_rank(a, g)", GROUPS, [1, 1 / 3, 2 / 3, 1, NAN, NAN, NAN, NAN]),
    ("group_zscore(a, g)", GROUPS, [1, -1, 0, NAN, NAN, NAN, NAN, NAN]),
    ("group_demean(a, g)", GROUPS, [1, -1, 0, 0, NAN, NAN, NAN, NAN]),
    ("group_scale(a, g)", GROUPS, [1 / 2, 1 / 6, 1 / 3, 1, NAN, NAN, NAN, NAN]),
    ("group_scale(a, g, 3)", GROUPS, [3 / 2, 1 / 2, 1, 3, NAN, NAN, NAN, NAN]),
    ("group_mean(a, g)", GROUPS, [2, 2, 2, 5, NAN, NAN, NAN, NAN]),
    ("group_sum(a, g)", GROUPS, [6, 6, 6, 5, NAN, NAN, NAN, NAN]),
    ("group_std(a, g)", GROUPS, [1, 1, 1, NAN, NAN, NAN, NAN, NAN]),
    ("group_count(a, g)", GROUPS, [3, 3, 3, 1, NAN, NAN, NAN, NAN]),
    ("group_median(a, g)", GROUPS, [2, 2, 2, 5, NAN, NAN, NAN, NAN]),
]


@pytest.mark.parametrize(
    ("text", "fields", "expected"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)]
)
def test_by_hand(text: str, fields: Mapping[str, Numbers], expected: Numbers) -> None:
    assert_equal(across(text, fields), expected)


def test_every_operator_of_the_family_has_a_case() -> None:
    assert operators_in(CASES) == {n for n, o in OPERATORS.items() if o.family is Family.CROSS_SECTION}


@pytest.mark.parametrize("name", sorted(operators_in(CASES)))
def test_a_row_without_numbers_is_missing(name: str) -> None:
    text = next(text for text, _, _ in CASES if text.startswith(f"{name}("))

    assert_equal(across(text, {field: [NAN, NAN, NAN] for field in "abcg"}), [NAN, NAN, NAN])


@pytest.mark.parametrize(
    "build",
    [lambda: fn.rank(1), lambda: fn.group_mean(A, 3), lambda: fn.neutralize(A, 1), lambda: fn.scale(2)],
)
def test_numbers_which_are_the_same_for_all_are_refused(build: object) -> None:
    assert callable(build)
    with pytest.raises(InvalidRequest, match="compares symbols, so it needs fields"):
        build()


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"low must be below high, were 0\.9 and 0\.1"):
        fn.winsorize(A, 0.9, 0.1)


def test_a_regression_has_one_to_eight_exposures() -> None:
    exposures = [Field(f"e{i}") for i in range(9)]

    with pytest.raises(InvalidRequest, match="neutralize takes 2 to 9 expressions, was given 1"):
        fn.neutralize(A)
    with pytest.raises(InvalidRequest, match="was given 10"):
        fn.neutralize(A, *exposures)
    with pytest.raises(InvalidRequest, match="group_neutralize takes 3 to 10 expressions, was given 2"):
        fn.group_neutralize(A, G)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_what_all_exposures_explain_is_taken_out(count: int) -> None:
    """Names that have an exposure of their own keep nothing; the others are left with their distance from the rest."""
    names = count + 3
    fields = {f"e{i}": [float(j == i) for j in range(names)] for i in range(count)}
    fields["a"] = [*range(10, 10 + count), 1.0, 2.0, 6.0]

    found = across(f"neutralize(a, {', '.join(f'e{i}' for i in range(count))})", fields)

    assert_equal(found, [0.0] * count + [-2, -1, 3])
