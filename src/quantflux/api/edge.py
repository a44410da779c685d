"""The edge: the one ASGI layer around everything, in which each request begins and ends.

Coming in: a request id, the client's address, refusal of what is never answered (TRACE, a process without room), a cap
on the body's size and on how slowly it may come. Going out: security headers on every answer, errors included, CORS,
the caller's rate limit, metrics and one line in the access log.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from dataclasses import dataclass

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantflux.accounts.limits.address import client_address
from quantflux.api.cors import Origins
from quantflux.api.errors import Problem, answer_for
from quantflux.api.exchange import KEY, Exchange
from quantflux.api.headers import HSTS, SECURITY, is_private
from quantflux.core.hosts import Network, lies_in
from quantflux.observability.metrics import request_seconds, requests_running, requests_shed, requests_total

access_log = logging.getLogger("quantflux.access")

_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_ALWAYS = frozenset({"/health/live"})  # who restarts a process that is only busy makes things worse
_REFUSED_METHODS = frozenset({"TRACE", "TRACK", "CONNECT"})


@dataclass(frozen=True)
class EdgeRules:
    """What the edge goes by.

    Attributes
    ----------
    max_requests : int
        Worked on at once by this process.
    max_body, max_upload : int
        Bytes; the first for every route but those that take files.
    body_seconds : float
        Longest wait for the next piece of a body, and for all pieces beyond what `slowest_body` grants.
    slowest_body : float
        Bytes a second: who sends slower on the whole, a byte now and then, is cut.
    trusted : tuple of Network
        Proxies whose word on address and scheme is taken.
    origins : tuple of str
        Other web origins that may call.
    """

    max_requests: int
    max_body: int
    max_upload: int
    body_seconds: float = 10.0
    slowest_body: float = 10_000.0
    trusted: tuple[Network, ...] = ()
    origins: tuple[str, ...] = ()


class Edge:
    """Wraps an application; `draining` makes every further answer the last of its connection."""

    def __init__(self, app: ASGIApp, rules: EdgeRules) -> None:
        self.app = app
        self.rules = rules
        self.running = 0
        self.draining = False
        self._origins = Origins(rules.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = Exchange(
            _request_id(scope), client_address(scope, self.rules.trusted), self.rules.max_body
        )
        scope[KEY] = exchange
        outgoing = _Outgoing(self, scope, exchange, send)
        self.running += 1
        requests_running.inc()
        try:
            await self._answer(scope, receive, outgoing)
        finally:
            self.running -= 1
            requests_running.dec()
            _record(scope, exchange, outgoing, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, outgoing: _Outgoing) -> None:
        try:
            self._refuse(scope)
            preflight = self._origins.preflight(scope)
            if preflight is not None:
                await preflight(scope, receive, outgoing)
                return
            await self.app(scope, self._limited(scope, receive), outgoing)
        except Exception as exc:
            if outgoing.status:  # its beginning is with the client already: only the connection can tell
                raise
            await answer_for(exc, outgoing.exchange.request_id)(scope, receive, outgoing)

    def _refuse(self, scope: Scope) -> None:
        if self.running > self.rules.max_requests and scope["path"] not in _ALWAYS:
            requests_shed.inc()
            raise Problem(
                503, "busy", "The server has no room now; nothing was done, try again.", {"Retry-After": "1"}
            )
        if scope["method"] in _REFUSED_METHODS:
            raise Problem(405, "method_not_allowed", f"{scope['method']} is never answered.")

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        exchange: Exchange = scope[KEY]
        rules = self.rules
        taken, waited, complete = 0, 0.0, False

        async def limited() -> Message:
            nonlocal taken, waited, complete
            if complete:
                return await receive()
            if not taken:
                _check_size(_content_length(scope), exchange.max_body)
            left = rules.body_seconds + taken / rules.slowest_body - waited
            began = time.perf_counter()
            try:
                async with asyncio.timeout(min(left, rules.body_seconds)):
                    message = await receive()
            except TimeoutError:
                raise Problem(
                    408, "body_too_slow", "The body came too slowly.", {"Connection": "close"}
                ) from None
            waited += time.perf_counter() - began
            taken += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            _check_size(taken, exchange.max_body)
            return message

        return limited


class _Outgoing:
    """Sends an answer on, with the headers that every answer has; remembers what became of it."""

    __slots__ = ("edge", "exchange", "scope", "send", "size", "status")

    def __init__(self, edge: Edge, scope: Scope, exchange: Exchange, send: Send) -> None:
        self.edge = edge
        self.scope = scope
        self.exchange = exchange
        self.send = send
        self.status = 0
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._complete(message["headers"])
        else:
            self.size += len(message.get("body", b""))
        await self.send(message)

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> None:
        exchange, edge = self.exchange, self.edge
        names = {name for name, _ in headers}
        headers.append((b"x-request-id", exchange.request_id.encode("ascii")))
        headers.extend(SECURITY if b"content-security-policy" not in names else SECURITY[1:])
        if is_private(names):
            headers.append((b"cache-control", b"no-store"))
        allowance = exchange.allowance
        if allowance is not None:
            headers.append((b"ratelimit-limit", b"%d" % allowance.limit))
            headers.append((b"ratelimit-remaining", b"%d" % allowance.remaining))
            headers.append((b"ratelimit-reset", b"%d" % allowance.reset_seconds))
        if edge.draining:
            headers.append((b"connection", b"close"))
        if _is_secure(self.scope, edge.rules.trusted):
            headers.append(HSTS)
        edge._origins.allow(self.scope, headers)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _WELL_FORMED.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(8)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else 2**63
    return 0


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Problem(
            413, "body_too_large", f"A body may have at most {most} bytes here.", {"Connection": "close"}
        )


def _is_secure(scope: Scope, trusted: tuple[Network, ...]) -> bool:
    if scope.get("scheme") == "https":
        return True
    if not trusted or not scope.get("client") or not lies_in(scope["client"][0], trusted):
        return False
    return (b"x-forwarded-proto", b"https") in scope["headers"]


def _record(scope: Scope, exchange: Exchange, outgoing: _Outgoing, seconds: float) -> None:
    route = exchange.route or "none"  # paths that anybody may invent must not become labels
    requests_total.labels(_method(scope), route, outgoing.status).inc()
    request_seconds.labels(route).observe(seconds)
    if access_log.isEnabledFor(logging.INFO):
        who = exchange.principal
        line = {
            "at": time.time(),
            "request_id": exchange.request_id,
            "address": exchange.address,
            "method": _method(scope),
            # As it came, percent-encoded, so that no control character reaches a terminal; never the query.
            "path": scope.get("raw_path", b"")[:300].decode("ascii", "replace"),
            "status": outgoing.status,
            "bytes": outgoing.size,
            "ms": round(seconds * 1000, 3),
            "user": who.owner if who else "",
        }
        access_log.info("%s", orjson.dumps(line).decode())


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"
