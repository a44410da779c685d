"""Fading variances against a plain loop, pandas and statsmodels; and surprises by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.sandwich_covariance import S_hac_simple

from quantflux.portfolio.risk.factor_model.running import regime_multipliers, running_variances, surprises


def slowly(x: np.ndarray, half_life: float, lags: int) -> float:
    """The variance after the last day, term by term."""
    last = len(x) - 1
    weight = [0.0 if np.isnan(v) else 0.5 ** ((last - t) / half_life) for t, v in enumerate(x)]
    total = sum(w * v * v for w, v in zip(weight, x, strict=True) if w)
    for d in range(1, lags + 1):
        for t in range(d, len(x)):
            if weight[t] and weight[t - d]:
                bartlett = 1 - d / (lags + 1)
                total += 2 * bartlett * np.sqrt(weight[t] * weight[t - d]) * x[t] * x[t - d]
    return total / sum(weight)


def series(days: int = 90, count: int = 4, gaps: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(9)
    values = rng.normal(0, 0.02, (days, count))
    values[1:] += 0.3 * values[:-1]
    values[rng.random(values.shape) < gaps] = np.nan
    values[:30, 3] = np.nan
    return values


@pytest.mark.parametrize("lags", [0, 1, 5])
def test_every_day_is_that_of_the_plain_sums(lags: int) -> None:
    values = series()

    made = running_variances(values, 15.0, lags=lags, least=10)

    for column in range(4):
        known = np.cumsum(~np.isnan(values[:, column]))
        for row in range(90):
            expected = slowly(values[: row + 1, column], 15.0, lags) if known[row] >= 10 else np.nan
            assert made[row, column] == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_without_gaps_the_correction_is_that_of_statsmodels() -> None:
    values = series(gaps=0.0)[:, 0]
    weights = 0.5 ** (np.arange(89, -1, -1) / 20.0)

    made = running_variances(values[:, None], 20.0, lags=5)[-1, 0]

    expected = S_hac_simple((values * np.sqrt(weights))[:, None], nlags=5)[0, 0] / weights.sum()
    assert made == pytest.approx(expected, rel=1e-10)


def test_without_lags_it_is_the_fading_mean_square_of_pandas() -> None:
    values = series()

    made = running_variances(values, 15.0, least=1)

    expected = (pd.DataFrame(values) ** 2).ewm(halflife=15).mean().to_numpy()
    np.testing.assert_allclose(made, expected, rtol=1e-9)


def test_single_precision_is_kept_and_agrees() -> None:
    values = series()

    made = running_variances(values.astype(np.float32), 15.0, lags=5)

    assert made.dtype == np.float32
    np.testing.assert_allclose(made, running_variances(values, 15.0, lags=5), rtol=1e-5)


def test_trending_returns_have_more_variance_over_longer_stretches_and_reverting_ones_less() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (40_000, 2))
    values = noise.copy()
    values[1:, 0] += 0.5 * noise[:-1, 0]
    values[1:, 1] -= 0.5 * noise[:-1, 1]

    plain = running_variances(values, 1e6)[-1]
    corrected = running_variances(values, 1e6, lags=10)[-1]

    # in the long run a moving average has (1 +- 0.5)^2 of the noise's variance; a day has 1.25 of it
    weight = 1 - 1 / 11
    assert corrected / plain == pytest.approx(1 + 2 * weight * np.array([0.4, -0.4]), abs=0.1)


def test_the_variance_is_never_negative() -> None:
    values = np.tile([0.01, -0.01], 50)[:, None]

    made = running_variances(values, 10.0, lags=1, least=2)

    assert (made[1:] >= 0).all()


def test_surprises_by_hand() -> None:
    # half-life 1: after day 1 the variance of the first is (0.5 + 4) / 1.5 = 3, that of the second 1
    values = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 2.0]])
    weights = np.array([[1.0, 1.0], [1.0, 3.0], [9.0, 9.0]])

    made = surprises(values, weights, 1.0, least=2)

    assert np.isnan(made[:2]).all()
    assert made[2] == pytest.approx((1 * 9 / 3 + 3 * 4 / 1) / 4)


def test_surprises_pass_over_gaps_and_missing_weights() -> None:
    values = series()
    weights = np.ones_like(values)
    weights[:, 1] = np.nan

    made = surprises(values, weights, 15.0, least=10)

    variances = running_variances(values, 15.0, least=10)
    ratios = (values[1:] ** 2 / variances[:-1])[:, [0, 2, 3]]
    expected = pd.DataFrame(ratios).mean(axis=1).to_numpy()
    np.testing.assert_allclose(made[1:], expected, rtol=1e-9)
    assert np.isnan(made[0])


def test_right_forecasts_bring_no_surprise() -> None:
    values = np.random.default_rng(3).normal(0, 0.01, (3000, 8))

    made = surprises(values, np.ones_like(values), 250.0, least=500)

    # a variance from about 720 effective days is off by 5 %, and dividing by it adds its square
    assert np.nanmean(made) == pytest.approx(1.0, abs=0.03)


def test_the_multiplier_is_the_fading_mean_of_surprises() -> None:
    surprise = np.array([np.nan, np.nan, 1.0, 2.0, np.nan, 4.0])

    made = regime_multipliers(surprise, 3.0)

    expected = pd.Series(surprise).ewm(halflife=3).mean().fillna(1.0).to_numpy()
    np.testing.assert_allclose(made, expected, rtol=1e-12)
