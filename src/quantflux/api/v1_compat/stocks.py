"""`/api/stocks*`, `/api/industries` and `/api/areas`: companies, and their bars, indicators, money flow and chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.indicators import (
    FIELDS,
    INDICATORS,
    adjusted_to_last,
    series,
)
from quantflux.api.v1_compat.listing import listing_of
from quantflux.api.v1_compat.rounding import LOT, TEN_THOUSAND, THOUSAND, days, number, numbers, rows, whole
from quantflux.core.errors import NotFound
from quantflux.core.panel import Panel
from quantflux.data.adjustment import FACTOR
from quantflux.data.schema import CHIP, MONEYFLOW, Dataset

_LEAST_HISTORY = 20
_MOST_ROWS = 100_000
_LARGEST_PAGE = 100


def list_stocks(asked: Asked) -> dict[str, Any]:
    """Return a page of the listed companies, by code."""
    query = asked.query
    page = query.integer("page", 1)
    size = min(query.integer("page_size", 20), _LARGEST_PAGE)
    found = [row for row in listing_of(asked.platform).rows if _wanted(row, query)]
    first = (page - 1) * size
    return {
        "stocks": found[first : first + size],
        "total": len(found),
        "page": page,
        "page_size": size,
        "total_pages": -(-len(found) // size),
    }


def get_stock(asked: Asked) -> Mapping[str, Any]:
    """Return one company."""
    row = listing_of(asked.platform).by_code.get(asked.code or "")
    if row is None:
        raise Refused(404, "股票不存在")
    return row


def list_industries(asked: Asked) -> list[str]:
    """Return the different industries of listed companies, sorted."""
    return sorted({row["industry"] for row in listing_of(asked.platform).rows if row["industry"]})


def list_areas(asked: Asked) -> list[str]:
    """Return the different areas; none is known, see `listing`."""
    return sorted({row["area"] for row in listing_of(asked.platform).rows if row["area"]})


def list_history(asked: Asked) -> list[dict[str, Any]]:
    """Return daily bars as traded, the newest first."""
    start, end, limit = _span(asked.query, 60)
    panel = _bars(asked, end)
    if panel is None:
        return []
    told = history(panel, asked.code or "")
    keep = _within(panel.times, start, limit)
    return [told[row] for row in keep[::-1]]


def list_factors(asked: Asked) -> list[dict[str, Any]]:
    """Return indicators by day, in v1's two forms.

    With `limit` rows or more in the span: the newest first, all 29 keys. With fewer: the oldest first, 20 keys, and
    nothing at all below 20 rows.
    """
    start, end, limit = _span(asked.query, 60)
    panel = _bars(asked, end)
    if panel is None:
        return []
    keep = _within(panel.times, start, limit)
    full = len(keep) >= limit
    if not full and len(keep) < _LEAST_HISTORY:
        return []
    told = indicators(panel, asked.code or "", full=full)
    return [told[row] for row in (keep[::-1] if full else keep)]


def list_moneyflow(asked: Asked) -> list[dict[str, Any]]:
    """Return money flow by size of orders, the oldest first: lots and 10,000 yuan."""

    def scale(name: str) -> float:
        return LOT if name.endswith("_vol") else TEN_THOUSAND

    return _rows_of(asked, MONEYFLOW, scale)


def list_chips(asked: Asked) -> list[dict[str, Any]]:
    """Return the distribution of costs, the oldest first: yuan, and percent."""
    return _rows_of(asked, CHIP, lambda name: 1.0)


def history(panel: Panel, code: str) -> list[dict[str, Any]]:
    """Return bars of one name as v1's rows, in order of time; volume in lots, amount in 1,000 yuan.

    `pre_close` is the close before, less what went ex since, to the fen: null on the first row.
    """
    close, factor = panel["close"][:, 0], np.nan_to_num(panel[FACTOR][:, 0], nan=1.0)
    before = np.full(len(close), np.nan)
    before[1:] = np.round(close[:-1] * factor[:-1] / factor[1:], 2)
    change = close - before
    told = _quoted(panel, code) | {
        "pre_close": numbers(before, 2),
        "change_c": numbers(change, 2),
        "pct_chg": numbers(100 * change / before, 4),
    }
    return rows(told)


def indicators(panel: Panel, code: str, *, full: bool) -> list[dict[str, Any]]:
    """Return indicators of one name by day, in order of time; with `full` the change and back-adjusted prices too."""
    found = series(adjusted_to_last(panel), INDICATORS)
    told = _quoted(panel, code)
    wanted = [name for name in INDICATORS if full or name != "cci"]
    told |= {name: numbers(found[name][:, 0], 4) for name in wanted}
    if full:
        factor = panel[FACTOR][:, 0]
        told |= {
            f"{name}_hfq": numbers(panel[name][:, 0] * factor, 2) for name in ("open", "close", "high", "low")
        }
        told["adj_factor"] = numbers(factor)
        more = history(panel, code)
        told |= {
            "pre_close": [row["pre_close"] for row in more],
            "change": [row["change_c"] for row in more],
            "pct_change": [row["pct_chg"] for row in more],
        }
    return rows(told)


def _quoted(panel: Panel, code: str) -> dict[str, Sequence[Any]]:
    prices = {name: numbers(panel[name][:, 0]) for name in ("open", "high", "low", "close")}
    return {
        "ts_code": [code] * len(panel.times),
        "trade_date": days(panel.times),
        **prices,
        "vol": [whole(value / LOT) for value in panel["volume"][:, 0].tolist()],
        "amount": numbers(panel["amount"][:, 0] / THOUSAND, 3),
    }


def _bars(asked: Asked, end: date | None) -> Panel | None:
    """Return the bars of the name in the path up to a day, gaps left out; None if there are none."""
    if asked.code is None:
        return None
    try:
        panel = asked.platform.data.panel(FIELDS, [asked.code], None, end)
    except NotFound:
        return None
    there = ~np.isnan(panel["close"][:, 0])
    if not there.any():
        return None
    return Panel(panel.times[there], panel.symbols, {name: panel[name][there] for name in panel})


def _rows_of(asked: Asked, dataset: Dataset, scale: Callable[[str], float]) -> list[dict[str, Any]]:
    start, end, limit = _span(asked.query, 30)
    if asked.code is None or asked.platform.data.store.span(dataset) is None:
        return []
    try:
        found = asked.platform.data.get_many([asked.code], start, end, dataset=dataset)
    except NotFound:
        return []
    keep = slice(max(len(found) - limit, 0), None)
    told: dict[str, Sequence[Any]] = {
        "ts_code": [asked.code] * len(found.times[keep]),
        "trade_date": days(found.times[keep]),
    }
    return rows(
        told
        | {name: [number(v / scale(name), 4) for v in found[name][keep].tolist()] for name in found.fields}
    )


def _span(query: Values, limit: int) -> tuple[date | None, date | None, int]:
    return query.day("start_date"), query.day("end_date"), query.integer("limit", limit, most=_MOST_ROWS)


def _within(times: np.ndarray, start: date | None, limit: int) -> np.ndarray:
    """Return the last `limit` rows from `start` on."""
    first = 0 if start is None else int(np.searchsorted(times, np.datetime64(start)))
    return np.arange(max(first, len(times) - limit), len(times))


def _wanted(row: Mapping[str, Any], query: Values) -> bool:
    industry, area, search = query.text("industry"), query.text("area"), query.text("search").casefold()
    said = (row["ts_code"], row["name"] or "")
    return (
        (not industry or row["industry"] == industry)
        and (not area or row["area"] == area)
        and (not search or any(search in each.casefold() for each in said))
    )
