"""Residuals within a row: by hand, and against least squares with dummies."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.row_regression import MOST_EXPOSURES, group_residual, row_residual
from quantflux.expressions.kernels.rows import run_rows
from tests.expressions.kernels.row_samples import group_codes

NAN = np.nan


def sample(exposures: int, width: int, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """A y that the exposures explain in part, all of several scales and with gaps."""
    random = np.random.default_rng(seed)
    xs = [random.normal(size=(14, width)) for _ in range(exposures)]
    y = random.normal(size=(14, width)) + sum(xs)
    scaled = [x * 10.0 ** random.uniform(-4, 9) + random.normal() for x in xs]
    for array in (y, *scaled):
        array[random.random(array.shape) < 0.04] = NAN
    return y, scaled


def least_squares(y: np.ndarray, xs: list[np.ndarray], intercepts: np.ndarray) -> np.ndarray:
    """One row's residuals: columns of the given intercepts and of the exposures, scaled for accuracy."""
    columns = np.column_stack([intercepts, *[x - x.mean() for x in xs]])
    length = np.linalg.norm(columns, axis=0)
    columns /= np.where(length > 0, length, 1)
    return y - columns @ np.linalg.lstsq(columns, y, rcond=1e-10)[0]


def expected_residuals(y: np.ndarray, xs: list[np.ndarray], codes: np.ndarray | None = None) -> np.ndarray:
    """Residuals of every row over the names that have everything."""
    out = np.full(y.shape, NAN)
    group = np.zeros(y.shape) if codes is None else codes
    for row in range(len(y)):
        there = np.isfinite(y[row]) & ~np.isnan(group[row])
        for x in xs:
            there &= np.isfinite(x[row])
        dummies = group[row, there][:, None] == np.unique(group[row, there])
        if there.sum() > len(xs) + dummies.shape[1]:
            out[row, there] = least_squares(y[row, there], [x[row, there] for x in xs], dummies.astype(float))
    return out


def test_one_exposure_by_hand() -> None:
    # means 2 and 3, slope (1*2 + 0 + 1*3) / 2 = 2.5 with -2 and 3 on the sides of 0: residuals 0.5, -1, 0.5
    y = np.array([[1.0, 2.0, 6.0, NAN, 4.0]])
    x = np.array([[1.0, 2.0, 3.0, 4.0, NAN]])

    np.testing.assert_allclose(
        run_rows(row_residual(1), y, x), [[0.5, -1.0, 0.5, NAN, NAN]], rtol=1e-15, atol=1e-15
    )


def test_one_exposure_in_groups_by_hand() -> None:
    # x within its group is -1, 1, -1, 1 and y -1, 1, -2, 2: slope 6 / 4
    y = np.array([[0.0, 2.0, 10.0, 14.0, NAN, 3.0]])
    x = np.array([[5.0, 7.0, 0.0, 2.0, 1.0, 1.0]])
    codes = np.array([[3.0, 3.0, 0.0, 0.0, 0.0, NAN]])

    np.testing.assert_allclose(
        run_rows(group_residual(1), y, codes, x), [[0.5, -0.5, -0.5, 0.5, NAN, NAN]], atol=1e-15
    )


@pytest.mark.parametrize("width", [30, 3000])
@pytest.mark.parametrize("exposures", [1, 2, 3, 8])
def test_residuals_are_those_of_least_squares(exposures: int, width: int) -> None:
    y, xs = sample(exposures, width)

    found = run_rows(row_residual(exposures), y, *xs)

    np.testing.assert_allclose(found, expected_residuals(y, xs), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("width", [40, 3000])
@pytest.mark.parametrize("exposures", [1, 2, 3, 8])
def test_group_residuals_are_those_with_dummies(exposures: int, width: int) -> None:
    y, xs = sample(exposures, width)
    codes = group_codes(width=width)

    found = run_rows(group_residual(exposures), y, codes, *xs)

    np.testing.assert_allclose(found, expected_residuals(y, xs, codes), rtol=1e-9, atol=1e-11)


def test_residuals_know_nothing_of_the_exposures() -> None:
    y, xs = sample(3, 500)

    found = run_rows(row_residual(3), y, *xs)

    there = ~np.isnan(found)
    for x in (np.ones(y.shape), *xs):
        center = np.where(there, x, 0).sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True)
        deviation = np.where(there, x - center, 0)
        product = (np.where(there, found, 0) * deviation).sum(axis=1)
        assert (np.abs(product) <= 1e-11 * np.abs(deviation).sum(axis=1) + 1e-15).all()


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    "kind",
    ["constant", "constant up to rounding", "the first again", "a sum of both", "the first as float32"],
)
def test_an_exposure_that_adds_nothing_is_passed_over(kind: str, grouped: bool) -> None:
    y, (one, two) = sample(2, 200)
    third = {
        "constant": np.full(y.shape, 0.1),
        "constant up to rounding": np.where(np.arange(200) % 3 > 0, 0.3, 0.1 + 0.2) * np.ones(y.shape),
        "the first again": one * -3.7 + 1e3,
        "a sum of both": one / np.nanstd(one) + two / np.nanstd(two),
        "the first as float32": one.astype(np.float32).astype(np.float64),
    }[kind]
    groups = [group_codes(width=200)] if grouped else []
    kernel = group_residual if grouped else row_residual

    found = run_rows(kernel(3), y, *groups, one, two, third)
    without = run_rows(kernel(2), y, *groups, one, two)

    assert not np.isnan(found).all(axis=1).any()
    np.testing.assert_allclose(found, without, rtol=1e-5 if "float32" in kind else 1e-9, atol=1e-6)


