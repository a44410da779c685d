"""`/api/ml-factor/backtest/*`: portfolios by factors or models, followed by the rules of the market.

What is chosen at the close of the first trading day of a period is traded at the next open. v1 never bought anything.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.book import Book
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.rebalancing import dates_of, weights_by_date
from quantflux.api.v1_compat.rounding import days
from quantflux.backtest.runs.files import run_of_values
from quantflux.backtest.study import Study
from quantflux.core.errors import QuantfluxError
from quantflux.platform import Platform

_RISKLESS, _DAYS_A_YEAR, _CALENDAR_YEAR = 0.03, 252, 365.25  # v1's
_LARGEST = 1e12
_COMPARED = (
    "total_return",
    "annualized_return",
    "volatility",
    "sharpe_ratio",
    "max_drawdown",
    "win_rate",
    "calmar_ratio",
)
_MOST_STRATEGIES = 20
LAST = "last"
"""Under this name the figures of the newest run are kept, for the pages that show them."""


def run_backtest(asked: Asked) -> dict[str, Any]:
    """Backtest a strategy that holds the best names by factors or by models."""
    body = asked.body
    body.require("strategy_config", "start_date", "end_date")
    start, end = body.span()
    found = _run(asked.platform, body.mapping("strategy_config"), start, end, body)
    kept = ("portfolio_values", "daily_returns", "benchmark_returns", "performance_metrics")
    Book.of(asked.platform, "backtests").put(LAST, {name: found[name] for name in kept})
    return found


def compare_backtests(asked: Asked) -> dict[str, Any]:
    """Backtest several strategies and set them side by side; `errors` names those that cannot be run."""
    body = asked.body
    body.require("strategies", "start_date", "end_date")
    strategies = body.objects("strategies")
    if len(strategies) < 2:
        raise Refused(400, "至少需要2个策略进行比较")
    if len(strategies) > _MOST_STRATEGIES:
        raise Refused(400, f"strategies: found {len(strategies)}; valid are at most {_MOST_STRATEGIES}")
    start, end = body.span()
    results, errors = [], {}
    for place, strategy in enumerate(strategies, start=1):
        name = strategy.text("name", f"Strategy_{place}")
        try:
            strategy.require("config")
            found = _run(asked.platform, strategy.mapping("config"), start, end, strategy)
            results.append({"strategy_name": name, "result": {"success": True, **found}})
        except (Refused, QuantfluxError) as exc:
            errors[name] = str(exc)
    if not results:
        raise Refused(400, f"no strategy can be run: {next(iter(errors.values()))}")
    told = {"strategies": results, "comparison": comparison_of(results)}
    return told | ({"errors": errors} if errors else {})


def comparison_of(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of several runs by name, and which is best in what."""
    metrics = {
        each["strategy_name"]: {
            name: each["result"]["performance_metrics"].get(name, 0) for name in _COMPARED
        }
        for each in results
    }

    def best(name: str, sign: int) -> str:
        return str(max(metrics, key=lambda strategy: float(sign * metrics[strategy][name])))

    def mean(name: str) -> float:
        return float(np.mean([each[name] for each in metrics.values()]))

    return {
        "metrics_comparison": metrics,
        "best_strategy": {
            "highest_return": best("total_return", 1),
            "highest_sharpe": best("sharpe_ratio", 1),
            "lowest_drawdown": best("max_drawdown", -1),
            "highest_win_rate": best("win_rate", 1),
        },
        "summary": {
            "total_strategies": len(results),
            "avg_return": mean("total_return"),
            "avg_sharpe": mean("sharpe_ratio"),
            "avg_drawdown": mean("max_drawdown"),
        },
    }


