"""The MySQL system's way of computing its 18 factors: its tables, and one pandas loop over the stocks for each factor.

Each factor reads its table again, all columns, with 252 calendar days before the span, cuts the frame by a mask over
all of it for every stock, and ranks all values pooled, whatever their day. Like `benchmarks.v1`, nothing here is made
slower than it was. As there, the percentiles of valuations have no days before the span, so for one day they are
empty; `big_order_ratio` never gets its table, so it always is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import percentileofscore
from sqlalchemy import Engine, TextClause, bindparam, text

LOOK_BACK = timedelta(days=252)

Values = Callable[[pd.DataFrame], pd.Series]
"""One stock's rows, sorted by day, to its values."""


@dataclass(frozen=True)
class SeriesFactor:
    """A factor with a value for each row of a daily table."""

    table: str
    values: Values
    look_back: timedelta = LOOK_BACK
    condition: str = ""


@dataclass(frozen=True)
class StatementFactor:
    """A factor with one value for each stock, of its newest statements, whatever the day asked for."""

    value: Callable[[pd.DataFrame, pd.DataFrame], float | None]


def _momentum(days: int) -> Values:
    return lambda stock: stock["close"].pct_change(days)


def _percentile(column: str) -> SeriesFactor:
    def values(stock: pd.DataFrame) -> pd.Series:
        if len(stock) <= 20:
            return pd.Series(np.nan, index=stock.index)
        rolling = stock[column].rolling(window=252, min_periods=20)
        return rolling.apply(lambda x: percentileofscore(x, x.iloc[-1]) / 100)

    return SeriesFactor("stock_daily_basic", values, timedelta(), f"{column} > 0")


def _money_flow_strength(stock: pd.DataFrame) -> pd.Series:
    bought = stock["buy_lg_amount"] + stock["buy_elg_amount"]
    sold = stock["sell_lg_amount"] + stock["sell_elg_amount"]
    return (bought - sold) / (stock["buy_sm_amount"] + stock["buy_md_amount"] + bought)


def _return_on(base: str) -> StatementFactor:
    def value(income: pd.DataFrame, balance: pd.DataFrame) -> float | None:
        if len(income) < 4 or len(balance) < 2:
            return None
        under = balance[base].head(2).mean()
        return float(income["n_income_attr_p"].head(4).sum() / under) if under > 0 else None

    return StatementFactor(value)


def _growth(column: str) -> StatementFactor:
    def value(income: pd.DataFrame, _: pd.DataFrame) -> float | None:
        if len(income) < 8:
            return None
        before = income[column].iloc[4:8].sum()
        return float((income[column].head(4).sum() - before) / before) if before > 0 else None

    return StatementFactor(value)


_TEXTS = frozenset(
    {
        "ts_code",
        "trade_date",
        "end_date",
        "ann_date",
        "f_ann_date",
        "report_type",
        "comp_type",
        "end_type",
        "update_flag",
    }
)
_HISTORY, _FLOW, _CHIP = "stock_daily_history", "stock_moneyflow", "stock_cyq_perf"

FACTORS: dict[str, SeriesFactor | StatementFactor | None] = {
    "momentum_1d": SeriesFactor(_HISTORY, _momentum(1)),
    "momentum_5d": SeriesFactor(_HISTORY, _momentum(5)),
    "momentum_20d": SeriesFactor(_HISTORY, _momentum(20)),
    "volatility_20d": SeriesFactor(_HISTORY, lambda s: s["close"].pct_change().rolling(window=20).std()),
    "volume_ratio_20d": SeriesFactor(_HISTORY, lambda s: s["vol"] / s["vol"].rolling(window=20).mean()),
    "price_to_ma20": SeriesFactor(_HISTORY, lambda s: s["close"] / s["close"].rolling(window=20).mean() - 1),
    "pe_percentile": _percentile("pe_ttm"),
    "pb_percentile": _percentile("pb"),
    "ps_percentile": _percentile("ps_ttm"),
    "roe_ttm": _return_on("total_hldr_eqy_exc_min_int"),
    "roa_ttm": _return_on("total_assets"),
    "revenue_growth": _growth("revenue"),
    "profit_growth": _growth("n_income_attr_p"),
    "money_flow_strength": SeriesFactor(_FLOW, _money_flow_strength),
    "big_order_ratio": None,
    "money_flow_momentum": SeriesFactor(_FLOW, lambda s: s["net_mf_amount"].rolling(window=5).sum()),
    "chip_concentration": SeriesFactor(_CHIP, lambda s: (s["cost_95pct"] - s["cost_5pct"]) / s["cost_50pct"]),
    "winner_rate_change": SeriesFactor(_CHIP, lambda s: s["winner_rate"] - s["winner_rate"].shift(5)),
}


