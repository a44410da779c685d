"""Factor covariances against plain sums and statsmodels; what the eigenfactor adjustment does to a known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skfolio.moments import EWCovariance
from statsmodels.stats.sandwich_covariance import S_hac_simple

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.factor_model import CovarianceRule
from quantflux.portfolio.risk.factor_model.eigenfactor import eigenfactor_adjusted
from quantflux.portfolio.risk.factor_model.factor_covariance import (
    factor_covariance,
    fading_correlation,
    without_errors,
)
from quantflux.portfolio.risk.factor_model.running import running_variances

PLAIN = CovarianceRule(simulations=0, regime_half_life=None)


def correlated(days: int, factors: int = 5, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    half = rng.normal(0, 0.004, (factors, factors)) + np.diag(np.full(factors, 0.008))
    return rng.normal(size=(days, factors)) @ half.T, half @ half.T


def nothing(returns: np.ndarray) -> np.ndarray:
    """Errors of returns that are known exactly."""
    return np.zeros((*returns.shape, returns.shape[1]), dtype=np.float32)


def test_correlations_are_those_of_statsmodels() -> None:
    returns, _ = correlated(200)
    weights = 0.5 ** (np.arange(199, -1, -1) / 60.0)

    made = fading_correlation(returns, 60.0, 2)

    moments = S_hac_simple(returns * np.sqrt(weights)[:, None], nlags=2)
    deviation = np.sqrt(np.diag(moments))
    np.testing.assert_allclose(made, moments / np.outer(deviation, deviation), rtol=1e-10)


def test_without_lags_volatilities_and_correlations_are_those_of_skfolio() -> None:
    returns, _ = correlated(300, seed=7)

    expected = EWCovariance(half_life=40, nearest=False).fit(returns).covariance_

    deviation = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(running_variances(returns, 40.0)[-1], deviation**2, rtol=1e-10)
    np.testing.assert_allclose(
        fading_correlation(returns, 40.0, 0), expected / np.outer(deviation, deviation), atol=1e-12
    )


def test_correlations_with_gaps_are_measured_over_shared_days_and_stay_consistent() -> None:
    returns, truth = correlated(800, seed=5)
    returns[:500, 1] = np.nan
    returns[300:600, 2] = np.nan

    made = fading_correlation(returns, 1e12, 0)

    deviation = np.sqrt(np.diag(truth))
    np.testing.assert_allclose(made, truth / np.outer(deviation, deviation), atol=4 / np.sqrt(200))
    both = returns[600:, 1], returns[600:, 2]
    expected = np.sum(both[0] * both[1]) / 200
    own = np.sqrt(np.nanmean(returns[:, 1] ** 2) * np.nanmean(returns[:, 2] ** 2))
    assert made[1, 2] == pytest.approx(expected / own, rel=1e-9)
    assert np.linalg.eigvalsh(made)[0] >= -1e-12


def test_variances_are_the_quick_ones_and_correlations_the_slow_ones() -> None:
    returns, _ = correlated(300)

    made = factor_covariance(returns, nothing(returns), PLAIN)

    np.testing.assert_allclose(np.diag(made), running_variances(returns, 84.0, lags=5)[-1], rtol=1e-12)
    deviation = np.sqrt(np.diag(made))
    np.testing.assert_allclose(
        made / np.outer(deviation, deviation), fading_correlation(returns, 504.0, 2), rtol=1e-10
    )


def test_a_known_covariance_is_recovered_within_sampling_error() -> None:
    returns, truth = correlated(6000)
    rule = CovarianceRule(
        volatility_half_life=3000,
        volatility_lags=0,
        correlation_half_life=3000,
        correlation_lags=0,
        simulations=0,
    )

    made = factor_covariance(returns, nothing(returns), rule)

    # effective days are about 5400; entries have an error of sqrt((ii jj + ij^2) / days)
    error = np.sqrt((np.outer(np.diag(truth), np.diag(truth)) + truth**2) / 5400)
    assert (np.abs(made - truth) < 4 * error).all()


def test_errors_of_measurement_are_taken_out() -> None:
    returns, truth = correlated(6000)
    rng = np.random.default_rng(2)
    half = np.linalg.cholesky(0.4 * truth + np.diag(np.full(5, 1e-5)))
    measured = returns + rng.normal(size=returns.shape) @ half.T
    errors = np.repeat((half @ half.T)[None], 6000, axis=0)
    errors[:100] = np.nan
    rule = CovarianceRule(
        volatility_half_life=3000,
        volatility_lags=0,
        correlation_half_life=3000,
        correlation_lags=0,
        simulations=0,
    )

    made = factor_covariance(measured, errors, rule)

    both = truth + half @ half.T
    error = np.sqrt((np.outer(np.diag(both), np.diag(both)) + both**2) / 5400)
    assert (np.abs(made - truth) < 4 * error).all()
    left = factor_covariance(measured, errors, replace(rule, corrects_errors=False))
    assert (np.diag(left) > 1.3 * np.diag(truth)).all()


def test_taking_out_errors_without_limit_is_subtraction_and_never_leaves_too_little() -> None:
    _, truth = correlated(2)
    _, errors = correlated(2, seed=9)

    np.testing.assert_allclose(without_errors(truth, 1e-3 * errors), truth - 1e-3 * errors, rtol=1e-9)
    assert np.linalg.eigvalsh(without_errors(truth, 100 * errors) - 0.19 * truth)[0] > 0


def test_the_adjustment_undoes_the_optimism_of_the_smallest_eigenvectors() -> None:
    days, factors, trials = 60, 20, 40
    _, truth = correlated(2, factors, seed=3)
    half = np.linalg.cholesky(truth)
    rng = np.random.default_rng(4)
    before, after = np.zeros((2, factors))
    for _ in range(trials):
        returns = rng.normal(size=(days, factors)) @ half.T
        sample = returns.T @ returns / days
        values, vectors = np.linalg.eigh(sample)
        true = np.einsum("ik,ij,jk->k", vectors, truth, vectors)
        adjusted = eigenfactor_adjusted(sample, quick=days, slow=days, simulations=40, scale=1.0)
        before += np.sqrt(true / values) / trials
        after += np.sqrt(true / np.einsum("ik,ij,jk->k", vectors, adjusted, vectors)) / trials

    assert before[0] > 1.4 and before[-1] < 1.0
    assert np.abs(after - 1).max() < 0.4 * np.abs(before - 1).max()
    assert abs(after[0] - 1) < 0.25


def test_the_adjustment_of_a_diagonal_matrix_from_endless_days_does_nothing() -> None:
    whole = np.diag([1.0, 2.0, 5.0])

    made = eigenfactor_adjusted(whole, quick=20_000, slow=20_000, simulations=5)

    np.testing.assert_allclose(made, whole, rtol=0.03)


def test_the_adjustment_keeps_a_direction_without_variance() -> None:
    whole = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])

    made = eigenfactor_adjusted(whole, quick=100, slow=100, simulations=20)

    assert np.array([1.0, 1.0, 0.0]) @ made @ np.array([1.0, 1.0, 0.0]) == pytest.approx(0, abs=1e-9)


def test_the_same_data_give_the_same_matrix() -> None:
    returns, _ = correlated(200)

    one, two = (
        factor_covariance(returns, nothing(returns), CovarianceRule(simulations=10)) for _ in range(2)
    )

    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "changes",
    [{"volatility_half_life": 0}, {"correlation_lags": -1}, {"regime_half_life": -1.0}, {"least": 1}],
)
def test_nonsense_rules_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest, match="must be"):
        CovarianceRule(**changes)  # type: ignore[arg-type]
