"""Puts payloads into every place of the API that takes text, and judges what comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from unittest import mock
from urllib.parse import quote, urlencode

import pyarrow.compute as pc
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.data.schema import DAILY
from tests.attack.target import Reply, Target, market

SPARSELY_OR_NOT = pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)])
"""A few places for each payload, or, when asked for slow tests, every place for some of them."""

SONG = "a canary sings of what nobody asked for"
"""What canaries hold: files, tables and measurements that no request names."""
NUMBER = 8675309
"""The same, where a number is wanted."""
CANARIES = (SONG.encode(), str(NUMBER).encode(), b"root:x:")
"""What no reply may hold; the last stands in /etc/passwd."""

SYMBOL = "600001.SH"
START, END = "2024-01-02", "2024-02-01"
_FITTING = {
    "symbol": SYMBOL,
    "symbols": SYMBOL,
    "ts_code": SYMBOL,
    "day": "2024-01-03",
    "name": "stock_daily_data",
    "job_id": "0" * 32,
    "start": START,
    "end": END,
    "start_date": START,
    "end_date": END,
    "fields": "close",
    "factors": "reversal_20",
}
_READING = (
    "/api/v2/bars/{symbol}",
    "/api/v2/bars",
    "/api/v2/cross-sections/{day}",
    "/api/v2/panels",
    "/api/v2/datasets/{name}/rows",
    "/api/v2/exports/bars",
    "/api/v2/exports/datasets/{name}",
    "/api/v2/factors/values",
    "/api/stocks/{ts_code}/history",
)
"""Answered from the market's rows when asked with what fits."""

_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "/api/v2/aggregates": (
        "viewer",
        {
            "dataset": "stock_daily_data",
            "symbols": ["600001.SH"],
            "start": "2024-01-02",
            "end": "2024-03-01",
            "period": "month",
            "measures": [{"name": "a", "column": "close", "function": "mean"}],
        },
    ),
    "/api/v2/factors": ("researcher", {"id": "x", "expression": "close", "description": "x"}),
    "/api/v2/factors/check": ("researcher", {"expression": "close"}),
    "/api/v2/factors/compute": ("researcher", {"factors": ["reversal_20"]}),
    "/api/v2/models/tune": ("researcher", {"model": {"id": "demo", "kind": "ridge"}}),
    "/api/v2/screens": ("viewer", {"conditions": [{"field": "close", "at_least": 1}]}),
    "/api/v2/users": ("admin", {"name": "somebody", "role": "viewer"}),
    "/api/v2/auth/login": ("anonymous", {"name": "somebody", "password": "x", "device": "x", "label": "x"}),
    "/api/v2/auth/refresh": ("anonymous", {"refresh_token": "x"}),
    "/api/v2/data/quality/releases": (
        "admin",
        {"dataset": "stock_daily_data", "findings": [1], "reason": "why"},
    ),
    "/api/ml-factor/factors/custom": (
        "researcher",
        {"factor_id": "x", "factor_name": "x", "factor_type": "x", "factor_formula": "close"},
    ),
    "/api/ml-factor/models/create": (
        "researcher",
        {
            "model_id": "x",
            "model_name": "x",
            "model_type": "ridge",
            "factor_list": ["x"],
            "target_type": "return_5d",
        },
    ),
    "/api/ml-factor/strategies/save": ("researcher", {"name": "x", "description": "x"}),
    "/api/analysis/screen": ("viewer", {"industry": "x", "area": "x", "order_by": "x"}),
}


class Takes(Enum):
    """What a place takes, and so which payloads may be answered with success."""

    VALUES = "a symbol, a day, a column, a number: no payload is one"
    FILTER = "a text to look for: what bears it is told, and nothing else"
    TEXT = "any text, which is kept as it is"
    NAME = "a name that is given to something: letters, digits and few signs"
    CODE = "version 1's symbol: there are no rows of one that is not listed"
    SWITCH = "version 1's switch, which changes nothing"


