"""Group statistics: by hand, and against pandas' groupby."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quantflux.expressions.kernels import row_groups
from quantflux.expressions.kernels.row_groups import GROUP_DEMEAN, GROUP_RANK, GROUP_ZSCORE, MOST_GROUPS
from quantflux.expressions.kernels.rows import RowKernel, run_rows
from tests.expressions.kernels.row_samples import group_codes, rows_of_every_kind

NAN = np.nan
X = np.array([[1.0, 10.0, 3.0, NAN, 8.0, 30.0, 5.0, 7.0]])
GROUP = np.array([[0.0, 4.0, 0.0, 0.0, 4.0, 4.0, 2.0, NAN]])

Transform = Callable[[pd.core.groupby.SeriesGroupBy], pd.Series]
KERNELS: list[tuple[RowKernel, tuple[float, ...], Transform, list[float]]] = [
    (row_groups.GROUP_COUNT, (), lambda g: g.transform("count"), [2, 3, 2, NAN, 3, 3, 1, NAN]),
    (row_groups.GROUP_SUM, (), lambda g: g.transform("sum"), [4, 48, 4, NAN, 48, 48, 5, NAN]),
    (row_groups.GROUP_MEAN, (), lambda g: g.transform("mean"), [2, 16, 2, NAN, 16, 16, 5, NAN]),
    (
        row_groups.GROUP_STD,
        (),
        lambda g: g.transform("std"),
        [2**0.5, 148**0.5, 2**0.5, NAN, 148**0.5, 148**0.5, NAN, NAN],
    ),
    (row_groups.GROUP_MEDIAN, (), lambda g: g.transform("median"), [2, 10, 2, NAN, 10, 10, 5, NAN]),
    (row_groups.GROUP_DEMEAN, (), lambda g: g.obj - g.transform("mean"), [-1, -6, 1, NAN, -8, 14, 0, NAN]),
    (
        row_groups.GROUP_ZSCORE,
        (),
        lambda g: (g.obj - g.transform("mean")) / g.transform("std"),
        [-(0.5**0.5), -6 / 148**0.5, 0.5**0.5, NAN, -8 / 148**0.5, 14 / 148**0.5, NAN, NAN],
    ),
    (
        row_groups.GROUP_SCALE,
        (4.0,),
        lambda g: 4 * g.obj / g.transform(lambda x: x.abs().sum()),
        [1, 40 / 48, 3, NAN, 32 / 48, 120 / 48, 4, NAN],
    ),
    (
        row_groups.GROUP_RANK,
        (),
        lambda g: g.rank(pct=True),
        [1 / 2, 2 / 3, 1, NAN, 1 / 3, 1, 1, NAN],
    ),
]
every_kernel = pytest.mark.parametrize(
    ("kernel", "parameters", "transform", "by_hand"), KERNELS, ids=[kernel.name for kernel, *_ in KERNELS]
)


@every_kernel
def test_by_hand(
    kernel: RowKernel, parameters: tuple[float, ...], transform: Transform, by_hand: list[float]
) -> None:
    found = run_rows(kernel, X, GROUP, parameters=parameters)

    np.testing.assert_allclose(found, [by_hand], rtol=1e-15)


@every_kernel
@pytest.mark.parametrize(("width", "groups"), [(61, 3), (61, 5000), (2000, 7)])
def test_agreement_with_pandas(
    kernel: RowKernel,
    parameters: tuple[float, ...],
    transform: Transform,
    by_hand: list[float],
    width: int,
    groups: int,
) -> None:
    x, codes = rows_of_every_kind(width=width), group_codes(width=width, groups=groups)

    found = run_rows(kernel, x, codes, parameters=parameters)

    for row in [0, 1, 2, 3, 5, 6, 8, 10, 11, 12]:
        there = ~np.isnan(x[row]) & ~np.isnan(codes[row])
        values = pd.Series(x[row, there])
        expected = np.full(width, NAN)
        expected[there] = transform(values.groupby(codes[row, there]))
        expected[np.isinf(expected)] = NAN  # 0 / 0 of pandas' own rounding
        size = np.abs(values).max() if there.any() else 1.0
        np.testing.assert_allclose(found[row], expected, rtol=1e-10, atol=1e-14 * size)


def test_ranks_share_ties_within_a_group_only() -> None:
    x = np.array([[2.0, 2.0, 2.0, -0.0, 0.0, np.inf, 2.0]])
    codes = np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0]])

    # group 0 holds 0, 2, 2; group 1 holds -0, 2, 2, inf
    np.testing.assert_array_equal(
        run_rows(GROUP_RANK, x, codes), [[2.5 / 4, 2.5 / 3, 2.5 / 4, 1 / 4, 1 / 3, 1.0, 2.5 / 3]]
    )


@pytest.mark.parametrize("code", [-1.0, 0.5, float(MOST_GROUPS), 1e300, np.inf, -np.inf, NAN])
@every_kernel
def test_what_is_no_code_is_no_group(
    kernel: RowKernel, parameters: tuple[float, ...], transform: Transform, by_hand: list[float], code: float
) -> None:
    codes = np.where(np.isnan(GROUP), code, GROUP)

    found = run_rows(kernel, X, codes, parameters=parameters)

    np.testing.assert_allclose(found, [by_hand], rtol=1e-15)


@every_kernel
def test_rows_without_any_group_are_missing(
    kernel: RowKernel, parameters: tuple[float, ...], transform: Transform, by_hand: list[float]
) -> None:
    assert np.isnan(run_rows(kernel, X, np.full(X.shape, NAN), parameters=parameters)).all()


def test_the_last_code_is_a_group() -> None:
    codes = np.full(X.shape, MOST_GROUPS - 1.0)

    assert run_rows(row_groups.GROUP_COUNT, X, codes)[0, 0] == 7


def test_equal_numbers_of_a_group_have_no_spread() -> None:
    x = np.tile([0.1, 0.7], (1, 500))
    codes = np.tile([0.0, 1.0], (1, 500))

    assert (run_rows(GROUP_DEMEAN, x, codes) == 0).all()
    assert np.isnan(run_rows(GROUP_ZSCORE, x, codes)).all()


def test_an_infinite_number_spoils_its_group_alone() -> None:
    x = np.array([[np.inf, 1.0, 3.0, 5.0]])
    codes = np.array([[0.0, 0.0, 1.0, 1.0]])

    np.testing.assert_array_equal(run_rows(GROUP_DEMEAN, x, codes), [[NAN, -np.inf, -1.0, 1.0]])


def test_groups_of_one_row_do_not_leak_into_the_next() -> None:
    x = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    codes = np.array([[0.0, 1.0, 2.0], [2.0, 2.0, NAN]])

    for kernel, parameters, *_ in KERNELS:
        both = run_rows(kernel, x, codes, parameters=parameters)
        alone = run_rows(kernel, x[1:], codes[1:], parameters=parameters)
        np.testing.assert_array_equal(both[1:], alone)
