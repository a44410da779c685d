"""The statistical factor model against scikit-learn and statsmodels, with gaps, and the number of factors."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.decomposition import PCA

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk import statistical_risk
from quantflux.portfolio.risk.pca import bai_ng_count
from tests.portfolio.risk.histories import driven_returns, names


@pytest.mark.parametrize(("days", "assets"), [(250, 12), (80, 120)])
def test_without_gaps_the_common_part_is_that_of_sklearn(days: int, assets: int) -> None:
    returns = driven_returns(days, assets)

    model = statistical_risk(returns, names(assets), count=3)

    fitted = PCA(3, svd_solver="full").fit(returns)
    expected = fitted.components_.T @ np.diag(fitted.explained_variance_) @ fitted.components_
    np.testing.assert_allclose(model.root().T @ model.root(), expected, rtol=1e-8, atol=1e-14)
    scores = sm.add_constant(fitted.transform(returns))
    specific = [sm.OLS(returns[:, i], scores).fit().mse_resid for i in range(assets)]
    np.testing.assert_allclose(model.specific, specific, rtol=1e-8)


def test_with_gaps_each_asset_is_regressed_on_its_own_days() -> None:
    returns = driven_returns(300, 40, seed=4, gaps=0.1)

    model = statistical_risk(returns, names(40), count=2)

    truth_like = statistical_risk(driven_returns(300, 40, seed=4), names(40), count=2)
    ratio = model.volatilities / truth_like.volatilities
    assert np.abs(ratio - 1).max() < 0.15 and abs(ratio.mean() - 1) < 0.02
    assert any("missing" in note for note in model.notes)


@pytest.mark.parametrize("factors", [1, 3])
@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_the_number_of_factors_is_found(factors: int, gaps: float) -> None:
    returns = driven_returns(250, 150, factors, seed=6, gaps=gaps)

    model = statistical_risk(returns, names(150))

    assert len(model.factors) == factors
    assert model.factors[0] == "component_1" and model.notes[0] == f"{factors} statistical factors"


def test_a_known_covariance_is_recovered_within_sampling_error() -> None:
    rng = np.random.default_rng(8)
    exposures = rng.normal(1.0, 0.6, (200, 2))
    specific = rng.uniform(0.01, 0.02, 200)
    returns = rng.normal(0, [0.012, 0.006], (600, 2)) @ exposures.T + rng.normal(0, specific, (600, 200))
    truth = exposures @ np.diag([0.012**2, 0.006**2]) @ exposures.T + np.diag(specific**2)

    model = statistical_risk(returns, names(200))

    portfolios = rng.dirichlet(np.ones(200), 20)
    expected = ((portfolios @ truth) * portfolios).sum(axis=1)
    # the relative error of a variance from 600 days has deviation sqrt(2 / 600) = 5.8 %
    np.testing.assert_allclose(model.variances(portfolios), expected, rtol=0.175)
    np.testing.assert_allclose(model.specific, specific**2, rtol=0.25)


def test_returns_that_one_factor_explains_wholly_need_no_second() -> None:
    rng = np.random.default_rng(1)
    returns = np.outer(rng.normal(0, 0.01, 100), rng.uniform(0.5, 2, 10))

    assert bai_ng_count(np.linalg.eigvalsh(returns @ returns.T / 10)[::-1], 10, 5) == 1
    assert statistical_risk(returns, names(10)).factors == ("component_1",)


def test_signs_do_not_depend_on_the_solver() -> None:
    model = statistical_risk(driven_returns(100, 10), names(10), count=4)

    assert model.exposures is not None
    assert (model.exposures.sum(axis=0) >= 0).all()


@pytest.mark.parametrize("count", [0, 11, 100])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(InvalidRequest, match=rf"count must be 1 to 10 factors .* was {count}"):
        statistical_risk(driven_returns(100, 10), names(10), count=count)
