"""The order of rows against NumPy's, on rows that lead every way through the sort."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quantflux.expressions.kernels.row_sorting import sort_row, sorting_space

Row = Callable[[np.random.Generator, int], np.ndarray]
ULP = 2.0**-52


def few_far_away(random: np.random.Generator, width: int, cluster: np.ndarray) -> np.ndarray:
    """A cluster among numbers that widen the range, so that its members share their high bits."""
    far = np.exp(random.normal(size=width) * 100) * random.choice([-1, 1], width)
    return np.where(random.random(width) < 0.05, far, cluster)


ROWS: dict[str, Row] = {
    "normal": lambda random, width: random.normal(size=width),
    "lognormal": lambda random, width: np.exp(random.normal(size=width) * 5),
    "prices": lambda random, width: np.exp(random.normal(size=width)).round(2),
    "few values": lambda random, width: random.integers(-2, 3, width).astype(float),
    "one value": lambda random, width: np.full(width, -0.1),
    "ranks": lambda random, width: random.permutation(width) / width,
    "ascending": lambda random, width: np.arange(width, dtype=float),
    "descending": lambda random, width: -np.arange(width, dtype=float),
    "any bits": lambda random, width: random.integers(0, 1 << 64, width, dtype=np.uint64).view(float),
    "subnormal": lambda random, width: random.integers(-99, 99, width) * 5e-324,
    "zeros and infinities": lambda random, width: random.choice([-0.0, 0.0, np.inf, -np.inf, 1.0], width),
    "ulps apart": lambda random, width: 1 + random.integers(0, 9, width) * ULP,
    "ulps apart, some far": lambda random, width: few_far_away(
        random, width, 1 + random.integers(0, 9, width) * ULP
    ),
    "close, some far": lambda random, width: few_far_away(random, width, 1 + random.normal(size=width) * 1e-7),
    "close descending, some far": lambda random, width: few_far_away(
        random, width, 1 - np.arange(width) * 1e-11
    ),
}  # fmt: skip


@pytest.mark.parametrize("width", [1, 2, 3, 17, 64, 65, 800, 5000])
@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("kind", ROWS)
def test_the_order_is_that_of_a_stable_sort(kind: str, gaps: float, width: int) -> None:
    random = np.random.default_rng(width)
    row = ROWS[kind](random, width)
    row[random.random(width) < gaps] = np.nan
    space = sorting_space(width)

    count = sort_row(row.view(np.uint64), space)

    with np.errstate(invalid="ignore"):  # signalling NaN
        expected = np.argsort(row + 0.0, kind="stable")[: (~np.isnan(row)).sum()]
    values = row[expected]
    assert space[0][:count].tolist() == expected.tolist()
    assert space[1][:count].tolist() == [False, *(values[1:] == values[:-1])][:count]


def test_the_space_may_be_used_again() -> None:
    space = sorting_space(50)
    first = np.random.default_rng(0).normal(size=50)
    second = np.where(np.arange(50) % 2, np.nan, -first)

    sort_row(first.view(np.uint64), space)
    count = sort_row(second.view(np.uint64), space)

    assert space[0][:count].tolist() == np.argsort(second)[:25].tolist()


@pytest.mark.parametrize("width", [0, 1, 9])
def test_a_row_without_numbers_has_no_order(width: int) -> None:
    assert sort_row(np.full(width, np.nan).view(np.uint64), sorting_space(width)) == 0


@pytest.mark.slow
def test_a_hundred_thousand_symbols() -> None:
    row = np.random.default_rng(1).normal(size=100_000).round(4)
    space = sorting_space(row.size)

    assert sort_row(row.view(np.uint64), space) == row.size
    assert space[0].tolist() == np.argsort(row + 0.0, kind="stable").tolist()