def calculate(engine: Engine, factor: str, symbols: Sequence[str], start: date, end: date) -> pd.DataFrame:
    """Return ts_code, trade_date, factor_value, percentile_rank and z_score as v1's engine does.

    Rows of the days before `start` that were read come back too.
    """
    definition = FACTORS[factor]
    if definition is None:
        return pd.DataFrame()
    if isinstance(definition, StatementFactor):
        found = _of_statements(engine, definition, symbols)
    else:
        found = _by_stock(_read(engine, definition, symbols, start, end), definition.values)
    found = found.dropna(subset=["factor_value"])
    if len(found) > 1:
        values = found["factor_value"]
        found["percentile_rank"] = values.rank(pct=True) * 100
        found["z_score"] = (values - values.mean()) / values.std() if values.std() > 0 else 0.0
    return found


def _read(
    engine: Engine, definition: SeriesFactor, symbols: Sequence[str], start: date, end: date
) -> pd.DataFrame:
    """Read all columns of a table, as v1 does before each factor."""
    condition = f" AND {definition.condition}" if definition.condition else ""
    statement = text(
        f"SELECT * FROM {definition.table} WHERE ts_code IN :codes AND trade_date >= :start AND trade_date <= :end"
        f"{condition} ORDER BY ts_code, trade_date"
    )
    span = {"codes": list(symbols), "start": start - definition.look_back, "end": end}
    return _floats(_query(engine, statement, span))


def _by_stock(data: pd.DataFrame, values: Values) -> pd.DataFrame:
    """Compute one stock after the other, each cut out of the whole frame."""
    results = []
    for code in data["ts_code"].unique():
        stock = data[data["ts_code"] == code].sort_values("trade_date").copy()
        stock["factor_value"] = values(stock)
        results.append(stock[["ts_code", "trade_date", "factor_value"]])
    return pd.concat(results, ignore_index=True)


def _of_statements(engine: Engine, definition: StatementFactor, symbols: Sequence[str]) -> pd.DataFrame:
    tables = []
    for table in ("stock_income_statement", "stock_balance_sheet"):
        statement = text(f"SELECT * FROM {table} WHERE ts_code IN :codes ORDER BY ts_code, end_date DESC")
        tables.append(_floats(_query(engine, statement, {"codes": list(symbols)})))
    income, balance = tables
    rows = []
    for code in income["ts_code"].unique():
        own = income[income["ts_code"] == code].sort_values("end_date", ascending=False)
        sheet = balance[balance["ts_code"] == code].sort_values("end_date", ascending=False)
        value = definition.value(own, sheet)
        if value is not None:
            rows.append({"ts_code": code, "trade_date": own["end_date"].iloc[0], "factor_value": value})
    return pd.DataFrame(rows, columns=["ts_code", "trade_date", "factor_value"])


def _query(engine: Engine, statement: TextClause, parameters: dict[str, Any]) -> pd.DataFrame:
    with engine.connect() as connection:
        whole = statement.bindparams(bindparam("codes", expanding=True))
        return pd.read_sql(whole, connection, params=parameters)


def _floats(data: pd.DataFrame) -> pd.DataFrame:
    """Turn the server's decimals into floats, as v1 does column by column."""
    for name in data.columns:
        if name not in _TEXTS and data[name].dtype == object:
            data[name] = data[name].astype(float)
    return data
