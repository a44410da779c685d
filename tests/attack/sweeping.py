"""Puts payloads into every place of the API that takes text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from tests.attack.target import Reply, Target

Place = Callable[[str], Reply]
"""Sends a payload."""

_FITTING = {"symbol": "600001.SH", "ts_code": "600001.SH", "day": "2024-01-03", "name": "stock_daily_data"}
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


def places(target: Target) -> list[tuple[str, Place]]:
    """Return every query and path parameter of what reads, and every text in some bodies, by name."""
    found: list[tuple[str, Place]] = []
    for method, route in target.routes:
        names = [field.alias for field in route.dependant.query_params]
        if route.need.of_v1:
            names += list(getattr(route.endpoint, "translation").query)  # noqa: B009
        if method == "GET":
            found += [(f"{route.path}?{name}", _query(target, route, name)) for name in names]
        if method in ("GET", "DELETE"):
            found += [
                (f"{method} {route.path} {name}", _path(target, method, route, name))
                for name in route.param_convertors
            ]
    for path, (role, body) in _BODIES.items():
        found += [
            (f"{path}: {'.'.join(map(str, at))}", _body(target, path, role, body, at)) for at in _texts(body)
        ]
    return found


def _filled(route: Any, **values: str) -> str:
    path: str = route.path_format
    for name in route.param_convertors:
        text = values.get(name, _FITTING.get(name, "1"))
        path = path.replace(f"{{{name}}}", quote(text, safe=""))
    return path


def _query(target: Target, route: Any, name: str) -> Place:
    return lambda text: target.send("GET", _filled(route), query=urlencode({name: text}).encode(), by="admin")


def _path(target: Target, method: str, route: Any, name: str) -> Place:
    return lambda text: target.send(method, _filled(route, **{name: text}), by="admin")


def _body(target: Target, path: str, role: str, body: dict[str, Any], at: Sequence[Any]) -> Place:
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


def sweep(target: Target, payloads: Sequence[str], *, everywhere: bool) -> tuple[int, list[str]]:
    """Send each payload to every place, or to a few of them in turn; return how many and what failed."""
    wrong, sent = [], 0
    spots = places(target)
    assert len(spots) > 150
    for number, payload in enumerate(payloads):
        chosen = spots if everywhere else [spots[(number * 7 + n * 61) % len(spots)] for n in range(4)]
        for name, send in chosen:
            reply = send(payload)
            sent += 1
            if reply.status >= 500:
                wrong.append(f"{name} with {payload!r:.100}: {reply.status} {reply.body[:200]!r}")
        if number % 20 == 0:
            target.tidy()
    return sent, wrong
