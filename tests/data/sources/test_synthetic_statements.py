"""Synthetic reports add up, come out when they may, and have the hard cases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.conform import conform
from quantflux.data.schema import dataset
from quantflux.data.sources.synthetic import SyntheticMarket

CLOCK = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
START, END = date(2020, 1, 2), date(2022, 12, 30)
KEY = ["symbol", "end_date", "report_type", "f_ann_date"]


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return SyntheticMarket(seed=2024, companies=200, start=START, end=END)


@pytest.fixture(scope="module")
def tables(market: SyntheticMarket) -> dict[str, pa.Table]:
    (block,) = market.statement_tables()
    return block


@pytest.fixture(scope="module")
def income(tables: dict[str, pa.Table]) -> pl.DataFrame:
    return pl.DataFrame(tables["income_statement"])


def test_every_statement_is_accepted_by_its_dataset(tables: dict[str, pa.Table]) -> None:
    assert list(tables) == ["income_statement", "balance_sheet", "cash_flow"]
    for name, table in tables.items():
        assert conform(dataset(name), table, CLOCK).num_rows == table.num_rows > 200 * 20


def test_more_companies_change_none(tables: dict[str, pa.Table]) -> None:
    (few,) = SyntheticMarket(seed=2024, companies=20, start=START, end=END).statement_tables()
    (other,) = SyntheticMarket(seed=2025, companies=20, start=START, end=END).statement_tables()

    for name, table in few.items():
        kept = pl.DataFrame(tables[name]).filter(
            pl.col("symbol").is_in(pl.Series(table["symbol"]).unique().to_list())
        )
        assert kept.sort(KEY).equals(pl.DataFrame(table).sort(KEY))
        assert not table.equals(other[name])


def test_the_accounts_balance(tables: dict[str, pa.Table], income: pl.DataFrame) -> None:
    balance = pl.DataFrame(tables["balance_sheet"])
    cash = pl.DataFrame(tables["cash_flow"])

    owed = balance["total_liab"] + balance["total_hldr_eqy_exc_min_int"] + balance["minority_int"]
    earned = income["n_income_attr_p"] + income["minority_gain"]
    both = income.join(cash, on=KEY)
    assert (balance["total_assets"] - owed).abs().max() < 0.05
    assert (income["n_income"] - earned).abs().max() < 0.05
    assert (income["total_profit"] - income["income_tax"] - income["n_income"]).abs().max() < 0.05
    assert both.height == income.height == cash.height
    assert (both["n_income"] - both["net_profit"]).abs().max() < 0.05


def test_flows_cumulate_from_january(income: pl.DataFrame) -> None:
    first = (
        income.filter(pl.col("report_type").is_in(["1", "5"]))
        .sort("f_ann_date")
        .unique(["symbol", "end_date"], keep="first")
    )
    wide = first.with_columns(
        year=pl.col("end_date").dt.year(), quarter=pl.col("end_date").dt.quarter()
    ).pivot("quarter", index=["symbol", "year"], values="total_revenue")
    whole = wide.drop_nulls().select("1", "2", "3", "4").to_numpy()

    parts = np.diff(whole, axis=1, prepend=0) / whole[:, 3:]
    assert len(whole) > 500
    assert (parts > 0.1).all() and (parts < 0.45).all()


def test_reports_come_out_when_they_may(market: SyntheticMarket, income: pl.DataFrame) -> None:
    lag = (pl.col("f_ann_date") - pl.col("end_date")).dt.total_days()
    first = income.filter(pl.col("update_flag") == "0").with_columns(
        lag=lag, quarter=pl.col("end_date").dt.quarter()
    )
    instruments = pl.DataFrame(market.instruments()).group_by("symbol").agg(pl.all().last())
    listed = first.join(instruments.select("symbol", "list_date", "delist_date"), on="symbol", how="left")
    old = listed.filter(pl.col("list_date").is_null())

    deadline = pl.col("quarter").replace_strict({1: 30, 2: 62, 3: 31, 4: 121})
    assert (first["lag"] > 0).all() and (income["f_ann_date"] <= END).all()
    late = old.filter(pl.col("lag") > deadline)
    assert 0.001 < late.height / old.height < 0.02
    assert set(late["quarter"]) <= {1, 2, 4}, "a first quarter waits for a late year"
    new = listed.filter(pl.col("list_date").is_not_null())
    assert (new["f_ann_date"] >= new["list_date"] - timedelta(days=7)).all()
    gone = listed.filter(pl.col("delist_date").is_not_null())
    assert gone.height and (gone["f_ann_date"] < gone["delist_date"]).all()


def test_some_reports_are_corrected_and_some_restated(income: pl.DataFrame) -> None:
    kinds = income.group_by("report_type", "update_flag").len().sort("report_type", "update_flag")
    counts = {(kind, flag): rows for kind, flag, rows in kinds.iter_rows()}
    original = income.filter(pl.col("report_type") == "5")
    corrected = income.filter(pl.col("report_type") == "1", pl.col("update_flag") == "1")
    pairs = original.join(corrected, on=["symbol", "end_date"], suffix="_new")
    restated = income.filter(pl.col("report_type") == "4")
    beside = restated.join(
        income.filter(pl.col("update_flag") == "0").with_columns(
            end_date=pl.col("end_date").dt.offset_by("-1y").dt.month_end()
        ),
        on=["symbol", "end_date", "f_ann_date"],
    )

    assert set(counts) == {("1", "0"), ("1", "1"), ("4", "1"), ("5", "0")}
    assert 0.01 < counts["5", "0"] / income.height < 0.05 and 0.03 < counts["4", "1"] / income.height < 0.12
    assert pairs.height == original.height == corrected.height
    assert (pairs["f_ann_date_new"] > pairs["f_ann_date"]).all()
    assert (pairs["ann_date_new"] == pairs["f_ann_date"]).all()
    assert (pairs["total_revenue_new"] != pairs["total_revenue"]).all()
    assert beside.height == restated.height, "restated figures stand in the report one year later"


def test_banks_and_insurers_report_in_their_own_way(
    tables: dict[str, pa.Table], income: pl.DataFrame
) -> None:
    balance = pl.DataFrame(tables["balance_sheet"])
    ordinary, bank, insurer = (income.filter(pl.col("comp_type") == kind) for kind in "123")

    assert ordinary["oper_cost"].null_count() == 0 and bank["oper_cost"].null_count() == bank.height > 0
    assert insurer["revenue"].null_count() == insurer.height > 0 == insurer["total_revenue"].null_count()
    assert (
        balance.filter(pl.col("comp_type") != "1")["inventories"].null_count()
        == balance.filter(pl.col("comp_type") != "1").height
    )


def test_reports_and_valuations_tell_of_the_same_companies(
    market: SyntheticMarket, tables: dict[str, pa.Table]
) -> None:
    ((_, rows),) = market.tables()
    basic = pl.DataFrame(rows).filter(pl.col("trade_date") == date(2022, 9, 30))
    equity = pl.DataFrame(tables["balance_sheet"]).filter(
        pl.col("end_date") == date(2022, 9, 30),
        pl.col("report_type").is_in(["1", "5"]),
        pl.col("update_flag") == "0",
    )
    both = basic.join(equity, on="symbol")

    book = both["total_mv"] / both["pb"]
    assert both.height > 150
    assert (book / both["total_hldr_eqy_exc_min_int"] - 1).abs().max() < 0.01
