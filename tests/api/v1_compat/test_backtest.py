"""Backtests of portfolios and what v1's pages showed of them; numbers by pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantflux.platform import Platform
from tests.api.conftest import AsRole
from tests.api.v1_compat.conftest import Call
from tests.api.v1_compat.test_factors import PAIR, wide

SPAN = {"start_date": "2023-06-01", "end_date": "2024-06-28"}
STRATEGY = {"selection_method": "factor_based", "factor_list": ["momentum_5d"], "top_n": 3}
METRICS = {
    *("total_return", "annualized_return", "volatility", "sharpe_ratio", "max_drawdown", "win_rate"),
    *("calmar_ratio", "total_trades", "avg_daily_return", "std_daily_return"),
}


@pytest.fixture(scope="module")
def told(as_role: AsRole) -> dict[str, Any]:
    body = {"strategy_config": STRATEGY, **SPAN}
    answer = as_role("researcher").post("/api/ml-factor/backtest/run", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_account_is_told_day_by_day(told: dict[str, Any], bars: pd.DataFrame) -> None:
    assert set(told) == {
        *("success", "strategy_config", "backtest_period", "initial_capital", "final_value", "total_return"),
        *("portfolio_values", "daily_returns", "daily_positions", "daily_turnover", "performance_metrics"),
        "benchmark_returns",
    }
    days = sorted(bars["trade_date"].unique())
    inside = [day for day in days if pd.Timestamp("2023-06-01") <= day <= pd.Timestamp("2024-06-28")]
    values = pd.DataFrame(told["portfolio_values"])
    assert values["date"].tolist() == [day.strftime("%Y-%m-%d") for day in inside]
    np.testing.assert_allclose(values["cash"] + values["positions_value"], values["total_value"])
    assert told["initial_capital"] == 1_000_000 == values["total_value"][0]
    returns = values["total_value"].pct_change().dropna()
    np.testing.assert_allclose(told["daily_returns"], returns, atol=1e-12)
    assert len(told["daily_positions"]) == len(told["daily_turnover"]) == len(values)
    assert told["total_return"] == pytest.approx(told["final_value"] / 1_000_000 - 1)


def test_the_best_of_the_first_day_of_a_month_are_held_from_the_next_open(
    told: dict[str, Any], bars: pd.DataFrame
) -> None:
    close = wide(bars)
    momentum = (close / close.shift(5) - 1).where(close.notna())
    dates = [each["date"] for each in told["portfolio_values"]]
    months = pd.Series(dates).str[:7]
    firsts = [place for place in range(len(dates)) if place == 0 or months[place] != months[place - 1]]
    assert told["daily_positions"][0] == {}
    met = 0
    for place in firsts[:-1]:
        best = momentum.loc[dates[place]].nlargest(3).index.tolist()
        held = set(told["daily_positions"][place + 1])
        met += held == set(best)
    assert met >= len(firsts) - 3  # locked or suspended names can be bought or sold only later
    first = told["daily_positions"][1]
    assert all(shares % 100 == 0 or code.startswith("688") for code, shares in first.items())
    assert set(first) <= set(momentum.loc[dates[0]].nlargest(3).index)


def test_figures_follow_from_the_account(told: dict[str, Any], bars: pd.DataFrame) -> None:
    metrics = told["performance_metrics"]
    assert set(metrics) == METRICS
    values = pd.DataFrame(told["portfolio_values"])["total_value"]
    returns = values.pct_change().dropna()
    total = values.iloc[-1] / values.iloc[0] - 1
    years = (pd.Timestamp("2024-06-28") - pd.Timestamp("2023-06-01")).days / 365.25
    yearly = (1 + total) ** (1 / years) - 1
    volatility = returns.std(ddof=0) * np.sqrt(252)
    fall = (1 - values / values.cummax()).max()
    assert metrics["annualized_return"] == pytest.approx(yearly)
    assert metrics["volatility"] == pytest.approx(volatility)
    assert metrics["sharpe_ratio"] == pytest.approx((yearly - 0.03) / volatility)
    assert metrics["max_drawdown"] == pytest.approx(fall)
    assert metrics["calmar_ratio"] == pytest.approx(yearly / fall)
    assert metrics["win_rate"] == pytest.approx((returns > 0).mean())
    assert metrics["total_trades"] > 10
    market = pd.DataFrame(told["benchmark_returns"]).set_index("date")["return"]
    mean = wide(bars).pct_change(fill_method=None).mean(axis=1)
    mean.index = mean.index.strftime("%Y-%m-%d")
    assert market.corr(mean[market.index]) > 0.97


def test_weights_count_and_costs_cost(factor: Call) -> None:
    two = {**STRATEGY, "factor_list": PAIR}

    def final(config: dict[str, Any], **more: Any) -> float:
        found: float = factor("backtest/run", {"strategy_config": config, **SPAN, **more})["final_value"]
        return found

    assert final(two | {"weights": {PAIR[0]: 1, PAIR[1]: 0}}) == pytest.approx(final(STRATEGY))
    assert final(two | {"factor_weights": {PAIR[0]: -1, PAIR[1]: 0}}) != pytest.approx(
        final(STRATEGY), rel=1e-3
    )
    assert final(STRATEGY | {"transaction_cost": 0.01}) < final(STRATEGY)
    assert final(STRATEGY, rebalance_frequency="quarterly") != pytest.approx(final(STRATEGY), rel=1e-6)


def test_other_optimisers_and_caps_hold(factor: Call) -> None:
    capped = STRATEGY | {"optimization": {"method": "equal_weight", "constraints": {"max_weight": 0.1}}}
    values = factor("backtest/run", {"strategy_config": capped, **SPAN})["portfolio_values"]
    assert values[1]["positions_value"] < 0.32 * values[1]["total_value"]
    parity = STRATEGY | {"optimization": {"method": "risk_parity"}, "top_n": 5}
    body = {"strategy_config": parity, **SPAN, "rebalance_frequency": "quarterly"}
    assert factor("backtest/run", body)["final_value"] > 0


def test_strategies_are_compared(factor: Call) -> None:
    body = {
        "strategies": [
            {"name": "three", "config": STRATEGY},
            {"config": STRATEGY | {"top_n": 6}},
            {"name": "none", "config": STRATEGY | {"selection_method": "ml_based", "model_ids": ["nobody"]}},
        ],
        **SPAN,
    }
    told = factor("backtest/compare", body)
    assert [each["strategy_name"] for each in told["strategies"]] == ["three", "Strategy_2"]
    assert list(told["errors"]) == ["none"]
    metrics = {each["strategy_name"]: each["result"]["performance_metrics"] for each in told["strategies"]}
    comparison = told["comparison"]
    assert set(comparison) == {"metrics_comparison", "best_strategy", "summary"}
    best = comparison["best_strategy"]
    assert best["highest_return"] == max(metrics, key=lambda name: metrics[name]["total_return"])
    assert best["lowest_drawdown"] == min(metrics, key=lambda name: metrics[name]["max_drawdown"])
    assert comparison["summary"]["total_strategies"] == 2
    assert comparison["summary"]["avg_sharpe"] == pytest.approx(
        np.mean([each["sharpe_ratio"] for each in metrics.values()])
    )


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("run", {**SPAN}, 400),
        ("run", {"strategy_config": STRATEGY, "start_date": "2024-01-01"}, 400),
        ("run", {"strategy_config": STRATEGY, **SPAN, "rebalance_frequency": "hourly"}, 400),
        ("run", {"strategy_config": STRATEGY, **SPAN, "initial_capital": "much"}, 400),
        ("run", {"strategy_config": STRATEGY, "start_date": "2001-01-01", "end_date": "2001-12-31"}, 400),
        ("run", {"strategy_config": STRATEGY | {"factor_list": ["nothing"]}, **SPAN}, 404),
        ("run", {"strategy_config": {"selection_method": "ml_based", "model_ids": ["nobody"]}, **SPAN}, 404),
        ("compare", {"strategies": [{"config": STRATEGY}], **SPAN}, 400),
        ("compare", {"strategies": [{"config": STRATEGY}] * 21, **SPAN}, 400),
        ("compare", {"strategies": [{}, {}], **SPAN}, 400),
        ("compare", {"strategies": "two", **SPAN}, 400),
    ],
)
def test_what_cannot_be_run_is_refused(factor: Call, path: str, body: dict[str, Any], status: int) -> None:
    assert set(factor(f"backtest/{path}", body, status=status)) == {"error"}


def test_pages_show_the_newest_backtest(told: dict[str, Any], factor: Call, as_role: AsRole) -> None:
    newest = factor("backtest/run", {"strategy_config": STRATEGY, **SPAN})
    count = factor("analysis/portfolio-performance")["portfolio_count"]
    saved = factor("strategies/save", {"name": "动量", "config": STRATEGY, "results": {"total_return": 9}})
    assert factor("strategies/save", {"name": "动量", "config": {"top_n": 4}}) == saved
    shown = factor("analysis/portfolio-performance")
    assert set(shown) == {
        *("success", "portfolio_count", "annual_return", "max_drawdown", "sharpe_ratio", "win_rate"),
        "performance_data",
    }
    assert shown["portfolio_count"] == count + 1
    assert shown["annual_return"] == pytest.approx(100 * newest["performance_metrics"]["annualized_return"])
    assert shown["performance_data"][-1]["portfolio_return"] == pytest.approx(100 * newest["total_return"])
    risk = factor("analysis/risk-analysis")
    own = pd.Series(newest["daily_returns"])
    market = pd.Series([each["return"] for each in newest["benchmark_returns"]])
    assert risk["beta"] == pytest.approx(own.cov(market) / market.var())
    assert [each["value"] for each in risk["risk_data"]] == pytest.approx(
        [100 * own.corr(market) ** 2, 100 - 100 * own.corr(market) ** 2]
    )
    report = factor("analysis/generate-report", {})["report"]
    assert report["portfolio_performance"]["portfolio_count"] == count + 1
    file = as_role("researcher").get("/api/ml-factor/analysis/export-report")
    assert file.headers["content-type"] == "application/pdf"
    assert "attachment" in file.headers["content-disposition"]
    assert file.content.startswith(b"%PDF-1.4")
    assert f"annual_return        {shown['annual_return']:.4f}".encode() in file.content
    factor("strategies/save", {"name": "x"}, status=400)


def test_pages_show_factors_and_models(factor: Call, platform: Platform) -> None:
    factors = factor("analysis/factor-effectiveness")
    assert {each["factor_name"] for each in factors["factor_stats"]} >= {"momentum_5d", "volatility_20d"}
    assert all(
        -1 <= each["correlation"] <= 1 for each in factors["factor_stats"] if each["correlation"] is not None
    )
    models = factor("analysis/model-performance")
    assert set(models) == {"success", "total_models", "best_r2", "performance_data", "comparison_data"}
