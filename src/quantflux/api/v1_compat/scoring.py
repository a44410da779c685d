"""`/api/ml-factor/scoring/*` and `/analysis/*` by factors: scores and choices of a day.

A score is v1's: the mean of z-scores, or their weighted mean, with 0 for what is missing, and more counts as better
for every factor. Unlike v1's, z-scores are among the names of the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.factors import calculated, short_name, usable
from quantflux.api.v1_compat.listing import Listing, listing_of
from quantflux.core.errors import NotFound
from quantflux.core.symbols import parse_symbol
from quantflux.data.contract import Query
from quantflux.data.schema import PREDICTIONS
from quantflux.platform import Platform
from quantflux.scoring.composite import percentiles
from quantflux.scoring.files import score_request
from quantflux.scoring.request import ScoreRequest

METHODS: Mapping[str, str] = {
    "equal_weight": "equal",
    "factor_weight": "weighted",
    "rank_ic": "ic",
    "ml_ensemble": "equal",
}
_BLENDS = ("average", "weighted_average", "rank_average")
_STRONG, _WEAK = 80, 20  # percentile ranks
_UNKNOWN = "未知"
_OF_INDUSTRY = 5
_NO_DATA = "未找到因子数据"


@dataclass(frozen=True, eq=False)
class Ranking:
    """Names with a score, the best first; equal scores by code.

    Attributes
    ----------
    codes : list of str
    scores : array of float64, shape (K,)
    ranks : array of int64, shape (K,)
        Dense, 1 is the best.
    percentiles : array of float64, shape (K,)
        Above 0 up to 100; equal scores share the mean.
    """

    codes: list[str]
    scores: np.ndarray
    ranks: np.ndarray
    percentiles: np.ndarray

    @classmethod
    def of(cls, codes: Sequence[str], scores: np.ndarray) -> Ranking:
        """Rank names, which stand in order of code."""
        order = np.argsort(-scores, kind="stable")
        best_first = scores[order]
        ranks = np.cumsum(np.r_[True, best_first[1:] != best_first[:-1]]) if len(order) else order
        return cls(
            [codes[place] for place in order.tolist()],
            best_first,
            ranks,
            100 * percentiles(best_first[None])[0],
        )

    def where(self, keep: np.ndarray) -> Ranking:
        """Return some of the names, with the ranks that they have among all."""
        return Ranking(
            [code for code, kept in zip(self.codes, keep.tolist(), strict=True) if kept],
            self.scores[keep],
            self.ranks[keep],
            self.percentiles[keep],
        )

    def rows(self, listing: Listing, label: str, top: int) -> list[dict[str, Any]]:
        """Return the best names as v1 told them."""
        return [
            {
                "ts_code": code,
                label: float(self.scores[place]),
                "rank": int(self.ranks[place]),
                "percentile_rank": float(self.percentiles[place]),
                **listing.beside(code),
            }
            for place, code in enumerate(self.codes[:top])
        ]


def score_by_factors(asked: Asked) -> dict[str, Any]:
    """Rank the names of a day by factors."""
    body = asked.body
    body.require("trade_date", message="缺少交易日期参数")
    day, method = body.the_day("trade_date"), body.text("method", "equal_weight")
    found = ranking_by_factors(
        asked.platform,
        day,
        body.names("factor_list"),
        body.numbers("weights"),
        method,
        body.codes(),
    )
    listing = listing_of(asked.platform)
    chosen = _filtered(found, listing, body.mapping("filters"))
    top = chosen.rows(listing, "composite_score", body.integer("top_n", 50))
    return {
        "trade_date": day.isoformat(),
        "method": method,
        "total_stocks": len(found.codes),
        "selected_stocks": len(top),
        "top_stocks": top,
    }


def score_by_models(asked: Asked) -> dict[str, Any]:
    """Rank the names of a day by what models predicted."""
    body = asked.body
    body.require("trade_date", message="缺少交易日期参数")
    body.require("model_ids", message="缺少模型ID参数")
    day, models = body.the_day("trade_date"), body.names("model_ids")
    blend = body.text("ensemble_method", "average")
    found, counts = ranking_by_models(asked.platform, day, models, blend)
    rows = found.rows(listing_of(asked.platform), "ensemble_score", body.integer("top_n", 50))
    return {
        "trade_date": day.isoformat(),
        "model_ids": models,
        "ensemble_method": blend,
        "selected_stocks": len(rows),
        "top_stocks": [row | {"model_count": counts[row["ts_code"]]} for row in rows],
    }


def calculate_and_score(asked: Asked) -> dict[str, Any]:
    """Compute factors of a day, save them, and rank the names by them."""
    body = asked.body
    body.require("trade_date", message="缺少交易日期参数")
    day, method = body.the_day("trade_date"), body.text("method", "equal_weight")
    account = calculated(asked.platform, day.isoformat(), asked, "factor_list")
    if isinstance(account, list):
        account = [
            {
                "factor_id": each["factor_id"],
                "success": "error" not in each,
                "calculated_count": each["calculated_count"],
            }
            for each in account
        ]
    found = ranking_by_factors(
        asked.platform, day, body.names("factor_list"), body.numbers("weights"), method, body.codes()
    )
    top = found.rows(listing_of(asked.platform), "composite_score", body.integer("top_n", 50))
    return {
        "trade_date": day.isoformat(),
        "factor_calculation": account,
        "scoring_method": method,
        "total_stocks": len(found.codes),
        "selected_stocks": len(top),
        "top_stocks": top,
    }


def contributions(asked: Asked) -> dict[str, Any]:
    """Set each factor of one name beside the market of the day."""
    body = asked.body
    body.require("ts_code", "trade_date")
    code, day = parse_symbol(body.text("ts_code")), body.the_day("trade_date")
    request = request_of(usable(asked.platform, body.names("factor_list")), day)
    try:
        found = asked.platform.scoring.contributions(code, request)
    except NotFound as exc:
        raise Refused(404, f"{_NO_DATA}: {exc}") from exc
    told = {
        short_name(label): {
            "factor_value": each.factor_value,
            "z_score": each.z_score,
            "percentile_rank": each.percentile_rank,
            "market_mean": each.market_mean,
            "market_std": each.market_std,
            "market_median": each.market_median,
            "deviation_from_mean": each.deviation_from_mean,
            "relative_strength": _strength(each.percentile_rank),
        }
        for label, each in found.factors.items()
        if each.factor_value is not None
    }
    analysis = {
        "ts_code": code,
        "trade_date": day.isoformat(),
        "factor_contributions": told,
        "total_factors": len(told),
    }
    return {"analysis": analysis}


def sectors(asked: Asked) -> dict[str, Any]:
    """Return the scores by industry, the best industry first."""
    body = asked.body
    body.require("trade_date", message="缺少交易日期参数")
    day, top = body.the_day("trade_date"), body.integer("top_n", 10)
    found = ranking_by_factors(asked.platform, day, body.names("factor_list"))
    listing = listing_of(asked.platform)
    labels = np.array([listing.of(code)["industry"] or _UNKNOWN for code in found.codes], dtype=np.str_)
    summary = [_industry(label, found.where(labels == label)) for label in np.unique(labels).tolist()]
    summary.sort(key=lambda each: -each["composite_score_mean"])
    kept = ("percentile_rank",)
    best = {
        each["industry"]: [
            {name: value for name, value in row.items() if name not in kept}
            for row in found.where(labels == each["industry"]).rows(listing, "composite_score", _OF_INDUSTRY)
        ]
        for each in summary[:top]
    }
    analysis = {
        "trade_date": day.isoformat(),
        "industry_summary": summary,
        "top_stocks_by_industry": best,
        "total_industries": len(summary),
        "total_stocks": len(found.codes),
    }
    return {"analysis": analysis}


def ranking_by_factors(
    platform: Platform,
    day: date,
    factors: Sequence[str],
    weights: Mapping[str, float] | None = None,
    method: str = "equal_weight",
    codes: Sequence[str] = (),
) -> Ranking:
    """Rank the names of a day; `codes` leaves only these, scored among all.

    Raises
    ------
    Refused
        404 if there are no values on that day, 400 if the method is unknown.
    """
    if method not in METHODS:
        raise Refused(400, f"method: found {method!r:.60}; valid is one of {', '.join(METHODS)}")
    names = usable(platform, factors)
    given = {name: (weights or {}).get(short_name(name)) for name in names}
    weighed = method == "factor_weight" and any(given.values())
    how = "weighted" if weighed else "equal" if method == "factor_weight" else METHODS[method]
    request = request_of(names, day, how, given if weighed else None)
    try:
        found = platform.scoring.score(request)
    except NotFound as exc:
        raise Refused(404, f"{_NO_DATA}: {exc}") from exc
    keep = found.scored
    if codes:
        keep = keep & np.isin(found.comparison.symbols, np.array(codes, dtype=np.str_))
    if not keep.any():
        raise Refused(404, _NO_DATA)
    return Ranking.of(found.comparison.symbols[keep].tolist(), found.scores[keep])


def ranking_by_models(
    platform: Platform, day: date, models: Sequence[str], blend: str = "average"
) -> tuple[Ranking, dict[str, int]]:
    """Rank names by the predictions stored for a day, and say how many models know each.

    `rank_average` is 1 over the mean rank, as in v1; the others are the mean of predicted returns.

    Raises
    ------
    Refused
        404 if there are none, 400 if the method is unknown.
    """
    if blend not in _BLENDS:
        raise Refused(400, f"ensemble_method: found {blend!r:.60}; valid is one of {', '.join(_BLENDS)}")
    value = "rank_score" if blend == "rank_average" else "predicted_return"
    missing = Refused(404, f"未找到预测数据或选股失败: no predictions of {', '.join(models)} on {day}")
    if platform.data.store.span(PREDICTIONS) is None:
        raise missing
    table = platform.data.read(Query(PREDICTIONS, None, day, day, ("model_id", value)))
    table = table.filter(pc.is_in(table["model_id"], value_set=pa.array(list(models), pa.string())))
    grouped = table.group_by("symbol").aggregate([(value, "mean"), (value, "count")]).sort_by("symbol")
    grouped = grouped.filter(pc.greater(grouped[f"{value}_count"], 0))
    if not grouped.num_rows:
        raise missing
    codes = grouped["symbol"].to_pylist()
    means = grouped[f"{value}_mean"].to_numpy().astype(np.float64)
    counts = dict(zip(codes, grouped[f"{value}_count"].to_pylist(), strict=True))
    return Ranking.of(codes, 1 / means if blend == "rank_average" else means), counts


def request_of(
    names: Sequence[str],
    day: date,
    method: str = "equal",
    weights: Mapping[str, float | None] | None = None,
) -> ScoreRequest:
    """Return the request that means what v1's scores meant; `names` are full names of factors."""
    factors = [
        {"factor": name, "orientation": 1} | ({} if weights is None else {"weight": weights[name] or 0.0})
        for name in names
    ]
    return score_request(
        {
            "date": day,
            "method": method,
            "factors": factors,
            "winsorise": 0,
            "least_share": 1e-9,
            "universe": {"seasoned": False, "special_treatment": True},
        }
    )


