"""`/api/ml-factor/portfolio/*`: weights from expected returns and risk, and what changing them means.

Constraints hold or the request is refused with the reason; v1 bent them, or fell back to equal weights. Expected
returns and covariances are a day's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.listing import listing_of
from quantflux.api.v1_compat.scoring import Ranking, ranking_by_factors, ranking_by_models
from quantflux.core.errors import InvalidRequest, NotFound, OptimisationError, UnknownSymbol
from quantflux.data.schema import DAILY, DAILY_BASIC
from quantflux.platform import Platform
from quantflux.portfolio.constraints import Bounds, Constraint, GroupBounds
from quantflux.portfolio.forecast import combined_zscore, grinold
from quantflux.portfolio.methods import AbsoluteView, optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk import RiskModel, enough_history, shrunk_risk

METHODS: Mapping[str, str] = {
    "equal_weight": "equal",
    "mean_variance": "mean_variance",
    "risk_parity": "risk_parity",
    "min_variance": "minimum_variance",
    "max_sharpe": "maximum_sharpe",
    "black_litterman": "black_litterman",
}
_HISTORY = timedelta(days=302)  # v1's
_RISKLESS = 0.03 / 252  # a day; v1's
_HELD = 0.001
_DUST = 1e-9

SKILL, HORIZON = 0.05, 20
"""What turns scores into expected returns: the correlation with the returns of the next days, and how many days."""

_MODEL_DAYS = 5  # of a prediction of a model that is not known here


@dataclass(frozen=True, eq=False)
class Found:
    """Weights and what they are made from; arrays in the order of `codes`."""

    method: str
    codes: list[str]
    weights: np.ndarray
    expected: np.ndarray
    risk: RiskModel | None

    def told(self) -> dict[str, Any]:
        """Return it as v1 did."""
        return {
            "success": True,
            "method": self.method,
            "weights": dict(zip(self.codes, self.weights.tolist(), strict=True)),
            "portfolio_stats": self._statistics(),
            "total_stocks": len(self.codes),
            "non_zero_weights": int((self.weights > _HELD).sum()),
        }

    def _statistics(self) -> dict[str, float | None]:
        gain = float(self.weights @ self.expected)
        risk = None if self.risk is None else float(np.sqrt(self.risk.variance(self.weights)))
        concentration = float((self.weights**2).sum())
        held = self.weights[self.weights > 0]
        return {
            "expected_return": gain,
            "expected_risk": risk,
            "sharpe_ratio": (gain - _RISKLESS) / risk if risk else None,
            "concentration_hhi": concentration,
            "effective_stocks": 1 / concentration,
            "max_weight": float(self.weights.max()),
            "min_weight": float(held.min()),
            "turnover": 0.0,  # nothing is said of what is held now
        }


def optimise_portfolio(asked: Asked) -> dict[str, Any]:
    """Find weights for names whose expected daily returns are given."""
    body = asked.body
    body.require("expected_returns", message="缺少预期收益率数据")
    expected = body.numbers("expected_returns")
    if not all(np.isfinite(value) for value in expected.values()):
        raise Refused(400, "expected_returns: valid is a number for each name")
    codes = list(expected)
    given = body.mapping("risk_model")
    risk = _given_risk(given, codes) if given.given else None
    method = body.text("method", "mean_variance")
    returns = np.array(list(expected.values()))
    return found_weights(asked.platform, codes, returns, method, body.mapping("constraints"), risk).told()


def rebalance(asked: Asked) -> dict[str, Any]:
    """Say what is to be traded to come from weights to other weights, and what that costs."""
    body = asked.body
    body.require("current_weights", "target_weights")
    before, after = body.numbers("current_weights"), body.numbers("target_weights")
    cost = body.number("transaction_cost", 0.001)
    if not 0 <= cost <= 1 or not all(map(np.isfinite, (*before.values(), *after.values()))):
        raise Refused(400, "weights are numbers, and transaction_cost is a fraction from 0 to 1")
    change = {code: after.get(code, 0.0) - before.get(code, 0.0) for code in sorted({*before, *after})}
    total = sum(map(abs, change.values()))
    return {
        "trade_instructions": {code: value for code, value in change.items() if value},
        "buy_list": {code: value for code, value in change.items() if value > 0},
        "sell_list": {code: value for code, value in change.items() if value < 0},
        "total_trade_value": total,
        "transaction_cost": total * cost,
        "turnover": total / 2,
        "net_exposure_change": sum(after.values()) - sum(before.values()),
    }


def integrated_selection(asked: Asked) -> dict[str, Any]:
    """Choose the best names of a day, and find weights for them."""
    body = asked.body
    body.require("trade_date", message="缺少交易日期参数")
    day = body.the_day("trade_date")
    how = body.text("selection_method", "factor_based")
    method = body.text("optimization_method", "equal_weight")
    chosen = selected(asked.platform, day, body, body.integer("top_n", 100))
    found = weights_of(asked.platform, day, chosen, method, body.mapping("constraints"))
    told = found.told()
    return {
        "trade_date": day.isoformat(),
        "selection_method": how,
        "optimization_method": method,
        "stock_selection": {
            "total_candidates": len(chosen.codes),
            "selection_scores": dict(zip(chosen.codes, chosen.scores.tolist(), strict=True)),
        },
        "portfolio_optimization": told,
        "final_portfolio": {"weights": told["weights"], "stats": told["portfolio_stats"]},
    }


@dataclass(frozen=True, eq=False)
class Selection:
    """The best names of a day.

    Attributes
    ----------
    codes : list of str
    scores : array of float64, shape (K,)
    standing : array of float64, shape (K,)
        Their z-scores among all names ranked.
    days : int
        Over which predicted returns are; 0 where scores are no returns.
    """

    codes: list[str]
    scores: np.ndarray
    standing: np.ndarray
    days: int


def selected(platform: Platform, day: date, terms: Values, top: int) -> Selection:
    """Return the best names by factors or by models, as a request or a strategy says."""
    how = terms.text("selection_method", "factor_based")
    if how not in ("factor_based", "ml_based"):
        raise Refused(400, f"selection_method: found {how!r:.60}; valid is factor_based or ml_based")
    models = terms.names("model_ids")
    if how == "ml_based" and models:
        ranking, _ = ranking_by_models(platform, day, models)
        return _best(ranking, top, _days_of(platform, models))
    weights = terms.numbers("weights") or terms.numbers("factor_weights")
    ranking = ranking_by_factors(platform, day, terms.names("factor_list"), weights, "factor_weight")
    return _best(ranking, top, 0)


def weights_of(platform: Platform, day: date, chosen: Selection, method: str, constraints: Values) -> Found:
    """Return weights for chosen names by what was known on a day; names without a history are left out."""
    if method == "equal_weight":
        risk, known = _risk_or_none(platform, chosen.codes, day), np.ones(len(chosen.codes), dtype=bool)
    else:
        risk, known = estimated_risk(platform, chosen.codes, day)
    codes = [code for code, keep in zip(chosen.codes, known.tolist(), strict=True) if keep]
    if chosen.days:
        expected = chosen.scores[known] / chosen.days
    else:
        volatility = np.zeros(len(codes)) if risk is None else risk.volatilities
        expected = grinold(chosen.standing[known], volatility, SKILL, HORIZON)
    return found_weights(platform, codes, expected, method, constraints, risk, day)


def found_weights(
    platform: Platform,
    codes: Sequence[str],
    expected: np.ndarray,
    method: str,
    constraints: Values,
    risk: RiskModel | None = None,
    day: date | None = None,
) -> Found:
    """Find weights.

    Raises
    ------
    Refused
        400 if the method is unknown, or no weights meet the constraints.
    """
    if method not in METHODS:
        raise Refused(400, f"method: found {method!r:.60}; valid is one of {', '.join(METHODS)}")
    codes, expected, risk = _fewest(list(codes), expected, risk, constraints)
    if risk is None:
        risk = (
            _risk_or_none(platform, codes, day)
            if method == "equal_weight"
            else _all_risk(platform, codes, day)
        )
    benchmark = _market_weights(platform, codes, day) if method == "black_litterman" else None
    problem = Problem(
        tuple(codes),
        expected_returns=None if method == "black_litterman" else expected,
        risk=risk,
        benchmark=benchmark,
        constraints=_constraints(platform, codes, constraints),
    )
    parameters: dict[str, Any] = {}
    if method in ("mean_variance", "black_litterman"):
        parameters["risk_aversion"] = constraints.number("risk_aversion", 1.0)
    if method == "black_litterman":
        parameters["views"] = [AbsoluteView(*each) for each in zip(codes, expected.tolist(), strict=True)]
    if method == "max_sharpe":
        parameters["risk_free"] = _RISKLESS
    try:
        weights = optimise(problem, METHODS[method], **parameters).weights
    except OptimisationError as exc:
        raise Refused(400, f"组合优化失败: {exc}") from exc
    return Found(method, codes, np.where(weights > _DUST, weights, 0.0), expected, risk)


def estimated_risk(
    platform: Platform, codes: Sequence[str], day: date | None = None
) -> tuple[RiskModel, np.ndarray]:
    """Return the shrunk covariance of daily returns up to a day, and which names have enough of them.

    Raises
    ------
    Refused
        400 if fewer than two have.
    """
    end = day or _newest(platform)
    try:
        panel = platform.data.panel(["close"], list(codes), end - _HISTORY, end, adjust="backward")
    except (UnknownSymbol, NotFound) as exc:
        raise Refused(400, f"no covariances: {exc}") from exc
    except InvalidRequest:  # no adjustment factor is stored
        panel = platform.data.panel(["close"], list(codes), end - _HISTORY, end)
    column = {code: place for place, code in enumerate(panel.symbols.tolist())}
    closes = panel["close"][:, [column[code] for code in codes]]
    with np.errstate(invalid="ignore"):
        returns = closes[1:] / closes[:-1] - 1
    known = enough_history(returns) & (np.nan_to_num(returns).std(axis=0) > 0)
    if known.sum() < 2:
        raise Refused(400, f"fewer than two of {len(codes)} names have a history before {end}")
    kept = [code for code, keep in zip(codes, known.tolist(), strict=True) if keep]
    return shrunk_risk(returns[:, known], kept), known


def _best(ranking: Ranking, top: int, days: int) -> Selection:
    standing = combined_zscore([ranking.scores], [1.0], np.ones(len(ranking.codes), dtype=bool))
    return Selection(ranking.codes[:top], ranking.scores[:top], standing[:top], days)


def _days_of(platform: Platform, models: Sequence[str]) -> int:
    """Return over how many days models foretell returns, on average."""
    found = []
    for name in models:
        versions = platform.models.registry.list(name)
        told = versions[-1].figures.get("sees", {}) if versions else {}
        found.append(int(told.get("horizon", _MODEL_DAYS)))
    return max(round(sum(found) / len(found)), 1)


def _newest(platform: Platform) -> date:
    span = platform.data.store.span(DAILY)
    if span is None:
        raise Refused(400, "no covariances: there are no daily bars")
    return span.last


def _risk_or_none(platform: Platform, codes: Sequence[str], day: date | None) -> RiskModel | None:
    """Return the covariance of all names, None if one has no history: equal weights need none."""
    try:
        risk, known = estimated_risk(platform, codes, day)
    except (Refused, InvalidRequest):
        return None
    return risk if known.all() else None


def _all_risk(platform: Platform, codes: Sequence[str], day: date | None) -> RiskModel:
    risk, known = estimated_risk(platform, codes, day)
    if not known.all():
        lacking = [code for code, keep in zip(codes, known.tolist(), strict=True) if not keep]
        raise Refused(400, f"{', '.join(lacking[:5])} have too few returns for a covariance; leave them out")
    return risk


def _given_risk(given: Values, codes: Sequence[str]) -> RiskModel:
    rows = [given.numbers(code) for code in codes]
    matrix = np.array([[row.get(code, np.nan) for code in codes] for row in rows])
    if not np.isfinite(matrix).all():
        raise Refused(400, "risk_model: valid is a covariance for each pair of the names in expected_returns")
    return RiskModel(tuple(codes), dense=matrix)


def _fewest(
    codes: list[str], expected: np.ndarray, risk: RiskModel | None, constraints: Values
) -> tuple[list[str], np.ndarray, RiskModel | None]:
    """Keep the names with the highest expected returns, at most `max_stocks`."""
    most = constraints.integer("max_stocks", len(codes))
    if most >= len(codes):
        return codes, expected, risk
    keep = np.sort(np.argsort(-expected, kind="stable")[:most])
    kept = [codes[place] for place in keep.tolist()]
    return kept, expected[keep], None if risk is None else risk.restricted(kept)


def _constraints(platform: Platform, codes: Sequence[str], given: Values) -> list[Constraint]:
    upper = min(given.number("max_weight", 1.0), given.number("max_concentration", 1.0))
    found: list[Constraint] = [Bounds(given.number("min_weight", 0.0), upper)]
    if limits := given.numbers("industry_constraints"):
        listing = listing_of(platform)
        groups = [listing.of(code)["industry"] or "" for code in codes]
        known = {name: value for name, value in limits.items() if name in groups}
        if known:
            found.append(GroupBounds(groups, 0.0, known, kind="industry"))
    return found


def _market_weights(platform: Platform, codes: Sequence[str], day: date | None) -> np.ndarray:
    """Return weights by market value; equal ones where it is not known of all."""
    end = day or _newest(platform)
    equal = np.full(len(codes), 1 / len(codes))
    if platform.data.store.span(DAILY_BASIC) is None:
        return equal
    try:
        panel = platform.data.panel(["total_mv"], list(codes), end, end, dataset=DAILY_BASIC)
    except NotFound:
        return equal
    if not len(panel.times):
        return equal
    column = {code: place for place, code in enumerate(panel.symbols.tolist())}
    value = panel["total_mv"][-1][[column[code] for code in codes]]
    return value / value.sum() if np.isfinite(value).all() else equal