_TAKES = {
    **dict.fromkeys(
        (
            "/api/v2/audit?action",
            "/api/v2/audit?actor",
            "/api/v2/jobs?kind",
            "/api/v2/instruments?text",
            "/api/v2/instruments?industry",
            "/api/v2/factors?owner",
            "/api/v2/factors?text",
            "/api/v2/factors/operators?text",
            "/api/v2/models?text",
            "/api/stocks?industry",
            "/api/stocks?area",
            "/api/stocks?search",
            "/api/ml-factor/factors/list?factor_type",
            "/api/analysis/screen: industry",
            "/api/analysis/screen: area",
        ),
        Takes.FILTER,
    ),
    **dict.fromkeys(
        (
            "/api/v2/factors: description",
            "/api/ml-factor/factors/custom: factor_name",
            "/api/ml-factor/factors/custom: factor_type",
            # A key that version 1 had not: it is told again among the criteria and changes nothing.
            "/api/analysis/screen: order_by",
        ),
        Takes.TEXT,
    ),
    **dict.fromkeys(
        (
            "/api/v2/users: name",
            "/api/v2/aggregates: measures.0.name",
            "/api/v2/factors: id",
            "/api/v2/factors: expression",
            "/api/v2/factors/check: expression",
            "/api/v2/factors/compute: factors.0",
            "/api/ml-factor/factors/custom: factor_id",
            "/api/ml-factor/factors/custom: factor_formula",
            "GET /api/v2/factors/{name} name",
            "DELETE /api/v2/factors/{name} name",
        ),
        Takes.NAME,
    ),
    **{
        f"GET /api/stocks/{{ts_code}}/{of} ts_code": Takes.CODE
        for of in ("history", "factors", "moneyflow", "cyq")
    },
    "/api/ml-factor/factors/list?is_active": Takes.SWITCH,
}
"""Of the places that take more than values."""


@dataclass(frozen=True)
class Place:
    """Where a payload goes, and how it is sent there."""

    name: str
    send: Callable[[str], Reply]

    @property
    def takes(self) -> Takes:
        return _TAKES.get(self.name, Takes.VALUES)


# ---- judging --------------------------------------------------------------------------------------


def wrong_with(place: Place, payload: str, reply: Reply, canaries: Sequence[bytes] = CANARIES) -> str:
    """Say what is wrong with a reply to a payload; nothing if it is as it should be."""
    found = [canary for canary in canaries if canary in reply.body]
    if found:
        return f"tells {found}"
    if reply.status >= 500:
        return "fails"
    if reply.status >= 300:
        return ""
    if place.takes is Takes.VALUES:
        return "takes the payload for a value"
    if place.takes is Takes.NAME and not re.fullmatch(r"[A-Za-z_][\w.-]*", payload):
        return "takes the payload for a name"
    if others := _symbols_in(reply, payload, place):
        return f"tells of {others}"
    if place.takes is Takes.CODE and reply.json()["data"]:
        return "has rows of the payload"
    if place.takes is Takes.FILTER and not all(_bears(row, payload) for row in _rows(reply.json())):
        return "has rows that do not bear the payload"
    return ""


def _symbols_in(reply: Reply, payload: str, place: Place) -> list[str]:
    """Return the symbols that a reply tells of, but for those that were asked for."""
    asked = SYMBOL if place.takes is Takes.NAME else ""
    return [
        symbol
        for symbol in symbols()
        if symbol.encode() in reply.body and symbol != asked and payload not in symbol
    ]


def symbols() -> list[str]:
    """Return the market's symbols."""
    return sorted(pc.unique(market()[DAILY]["symbol"]).to_pylist())


def _rows(document: Any) -> list[Any]:
    if isinstance(document, dict):
        inside = [_rows(value) for key, value in document.items() if key != "criteria"]
        return next((rows for rows in inside if rows), [])
    return document if isinstance(document, list) else []


def _bears(row: Any, payload: str) -> bool:
    parts = row.values() if isinstance(row, dict) else row if isinstance(row, list) else None
    if parts is None:
        return payload.strip().casefold() in str(row).casefold()
    return any(_bears(part, payload) for part in parts)


# ---- places ---------------------------------------------------------------------------------------


def places(target: Target) -> list[Place]:
    """Return every query and path parameter of what reads, and every text in some bodies.

    What is not the payload fits, so that a payload is looked at, and not what is missing beside it.
    """
    found: list[Place] = []
    for method, route in target.routes:
        names = _parameters(route)
        if method == "GET":
            found += [Place(f"{route.path}?{name}", _query(target, route, name)) for name in names]
        if method in ("GET", "DELETE"):
            found += [
                Place(f"{method} {route.path} {name}", _path(target, method, route, name))
                for name in route.param_convertors
            ]
    for path, (role, body) in _BODIES.items():
        found += [
            Place(f"{path}: {'.'.join(map(str, at))}", _body(target, path, role, body, at))
            for at in _texts(body)
        ]
    unknown = _TAKES.keys() - {place.name for place in found}
    assert not unknown, unknown
    return found


