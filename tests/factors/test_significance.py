"""How sure one can be of a mean."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api

from quantflux.factors.evaluation.records import record_of
from quantflux.factors.evaluation.significance import newey_west_t, usual_lags


def persistent(seed: int = 3, count: int = 200) -> np.ndarray:
    x = np.random.default_rng(seed).normal(0.1, 1, count)
    x[1:] += 0.6 * x[:-1]
    return x


def test_newey_west_agrees_with_its_formula() -> None:
    x = persistent()
    known = x - x.mean()
    lags = 6
    matrix = np.array([[max(0.0, 1 - abs(i - j) / (lags + 1)) for j in range(200)] for i in range(200)])
    variance = known @ matrix @ known / 200**2

    assert newey_west_t(np.append(x, np.nan), lags) == pytest.approx(x.mean() / np.sqrt(variance))
    assert abs(newey_west_t(x, lags)) < abs(newey_west_t(x, 0))  # persistence makes one less sure


@pytest.mark.parametrize("lags", [0, 4, 20])
def test_newey_west_agrees_with_statsmodels(lags: int) -> None:
    x = persistent(seed=5)

    fit = statsmodels.api.OLS(x, np.ones(len(x))).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )

    assert newey_west_t(x, lags) == pytest.approx(fit.tvalues[0])


def test_without_lags_the_usual_number_is_taken() -> None:
    x = persistent()

    assert usual_lags(200) == 4
    assert newey_west_t(x) == newey_west_t(x, 4)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [0.5] * 9])
def test_too_little_to_be_sure_of(values: list[float]) -> None:
    assert np.isnan(newey_west_t(np.array(values)))


def test_a_record_by_hand() -> None:
    record = record_of(np.array([np.nan, 0.10, -0.20, 0.10, np.nan, -0.10]))

    # 1.1, 0.88, 0.968, 0.8712: a fifth and then a little more below 1.1
    assert record.max_drawdown == pytest.approx(1 - 0.8712 / 1.1)
    assert record.annual == pytest.approx(-0.025 * 244)
    assert record.volatility == pytest.approx(np.std([0.1, -0.2, 0.1, -0.1], ddof=1) * 244**0.5)
    assert record.sharpe == pytest.approx(record.annual / record.volatility)


def test_a_loss_from_the_start_is_a_drawdown() -> None:
    assert record_of(np.array([-0.5, 0.1, 0.1])).max_drawdown == pytest.approx(0.5)


def test_two_days_are_no_record() -> None:
    assert np.isnan(record_of(np.array([0.1, 0.2])).sharpe)
