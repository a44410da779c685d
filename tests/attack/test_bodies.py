"""Evil bodies on every route that reads one; values beyond their bounds; wrong types, methods and parameters."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest

from tests.attack.evil import EVIL_BODIES
from tests.attack.target import Target, at

REFUSED = {400, 413, 415, 422}
_LARGE = {
    "nested lists",
    "nested objects",
    "nested, not closed",
    "a million keys",
    "a large text",
    "too large",
}


def _reading(target: Target) -> list[tuple[str, Any, bool]]:
    """Return what reads a body: method, route, and whether version 1 does."""
    found = []
    for method, route in target.routes:
        if method in ("POST", "PUT", "PATCH") and (route.body_field is not None or route.need.of_v1):
            found.append((method, route, route.need.of_v1))
    assert len(found) > 50
    return found


def test_evil_bodies_are_refused(target: Target, tried: Counter[str]) -> None:
    assert len(EVIL_BODIES) >= 40
    _attack(target, tried, {n: b for n, b in EVIL_BODIES.items() if n not in _LARGE})


def test_large_evil_bodies_are_refused(target: Target, tried: Counter[str]) -> None:
    """On every tenth route: what a body costs before a route sees it is the same everywhere."""
    _attack(target, tried, {n: b for n, b in EVIL_BODIES.items() if n in _LARGE}, every=10)


@pytest.mark.slow
def test_large_evil_bodies_are_refused_everywhere(target: Target, tried: Counter[str]) -> None:
    _attack(target, tried, {n: b for n, b in EVIL_BODIES.items() if n in _LARGE})


def _attack(target: Target, tried: Counter[str], bodies: dict[str, bytes], every: int = 1) -> None:
    wrong = []
    for method, route, of_v1 in _reading(target)[::every]:
        for name, body in bodies.items():
            reply = target.send(method, at(route), body=body, by="admin")
            tried["evil bodies"] += 1
            taken = of_v1 and name in (
                "nothing",
                "prototype",
                "class",
                "an operator",
                "a large text",
                "a million keys",
            )
            good = reply.status < 500 if taken else reply.status in REFUSED
            # an object whose fields are all optional may be left out
            if not good and not (name in _OPTIONAL and reply.status in (200, 201, 202, 404)):
                wrong.append(f"{method} {route.path} {name}: {reply.status} {reply.body[:200]!r}")
        target.tidy()
    assert not wrong, "\n".join(wrong)


_OPTIONAL = {"nothing", "null"}


def test_other_content_types_are_refused(target: Target, tried: Counter[str]) -> None:
    kinds = (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=utf-16",
        "application/x-yaml",
        "application/jsonp",
        "",
        "application/json, text/plain",
        "*/*",
    )
    for method, route, of_v1 in _reading(target):
        for kind in kinds:
            if of_v1 and "json" in kind:
                continue  # version 1 looks at the type alone
            reply = target.send(method, at(route), headers={"content-type": kind}, body=b"{}", by="admin")
            assert reply.status == 415, f"{method} {route.path} {kind}: {reply.status} {reply.body[:200]!r}"
            tried["content types"] += 1
    target.tidy()


def test_other_methods_are_refused(target: Target, tried: Counter[str]) -> None:
    known: dict[str, set[str]] = {}
    for method, route in target.routes:
        known.setdefault(at(route), set()).add(method)
    for path, methods in known.items():
        for method in (
            "GET",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
            "TRACE",
            "CONNECT",
            "TRACK",
            "PROPFIND",
            "X" * 40,
        ):
            if method in methods:
                continue
            reply = target.send(method, path, by="admin")
            assert reply.status == 405 or (reply.status in (404, 422) and _is_shared(path)), (
                f"{method} {path}: {reply.status} {reply.body[:200]!r}"
            )
            tried["methods"] += 1


def _is_shared(path: str) -> bool:
    """Whether another route's template has room for the path: /factors/values is a name, too."""
    return path.startswith(
        ("/api/v2/factors/", "/api/v2/models/", "/api/v2/backtests/", "/api/v2/predictions/")
    )


