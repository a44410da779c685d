"""`POST /api/analysis/screen`: the names of a day that meet conditions, with the columns of v1's `stock_business`.

v1 never filled that table; here its rows are made of the day's bars, valuations and money flow. What v1 copied from a
vendor's table of net flows comes from the flows by size of orders: large orders are large and extra-large ones, and
rates are of the day's amount.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.indicators import (
    AVERAGES,
    FIELDS,
    INDICATORS,
    adjusted_to_last,
    latest,
    traded_last,
)
from quantflux.api.v1_compat.listing import Listing, listing_of
from quantflux.api.v1_compat.remembered import Remembered
from quantflux.api.v1_compat.rounding import LOT, TEN_THOUSAND, THOUSAND, number
from quantflux.core.errors import QuantfluxError
from quantflux.core.panel import Panel
from quantflux.data.adjustment import FACTOR
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS, MONEYFLOW, Dataset
from quantflux.platform import Platform

_MOST_ROWS = 200
_HISTORY = timedelta(days=480)
"""Some 320 sessions: what an exponential mean of 26 days owes to anything older is below 1e-9."""
_FLOW_DAYS = timedelta(days=40)

CRITERIA: Mapping[str, str] = {
    "pe": "pe",
    "pb": "pb",
    "ps": "ps",
    "dv": "dv_ratio",
    "mv": "total_mv",
    "circ_mv": "circ_mv",
    "turnover": "turnover_rate",
    "volume_ratio": "volume_ratio",
    "rsi6": "factor_rsi_6",
    "kdj_k": "factor_kdj_k",
    "macd": "factor_macd",
    "cci": "factor_cci",
    "net_amount": "moneyflow_net_amount",
    "lg_buy_rate": "moneyflow_buy_lg_amount_rate",
    "net_d5_amount": "moneyflow_net_d5_amount",
}
"""The column behind each `X_min` and `X_max`."""

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}

_VALUATIONS = (
    *("turnover_rate", "turnover_rate_f", "volume_ratio", "pe", "pe_ttm", "pb", "ps", "ps_ttm"),
    *("dv_ratio", "dv_ttm", "total_share", "float_share", "free_share", "total_mv", "circ_mv"),
)
_IN_TEN_THOUSAND = ("total_share", "float_share", "free_share", "total_mv", "circ_mv")


@dataclass(frozen=True, eq=False)
class Business:
    """The wide table of one day.

    Attributes
    ----------
    day : date
    codes : array of str, shape (N,)
        Who traded, sorted.
    columns : mapping of str to array of float64, shape (N,)
        The 64 numeric columns; NaN unknown.
    """

    day: date
    codes: np.ndarray
    columns: Mapping[str, np.ndarray]


_TABLES: Remembered[Business] = Remembered(4)


def screen(asked: Asked) -> dict[str, Any]:
    """Return the names that meet all conditions, at most 200; a mistake is told beside an empty list, as in v1."""
    criteria = asked.body
    try:
        return _screened(asked.platform, criteria)
    except (Refused, QuantfluxError) as exc:
        return {"stocks": [], "total": 0, "criteria": criteria.given, "error": str(exc)}


def _screened(platform: Platform, criteria: Values) -> dict[str, Any]:
    day = criteria.day("trade_date") or _newest(platform)
    if day is None:
        return {"stocks": [], "total": 0, "criteria": criteria.given, "has_more": False}
    versions = tuple(platform.data.version(each) for each in (DAILY, DAILY_BASIC, MONEYFLOW, INSTRUMENTS))
    table = _TABLES.get(platform, (day, versions), lambda: business_of(platform, day))
    listing = listing_of(platform)
    keep = _kept(table, listing, criteria)
    told = [_row(table, listing, place) for place in np.flatnonzero(keep)[:_MOST_ROWS].tolist()]
    total = int(keep.sum())
    return {"stocks": told, "total": total, "criteria": criteria.given, "has_more": total > _MOST_ROWS}


def business_of(platform: Platform, day: date) -> Business:
    """Return the wide table of a day; without rows if nothing traded."""
    panel = platform.data.panel(FIELDS, None, day - _HISTORY, day)
    if not len(panel.times) or panel.times[-1] != np.datetime64(day):
        return Business(day, np.zeros(0, "U9"), {})
    traded = np.flatnonzero(~np.isnan(panel["close"][-1]))
    codes = panel.symbols[traded]
    bars = traded_last(Panel(panel.times, codes, {name: panel[name][:, traded] for name in panel}))
    columns = _valued(platform, day, codes) | _quoted(bars)
    columns |= {
        f"factor_{name}": values for name, values in latest(adjusted_to_last(bars), INDICATORS).items()
    }
    columns |= _flows(platform, day, codes, columns["daily_close"], bars)
    columns |= latest(adjusted_to_last(bars), AVERAGES)
    return Business(day, codes, columns)


def _quoted(bars: Panel) -> dict[str, np.ndarray]:
    """Return what is told of the day's bar: as traded, in lots and 1,000 yuan, and adjusted both ways."""
    last = {name: bars[name][-1] for name in bars}
    factor = np.nan_to_num(bars[FACTOR], nan=1.0)
    before = (
        np.round(bars["close"][-2] * factor[-2] / factor[-1], 2)
        if len(factor) > 1
        else np.full(len(factor[-1]), np.nan)
    )
    told = {
        "daily_close": last["close"],
        "factor_open": last["open"],
        "factor_high": last["high"],
        "factor_low": last["low"],
        "factor_pre_close": before,
        "factor_change": last["close"] - before,
        "factor_pct_change": 100 * (last["close"] / before - 1),
        "factor_vol": last["volume"] / LOT,
        "factor_amount": last["amount"] / THOUSAND,
        "factor_adj_factor": last[FACTOR],
    }
    for name, value in (
        ("open", last["open"]),
        ("close", last["close"]),
        ("high", last["high"]),
        ("low", last["low"]),
    ):
        told |= {f"factor_{name}_hfq": value * last[FACTOR], f"factor_{name}_qfq": value}
    return told | {"factor_pre_close_hfq": before * last[FACTOR], "factor_pre_close_qfq": before}


