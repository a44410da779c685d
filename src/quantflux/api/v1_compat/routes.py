"""Every route of v1 that is answered, in the order of its documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.api.v1_compat import (
    backtest,
    definitions,
    factors,
    models,
    portfolio,
    reports,
    scoring,
    screening,
    single_stock,
    stocks,
)
from quantflux.api.v1_compat.envelope import Family
from quantflux.api.v1_compat.routing import Answer, Translation, router_of

_P, _READ, _WORK, _WRITE = Permission, RouteKind.READ, RouteKind.WORK, RouteKind.WRITE
_DAY: Mapping[str, Any] = {"trade_date": "2024-03-29"}
_SPAN: Mapping[str, Any] = {"start_date": "2023-01-03", "end_date": "2023-12-29"}
_FACTORS: Mapping[str, Any] = {"factor_list": ["momentum_20d", "volatility_20d"]}
_MODEL: Mapping[str, Any] = {
    "model_id": "reversal",
    "model_name": "Reversal",
    "model_type": "lightgbm",
    "target_type": "return_5d",
    **_FACTORS,
}
_ROWS = ("start_date", "end_date", "limit")
_STRATEGY: Mapping[str, Any] = {"selection_method": "factor_based", "top_n": 20, **_FACTORS}


def _stocks(path: str, answer: Answer, *query: str) -> Translation:
    return Translation("GET", f"/api/{path}", answer, _P.MARKET_READ, family=Family.STOCKS, query=query)


def _factors(
    method: str,
    path: str,
    answer: Answer,
    permission: Permission,
    kind: RouteKind = _WORK,
    example: Mapping[str, Any] | None = None,
    *,
    long: bool = False,
    changes: str = "",
) -> Translation:
    path = f"/api/ml-factor/{path}"
    return Translation(method, path, answer, permission, kind, long=long, example=example, changes=changes)


STOCKS = (
    _stocks("stocks", stocks.list_stocks, "industry", "area", "search", "page", "page_size"),
    _stocks("stocks/{ts_code}", stocks.get_stock),
    _stocks("stocks/{ts_code}/history", stocks.list_history, *_ROWS),
    _stocks("stocks/{ts_code}/factors", stocks.list_factors, *_ROWS),
    _stocks("stocks/{ts_code}/moneyflow", stocks.list_moneyflow, *_ROWS),
    _stocks("stocks/{ts_code}/cyq", stocks.list_chips, *_ROWS),
    _stocks("industries", stocks.list_industries),
    _stocks("areas", stocks.list_areas),
    Translation(
        "POST",
        "/api/analysis/screen",
        screening.screen,
        _P.SCORES_READ,
        _WORK,
        Family.STOCKS,
        "筛选完成",
        example={**_DAY, "pe_min": 5, "pe_max": 20},
    ),
    Translation(
        "POST",
        "/api/analysis/backtest",
        single_stock.run_strategy,
        _P.BACKTESTS_RUN,
        _WORK,
        Family.STOCKS,
        "回测完成",
        example={"ts_code": "600519.SH", "strategy_type": "ma_cross", **_SPAN, "initial_capital": 1_000_000},
    ),
)

FACTORS = (
    _factors(
        "POST",
        "factors/calculate",
        factors.calculate,
        _P.FACTORS_COMPUTE,
        example={**_DAY, "factor_ids": ["momentum_20d"]},
        long=True,
        changes="factor.save",
    ),
    _factors(
        "POST",
        "factors/custom",
        factors.create_custom,
        _P.FACTORS_WRITE,
        _WRITE,
        {
            "factor_id": "my_gap",
            "factor_name": "Gap",
            "factor_formula": "(close - ma20) / ma20",
            "factor_type": "technical",
        },
        changes="factor.define",
    ),
    Translation(
        "GET",
        "/api/ml-factor/factors/list",
        factors.list_factors,
        _P.FACTORS_READ,
        query=("factor_type", "is_active"),
    ),
    _factors(
        "POST",
        "models/create",
        definitions.create_model,
        _P.MODELS_TRAIN,
        _WRITE,
        _MODEL,
        changes="model.define",
    ),
    _factors(
        "POST",
        "models/train",
        models.train_model,
        _P.MODELS_TRAIN,
        example={"model_id": "reversal", **_SPAN},
        long=True,
        changes="model.train",
    ),
    _factors(
        "POST",
        "models/predict",
        models.predict,
        _P.MODELS_TRAIN,
        example={"model_id": "reversal", **_DAY},
        long=True,
        changes="model.predict",
    ),
    _factors(
        "POST",
        "models/evaluate",
        models.evaluate,
        _P.MODELS_READ,
        example={"model_id": "reversal", **_SPAN},
        long=True,
    ),
    _factors("GET", "models/list", definitions.list_models, _P.MODELS_READ, _READ),
    _factors(
        "POST",
        "scoring/factor-based",
        scoring.score_by_factors,
        _P.SCORES_READ,
        example={**_DAY, **_FACTORS, "top_n": 10},
        long=True,
    ),
    _factors(
        "POST",
        "scoring/ml-based",
        scoring.score_by_models,
        _P.SCORES_READ,
        example={**_DAY, "model_ids": ["reversal"]},
    ),
    _factors(
        "POST",
        "analysis/factor-contribution",
        scoring.contributions,
        _P.SCORES_READ,
        example={**_DAY, **_FACTORS, "ts_code": "600519.SH"},
        long=True,
    ),
    _factors(
        "POST", "analysis/sector", scoring.sectors, _P.SCORES_READ, example={**_DAY, **_FACTORS}, long=True
    ),
    _factors(
        "POST",
        "batch/calculate-and-score",
        scoring.calculate_and_score,
        _P.FACTORS_COMPUTE,
        example={**_DAY, **_FACTORS},
        long=True,
        changes="factor.save",
    ),
    _factors(
        "POST",
        "batch/train-and-predict",
        models.train_and_predict,
        _P.MODELS_TRAIN,
        example={
            "model_configs": [_MODEL],
            "train_start_date": "2023-01-03",
            "train_end_date": "2023-12-29",
            "predict_date": "2024-03-29",
        },
        long=True,
        changes="model.train",
    ),
    _factors(
        "POST",
        "portfolio/optimize",
        portfolio.optimise_portfolio,
        _P.PORTFOLIOS_OPTIMISE,
        example={"expected_returns": {"600519.SH": 0.001, "000001.SZ": 0.0005}},
        long=True,
    ),
    _factors(
        "POST",
        "portfolio/rebalance",
        portfolio.rebalance,
        _P.PORTFOLIOS_OPTIMISE,
        example={"current_weights": {"600519.SH": 1.0}, "target_weights": {"000001.SZ": 1.0}},
    ),
    _factors(
        "POST",
        "portfolio/integrated-selection",
        portfolio.integrated_selection,
        _P.PORTFOLIOS_OPTIMISE,
        example={**_DAY, **_FACTORS, "top_n": 20},
        long=True,
    ),
    _factors(
        "POST",
        "backtest/run",
        backtest.run_backtest,
        _P.BACKTESTS_RUN,
        example={"strategy_config": _STRATEGY, **_SPAN},
        long=True,
    ),
    _factors(
        "POST",
        "backtest/compare",
        backtest.compare_backtests,
        _P.BACKTESTS_RUN,
        example={
            "strategies": [
                {"name": "ten", "config": {**_STRATEGY, "top_n": 10}},
                {"name": "twenty", "config": _STRATEGY},
            ],
            **_SPAN,
        },
        long=True,
    ),
)

PAGES = (
    _factors("GET", "analysis/model-performance", reports.model_performance, _P.MODELS_READ, _READ),
    _factors("GET", "analysis/factor-effectiveness", reports.factor_effectiveness, _P.SCORES_READ, long=True),
    _factors("GET", "analysis/portfolio-performance", reports.portfolio_performance, _P.SCORES_READ, _READ),
    _factors("GET", "analysis/risk-analysis", reports.risk_analysis, _P.SCORES_READ, _READ),
    _factors("GET", "analysis/export-report", reports.export_report, _P.SCORES_READ, long=True),
    _factors("POST", "analysis/generate-report", reports.generate_report, _P.BACKTESTS_RUN, long=True),
    _factors(
        "POST",
        "strategies/save",
        reports.save_strategy,
        _P.BACKTESTS_RUN,
        _WRITE,
        {"name": "Twenty", "config": _STRATEGY},
        changes="strategy.save",
    ),
)
"""What v1's pages called and v1 never had."""


def routers() -> list[APIRouter]:
    """Return the routers of v1."""
    return [router_of(STOCKS), router_of(FACTORS + PAGES)]
