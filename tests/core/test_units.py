"""Units: exact for whole numbers, to the last bit for fractions, and never guessed."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest
from quantflux.core.units import UNIT_FACTORS, convert, unit_factor

PAIRS = sorted(UNIT_FACTORS)


@pytest.mark.parametrize(
    ("one", "other", "factor"),
    [
        ("lots", "shares", 100),
        ("thousand_yuan", "yuan", 1_000),
        ("ten_thousand_yuan", "yuan", 10_000),
        ("hundred_million_yuan", "ten_thousand_yuan", 10_000),
        ("ten_thousand_shares", "lots", 100),
        ("percent", "ratio", Fraction(1, 100)),
        ("basis_points", "percent", Fraction(1, 100)),
    ],
)
def test_factors_are_those_of_the_trade(one: str, other: str, factor: Fraction | int) -> None:
    assert unit_factor(one, other) == factor
    assert unit_factor(other, one) == 1 / Fraction(factor)


def test_every_factor_is_whole_or_one_over_whole() -> None:
    assert all(1 in (factor.numerator, factor.denominator) for factor in UNIT_FACTORS.values())


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(PAIRS), st.lists(st.integers(-(10**9), 10**9), min_size=1))
def test_whole_numbers_are_exact_in_every_container(pair: tuple[str, str], numbers: list[int]) -> None:
    factor = unit_factor(*pair)
    expected = [int(n * factor) if factor.denominator == 1 else n / factor.denominator for n in numbers]

    assert [convert(n, *pair) for n in numbers] == expected
    assert convert(np.array(numbers), *pair).tolist() == expected
    assert convert(np.array(numbers, dtype=np.int32), *pair).tolist() == expected
    assert convert(pa.array(numbers), *pair).to_pylist() == expected
    assert convert(pa.chunked_array([numbers, numbers]), *pair).to_pylist() == expected * 2


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(PAIRS), st.floats(-1e12, 1e12))
def test_fractions_are_the_nearest_float(pair: tuple[str, str], number: float) -> None:
    exact = Fraction(number) * unit_factor(*pair)

    for found in (
        convert(number, *pair),
        convert(np.array([number]), *pair)[0],
        convert(pa.array([number]), *pair)[0].as_py(),
    ):
        assert found == float(exact)


def test_gaps_stay_gaps() -> None:
    assert math.isnan(convert(np.array([math.nan]), "lots", "shares")[0])
    assert convert(pa.array([None, 2], pa.int64()), "lots", "shares").to_pylist() == [None, 200]
    assert convert(pa.array([None, 2.5]), "percent", "ratio").to_pylist() == [None, 0.025]
    assert convert(np.array([], dtype=np.int64), "lots", "shares").tolist() == []


def test_the_same_unit_is_the_same_object() -> None:
    values = np.array([1, 2])

    assert convert(values, "yuan", "yuan") is values


@pytest.mark.parametrize(
    "values", [np.array([2**62]), np.array([-(2**62)]), np.array([2**63], dtype=np.uint64), pa.array([2**62])]
)
def test_overflow_is_refused(values: object) -> None:
    with pytest.raises(InvalidRequest, match="does not fit 64 bits"):
        convert(values, "lots", "shares")  # type: ignore[call-overload]


def test_unknown_and_unlike_units_are_refused_with_what_is_valid() -> None:
    with pytest.raises(InvalidRequest, match="no unit is called 'dollars'; known: yuan"):
        convert(1.0, "dollars", "yuan")
    with pytest.raises(InvalidRequest, match="lots cannot become 'yuan'; it can become: shares, lots"):
        convert(1.0, "lots", "yuan")