def _valued(platform: Platform, day: date, codes: np.ndarray) -> dict[str, np.ndarray]:
    panel = _panel(platform, DAILY_BASIC, _VALUATIONS, codes, day, day)
    told = {name: panel[name][-1] for name in _VALUATIONS} if panel else _nothing(_VALUATIONS, codes)
    return {name: value / TEN_THOUSAND if name in _IN_TEN_THOUSAND else value for name, value in told.items()}


def _flows(
    platform: Platform, day: date, codes: np.ndarray, close: np.ndarray, bars: Panel
) -> dict[str, np.ndarray]:
    sizes = {"lg": ("lg", "elg"), "md": ("md",), "sm": ("sm",)}
    names = [f"{side}_{size}_amount" for size in ("sm", "md", "lg", "elg") for side in ("buy", "sell")]
    names.append("net_mf_amount")
    panel = _panel(platform, MONEYFLOW, names, codes, day - _FLOW_DAYS, day)
    empty = np.full(len(codes), np.nan)
    told = {"moneyflow_net_amount": empty, "moneyflow_net_d5_amount": empty}
    for size, parts in sizes.items():
        net = empty
        if panel:
            last = {name: panel[name][-1] for name in names}
            net = sum(
                (last[f"buy_{p}_amount"] - last[f"sell_{p}_amount"] for p in parts), np.zeros(len(codes))
            )
        told[f"moneyflow_buy_{size}_amount"] = net / TEN_THOUSAND
        told[f"moneyflow_buy_{size}_amount_rate"] = 100 * net / bars["amount"][-1]
    if panel:
        flow = panel["net_mf_amount"] / TEN_THOUSAND
        told["moneyflow_net_amount"] = flow[-1]
        told["moneyflow_net_d5_amount"] = flow[-5:].sum(axis=0) if len(flow) >= 5 else empty
    factor = np.nan_to_num(bars[FACTOR], nan=1.0)
    if panel and len(factor) > 1:
        change = 100 * (close / np.round(bars["close"][-2] * factor[-2] / factor[-1], 2) - 1)
    else:
        change = empty
    return told | {"moneyflow_pct_change": change, "moneyflow_latest": close if panel else empty}


def _panel(
    platform: Platform, dataset: Dataset, fields: Any, codes: np.ndarray, start: date, end: date
) -> Panel | None:
    """Return fields of a dataset for these names; None if the last day has no row."""
    if platform.data.store.span(dataset) is None:
        return None
    panel = platform.data.panel(fields, None, start, end, dataset=dataset)
    if not len(panel.times) or panel.times[-1] != np.datetime64(end):
        return None
    return panel.reindex(symbols=codes)


def _nothing(names: tuple[str, ...], codes: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.full(len(codes), np.nan) for name in names}


def _newest(platform: Platform) -> date | None:
    span = platform.data.store.span(DAILY)
    return None if span is None else span.last


def _kept(table: Business, listing: Listing, criteria: Values) -> np.ndarray:
    known = [listing.by_code.get(code) for code in table.codes.tolist()]
    keep = np.array([row is not None for row in known], dtype=bool)
    for name in ("industry", "area"):
        if wanted := criteria.text(name):
            keep &= np.array([row is not None and row[name] == wanted for row in known], dtype=bool)
    if market := criteria.text("market"):
        keep &= np.char.endswith(table.codes, f".{market}")
    with np.errstate(invalid="ignore"):
        for name, column in CRITERIA.items():
            if criteria[f"{name}_min"]:
                keep &= table.columns[column] >= criteria.number(f"{name}_min", 0) if len(keep) else True
            if criteria[f"{name}_max"]:
                keep &= table.columns[column] <= criteria.number(f"{name}_max", 0) if len(keep) else True
        for condition in criteria.objects("dynamic_conditions"):
            keep &= _meets(table, condition)
    return keep


def _meets(table: Business, condition: Values) -> np.ndarray:
    """Return who meets a condition of one's own; v1 passed over what it could not read, and so does this."""
    everybody = np.ones(len(table.codes), dtype=bool)
    compare = _OPERATORS.get(str(condition["operator"]))
    left = table.columns.get(str(condition["field_a"]))
    right: Any = table.columns.get(str(condition["field_b"]))
    if right is None and condition.given.get("value") not in (None, ""):
        try:
            right = condition.number("value", 0)
        except Refused:
            return everybody
    if compare is None or left is None or right is None:
        return everybody
    known = ~np.isnan(left) & ~np.isnan(right)
    return np.asarray(compare(left, right) & known)


def _row(table: Business, listing: Listing, place: int) -> dict[str, Any]:
    code = str(table.codes[place])
    company = listing.of(code)
    told = {name: number(values[place], 4) for name, values in table.columns.items()}
    return {
        **{"ts_code": code, "trade_date": table.day.isoformat(), "stock_name": company["name"]},
        **told,
        **listing.beside(code),
    }
