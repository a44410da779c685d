"""Which other web origins may call from a browser (CORS). Never with cookies: tokens travel in headers."""

from __future__ import annotations

from fastapi import Response
from starlette.types import Scope

Header = tuple[bytes, bytes]

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_ASKED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-API-Key, X-Request-ID"
_SHOWN = (
    b"Content-Disposition, ETag, Link, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    b"Retry-After, X-Request-ID"
)


class Origins:
    """The origins that may call.

    Parameters
    ----------
    allowed : tuple of str
        Such as https://desk.example; empty: none, and no header is ever added.
    """

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = frozenset(origin.lower().encode("ascii") for origin in allowed)

    def preflight(self, scope: Scope) -> Response | None:
        """Return the answer to a browser's question whether it may call; None if this is no such question."""
        if scope["method"] != "OPTIONS" or _header(scope, b"access-control-request-method") is None:
            return None
        if _header(scope, b"origin") not in self._allowed:
            return Response(status_code=403)
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": _ASKED,
                "Access-Control-Max-Age": "600",
            },
        )

    def allow(self, scope: Scope, headers: list[Header]) -> None:
        """Add to an answer's headers that its origin may read it, if so."""
        if not self._allowed:
            return
        headers.append((b"vary", b"Origin"))
        origin = _header(scope, b"origin")
        if origin is not None and origin in self._allowed:
            headers.append((b"access-control-allow-origin", origin))
            headers.append((b"access-control-expose-headers", _SHOWN))


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    found: list[bytes] = [value for name, value in scope["headers"] if name == wanted]
    return found[0].lower() if len(found) == 1 else None
