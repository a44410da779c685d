"""The paper variant gives what alphalens gives on the same input.

alphalens makes its own forward returns from closes, cuts quantiles with `pandas.qcut`, and knows no suspensions, limits
or costs: that is the paper variant. The factor has no ties, since `qcut` refuses to cut between equal values.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import alphalens
import numpy as np
import pandas as pd
import pytest

from quantflux.core.panel import Panel
from quantflux.factors import EvaluationPlan, FactorReport, evaluate_factor, research_panel
from tests.factors.markets import market_of, random_panel

HORIZON, QUANTILES = 5, 4
PLAN = EvaluationPlan(horizon=HORIZON, quantiles=QUANTILES, decay=(1, HORIZON, 10), least_names=2)


@pytest.fixture(autouse=True)
def lenient() -> Iterator[None]:
    """alphalens uses parts of pandas that are going away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Suspensions, a late listing and a delisting; 23 names do not divide by 4."""
    return research_panel(random_panel(80, 23, seed=12))


@pytest.fixture(scope="module")
def values(panel: Panel) -> np.ndarray:
    """Slow enough to have an autocorrelation; with gaps, and none on days whose outcome is unknown."""
    rng = np.random.default_rng(3)
    made = np.cumsum(rng.normal(size=panel.shape), axis=0)
    made[np.isnan(panel["close"]) | (rng.random(panel.shape) < 0.1)] = np.nan
    made[-max(PLAN.horizons) :] = np.nan
    return made


@pytest.fixture(scope="module")
def report(panel: Panel, values: np.ndarray) -> FactorReport:
    return evaluate_factor("walk", values, market_of(panel), plan=PLAN)


@pytest.fixture
def theirs(panel: Panel, values: np.ndarray) -> pd.DataFrame:
    """The long frame of alphalens, made from the same arrays."""
    frames = [
        pd.DataFrame(array, index=pd.DatetimeIndex(panel.times), columns=panel.symbols)
        for array in (values, panel["close"])
    ]
    factor = frames[0].stack().dropna()
    factor.index.names = ["date", "asset"]
    return alphalens.utils.get_clean_factor_and_forward_returns(
        factor, frames[1], quantiles=QUANTILES, periods=PLAN.horizons, filter_zscore=None, max_loss=1.0
    )


def test_information_coefficients(panel: Panel, report: FactorReport, theirs: pd.DataFrame) -> None:
    expected = alphalens.performance.factor_information_coefficient(theirs)

    ours = pd.Series(report.paper.rank_ic, index=pd.DatetimeIndex(panel.times)).dropna()
    assert len(ours) == len(panel) - max(PLAN.horizons)
    np.testing.assert_allclose(ours, expected[f"{HORIZON}D"], atol=1e-12)
    for horizon in PLAN.horizons:
        assert report.paper.decay[horizon] == pytest.approx(expected[f"{horizon}D"].mean(), abs=1e-12)


def test_mean_returns_by_quantile(report: FactorReport, theirs: pd.DataFrame) -> None:
    expected, _ = alphalens.performance.mean_return_by_quantile(theirs, demeaned=False)

    np.testing.assert_allclose(report.paper.quantile_means, expected[f"{HORIZON}D"], rtol=1e-10)


def test_turnover_of_each_quantile(report: FactorReport, theirs: pd.DataFrame) -> None:
    for quantile in range(1, QUANTILES + 1):
        expected = alphalens.performance.quantile_turnover(theirs["factor_quantile"], quantile, HORIZON)

        assert report.paper.turnover[quantile - 1] == pytest.approx(expected.mean(), abs=1e-12)


@pytest.mark.parametrize("lag", PLAN.horizons)
def test_rank_autocorrelation(report: FactorReport, theirs: pd.DataFrame, lag: int) -> None:
    expected = alphalens.performance.factor_rank_autocorrelation(theirs, lag)

    assert report.paper.autocorrelation[lag] == pytest.approx(expected.mean(), abs=1e-12)
