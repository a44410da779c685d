"""Every metric against empyrical-reloaded and skfolio, or scipy and pandas where one of them has none.

Where conventions differ, the test says how:

* empyrical's `excess_sharpe` is not annualised; its VaR interpolates and is negative; its CVaR averages a whole
  number of days, so that it agrees where the tail is one.
* skfolio's moments and downside deviation correct for the sample's size unless told not to; its kurtosis is 3 for a
  normal distribution; it annualises nothing.
* pandas' skewness and kurtosis correct for the sample's size, scipy's do not: ours are scipy's.
"""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import skfolio.measures as sk

from quantflux.backtest import metrics
from quantflux.factors.evaluation import TRADING_DAYS
from tests.backtest.metrics.series import account, fat_tailed, related

ROOT = math.sqrt(TRADING_DAYS)
YEAR = {"annualization": TRADING_DAYS}
SEEDS = range(6)

seeds = pytest.mark.parametrize("seed", SEEDS)


def same(ours: float, *theirs: float) -> None:
    assert len(theirs) >= 2
    for value in theirs:
        assert ours == pytest.approx(float(value), rel=1e-10, abs=1e-13)


@seeds
def test_total_and_annual_return(seed: int) -> None:
    r = fat_tailed(seed)

    grown = float((1 + pd.Series(r)).prod())
    same(metrics.total_return(r), empyrical.cum_returns_final(r), grown - 1)
    same(metrics.annual_return(r), empyrical.annual_return(r, **YEAR), grown ** (TRADING_DAYS / len(r)) - 1)


@seeds
def test_volatility_and_sharpe(seed: int) -> None:
    r = fat_tailed(seed)

    same(metrics.volatility(r), empyrical.annual_volatility(r, **YEAR), sk.standard_deviation(r) * ROOT)
    same(
        metrics.sharpe(r),
        empyrical.sharpe_ratio(r, **YEAR),
        sk.mean(r) / sk.standard_deviation(r) * ROOT,
    )
    daily = 0.02 / TRADING_DAYS
    same(
        metrics.sharpe(r, riskless=0.02),
        empyrical.sharpe_ratio(r, risk_free=daily, **YEAR),
        sk.mean(r - daily) / sk.standard_deviation(r) * ROOT,
    )


@seeds
def test_sortino_and_downside(seed: int) -> None:
    r = fat_tailed(seed)
    below = sk.semi_deviation(r, min_acceptable_return=0.0, biased=True)

    same(metrics.downside_deviation(r), empyrical.downside_risk(r, **YEAR), below * ROOT)
    same(metrics.sortino(r), empyrical.sortino_ratio(r, **YEAR), sk.mean(r) / below * ROOT)
    daily = 0.02 / TRADING_DAYS
    same(
        metrics.sortino(r, riskless=0.02),
        empyrical.sortino_ratio(r, required_return=daily, **YEAR),
        sk.mean(r - daily) / sk.semi_deviation(r, min_acceptable_return=daily, biased=True) * ROOT,
    )


@seeds
def test_drawdown_and_calmar(seed: int) -> None:
    r = fat_tailed(seed)
    equity = account(r)
    worst = sk.max_drawdown(sk.get_drawdowns(r, compounded=True))

    same(metrics.max_drawdown(equity), -empyrical.max_drawdown(r), worst)
    np.testing.assert_allclose(
        metrics.drawdown(equity)[1:], sk.get_drawdowns(r, compounded=True), rtol=0, atol=1e-13
    )
    annual = empyrical.annual_return(r, **YEAR)
    same(metrics.calmar(r), empyrical.calmar_ratio(r, **YEAR), annual / worst)


@seeds
def test_omega(seed: int) -> None:
    r = fat_tailed(seed)

    same(metrics.omega(r), empyrical.omega_ratio(r), sk.mean(r) / sk.first_lower_partial_moment(r, 0.0) + 1)


@seeds
def test_moments(seed: int) -> None:
    r = fat_tailed(seed)

    same(metrics.skewness(r), scipy.stats.skew(r), sk.skew(r))
    same(metrics.kurtosis(r), scipy.stats.kurtosis(r), sk.kurtosis(r) - 3)


@seeds
@pytest.mark.parametrize("count", [101, 241, 500])
def test_value_at_risk(seed: int, count: int) -> None:
    r = fat_tailed(seed, count)

    lower = -np.quantile(r, 0.05, method="higher")
    same(metrics.value_at_risk(r), sk.value_at_risk(r, beta=0.95), lower)
    if (count - 1) % 20 == 0:  # nothing to interpolate
        same(metrics.value_at_risk(r), -empyrical.value_at_risk(r), lower)


@seeds
@pytest.mark.parametrize(("count", "level"), [(101, 0.95), (500, 0.95), (500, 0.99), (240, 0.9)])
def test_expected_shortfall(seed: int, count: int, level: float) -> None:
    r = fat_tailed(seed, count)

    share = (1 - level) * count
    worst = np.sort(r)[: math.ceil(share - 1e-9)]
    weights = np.ones(len(worst))
    weights[-1] = share - (len(worst) - 1)
    same(metrics.expected_shortfall(r, level), sk.cvar(r, beta=level), -np.average(worst, weights=weights))
    if count == 500:  # the tail is a whole number of days
        same(
            metrics.expected_shortfall(r, level),
            sk.cvar(r, beta=level),
            -empyrical.conditional_value_at_risk(r, cutoff=1 - level),
        )