def metrics_of(values: np.ndarray, start: date, end: date, trades: int) -> dict[str, Any]:
    """Return v1's figures of an account's daily values; none of fewer than two.

    Returns compound over the calendar; volatility is that of daily returns, times the root of 252.
    """
    if len(values) < 2:
        return {}
    returns = values[1:] / values[:-1] - 1
    total = float(values[-1] / values[0] - 1)
    years = (end - start).days / _CALENDAR_YEAR
    yearly = (1 + total) ** (1 / years) - 1 if years > 0 else 0.0
    volatility = float(returns.std() * np.sqrt(_DAYS_A_YEAR))
    fall = float((1 - values / np.maximum.accumulate(values)).max())
    return {
        "total_return": total,
        "annualized_return": yearly,
        "volatility": volatility,
        "sharpe_ratio": (yearly - _RISKLESS) / volatility if volatility > 0 else 0.0,
        "max_drawdown": fall,
        "win_rate": float((returns > 0).mean()),
        "calmar_ratio": yearly / fall if fall > 0 else 0.0,
        "total_trades": trades,
        "avg_daily_return": float(returns.mean()),
        "std_daily_return": float(returns.std()),
    }


def _run(platform: Platform, strategy: Values, start: date, end: date, terms: Values) -> dict[str, Any]:
    capital = terms.number("initial_capital", 1_000_000)
    if not 0 < capital <= _LARGEST:
        raise Refused(
            400, f"initial_capital: found {capital:g}; valid is a number above 0, up to {_LARGEST:g}"
        )
    cost = strategy.number("transaction_cost", 0.001)
    if not 0 <= cost < 0.1:
        raise Refused(400, f"transaction_cost: found {cost:g}; valid is a fraction from 0 and below 0.1")
    dates = dates_of(platform, start, end, terms.text("rebalance_frequency", "monthly"))
    study = _studied(platform, dates, strategy, (start, end), capital, cost)
    return {
        "strategy_config": strategy.given,
        "backtest_period": f"{start} to {end}",
        "initial_capital": capital,
        "final_value": float(study.equity[-1]),
        "total_return": float(study.equity[-1] / capital - 1),
        "performance_metrics": metrics_of(study.equity, start, end, int((study.run.log.filled != 0).sum())),
        **_account(study),
    }


def _studied(
    platform: Platform,
    dates: list[date],
    strategy: Values,
    span: tuple[date, date],
    capital: float,
    cost: float,
) -> Study:
    with tempfile.TemporaryDirectory(prefix="quantflux-v1-") as folder:
        path = Path(folder) / "weights.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("date", "symbol", "weight"))
            count = 0
            for day, weights in weights_by_date(platform, dates, strategy):
                count += 1
                writer.writerows((day.isoformat(), code, repr(weight)) for code, weight in weights.items())
        if not count:
            raise Refused(404, f"there is nothing to choose from on any of {len(dates)} dates")
        run = run_of_values(
            {
                "name": "v1",
                "start": span[0],
                "end": span[1],
                "capital": capital,
                "policy": {"kind": "weights", "file": path.name},
                "execution": {"slippage": 0.0, "commission": {"rate": cost, "minimum": 0.0}},
            },
            "the strategy",
            Path(folder),
        )
        return platform.backtests.run(run, ladder=False).study


def _account(study: Study) -> dict[str, Any]:
    """Return the account day by day, from the close of the first decision on."""
    run, rows = study.run, study.rows
    told = days(study.times)
    symbols = run.symbols.tolist()
    positions = [
        {
            symbols[column]: shares
            for column, shares in zip(*map(np.ndarray.tolist, run.holdings.at(row)), strict=True)
        }
        for row in rows.tolist()
    ]
    equity = study.equity
    benchmark = study.benchmark
    market = [] if benchmark is None else (benchmark.equity[1:] / benchmark.equity[:-1] - 1).tolist()
    return {
        "portfolio_values": [
            {"date": day, "total_value": total, "cash": cash, "positions_value": held}
            for day, total, cash, held in zip(
                told, equity.tolist(), run.cash[rows].tolist(), run.positions[rows].tolist(), strict=True
            )
        ],
        "daily_returns": (equity[1:] / equity[:-1] - 1).tolist(),
        "daily_positions": positions,
        "daily_turnover": (run.traded[rows] / equity).tolist(),
        "benchmark_returns": [
            {"date": day, "return": value} for day, value in zip(told[1:], market, strict=bool(market))
        ],
    }
