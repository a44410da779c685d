"""`/api/ml-factor/analysis/*` that v1's pages called and v1 never had, and saved strategies.

Figures are those of what was trained and backtested through these routes; where nothing was, lists are empty and
figures null. v1's pages showed invented ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from quantflux.api.v1_compat.asked import Asked
from quantflux.api.v1_compat.backtest import LAST
from quantflux.api.v1_compat.book import Book
from quantflux.api.v1_compat.definitions import list_models
from quantflux.api.v1_compat.envelope import File, Refused
from quantflux.api.v1_compat.factors import short_name, usable
from quantflux.api.v1_compat.pdf import pdf_of
from quantflux.api.v1_compat.rounding import number
from quantflux.api.v1_compat.scoring import request_of
from quantflux.core.errors import QuantfluxError
from quantflux.data.schema import DAILY
from quantflux.platform import Platform

_LONGEST_NAME = 200
_PERCENT = 100


def model_performance(asked: Asked) -> dict[str, Any]:
    """Return the figures of every training through these routes, the oldest first."""
    told = sorted(Book.of(asked.platform, "trainings").all().values(), key=lambda row: row["date"])
    by_type: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in told:
        by_type[row["model_type"]].append(row["metrics"])
    r2 = [row["metrics"]["test_r2"] for row in told if row["metrics"]["test_r2"] is not None]
    return {
        "total_models": list_models(asked)["total_count"],
        "best_r2": max(r2, default=None),
        "performance_data": [
            {
                "date": row["date"],
                "model_id": row["model_id"],
                "train_r2": row["metrics"]["train_r2"],
                "test_r2": row["metrics"]["test_r2"],
                "mae": row["metrics"]["test_mae"],
            }
            for row in told
        ],
        "comparison_data": [
            {
                "model_type": kind,
                "r2_score": _mean([each["test_r2"] for each in figures]),
                "mae_score": _mean([each["test_mae"] for each in figures]),
            }
            for kind, figures in sorted(by_type.items())
        ],
    }


def factor_effectiveness(asked: Asked) -> dict[str, Any]:
    """Return what models make of each factor, and how it ranked the returns of the last days that are known.

    `correlation` is the mean RankIC over 120 days, of returns over 5 days from the next open; null if few are known.
    """
    importance: dict[str, list[float]] = defaultdict(list)
    for row in Book.of(asked.platform, "trainings").all().values():
        for name, value in row["metrics"]["feature_importance"].items():
            importance[name].append(value)
    correlation = _correlations(asked.platform)
    stats: list[dict[str, Any]] = [
        {
            "factor_name": name,
            "importance": _mean(importance.get(name, [])),
            "correlation": correlation.get(name),
        }
        for name in sorted({*importance, *correlation})
    ]
    stats.sort(key=lambda each: -(each["importance"] or 0))
    ranked = [each for each in reversed(stats) if each["importance"] is not None]
    return {
        "active_factors": len(correlation),
        "importance_data": [{k: each[k] for k in ("factor_name", "importance")} for each in ranked],
        "factor_stats": stats,
    }


def portfolio_performance(asked: Asked) -> dict[str, Any]:
    """Return the newest backtest of these routes, in percent, beside the market in equal weights."""
    count = len(Book.of(asked.platform, "strategies").all())
    last = Book.of(asked.platform, "backtests").get(LAST)
    figures = ("annual_return", "max_drawdown", "sharpe_ratio", "win_rate")
    if last is None or not last["performance_metrics"]:
        return {"portfolio_count": count, **dict.fromkeys(figures), "performance_data": []}
    metrics = last["performance_metrics"]
    own = np.cumprod(1 + np.array(last["daily_returns"])) - 1
    market = np.cumprod([1 + each["return"] for each in last["benchmark_returns"]]) - 1
    return {
        "portfolio_count": count,
        "annual_return": _PERCENT * metrics["annualized_return"],
        "max_drawdown": _PERCENT * metrics["max_drawdown"],
        "sharpe_ratio": metrics["sharpe_ratio"],
        "win_rate": _PERCENT * metrics["win_rate"],
        "performance_data": [
            {
                "date": each["date"],
                "portfolio_return": _PERCENT * float(own[place]),
                "benchmark_return": _PERCENT * float(market[place]) if len(market) else None,
            }
            for place, each in enumerate(last["portfolio_values"][1:])
        ],
    }


def risk_analysis(asked: Asked) -> dict[str, Any]:
    """Return how much of the newest backtest's variance moves with the market, in percent, and its risk a day."""
    empty: dict[str, Any] = {"risk_data": [], "beta": None, "volatility": None, "value_at_risk": None}
    last = Book.of(asked.platform, "backtests").get(LAST)
    if last is None or len(last["benchmark_returns"]) < 3:
        return empty
    own = np.array(last["daily_returns"])
    market = np.array([each["return"] for each in last["benchmark_returns"]])
    if not (own.std() > 0 and market.std() > 0):
        return empty
    shared = float(np.corrcoef(own, market)[0, 1] ** 2)
    return {
        "risk_data": [
            {"name": "市场风险", "value": _PERCENT * shared},
            {"name": "个股风险", "value": _PERCENT * (1 - shared)},
        ],
        "beta": float(np.cov(own, market)[0, 1] / market.var(ddof=1)),
        "volatility": last["performance_metrics"]["volatility"],
        "value_at_risk": float(-np.quantile(own, 0.05)),
    }


