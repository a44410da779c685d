"""Sends requests to InfluxDB: every call limited in time, repeated only where that is safe, behind a breaker.

All our requests are safe to repeat: writes are upserts of the same points, the rest only reads or makes what is
missing. What differs is the error at the end: a write whose reply was lost once has an unknown outcome for good.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import httpx

from quantflux.core.clock import Clock
from quantflux.core.errors import OutcomeUnknown, StoreCorrupt, StoreFull, StoreUnavailable
from quantflux.data.adapters.influxdb.breaker import Breaker
from quantflux.data.adapters.influxdb.dialects import Request
from quantflux.data.adapters.influxdb.errors import Lost, connection_error, status_error

Result = TypeVar("Result")
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `read` and `write` limit each wait for the other side, `total` one attempt as a whole."""

    connect: float = 2.0
    read: float = 15.0
    write: float = 15.0
    pool: float = 2.0
    total: float = 120.0


@dataclass(frozen=True)
class Retries:
    """How often a request is tried, and how long the pauses between are: doubling from `pause`, with jitter."""

    attempts: int = 3
    pause: float = 0.1


class Transport:
    """One server, seen through HTTP. Safe to use from many threads.

    Parameters
    ----------
    url : str
        Such as "http://127.0.0.1:8086".
    headers : dict
        Sent with every request.
    auth : (user, password) or None
        HTTP basic authentication.
    compressed : bool
        Ask for compressed answers.
    verify : bool or str
        Whether to check certificates, or the file of the authority to trust.
    sleep, chance : functions
        Pass the time between attempts; a number in 0 .. 1. Tests pass their own.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        breaker: Breaker | None = None,
        connections: int = 8,
        compressed: bool = False,
        verify: bool | str = True,
        sleep: Sleep = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.url = url
        self.timeouts = timeouts or Timeouts()
        self.retries = retries or Retries()
        self.breaker = breaker or Breaker(clock)
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._verify = ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify
        limits = self.timeouts
        self._client = httpx.Client(
            base_url=url,
            headers={"Accept-Encoding": "gzip" if compressed else "identity", **(headers or {})},
            auth=auth,
            timeout=httpx.Timeout(
                connect=limits.connect, read=limits.read, write=limits.write, pool=limits.pool
            ),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            verify=self._verify,
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def call(self, request: Request, receive: Callable[[httpx.Response, Iterator[bytes]], Result]) -> Result:
        """Send a request that changes nothing, again if need be, and return what `receive` makes of the reply.

        Raises
        ------
        StoreUnavailable
            When all attempts failed, or the breaker is open.
        AccessDenied, Refused, NotThere
            As the server answered; these are not tried again.
        """
        try:
            return self._attempts(request, receive)
        except Lost as exc:
            raise StoreUnavailable(str(exc)) from exc

    def change(self, request: Request) -> None:
        """Send a request that changes data, again if need be.

        Raises
        ------
        OutcomeUnknown
            When no attempt succeeded and one of them may have taken effect.
        StoreUnavailable, StoreFull
            When none can have taken effect.
        AccessDenied, Refused, NotThere
            As the server answered; these are not tried again.
        """
        try:
            self._attempts(request, _drain)
        except Lost as exc:
            if exc.maybe_applied:
                raise OutcomeUnknown(
                    f"{exc}; the write may or may not have been applied, send it again"
                ) from exc
            raise StoreUnavailable(str(exc)) from exc

    def answers_stranger(self, path: str, params: Mapping[str, str]) -> bool:
        """Whether the server answers a request that carries no credentials. Tried once, without the breaker."""
        try:
            with httpx.Client(
                base_url=self.url, timeout=self._client.timeout, verify=self._verify, trust_env=False
            ) as stranger:
                return stranger.get(path, params=params).is_success
        except httpx.TransportError as exc:
            raise StoreUnavailable(str(connection_error(exc, self.url))) from exc

    def _attempts(
        self, request: Request, receive: Callable[[httpx.Response, Iterator[bytes]], Result]
    ) -> Result:
        maybe_applied = False
        for attempt in range(1, self.retries.attempts + 1):
            try:
                return self._once(request, receive)
            except (StoreUnavailable, StoreCorrupt) as exc:
                maybe_applied = maybe_applied or (isinstance(exc, Lost) and exc.maybe_applied)
                final = attempt == self.retries.attempts or self.breaker.is_open
                if final and maybe_applied:
                    raise Lost(str(exc), maybe_applied=True) from exc
                if final or isinstance(exc, StoreFull):
                    raise
            self._sleep(self.retries.pause * 2 ** (attempt - 1) * (0.5 + self._chance()))
        raise AssertionError("the last attempt returns or raises")

    def _once(self, request: Request, receive: Callable[[httpx.Response, Iterator[bytes]], Result]) -> Result:
        self.breaker.enter()
        try:
            result = self._exchange(request, receive)
        except (StoreUnavailable, StoreCorrupt):
            self.breaker.failed()
            raise
        except (
            BaseException
        ):  # the server answered, or the caller was interrupted: either way it is no failure
            self.breaker.succeeded()
            raise
        self.breaker.succeeded()
        return result

    def _exchange(
        self, request: Request, receive: Callable[[httpx.Response, Iterator[bytes]], Result]
    ) -> Result:
        deadline = self._clock.monotonic() + self.timeouts.total
        try:
            with self._client.stream(
                request.method,
                request.path,
                params=request.params,
                headers=request.headers,
                data=request.form,
                json=request.document,
                content=request.content,
            ) as response:
                if not response.is_success:
                    raise status_error(response.status_code, _head(response), self.url)
                return receive(response, self._within(deadline, response.iter_bytes()))
        except (httpx.TransportError, httpx.DecodingError) as exc:
            raise connection_error(exc, self.url) from exc

    def _within(self, deadline: float, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._clock.monotonic() > deadline:
                raise Lost(
                    f"InfluxDB at {self.url} did not finish its answer in {self.timeouts.total:g} s",
                    maybe_applied=True,
                )
            yield chunk


def _drain(response: httpx.Response, chunks: Iterator[bytes]) -> None:
    for _ in chunks:
        continue


def _head(response: httpx.Response, limit: int = 1_000_000) -> bytes:
    """Return the beginning of an error body."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) >= limit:
            break
    return body