def test_constant_exposures_leave_the_distance_from_the_mean() -> None:
    y = np.array([[1.0, 2.0, 3.0, 6.0]])

    found = run_rows(row_residual(2), y, np.full(y.shape, 7.3), np.zeros(y.shape))

    assert found.tolist() == [[-2.0, -1.0, 0.0, 3.0]]


def test_an_exposure_with_little_variation_still_counts() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(1, 50))
    y = 2 * x + random.normal(size=x.shape)

    near_constant = run_rows(row_residual(1), y, 1000 + 1e-4 * x)

    np.testing.assert_allclose(near_constant, run_rows(row_residual(1), y, x), rtol=1e-6, atol=1e-8)


def test_a_perfect_fit_leaves_nothing() -> None:
    _, (one, two) = sample(2, 100)

    found = run_rows(row_residual(2), 3 * one - 1e-3 * two + 5, one, two)

    assert np.nanmax(np.abs(found)) <= 1e-13 * np.nanmax(np.abs(3 * one) + np.abs(two))


def test_a_row_needs_a_name_more_than_coefficients() -> None:
    three, four = np.array([[1.0, 2.0, 4.0, NAN]]), np.array([[1.0, 2.0, 4.0, 3.0]])
    one, two = np.array([[1.0, 0.0, 5.0, 2.0]]), np.array([[2.0, 3.0, 1.0, 0.0]])

    assert np.isnan(run_rows(row_residual(2), three, one, two)).all()
    assert not np.isnan(run_rows(row_residual(2), four, one, two)).any()


def test_groups_count_as_coefficients() -> None:
    y, x = np.array([[1.0, 2.0, 4.0, 3.0]]), np.array([[1.0, 0.0, 5.0, 2.0]])

    assert np.isnan(run_rows(group_residual(1), y, np.array([[0.0, 0.0, 1.0, 2.0]]), x)).all()
    assert not np.isnan(run_rows(group_residual(1), y, np.array([[0.0, 0.0, 1.0, 1.0]]), x)).any()


def test_a_name_alone_in_its_group_is_explained() -> None:
    y, (x,) = sample(1, 50, seed=4)
    codes = np.where(np.arange(50) == 7, 9.0, np.arange(50) % 3.0) * np.ones(y.shape)

    found = run_rows(group_residual(1), y, codes, x)[:, 7]

    assert (np.abs(found[~np.isnan(found)]) < 1e-13).all() and not np.isnan(found).all()


def test_infinite_numbers_are_left_out() -> None:
    y, (one, two) = sample(2, 60)
    y[:, 3], one[:, 4], two[:, 5] = np.inf, -np.inf, np.inf

    found = run_rows(row_residual(2), y, one, two)

    assert np.isnan(found[:, 3:6]).all()
    np.testing.assert_allclose(found, expected_residuals(y, [one, two]), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("exposures", [0, MOST_EXPOSURES + 1])
@pytest.mark.parametrize("kernel", [row_residual, group_residual])
def test_too_many_or_no_exposures_are_refused(kernel: object, exposures: int) -> None:
    with pytest.raises(InvalidRequest, match=f"has 1 to 8 exposures, asked for {exposures}"):
        kernel(exposures)  # type: ignore[operator]


def test_a_kernel_is_made_once() -> None:
    assert row_residual(2) is row_residual(2) and row_residual(2).inputs == 3
    assert group_residual(2) is group_residual(2) and group_residual(2).inputs == 4
