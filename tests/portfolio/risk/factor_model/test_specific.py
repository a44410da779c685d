"""Specific variances: blending by history, the structural fallback, and the pull towards names of the same size."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.factor_model import SpecificRule
from quantflux.portfolio.risk.factor_model.specific import (
    specific_variances,
    structural,
    towards_size_means,
)

UNSHRUNK = SpecificRule(shrinkage=0.0)


def names(count: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deviations that follow from exposures, but for noise; exposures; capitalisation."""
    rng = np.random.default_rng(seed)
    exposures = np.column_stack([np.ones(count), rng.normal(size=(count, 2))])
    deviation = np.exp(exposures @ [-4.0, 0.3, -0.2] + rng.normal(0, 0.1, count))
    return deviation, exposures, np.exp(rng.normal(22, 1, count))


def test_full_histories_are_left_as_measured() -> None:
    deviation, exposures, cap = names()

    made = specific_variances(deviation**2, np.full(60, 500), exposures, cap, UNSHRUNK)

    np.testing.assert_allclose(made, deviation**2, rtol=1e-12)


def test_a_short_history_is_blended_and_none_is_told_from_exposures() -> None:
    deviation, exposures, cap = names()
    days = np.full(60, 500)
    days[:3] = [0, 120, 59]
    measured = deviation**2
    measured[0] = np.nan
    measured[1] *= 25.0  # five times the deviation

    made = np.sqrt(specific_variances(measured, days, exposures, cap, UNSHRUNK))

    told = structural(deviation, days == 500, exposures, cap)
    np.testing.assert_allclose(made[[0, 2]], told[[0, 2]], rtol=1e-12)
    assert made[1] == pytest.approx(0.5 * 5 * deviation[1] + 0.5 * told[1], rel=1e-12)
    np.testing.assert_allclose(made[3:], deviation[3:], rtol=1e-12)


def test_the_structural_model_is_the_weighted_regression_of_logs() -> None:
    deviation, exposures, cap = names()
    full = np.arange(60) >= 10

    made = structural(deviation, full, exposures, cap)

    fit = sm.WLS(np.log(deviation[full]), exposures[full], weights=np.sqrt(cap[full])).fit()
    fitted = np.exp(exposures @ fit.params)
    level = np.average(deviation[full], weights=np.sqrt(cap[full])) / np.average(
        fitted[full], weights=np.sqrt(cap[full])
    )
    np.testing.assert_allclose(made, level * fitted, rtol=1e-9)
    np.testing.assert_allclose(made[:10], deviation[:10], rtol=0.4)


def test_exposures_that_add_up_to_each_other_do_not_hurt() -> None:
    deviation, exposures, cap = names()
    group = (np.arange(60) % 2).astype(float)
    redundant = np.column_stack([exposures, group, 1 - group])

    with_both = structural(deviation, np.ones(60, bool), redundant, cap)
    with_one = structural(deviation, np.ones(60, bool), redundant[:, :-1], cap)

    np.testing.assert_allclose(with_both, with_one, rtol=1e-9)


def test_too_few_full_histories_are_an_error() -> None:
    deviation, exposures, cap = names()
    days = np.where(np.arange(60) < 5, 500, 10)

    with pytest.raises(InvalidRequest, match=r"5 names have a full history .* of 55 others with 3 exposures"):
        specific_variances(deviation**2, days, exposures, cap, UNSHRUNK)


def test_the_pull_by_hand() -> None:
    # big: 1 % and 3 %, mean 2 %, distances 1 %, typical 1 %: with shrinkage 1 half the way; small: alone, stays
    deviation, cap = np.array([0.01, 0.03, 0.05]), np.array([9.0, 9.0, 1.0])

    made = towards_size_means(np.append(deviation, 0.05), np.append(cap, 1.0), 1.0, 2)

    np.testing.assert_allclose(made, [0.015, 0.025, 0.05, 0.05], rtol=1e-12)


def test_outliers_are_pulled_furthest_and_the_order_stays() -> None:
    deviation = np.array([0.018, 0.019, 0.02, 0.021, 0.10])

    made = towards_size_means(deviation, np.ones(5), 0.5, 1)

    moved = np.abs(made - deviation) / np.abs(deviation - deviation.mean())
    assert moved.argmax() == 4 and (np.diff(made) > 0).all()


@pytest.mark.parametrize(
    "changes", [{"half_life": 0}, {"least": 100, "full": 50}, {"buckets": 0}, {"lags": -1}]
)
def test_nonsense_rules_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest):
        SpecificRule(**changes)  # type: ignore[arg-type]


def test_confidence_may_be_a_step() -> None:
    rule = SpecificRule(least=60, full=60)

    assert rule.confidence(np.array([59, 60])).tolist() == [0.0, 1.0]
