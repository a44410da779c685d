"""Row means, sums, extremes and z-scores: by hand, and against pandas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quantflux.expressions.kernels import rows
from quantflux.expressions.kernels.rows import RowKernel, run_rows
from tests.expressions.kernels.row_samples import rows_of_every_kind, weights

NAN = np.nan
BY_HAND = np.array([[4.0, NAN, -2.0, 1.0]])

Statistic = Callable[[pd.DataFrame], pd.Series]
STATISTICS: list[tuple[RowKernel, Statistic, float]] = [
    (rows.ROW_MEAN, lambda x: x.mean(axis=1), 1.0),
    (rows.ROW_STD, lambda x: x.std(axis=1), 3.0),  # distances 3, -3, 0: sqrt(18 / 2)
    (rows.ROW_SUM, lambda x: x.sum(axis=1), 3.0),
    (rows.ROW_COUNT, lambda x: x.count(axis=1), 3.0),
    (rows.ROW_MIN, lambda x: x.min(axis=1), -2.0),
    (rows.ROW_MAX, lambda x: x.max(axis=1), 4.0),
]
every_statistic = pytest.mark.parametrize(
    ("kernel", "statistic", "by_hand"), STATISTICS, ids=lambda value: getattr(value, "name", "")
)


def given_to_all(values: pd.Series, x: np.ndarray) -> np.ndarray:
    """The value of each row for each symbol that has a number."""
    return np.where(np.isnan(x), NAN, values.to_numpy()[:, None])


@every_statistic
def test_statistics_by_hand(kernel: RowKernel, statistic: Statistic, by_hand: float) -> None:
    np.testing.assert_array_equal(run_rows(kernel, BY_HAND), [[by_hand, NAN, by_hand, by_hand]])


@every_statistic
@pytest.mark.parametrize("width", [61, 5000])
def test_statistics_agree_with_pandas(
    kernel: RowKernel, statistic: Statistic, by_hand: float, width: int
) -> None:
    x = rows_of_every_kind(width=width)

    with np.errstate(invalid="ignore"):  # inf - inf
        expected = given_to_all(statistic(pd.DataFrame(x)), x)

    np.testing.assert_allclose(run_rows(kernel, x), expected, rtol=1e-11, atol=1e-13)


def test_demean_by_hand_and_pandas() -> None:
    x = np.delete(rows_of_every_kind(), 7, axis=0)  # all but the infinite row

    np.testing.assert_array_equal(run_rows(rows.ROW_DEMEAN, BY_HAND), [[3.0, NAN, -3.0, 0.0]])
    frame = pd.DataFrame(x)
    expected = frame.sub(frame.mean(axis=1), axis=0)
    np.testing.assert_allclose(
        run_rows(rows.ROW_DEMEAN, x), expected, rtol=1e-12, atol=1e-12 * np.nanmax(np.abs(x), initial=1)
    )


def test_an_infinite_number_is_infinitely_far_from_the_others() -> None:
    x = np.array([[np.inf, 1.0, 2.0], [1.0, np.inf, 2.0], [1.0, np.inf, -np.inf]])

    assert run_rows(rows.ROW_MEAN, x)[:2].tolist() == [[np.inf] * 3] * 2
    np.testing.assert_array_equal(
        run_rows(rows.ROW_DEMEAN, x), [[NAN, -np.inf, -np.inf], [-np.inf, NAN, -np.inf], [NAN] * 3]
    )
    assert np.isnan(run_rows(rows.ROW_ZSCORE, x)).all()


def test_zscore_by_hand_and_pandas() -> None:
    x = rows_of_every_kind()

    np.testing.assert_array_equal(run_rows(rows.ROW_ZSCORE, BY_HAND), [[1.0, NAN, -1.0, 0.0]])
    # not the constant row, where pandas divides roundings by roundings, nor the infinite one, nor that whose
    # mean of 1e9 rounds visibly
    frame = pd.DataFrame(x).drop(index=[4, 7, 9])
    expected = frame.sub(frame.mean(axis=1), axis=0).div(frame.std(axis=1), axis=0)
    np.testing.assert_allclose(run_rows(rows.ROW_ZSCORE, x)[frame.index], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [0.1, 1e-9, -7e8, 0.0, 1 / 3])
def test_equal_numbers_have_their_mean_and_no_spread(value: float) -> None:
    x = np.full((1, 997), value)

    assert (run_rows(rows.ROW_MEAN, x) == value).all()
    assert (run_rows(rows.ROW_STD, x) == 0).all()
    assert (run_rows(rows.ROW_DEMEAN, x) == 0).all()
    assert np.isnan(run_rows(rows.ROW_ZSCORE, x)).all()


def test_numbers_apart_by_rounding_alone_have_no_zscore() -> None:
    noise = np.array([[0.3, 0.1 + 0.2, 0.3, 0.3]])
    small_but_real = np.array([[1.0, 1.0 + 1e-9, 1.0, 1.0 - 1e-9]])

    assert np.isnan(run_rows(rows.ROW_ZSCORE, noise)).all()
    np.testing.assert_allclose(
        run_rows(rows.ROW_ZSCORE, small_but_real), [[0, 1.5**0.5, 0, -(1.5**0.5)]], atol=1e-6
    )


def test_a_mean_far_from_zero_costs_the_spread_no_digits() -> None:
    x = np.array([[1e9 + 1, 1e9 + 2, 1e9 + 3]])

    assert run_rows(rows.ROW_STD, x).tolist() == [[1.0, 1.0, 1.0]]


def test_scale_by_hand_and_pandas() -> None:
    x = np.delete(rows_of_every_kind(), [5, 7], axis=0)

    np.testing.assert_array_equal(
        run_rows(rows.ROW_SCALE, np.array([[1.0, -3.0, NAN, 0.0]]), parameters=(2.0,)),
        [[0.5, -1.5, NAN, 0.0]],
    )
    frame = pd.DataFrame(x)
    expected = frame.mul(-1.5).div(frame.abs().sum(axis=1), axis=0)
    np.testing.assert_allclose(run_rows(rows.ROW_SCALE, x, parameters=(-1.5,)), expected, rtol=1e-12)


def test_zeros_cannot_be_scaled() -> None:
    assert np.isnan(run_rows(rows.ROW_SCALE, np.array([[0.0, -0.0, NAN]]), parameters=(1.0,))).all()


def test_weighted_mean_by_hand() -> None:
    x = np.array([[1.0, 5.0, NAN, 100.0, 7.0], [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
    weight = np.array([[3.0, 1.0, 50.0, NAN, 0.0], [0.0] * 5, [-1.0, 0.5, 0.0, 0.0, 0.0]])

    found = run_rows(rows.ROW_WEIGHTED_MEAN, x, weight)

    np.testing.assert_array_equal(found[0], [2.0, 2.0, NAN, NAN, 2.0])
    assert np.isnan(found[1:]).all()  # weights that add up to nothing, or less


def test_weighted_mean_agrees_with_numpy() -> None:
    x, weight = np.delete(rows_of_every_kind(), 7, axis=0), np.delete(weights(), 7, axis=0)
    both = ~np.isnan(x) & ~np.isnan(weight)

    found = run_rows(rows.ROW_WEIGHTED_MEAN, x, weight)

    for row, take in enumerate(both):
        expected = np.average(x[row, take], weights=weight[row, take]) if take.any() else NAN
        np.testing.assert_allclose(found[row], np.where(take, expected, NAN), rtol=1e-12, atol=1e-12)


def test_compiling_again_is_nothing() -> None:
    rows.ROW_MEAN.compile()
    versions = len(rows.ROW_MEAN.function.signatures)

    rows.ROW_MEAN.compile()

    assert len(rows.ROW_MEAN.function.signatures) == versions