@seeds
def test_tail_ratio(seed: int) -> None:
    r = fat_tailed(seed)

    series = pd.Series(r)
    same(metrics.tail_ratio(r), empyrical.tail_ratio(r), abs(series.quantile(0.95) / series.quantile(0.05)))


@seeds
def test_beta_alpha_and_correlation(seed: int) -> None:
    r, b = related(seed)
    line = scipy.stats.linregress(b, r)

    same(metrics.beta(r, b), empyrical.beta(r, b), line.slope)
    same(metrics.alpha(r, b), empyrical.alpha(r, b, **YEAR), (1 + line.intercept) ** TRADING_DAYS - 1)
    same(metrics.correlation(r, b), line.rvalue, sk.correlation(np.column_stack([r, b]))[0, 1])
    riskless = empyrical.alpha(r, b, risk_free=0.02 / TRADING_DAYS, **YEAR)
    assert metrics.alpha(r, b, riskless=0.02) == pytest.approx(riskless, rel=1e-10)


@seeds
def test_tracking_error_and_information_ratio(seed: int) -> None:
    r, b = related(seed)

    same(
        metrics.tracking_error(r, b),
        empyrical.annual_volatility(r - b, **YEAR),
        sk.standard_deviation(r - b) * ROOT,
    )
    same(
        metrics.information_ratio(r, b),
        empyrical.excess_sharpe(r, b) * ROOT,
        sk.mean(r - b) / sk.standard_deviation(r - b) * ROOT,
    )


@seeds
def test_capture(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # empyrical's captures know no other year than its own 252 days.
    monkeypatch.setattr(empyrical.stats, "ANNUALIZATION_FACTORS", {"daily": TRADING_DAYS})
    r, b = related(seed)

    frame = pd.DataFrame({"r": r, "b": b})

    def pandas(rows: pd.Series) -> float:
        grown = (1 + frame[rows]).prod() ** (TRADING_DAYS / rows.sum()) - 1
        return float(grown["r"] / grown["b"])

    same(metrics.up_capture(r, b), empyrical.up_capture(r, b), pandas(frame["b"] > 0))
    same(metrics.down_capture(r, b), empyrical.down_capture(r, b), pandas(frame["b"] < 0))


@seeds
def test_hit_rates(seed: int) -> None:
    r, b = related(seed)
    times = np.datetime64("2023-01-02") + np.arange(len(r) + 1)

    ours = metrics.compare(times, account(r), account(b))

    ahead = empyrical.batting_average(pd.Series(r), pd.Series(b))["batting average"]
    same(ours.days_ahead, ahead, np.mean(r > b))
    index = pd.DatetimeIndex(times)
    both = pd.DataFrame({"r": account(r), "b": account(b)}, index=index).resample("ME").last()
    changes = pd.concat([pd.DataFrame({"r": [1e7], "b": [1e7]}), both]).pct_change().dropna()
    assert ours.months_ahead == pytest.approx((changes["r"] > changes["b"]).mean())
    assert metrics.performance(account(r)).positive_days == pytest.approx((r > 0).mean())


@seeds
def test_probabilistic_and_deflated_sharpe(seed: int) -> None:
    r = fat_tailed(seed)
    trials = np.random.default_rng(seed).normal(0.02, 0.03, 40)

    same(metrics.probabilistic_sharpe(r), sk.probabilistic_sharpe_ratio(r), _probabilistic(r, 0.0))
    same(
        metrics.probabilistic_sharpe(r, 0.05),
        sk.probabilistic_sharpe_ratio(r, benchmark_sharpe_ratio=0.05),
        _probabilistic(r, 0.05),
    )
    spread = float(trials.var(ddof=1))
    best = sk.expected_max_sharpe_ratio(40, math.sqrt(spread))
    assert metrics.expected_best_sharpe(40, spread) == pytest.approx(best, rel=1e-9)
    same(metrics.deflated_sharpe(r, 40, spread), sk.deflated_sharpe_ratio(r, trials), _probabilistic(r, best))


def _probabilistic(r: np.ndarray, threshold: float) -> float:
    """The formula of the paper, by scipy."""
    ratio = r.mean() / r.std(ddof=1)
    spread = 1 - scipy.stats.skew(r) * ratio + (scipy.stats.kurtosis(r, fisher=False) - 1) / 4 * ratio**2
    return float(scipy.stats.norm.cdf((ratio - threshold) * math.sqrt(len(r) - 1) / math.sqrt(spread)))


@seeds
@pytest.mark.parametrize("window", [20, 120])
def test_rolling_figures(seed: int, window: int) -> None:
    r, b = related(seed)
    mine, other = pd.Series(r), pd.Series(b)

    def close(ours: np.ndarray, theirs: pd.Series) -> None:
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)

    close(metrics.rolling_volatility(r, window), mine.rolling(window).std() * ROOT)
    sharpe = mine.rolling(window).mean() / mine.rolling(window).std() * ROOT
    close(metrics.rolling_sharpe(r, window), sharpe)
    close(metrics.rolling_beta(r, b, window), mine.rolling(window).cov(other) / other.rolling(window).var())
    tail = empyrical.roll_sharpe_ratio(r, window=window, **YEAR)
    np.testing.assert_allclose(metrics.rolling_sharpe(r, window)[window - 1 :], tail, rtol=1e-9)