def generate_report(asked: Asked) -> dict[str, Any]:
    """Put the four analyses together and keep them for export."""
    report = _report(asked)
    Book.of(asked.platform, "reports").put(LAST, report)
    return {"message": "分析报告生成成功", "report": report}


def export_report(asked: Asked) -> File:
    """Return the report that was generated last, or one of now, as a PDF."""
    report = Book.of(asked.platform, "reports").get(LAST) or _report(asked)
    return File(pdf_of(_lines(report)), "report.pdf", "application/pdf")


def save_strategy(asked: Asked) -> dict[str, Any]:
    """Keep a strategy under its name, in place of one that had it."""
    body = asked.body
    body.require("name", "config")
    name = body.text("name")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refused(400, f"name: valid are at most {_LONGEST_NAME} printable characters")
    row = {
        "name": name,
        "config": body.mapping("config").given,
        "saved_at": asked.platform.clock.now().isoformat(timespec="seconds"),
        "owner": asked.caller.owner,
    }
    key = sha256(name.encode()).hexdigest()[:16]
    Book.of(asked.platform, "strategies").put(key, row)
    return {"message": "策略保存成功", "strategy_id": key}


def _report(asked: Asked) -> dict[str, Any]:
    return {
        "generated_at": asked.platform.clock.now().isoformat(timespec="seconds"),
        "model_performance": model_performance(asked),
        "factor_effectiveness": factor_effectiveness(asked),
        "portfolio_performance": portfolio_performance(asked),
        "risk_analysis": risk_analysis(asked),
    }


def _lines(report: dict[str, Any]) -> list[str]:
    models, factors = report["model_performance"], report["factor_effectiveness"]
    portfolio, risk = report["portfolio_performance"], report["risk_analysis"]
    lines = [f"Multi-factor analysis, {report['generated_at']}", "", f"Models: {models['total_models']}"]
    lines += [
        f"  {row['date']}  {row['model_id']:<30} R2 {_figure(row['train_r2'])} fit, {_figure(row['test_r2'])} unseen"
        for row in models["performance_data"]
    ]
    lines += ["", f"Factors: {factors['active_factors']}"]
    lines += [
        f"  {row['factor_name']:<40} importance {_figure(row['importance'])}  RankIC {_figure(row['correlation'])}"
        for row in factors["factor_stats"]
    ]
    lines += ["", f"Saved strategies: {portfolio['portfolio_count']}", "Newest backtest:"]
    names = ("annual_return", "max_drawdown", "win_rate", "sharpe_ratio")
    lines += [f"  {name:<20} {_figure(portfolio[name])}" for name in names]
    return lines + [f"  {name:<20} {_figure(risk[name])}" for name in ("beta", "volatility", "value_at_risk")]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _correlations(platform: Platform) -> dict[str, float | None]:
    """Return each usable factor with its trailing RankIC, None where too few are known."""
    span = platform.data.store.span(DAILY)
    if span is None:
        return {}
    try:
        names = usable(platform, [])
    except Refused:
        return {}
    try:
        found = platform.scoring.score(request_of(names, span.last, "ic"))
    except QuantfluxError:
        return {short_name(name): None for name in names}
    return {
        short_name(each.label): None if each.rank_ic is None else number(each.rank_ic)
        for each in found.weights
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
