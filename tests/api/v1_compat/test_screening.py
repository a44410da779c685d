"""Screens: v1's 72 keys, criteria and conditions; numbers by pandas."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from quantflux.data.schema import DAILY_BASIC, MONEYFLOW, Dataset
from tests.api.v1_compat.conftest import DAY, LAST, Call
from tests.api.v1_compat.test_stocks import COMPANY, indicators, of


def basic(tables: dict[Dataset, list[pa.Table]], day: Any) -> pd.DataFrame:
    frame = pa.concat_tables(tables[DAILY_BASIC]).to_pandas()
    return frame[pd.to_datetime(frame["trade_date"]) == pd.Timestamp(day)].set_index("symbol")


def test_rows_have_the_columns_of_v1(stock: Call, v1_tables: Any, bars: pd.DataFrame, code: str) -> None:
    told = stock("analysis/screen", {"trade_date": DAY.isoformat()})
    assert set(told) == {"stocks", "total", "criteria", "has_more"}
    today = bars[bars["trade_date"] == pd.Timestamp(DAY)]
    assert [row["ts_code"] for row in told["stocks"]] == sorted(today["symbol"])
    assert (told["total"], told["has_more"]) == (len(today), False)
    assert all(len(row) == 72 and set(row) > COMPANY for row in told["stocks"])
    (row,) = (row for row in told["stocks"] if row["ts_code"] == code)
    known = of(bars, code)
    known = known[known["trade_date"] <= pd.Timestamp(DAY)]
    for name, values in indicators(known).items():
        assert row[f"factor_{name}"] == pytest.approx(values[-1], abs=2e-3), name
    forward = known["adjusted"] / known["adj_factor"].iloc[-1]
    for days in (5, 10, 20, 30, 60, 120):
        assert row[f"ma{days}"] == pytest.approx(forward.rolling(days).mean().iloc[-1], abs=1e-3)
    value = basic(v1_tables, DAY).loc[code]
    assert row["total_mv"] == pytest.approx(value["total_mv"] / 1e4, rel=1e-6)
    assert row["pb"] == pytest.approx(value["pb"], abs=1e-4)
    assert row["factor_vol"] == pytest.approx(known["volume"].iloc[-1] / 100)
    assert (row["daily_close"], row["trade_date"]) == (known["close"].iloc[-1], DAY.isoformat())


def test_the_last_day_is_the_default(stock: Call) -> None:
    assert {row["trade_date"] for row in stock("analysis/screen", {})["stocks"]} == {LAST.isoformat()}


@pytest.mark.parametrize(
    ("criteria", "kept"),
    [
        ({"pe_min": 10, "pe_max": "30"}, lambda row: row["pe"] is not None and 10 <= row["pe"] <= 30),
        ({"market": "SZ"}, lambda row: row["ts_code"].endswith(".SZ")),
        ({"rsi6_max": 40, "kdj_k_min": 0}, lambda row: row["factor_rsi_6"] <= 40),
        ({"mv_min": 500_000}, lambda row: row["total_mv"] >= 500_000),
        (
            {"dynamic_conditions": [{"field_a": "ma5", "operator": ">", "field_b": "ma20", "value": None}]},
            lambda row: None not in (row["ma5"], row["ma20"]) and row["ma5"] > row["ma20"],
        ),
        (
            {"dynamic_conditions": [{"field_a": "pb", "operator": "<=", "field_b": None, "value": "2"}]},
            lambda row: row["pb"] is not None and row["pb"] <= 2,
        ),
        ({"dynamic_conditions": [{"field_a": "__class__", "operator": ">", "value": 1}]}, lambda row: True),
        ({"dynamic_conditions": [{"field_a": "pb", "operator": ">", "value": "x"}]}, lambda row: True),
    ],
)
def test_criteria_keep_those_that_meet_them(stock: Call, criteria: dict[str, Any], kept: Any) -> None:
    everybody = stock("analysis/screen", {"trade_date": DAY.isoformat()})["stocks"]
    wanted = {"trade_date": DAY.isoformat(), **criteria}
    told = stock("analysis/screen", wanted)
    assert told["stocks"] == [row for row in everybody if kept(row)]
    assert told["criteria"] == wanted


def test_industries_are_chosen(stock: Call) -> None:
    everybody = stock("analysis/screen", {})["stocks"]
    industry = everybody[0]["industry"]
    told = stock("analysis/screen", {"industry": industry})["stocks"]
    assert told == [row for row in everybody if row["industry"] == industry]
    assert stock("analysis/screen", {"area": "深圳"})["total"] == 0


def test_money_flow_is_net_and_null_where_there_is_none(
    stock: Call, v1_tables: Any, bars: pd.DataFrame
) -> None:
    first, other = (sorted(bars["symbol"].unique())[place] for place in (0, 5))
    rows = {row["ts_code"]: row for row in stock("analysis/screen", {})["stocks"]}
    assert all(rows[other][name] is None for name in rows[other] if name.startswith("moneyflow_net"))
    flow = v1_tables[MONEYFLOW][0].to_pandas()
    last = flow[flow["symbol"] == first].sort_values("trade_date").tail(5)
    today = last.iloc[-1]
    net = sum(today[f"buy_{size}_amount"] - today[f"sell_{size}_amount"] for size in ("lg", "elg"))
    assert rows[first]["moneyflow_buy_lg_amount"] == pytest.approx(net / 1e4, abs=1e-4)
    amount = of(bars, first)["amount"].iloc[-1]
    assert rows[first]["moneyflow_buy_lg_amount_rate"] == pytest.approx(100 * net / amount, abs=1e-4)
    assert rows[first]["moneyflow_net_d5_amount"] == pytest.approx(
        last["net_mf_amount"].sum() / 1e4, abs=1e-3
    )


@pytest.mark.parametrize("criteria", [{"trade_date": "x"}, {"pe_min": "much"}, {"dynamic_conditions": [1]}])
def test_mistakes_are_told_beside_an_empty_list(stock: Call, criteria: dict[str, Any]) -> None:
    told = stock("analysis/screen", criteria)
    assert (told["stocks"], told["total"], told["criteria"]) == ([], 0, criteria)
    assert next(iter(criteria)) in told["error"]


def test_a_day_without_bars_has_nobody(stock: Call) -> None:
    assert stock("analysis/screen", {"trade_date": "2024-06-01", "pe_min": 1})["stocks"] == []
