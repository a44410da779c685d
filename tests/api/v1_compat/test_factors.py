"""Factors and scores by factors: v1's accounts of a computation, its rankings and analyses; numbers by pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantflux.api.v1_compat.factors import builtin_ids
from quantflux.data.contract import Query
from quantflux.data.schema import FACTOR_VALUES
from quantflux.platform import Platform
from tests.api.v1_compat.conftest import DAY, Call

TODAY = {"trade_date": DAY.isoformat()}
PAIR = ["momentum_5d", "price_to_ma20"]
STOCK = {"ts_code", "rank", "percentile_rank", "symbol", "name", "area", "industry", "list_date"}
CUSTOM = {
    "factor_id": "v1_gap",
    "factor_name": "缺口",
    "factor_formula": "(close - ma20) / ma20",
    "factor_type": "technical",
    "params": {"days": 20},
}


def wide(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.pivot_table(index="trade_date", columns="symbol", values="adjusted")


def values_of(bars: pd.DataFrame, name: str) -> pd.Series:
    close = wide(bars)
    made = {
        "momentum_5d": close / close.shift(5) - 1,
        "price_to_ma20": close / close.rolling(20, min_periods=15).mean() - 1,
    }[name]
    traded = bars[bars["trade_date"] == pd.Timestamp(DAY)]["symbol"]
    return made.loc[pd.Timestamp(DAY), sorted(traded)]


def zscores(bars: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    values = pd.DataFrame({name: values_of(bars, name) for name in names})
    return (values - values.mean()) / values.std(ddof=1)


def test_the_list_has_the_18_factors_of_v1(factor: Call) -> None:
    told = factor("factors/list")
    built = [each for each in told["factors"] if each["is_builtin"]]
    assert [each["factor_id"] for each in built] == list(builtin_ids())
    assert len(built) == 18
    assert set(built[0]) == {
        "factor_id",
        "factor_name",
        "factor_type",
        "is_builtin",
        "is_active",
        "description",
    }
    assert (built[0]["factor_name"], built[0]["factor_type"]) == ("Momentum 1D", "technical")
    flow = factor("factors/list?factor_type=money_flow")
    assert [each["factor_id"] for each in flow["factors"]] == [
        *("money_flow_strength", "big_order_ratio", "money_flow_momentum")
    ]
    assert told["total_count"] == len(told["factors"])


def test_custom_factors_are_defined_computed_and_defined_anew(factor: Call, bars: pd.DataFrame) -> None:
    assert factor("factors/custom", CUSTOM)["message"] == "成功创建自定义因子: v1_gap"
    (told,) = (each for each in factor("factors/list")["factors"] if each["factor_id"] == "v1_gap")
    assert told["formula"] == CUSTOM["factor_formula"]
    assert (told["factor_name"], told["params"], told["is_builtin"]) == ("缺口", {"days": 20}, False)
    contributions = factor(
        "analysis/factor-contribution",
        TODAY | {"ts_code": values_of(bars, "price_to_ma20").index[0], "factor_list": ["v1_gap"]},
    )["analysis"]["factor_contributions"]
    assert contributions["v1_gap"]["factor_value"] == pytest.approx(
        values_of(bars, "price_to_ma20").iloc[0], rel=1e-4
    )
    factor("factors/custom", CUSTOM | {"factor_formula": "close / open - 1", "factor_name": "again"})
    (again,) = (each for each in factor("factors/list")["factors"] if each["factor_id"] == "v1_gap")
    assert (again["factor_name"], again["formula"]) == ("again", "close / open - 1")
    assert again["created_at"] == told["created_at"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor_formula": "close -"},
        {"factor_formula": "__import__('os')"},
        {"factor_formula": "lead(close, 1)"},
        {"factor_id": "momentum_5d"},
        {"factor_id": "../x"},
        {"factor_id": None},
        {"params": "x"},
    ],
)
def test_what_is_no_factor_is_refused_with_the_reason(factor: Call, wrong: dict[str, Any]) -> None:
    assert factor("factors/custom", CUSTOM | wrong, status=400)["error"]


def test_named_factors_are_computed_and_saved(factor: Call, platform: Platform, bars: pd.DataFrame) -> None:
    told = factor("factors/calculate", TODAY | {"factor_ids": [*PAIR, "roe_ttm", "nothing"]})
    assert told["trade_date"] == DAY.isoformat()
    wanted = values_of(bars, "momentum_5d").dropna()
    assert told["results"][0] == {"factor_id": "momentum_5d", "calculated_count": len(wanted), "saved": True}
    assert told["results"][2]["calculated_count"] == 0
    assert "income_statement" in told["results"][2]["error"]
    assert "nothing" in told["results"][3]["error"]
    rows = platform.data.read(Query(FACTOR_VALUES, None, DAY, DAY)).to_pandas()
    rows = rows[rows["factor_id"] == "momentum_5d"].set_index("symbol")
    np.testing.assert_allclose(rows["value"], wanted[rows.index], rtol=1e-4)
    np.testing.assert_allclose(rows["percentile_rank"], 100 * wanted.rank(pct=True)[rows.index], rtol=1e-5)


def test_some_names_are_saved_beside_the_others(factor: Call, platform: Platform, bars: pd.DataFrame) -> None:
    factor("factors/calculate", TODAY | {"factor_ids": ["momentum_1d"]})
    before = platform.data.read(Query(FACTOR_VALUES, None, DAY, DAY)).num_rows
    one = values_of(bars, "momentum_5d").index[0]
    told = factor(
        "factors/calculate", TODAY | {"factor_ids": ["momentum_1d"], "ts_codes": [one, "999999.SZ"]}
    )
    assert told["results"] == [{"factor_id": "momentum_1d", "calculated_count": 1, "saved": True}]
    assert platform.data.read(Query(FACTOR_VALUES, None, DAY, DAY)).num_rows == before


def test_all_factors_are_counted(factor: Call) -> None:
    results = factor("factors/calculate", TODAY)["results"]
    assert set(results) == {"total_calculated", "factor_stats", "saved"}
    assert results["total_calculated"] == sum(results["factor_stats"].values())
    assert not {"roe_ttm", "profit_growth"} & set(results["factor_stats"])
    nobody = factor("factors/calculate", {"trade_date": "2024-06-01"})["results"]
    assert nobody["total_calculated"] == 0
    assert "error" in nobody


def test_scores_are_mean_z_scores_of_the_day(factor: Call, bars: pd.DataFrame) -> None:
    told = factor("scoring/factor-based", TODAY | {"factor_list": PAIR, "top_n": 5})
    wanted = zscores(bars, PAIR).fillna(0).mean(axis=1).sort_values(ascending=False)
    assert [each["ts_code"] for each in told["top_stocks"]] == wanted.index[:5].tolist()
    np.testing.assert_allclose(
        [each["composite_score"] for each in told["top_stocks"]], wanted[:5], rtol=2e-3
    )
    assert [each["rank"] for each in told["top_stocks"]] == [1, 2, 3, 4, 5]
    percent = 100 * wanted.rank(pct=True)
    np.testing.assert_allclose([each["percentile_rank"] for each in told["top_stocks"]], percent[:5])
    assert set(told["top_stocks"][0]) == STOCK | {"composite_score"}
    assert (told["method"], told["total_stocks"], told["selected_stocks"]) == ("equal_weight", len(wanted), 5)


def test_weights_count_with_their_sign(factor: Call, bars: pd.DataFrame) -> None:
    body = TODAY | {"factor_list": PAIR, "method": "factor_weight", "top_n": 100}
    told = factor("scoring/factor-based", body | {"weights": {PAIR[0]: 3, PAIR[1]: -1}})
    z = zscores(bars, PAIR).fillna(0)
    wanted = ((3 * z[PAIR[0]] - z[PAIR[1]]) / 4).sort_values(ascending=False)
    assert [each["ts_code"] for each in told["top_stocks"]] == wanted.index.tolist()
    plain = factor("scoring/factor-based", body)
    assert (
        plain["top_stocks"] == factor("scoring/factor-based", body | {"method": "equal_weight"})["top_stocks"]
    )


def test_filters_leave_ranks_as_they_are(factor: Call) -> None:
    body = TODAY | {"factor_list": PAIR, "top_n": 100}
    everybody = factor("scoring/factor-based", body)["top_stocks"]
    industry = everybody[0]["industry"]

    def kept(filters: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = factor("scoring/factor-based", body | {"filters": filters})[
            "top_stocks"
        ]
        return found

    assert kept({"industries": [industry]}) == [row for row in everybody if row["industry"] == industry]
    assert kept({"exclude_codes": [everybody[0]["ts_code"]]}) == everybody[1:]
    assert kept({"min_percentile": 50}) == [row for row in everybody if row["percentile_rank"] >= 50]
    assert kept({"min_score": 0, "max_score": 1}) == [
        row for row in everybody if 0 <= row["composite_score"] <= 1
    ]
    some = factor("scoring/factor-based", body | {"ts_codes": [row["ts_code"] for row in everybody[3:6]]})
    assert [row["composite_score"] for row in some["top_stocks"]] == [
        row["composite_score"] for row in everybody[3:6]
    ]
    assert [row["rank"] for row in some["top_stocks"]] == [1, 2, 3]


def test_trailing_rank_ics_weigh_factors(factor: Call) -> None:
    told = factor("scoring/factor-based", TODAY | {"factor_list": PAIR, "method": "rank_ic"})
    assert told["method"] == "rank_ic"


def test_a_factor_sets_a_name_beside_the_market(factor: Call, bars: pd.DataFrame) -> None:
    values = values_of(bars, "momentum_5d")
    best = values.idxmax()
    told = factor("analysis/factor-contribution", TODAY | {"ts_code": best, "factor_list": ["momentum_5d"]})
    analysis = told["analysis"]
    assert set(analysis) == {"ts_code", "trade_date", "factor_contributions", "total_factors"}
    one = analysis["factor_contributions"]["momentum_5d"]
    assert one["market_mean"] == pytest.approx(values.mean(), rel=1e-4)
    assert one["market_median"] == pytest.approx(values.median(), rel=1e-4)
    assert one["deviation_from_mean"] == pytest.approx(values.max() - values.mean(), rel=1e-4)
    assert (one["percentile_rank"], one["relative_strength"]) == (100, "strong")
    factor("analysis/factor-contribution", TODAY | {"ts_code": "999999.SZ"}, status=404)


def test_industries_come_with_the_best_first(factor: Call, bars: pd.DataFrame) -> None:
    told = factor("analysis/sector", TODAY | {"factor_list": PAIR, "top_n": 3})["analysis"]
    everybody = factor("scoring/factor-based", TODAY | {"factor_list": PAIR, "top_n": 100})["top_stocks"]
    frame = pd.DataFrame(everybody).groupby("industry")["composite_score"]
    wanted = frame.agg(["mean", "median", "std", "count"]).sort_values("mean", ascending=False)
    summary = pd.DataFrame(told["industry_summary"])
    assert summary["industry"].tolist() == wanted.index.tolist()
    np.testing.assert_allclose(summary["composite_score_mean"], wanted["mean"])
    np.testing.assert_allclose(summary["composite_score_std"].astype(float), wanted["std"])
    assert list(told["top_stocks_by_industry"]) == sorted(wanted.index[:3])
    assert told["total_industries"] == len(wanted)
    assert told["total_stocks"] == len(everybody)


def test_factors_are_computed_and_scored_in_one_go(factor: Call) -> None:
    told = factor("batch/calculate-and-score", TODAY | {"factor_list": PAIR, "top_n": 3})
    assert [each["success"] for each in told["factor_calculation"]] == [True, True]
    scored = factor("scoring/factor-based", TODAY | {"factor_list": PAIR, "top_n": 3})
    assert told["top_stocks"] == scored["top_stocks"]
    assert told["scoring_method"] == "equal_weight"


@pytest.mark.parametrize("path", ["scoring/factor-based", "analysis/sector", "batch/calculate-and-score"])
def test_a_day_without_bars_is_404(factor: Call, path: str) -> None:
    assert (
        "未找到因子数据"
        in factor(path, {"trade_date": "2024-06-01", "factor_list": PAIR}, status=404)["error"]
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("factors/calculate", {}),
        ("factors/calculate", {"trade_date": "soon"}),
        ("factors/calculate", TODAY | {"factor_ids": "momentum_5d"}),
        ("scoring/factor-based", {}),
        ("scoring/factor-based", TODAY | {"method": "guess"}),
        ("scoring/factor-based", TODAY | {"factor_list": PAIR, "weights": {"momentum_5d": "x"}}),
        ("scoring/factor-based", TODAY | {"factor_list": PAIR, "top_n": 0}),
        ("scoring/ml-based", TODAY),
        ("analysis/factor-contribution", TODAY),
        ("analysis/sector", {}),
        ("batch/calculate-and-score", {}),
    ],
)
def test_what_is_missing_or_wrong_is_400(factor: Call, path: str, body: dict[str, Any]) -> None:
    assert set(factor(path, body, status=400)) == {"error"}