def test_repeated_and_unknown_parameters_are_refused(target: Target, tried: Counter[str]) -> None:
    for method, route in target.routes:
        if not route.path.startswith("/api/v2"):
            continue
        names = [field.alias for field in route.dependant.query_params]
        queries = [b"unknown=1", b"a[]=1", b"a%5B0%5D=1", b"__proto__=1"]
        queries += [f"{name}=1&{name}=2".encode() for name in names]
        queries += [f"{name}[]=1".encode() for name in names]
        queries += [f"{name}=%00".encode() for name in names]
        for query in queries:
            reply = target.send(method, at(route), query=query, by="admin")
            if route.path.endswith(("/logout", "/logout-everywhere")) and reply.status == 401:
                continue
            assert reply.status == 422, (
                f"{method} {route.path}?{query!r}: {reply.status} {reply.body[:200]!r}"
            )
            tried["parameters"] += 1
        for query in (b"a=%ff", b"a=%c0%af", b"&".join(b"a%d=1" % n for n in range(200)), b"\xff=1"):
            reply = target.send(method, at(route), query=query, by="admin")
            assert reply.status in (400, 422), f"{route.path}?{query!r}: {reply.status}"
            tried["parameters"] += 1


BEYOND: dict[str, tuple[str, ...]] = {
    "limit": ("0", "-1", "1000000000", "1e3", "1.5", "x", "", "9" * 400, "NaN", "inf", "0x10", "١"),
    "offset": ("-1", "x", "9" * 400, "NaN", "1e3"),
    "after": ("-1", "x", "600519.SH@-1", "600519.SH@" + "9" * 40, "@", "9" * 400),
    "start": (
        "1800-01-01",
        "9999-12-31",
        "0000-00-00",
        "2024-02-30",
        "x",
        "99999-01-01",
        "-1",
        "9" * 400,
        "now",
    ),
    "end": ("1800-01-01", "2024-13-01", "x", "99999-01-01", "9" * 400, "2024-01-01T99:00"),
    "symbols": (",".join(["600519.SH"] * 100_001), "600519", "x", "600519.XX", ",", "*", "600519.SH," * 2),
    "format": ("xml", "../csv", "JSON\n", "parquet"),
    "columns": ("*", "close,close", "nothing", "close;", ",", "close" * 1000),
}
"""Values of parameters that no route may take."""

_FINE = {
    ("after", "-1"),
    ("start", "9999-12-31"),
    ("columns", "close,close"),
    ("symbols", "600519.SH," * 2),
    (
        "symbols",
        "600519",
    ),  # a code without its exchange; that there is nothing of it is no mistake everywhere
}
_SHORT = {"/api/v2/data/quality/findings": ("600519",)}  # symbols need no exchange there


def test_values_beyond_their_bounds_are_refused(target: Target, tried: Counter[str]) -> None:
    wrong = []
    for method, route in target.routes:
        if method != "GET" or not route.path.startswith("/api/v2"):
            continue
        names = {field.alias for field in route.dependant.query_params}
        path = at(route, symbol="600001.SH", day="2024-01-03", name="stock_daily_data", model="demo")
        for name in names & set(BEYOND):
            for value in BEYOND[name]:
                query = f"{name}={quote(value)}".encode()
                reply = target.send(method, path, query=query, by="admin")
                tried["values beyond bounds"] += 1
                fine = (name, value) in _FINE or value in _SHORT.get(route.path, ())
                if reply.status >= 500 or (reply.status == 200 and not fine):
                    wrong.append(f"{route.path}?{query[:100]!r}: {reply.status} {reply.body[:200]!r}")
    assert not wrong, "\n".join(wrong)


def test_a_start_behind_its_end_is_refused(target: Target, tried: Counter[str]) -> None:
    for method, route in target.routes:
        names = {field.alias for field in route.dependant.query_params}
        if method != "GET" or not {"start", "end"} <= names:
            continue
        path = at(route, symbol="600001.SH", day="2024-01-03", name="stock_daily_data", model="demo")
        reply = target.send(method, path, query={"start": "2024-05-06", "end": "2024-01-02"}, by="admin")
        assert reply.status in (404, 422), f"{route.path}: {reply.status} {reply.body[:200]!r}"
        tried["values beyond bounds"] += 1


def test_a_number_is_no_moment(target: Target, tried: Counter[str]) -> None:
    """2024 as a moment would be of the year 1970."""
    for value in ("2024", "2409", "1717400000", "1717400000.5", "1e9", "-1"):
        for name in ("since", "until"):
            reply = target.send("GET", "/api/v2/audit", query={name: value}, by="admin")
            assert reply.status == 422, f"{name}={value}"
            tried["values beyond bounds"] += 1
        body = {"name": "x", "scopes": ["market:read"], "expires_at": value}
        assert target.send("POST", "/api/v2/account/api-keys", body=body, by="admin").status == 422
    assert (
        target.send("GET", "/api/v2/audit", query={"since": "2024-06-03T00:00:00Z"}, by="admin").status == 200
    )
    assert (
        target.send("GET", "/api/v2/audit", query={"since": "2024-06-03T00:00:00"}, by="admin").status == 422
    )