def good_replies(target: Target) -> dict[str, Reply]:
    """Return what is told of the market when asked as one should; nothing of it comes from a cache."""
    target.run(target.platform.cache.clear())
    routes = {route.path: route for method, route in target.routes if method == "GET"}
    found = {
        path: target.send("GET", _filled(routes[path]), query=_fitting(routes[path]), by="admin")
        for path in _READING
    }
    role, body = _BODIES["/api/v2/aggregates"]
    found["/api/v2/aggregates"] = target.send("POST", "/api/v2/aggregates", body=body, by=role)
    return found


def rows_told(target: Target) -> dict[str, bytes]:
    """Return what the application tells when asked as one should, which is the market's rows."""
    replies = good_replies(target)
    assert {path: reply.status for path, reply in replies.items()} == dict.fromkeys(replies, 200)
    rows = market()[DAILY]
    closes = rows.filter(pc.equal(rows["symbol"], SYMBOL)).sort_by("trade_date")["close"].to_pylist()
    columns = replies["/api/v2/bars/{symbol}"].json()["columns"]
    assert len(columns["close"]) > 15
    assert columns["close"] == pytest.approx(closes[: len(columns["close"])], abs=0.005)
    for path, reply in replies.items():
        assert path.startswith("/api/stocks") or SYMBOL.encode() in reply.body, path
    return {path: reply.body for path, reply in replies.items()}


def _parameters(route: Any) -> list[str]:
    names = [field.alias for field in route.dependant.query_params]
    return names + (list(route.endpoint.translation.query) if route.need.of_v1 else [])


def _fitting(route: Any, **values: str) -> bytes:
    known = {name: _FITTING[name] for name in _parameters(route) if name in _FITTING}
    return urlencode(known | values).encode()


def _filled(route: Any, **values: str) -> str:
    path: str = route.path_format
    for name in route.param_convertors:
        text = values.get(name, _FITTING.get(name, "1"))
        path = path.replace(f"{{{name}}}", quote(text, safe=""))
    return path


def _query(target: Target, route: Any, name: str) -> Callable[[str], Reply]:
    return lambda text: target.send("GET", _filled(route), query=_fitting(route, **{name: text}), by="admin")


def _path(target: Target, method: str, route: Any, name: str) -> Callable[[str], Reply]:
    query = _fitting(route) if method == "GET" else b""
    return lambda text: target.send(method, _filled(route, **{name: text}), query=query, by="admin")


def _body(
    target: Target, path: str, role: str, body: dict[str, Any], at: Sequence[Any]
) -> Callable[[str], Reply]:
    return lambda text: target.send("POST", path, body=_put(body, at, text), by=role)


def _texts(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, str):
        return [at]
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for key, part in inside for each in _texts(part, (*at, key))]


def _put(value: Any, at: Sequence[Any], text: str) -> Any:
    if not at:
        return text
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[at[0]] = _put(value[at[0]], at[1:], text)
    return changed


def sweep(
    target: Target, payloads: Sequence[str], *, everywhere: bool, canaries: Sequence[bytes] = CANARIES
) -> tuple[int, list[str]]:
    """Send each payload to every place, or to a few of them in turn; return how many and what is wrong."""
    wrong, sent = [], 0
    spots = places(target)
    assert len(spots) > 150
    for number, payload in enumerate(payloads):
        chosen = spots if everywhere else [spots[(number * 7 + n * 61) % len(spots)] for n in range(4)]
        for place in chosen:
            reply = place.send(payload)
            sent += 1
            if what := wrong_with(place, payload, reply, canaries):
                told = f"{reply.status} {reply.body[:200]!r}"
                wrong.append(f"{place.name} with {payload!r:.100} {what}: {told}")
        if number % 20 == 0:
            target.tidy()
    return sent, wrong


def sweep_hole(target: Target, payloads: Sequence[str], hole: Callable[[str], Any]) -> list[str]:
    """Send payloads to a route behind which they are used as they come, and return what is wrong.

    The audit log's filter by actor does what `hole` does with it, and the reply tells what came of that.
    """
    (place,) = (place for place in places(target) if place.name == "/api/v2/audit?actor")

    def entries(*, actor: str | None = None, **_: Any) -> Any:
        raise InvalidRequest(f"found {hole(actor or '')}")

    with mock.patch.object(target.platform.audit, "entries", entries):
        found = [wrong_with(place, payload, place.send(payload)) for payload in payloads]
    return [what for what in found if what]
