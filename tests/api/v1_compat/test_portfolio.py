"""Weights: v1's methods and statistics; numbers by closed forms and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from tests.api.v1_compat.conftest import DAY, Call
from tests.api.v1_compat.test_factors import PAIR, TODAY

STATS = {
    *("expected_return", "expected_risk", "sharpe_ratio", "concentration_hhi", "effective_stocks"),
    *("max_weight", "min_weight", "turnover"),
}
VOLATILITY = np.array([0.01, 0.02, 0.04, 0.03, 0.015])
NAMES = [f"60000{place}.SH" for place in range(5)]
RETURNS = dict(zip(NAMES, (0.0010, 0.0004, 0.0012, 0.0006, 0.0008), strict=True))
RISK = {name: dict.fromkeys(NAMES, 0.0) | {name: float(VOLATILITY[i] ** 2)} for i, name in enumerate(NAMES)}


def weights(told: dict[str, Any]) -> np.ndarray:
    return np.array([told["weights"][name] for name in NAMES])


def asked(method: str, **more: Any) -> dict[str, Any]:
    return {"expected_returns": RETURNS, "risk_model": RISK, "method": method, **more}


def test_risk_parity_is_the_inverse_of_volatility_without_correlations(factor: Call) -> None:
    told = factor("portfolio/optimize", asked("risk_parity"))
    np.testing.assert_allclose(weights(told), (1 / VOLATILITY) / (1 / VOLATILITY).sum(), atol=1e-6)
    assert set(told) == {
        *("success", "method", "weights", "portfolio_stats", "total_stocks", "non_zero_weights")
    }
    assert set(told["portfolio_stats"]) == STATS


def test_minimum_variance_is_the_inverse_of_variance(factor: Call) -> None:
    wanted = VOLATILITY**-2 / (VOLATILITY**-2).sum()
    np.testing.assert_allclose(
        weights(factor("portfolio/optimize", asked("min_variance"))), wanted, atol=1e-5
    )


def test_mean_variance_is_the_default_and_keeps_its_caps(factor: Call) -> None:
    mean = np.array(list(RETURNS.values()))
    constraints = {"max_weight": 0.35, "min_weight": 0.05, "risk_aversion": 4}
    body = asked("mean_variance", constraints=constraints)
    told = factor("portfolio/optimize", body)
    del body["method"]
    assert factor("portfolio/optimize", body) == told
    best = minimize(
        lambda w: -(mean @ w - 2 * w @ np.diag(VOLATILITY**2) @ w) * 1e4,
        np.full(5, 0.2),
        bounds=[(0.05, 0.35)] * 5,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-14,
    )
    np.testing.assert_allclose(weights(told), best.x, atol=1e-4)
    stats = told["portfolio_stats"]
    held = weights(told)
    risk = np.sqrt(held**2 @ VOLATILITY**2)
    assert stats["expected_return"] == pytest.approx(held @ mean)
    assert stats["expected_risk"] == pytest.approx(risk)
    assert stats["sharpe_ratio"] == pytest.approx((held @ mean - 0.03 / 252) / risk)
    assert stats["effective_stocks"] == pytest.approx(1 / (held @ held))


def test_the_highest_sharpe_ratio_is_found(factor: Call) -> None:
    mean = np.array(list(RETURNS.values()))
    wanted = (mean - 0.03 / 252) / VOLATILITY**2
    np.testing.assert_allclose(
        weights(factor("portfolio/optimize", asked("max_sharpe"))), wanted / wanted.sum(), atol=1e-4
    )


def test_equal_weights_and_few_names(factor: Call) -> None:
    told = factor("portfolio/optimize", asked("equal_weight"))
    np.testing.assert_allclose(weights(told), 0.2)
    assert (told["total_stocks"], told["non_zero_weights"]) == (5, 5)
    few = factor("portfolio/optimize", asked("equal_weight", constraints={"max_stocks": 2}))
    assert few["weights"] == {NAMES[0]: 0.5, NAMES[2]: 0.5}


def test_risk_is_estimated_where_it_is_not_given(factor: Call, bars: pd.DataFrame) -> None:
    names = sorted(bars["symbol"].unique())[:4]
    returns = dict.fromkeys(names, 0.001)
    told = factor("portfolio/optimize", {"expected_returns": returns, "method": "min_variance"})
    close = bars.pivot_table(index="trade_date", columns="symbol", values="adjusted")[names]
    close = close.loc[close.index >= close.index[-1] - pd.Timedelta(days=302)]
    covariance = close.pct_change(fill_method=None).cov()
    held = pd.Series(told["weights"])
    assert told["portfolio_stats"]["expected_risk"] == pytest.approx(
        np.sqrt(held @ covariance @ held), rel=0.1
    )
    assert factor("portfolio/optimize", {"expected_returns": returns, "method": "black_litterman"})["weights"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"expected_returns": {}},
        {"expected_returns": {"600000.SH": "x"}},
        {"method": "luck"},
        {"method": "factor_neutral"},
        {"constraints": {"max_weight": 0.1}},
        {"risk_model": {"600000.SH": {"600000.SH": 1.0}}},
    ],
)
def test_what_cannot_be_met_is_refused(factor: Call, wrong: dict[str, Any]) -> None:
    assert set(factor("portfolio/optimize", asked("mean_variance") | wrong, status=400)) == {"error"}


def test_rebalancing_is_arithmetic(factor: Call) -> None:
    told = factor(
        "portfolio/rebalance",
        {
            "current_weights": {"A": 0.6, "B": 0.4},
            "target_weights": {"B": 0.4, "C": 0.5},
            "transaction_cost": 0.002,
        },
    )
    assert told == {
        "success": True,
        "trade_instructions": {"A": -0.6, "C": 0.5},
        "buy_list": {"C": 0.5},
        "sell_list": {"A": -0.6},
        "total_trade_value": pytest.approx(1.1),
        "transaction_cost": pytest.approx(0.0022),
        "turnover": pytest.approx(0.55),
        "net_exposure_change": pytest.approx(-0.1),
    }
    factor("portfolio/rebalance", {"current_weights": {}, "target_weights": {"A": 1}}, status=400)


def test_selection_and_weights_in_one_go(factor: Call) -> None:
    body = TODAY | {"factor_list": [*PAIR, "roe_ttm"], "weights": {PAIR[0]: 0.4, PAIR[1]: 0.6}, "top_n": 6}
    told = factor("portfolio/integrated-selection", body)
    assert set(told) == {
        *("success", "trade_date", "selection_method", "optimization_method", "stock_selection"),
        *("portfolio_optimization", "final_portfolio"),
    }
    scored = factor("scoring/factor-based", body | {"method": "factor_weight", "factor_list": PAIR})
    wanted = {each["ts_code"]: each["composite_score"] for each in scored["top_stocks"]}
    assert told["stock_selection"] == {"total_candidates": 6, "selection_scores": pytest.approx(wanted)}
    assert told["final_portfolio"]["weights"] == dict.fromkeys(wanted, pytest.approx(1 / 6))
    capped = factor(
        "portfolio/integrated-selection",
        body
        | {"optimization_method": "mean_variance", "constraints": {"max_weight": 0.3, "target_return": 0.15}},
    )
    held = np.array(list(capped["final_portfolio"]["weights"].values()))
    assert held.sum() == pytest.approx(1)
    assert held.max() <= 0.3 + 1e-6
    assert abs(capped["final_portfolio"]["stats"]["sharpe_ratio"]) < 1
    factor("portfolio/integrated-selection", {"trade_date": DAY.replace(day=26).isoformat()}, status=404)
    factor("portfolio/integrated-selection", body | {"selection_method": "dice"}, status=400)
