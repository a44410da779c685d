"""One exchange with the server: bytes there, bytes back, or an error that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

import quantflux
from quantflux.client.failures import ServerUnreachable
from quantflux.core.errors import InvalidRequest
from quantflux.core.hosts import is_loopback

_CONNECT_SECONDS = 5.0
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Lost(ServerUnreachable):
    """No whole answer came back.

    Attributes
    ----------
    sent : bool
        Whether the request may have reached the server.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Wire:
    """Connections to one server. Safe to use from threads.

    Parameters
    ----------
    url : str
        `http://host:port`, or the address below which a proxy shows the server.
    timeout : float
        Seconds to wait for the next bytes of an answer.
    transport : httpx.BaseTransport, optional
        In place of the network, for tests.
    """

    def __init__(self, url: str, timeout: float, transport: httpx.BaseTransport | None = None) -> None:
        self.url = _checked(url)
        if not timeout > 0:
            raise InvalidRequest(f"timeout must be above 0 seconds, was {timeout!r}")
        self.timeout = timeout
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
            headers={"User-Agent": f"quantflux/{quantflux.__version__}"},
            # A proxy of the environment is for the world outside: credentials for this machine stay on it.
            trust_env=not is_loopback(urlsplit(self.url).hostname or ""),
            transport=transport,
        )

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> Reply:
        """Send one request, once.

        Raises
        ------
        Lost
            If no whole answer came back.
        InvalidRequest
            If it was closed.
        """
        if self._http.is_closed:
            raise InvalidRequest("this client was closed; make a new one")
        try:
            found = self._http.request(method, self.url + target, headers=dict(headers), content=content)
        except httpx.RequestError as exc:
            raise self._lost(exc, f"{method} {target.partition('?')[0]}") from exc
        return Reply(found.status_code, {k.lower(): v for k, v in found.headers.items()}, found.content)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _lost(self, exc: httpx.RequestError, asked: str) -> Lost:
        why = str(exc) or type(exc).__name__
        if isinstance(exc, _NOT_SENT):
            hint = " Is the server running? Start it with: quantflux serve"
            return Lost(
                f"{self.url} cannot be reached: {why}."
                + hint * is_loopback(urlsplit(self.url).hostname or ""),
                sent=False,
            )
        if isinstance(exc, httpx.TimeoutException):
            why = f"nothing came for {self.timeout:g} s; Client(timeout=...) waits longer"
        return Lost(
            f"{self.url} did not answer {asked}: {why}. The request may have been carried out.", sent=True
        )


def _checked(url: str) -> str:
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment:
        raise InvalidRequest(
            f"url must be an address such as http://127.0.0.1:8000, was {_without_user(url)!r}"
        )
    if found.username is not None:
        raise InvalidRequest(
            "url must not hold a user or password; give them to Client(user=..., password=...)"
        )
    return url.rstrip("/")


def _without_user(url: str) -> str:
    return url.rpartition("@")[2][:200]