def _filtered(found: Ranking, listing: Listing, filters: Values) -> Ranking:
    keep = np.ones(len(found.codes), dtype=bool)
    bounds = (
        ("min_score", found.scores, 1),
        ("max_score", found.scores, -1),
        ("min_percentile", found.percentiles, 1),
    )
    for name, values, sign in bounds:
        if filters.given.get(name) is not None:
            keep &= sign * values >= sign * filters.number(name, 0)
    if industries := filters.names("industries"):
        keep &= np.array([listing.of(code)["industry"] in industries for code in found.codes], dtype=bool)
    if excluded := filters.codes("exclude_codes"):
        keep &= ~np.isin(np.array(found.codes, dtype=np.str_), np.array(excluded, dtype=np.str_))
    return found.where(keep)


def _strength(percentile: float | None) -> str:
    if percentile is None:
        return "neutral"
    return "strong" if percentile > _STRONG else "weak" if percentile < _WEAK else "neutral"


def _industry(label: str, found: Ranking) -> dict[str, Any]:
    scores, percents = found.scores, found.percentiles
    return {
        "industry": label,
        "composite_score_mean": float(scores.mean()),
        "composite_score_median": float(np.median(scores)),
        "composite_score_std": float(scores.std(ddof=1)) if len(scores) > 1 else None,
        "composite_score_count": len(scores),
        "percentile_rank_mean": float(percents.mean()),
        "percentile_rank_median": float(np.median(percents)),
    }
