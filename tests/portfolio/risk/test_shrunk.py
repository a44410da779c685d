"""Shrinkage against scikit-learn, against the papers' formulas in loops, and in cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf as ledoit_wolf_of_sklearn

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk import Target, shrunk_risk
from quantflux.portfolio.risk.history import history_of
from quantflux.portfolio.risk.shrunk import ledoit_wolf
from tests.portfolio.risk.histories import driven_returns, names


def honey_in_loops(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Ledoit and Wolf (2004), "Honey", appendix B, entry by entry."""
    t, n = x.shape
    x = x - x.mean(axis=0)
    s = x.T @ x / t
    r = np.mean([s[i, j] / np.sqrt(s[i, i] * s[j, j]) for i in range(n) for j in range(n) if i != j])
    f = np.array(
        [[s[i, i] if i == j else r * np.sqrt(s[i, i] * s[j, j]) for j in range(n)] for i in range(n)]
    )
    pi = rho = gamma = 0.0
    for i in range(n):
        for j in range(n):
            y = x[:, i] * x[:, j] - s[i, j]
            pi += np.mean(y**2)
            gamma += (f[i, j] - s[i, j]) ** 2
            if i == j:
                rho += np.mean(y**2)
                continue
            theta_i = np.mean((x[:, i] ** 2 - s[i, i]) * y)
            theta_j = np.mean((x[:, j] ** 2 - s[j, j]) * y)
            rho += r / 2 * (np.sqrt(s[j, j] / s[i, i]) * theta_i + np.sqrt(s[i, i] / s[j, j]) * theta_j)
    delta = max(0.0, min((pi - rho) / gamma / t, 1.0))
    return delta * f + (1 - delta) * s, delta


@pytest.mark.parametrize("assets", [3, 40])
def test_towards_the_identity_it_is_that_of_sklearn(assets: int) -> None:
    returns = driven_returns(70, assets, seed=assets)

    made, intensity = ledoit_wolf(history_of(returns, names(assets)), Target.IDENTITY)

    expected, expected_intensity = ledoit_wolf_of_sklearn(returns)
    assert intensity == pytest.approx(expected_intensity, rel=1e-9)
    np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("assets", [3, 25])
def test_towards_equal_correlations_it_is_that_of_the_paper(assets: int) -> None:
    returns = driven_returns(70, assets, seed=assets)

    made, intensity = ledoit_wolf(history_of(returns, names(assets)), Target.CONSTANT_CORRELATION)

    expected, expected_intensity = honey_in_loops(returns)
    assert intensity == pytest.approx(expected_intensity, rel=1e-9)
    np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("target", list(Target))
def test_gaps_at_one_end_leave_the_entries_of_complete_pairs_their_moments(target: Target) -> None:
    returns = driven_returns(300, 6, seed=2)
    returns[:100, 0] = np.nan

    sample, _ = ledoit_wolf(history_of(returns[:, 1:], names(5)), target)
    made = shrunk_risk(returns, names(6), target=target).covariance()

    # only the common intensity and target move, a little
    np.testing.assert_allclose(made[1:, 1:], sample, rtol=0.1)
    own = np.var(returns[100:, 0])
    assert made[0, 0] == pytest.approx(own, rel=0.15)


def test_shrinking_is_nearer_to_the_truth_than_the_sample() -> None:
    rng = np.random.default_rng(0)
    truth = (0.3 + 0.7 * np.eye(60)) * 4e-4
    returns = rng.multivariate_normal(np.zeros(60), truth, 80)

    made = shrunk_risk(returns, names(60)).covariance()

    assert np.linalg.norm(made - truth) < 0.5 * np.linalg.norm(np.cov(returns.T) - truth)
    assert np.linalg.eigvalsh(made)[0] > 1e-5


def test_a_single_asset_keeps_its_variance() -> None:
    returns = driven_returns(80, 1)

    for target in Target:
        assert shrunk_risk(returns, names(1), target=target).covariance()[0, 0] == pytest.approx(
            returns.var()
        )


def test_an_unknown_target_names_the_valid_ones() -> None:
    with pytest.raises(InvalidRequest, match="must be identity or constant_correlation, was 'diagonal'"):
        shrunk_risk(driven_returns(80, 2), names(2), target="diagonal")
