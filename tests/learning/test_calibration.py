"""Calibration against scikit-learn, and the error of the slope against every pair of cells."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LinearRegression
from sklearn.metrics import brier_score_loss, log_loss, r2_score

from quantflux.core.errors import InvalidRequest
from quantflux.learning.evaluation.calibration import calibration_of, groups_of, reliability_of

DAYS, NAMES = 30, 17


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    row = np.repeat(np.arange(DAYS) * 2, NAMES)
    predicted = rng.normal(0, 0.01, len(row))
    moves = np.convolve(rng.normal(0, 0.02, DAYS + 2), np.ones(3), "valid")
    realised = (
        0.001 + 0.4 * predicted + predicted * 20 * np.repeat(moves, NAMES) + rng.normal(0, 0.03, len(row))
    )
    return predicted, realised, row


def test_the_line_is_that_of_scikit_learn(cells: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    predicted, realised, row = cells
    reference = LinearRegression().fit(predicted[:, None], realised)

    found = calibration_of(predicted, realised, row, horizon=3)

    assert found.slope == pytest.approx(reference.coef_[0], rel=1e-9)
    assert found.intercept == pytest.approx(reference.intercept_, rel=1e-9)
    assert found.r_squared == pytest.approx(
        r2_score(realised, reference.predict(predicted[:, None])), rel=1e-9
    )


def test_the_error_of_the_slope_counts_every_pair_of_near_cells(
    cells: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    predicted, realised, row = cells
    found = calibration_of(predicted, realised, row, horizon=3)
    moments = (predicted - predicted.mean()) * (realised - found.intercept - found.slope * predicted)
    day = row // 2

    total = 0.0
    for one in range(len(row)):
        for other in range(len(row)):
            apart = abs(int(day[one]) - int(day[other]))
            total += max(1 - apart / 4, 0) * float(moments[one] * moments[other])

    spread = float(np.sum((predicted - predicted.mean()) ** 2))
    assert found.slope_error == pytest.approx(np.sqrt(total) / spread, rel=1e-9)


def test_groups_by_hand() -> None:
    found = groups_of(
        np.array([4.0, 1.0, 3.0, 2.0, 6.0, 5.0]), np.array([40.0, 10.0, 30.0, 0.0, 60.0, 0.0]), 3
    )

    assert found.predicted.tolist() == [1.5, 3.5, 5.5]
    assert found.realised.tolist() == [5.0, 35.0, 30.0]
    assert found.count.tolist() == [2, 2, 2]


def test_equal_predictions_stay_together() -> None:
    found = groups_of(np.array([1.0] * 90 + [2.0] * 10), np.arange(100.0), 10)

    assert found.predicted.tolist() == [1.0, 2.0]
    assert found.count.tolist() == [90, 10]


def test_predictions_that_are_all_alike_have_no_slope() -> None:
    found = calibration_of(np.full(40, 0.3), np.arange(40.0), np.repeat(np.arange(4), 10))

    assert np.isnan([found.slope, found.intercept, found.slope_error]).all()
    assert found.groups.realised.tolist() == [19.5]


@pytest.mark.parametrize("kinds", [2, 3])
def test_losses_and_curves_are_those_of_scikit_learn(kinds: int) -> None:
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.ones(kinds), 900)
    classes = np.array([rng.choice(kinds, p=0.7 * each + 0.3 / kinds) for each in probabilities])

    found = reliability_of(probabilities, classes)

    labels = np.arange(kinds)
    shares = np.broadcast_to(np.bincount(classes) / len(classes), probabilities.shape)
    for probability, brier, log in (
        (probabilities, found.brier, found.log_loss),
        (shares, found.brier_of_shares, found.log_loss_of_shares),
    ):
        assert brier == pytest.approx(
            brier_score_loss(classes, probability, labels=labels, scale_by_half=False)
        )
        assert log == pytest.approx(log_loss(classes, probability, labels=labels))
    for kind, curve in enumerate(found.curves):
        came, said = calibration_curve(
            classes == kind, probabilities[:, kind], n_bins=10, strategy="quantile"
        )
        np.testing.assert_allclose(curve.realised, came)
        np.testing.assert_allclose(curve.predicted, said)


def test_a_probability_of_nothing_costs_much_but_not_everything() -> None:
    found = reliability_of(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 0]))

    assert found.log_loss == pytest.approx((-np.log(1e-15) - np.log(0.5)) / 2)
    assert found.brier == pytest.approx((2 + 0.5) / 2)


@pytest.mark.parametrize(
    ("probabilities", "classes", "message"),
    [
        (np.full((4, 2), 0.4), np.zeros(4, int), "add up to 1"),
        (np.full((4, 2), 0.5), np.full(4, 2), "classes are 0 to 1"),
        (np.full((4, 2), 0.5), np.zeros(3, int), "for 3 cells"),
        (np.ones((4, 1)), np.zeros(4, int), "2 or more classes"),
    ],
)
def test_what_are_no_probabilities_is_refused(
    probabilities: np.ndarray, classes: np.ndarray, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        reliability_of(probabilities, classes)


def test_cells_that_are_not_known_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="finite"):
        calibration_of(np.array([1.0, np.nan]), np.zeros(2), np.zeros(2))
    with pytest.raises(InvalidRequest, match="one length"):
        calibration_of(np.zeros(3), np.zeros(2), np.zeros(2))
