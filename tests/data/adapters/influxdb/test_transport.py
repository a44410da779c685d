"""Time-outs, repeated attempts and the breaker, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import certifi
import httpx
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import (
    AccessDenied,
    OutcomeUnknown,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from quantflux.data.adapters.influxdb.breaker import Breaker
from quantflux.data.adapters.influxdb.dialects import Request
from quantflux.data.adapters.influxdb.errors import (
    NEVER_SENT,
    NotThere,
    Refused,
    connection_error,
    status_error,
)
from quantflux.data.adapters.influxdb.security import is_loopback
from quantflux.data.adapters.influxdb.transport import Retries, Timeouts, Transport

WRITE = Request("POST", "/write", content=b"m v=1")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2024, 1, 2, tzinfo=UTC))


class Scripted(httpx.BaseTransport):
    """Answers each request with the next step: a status, or an exception to raise."""

    def __init__(self, *steps: int | Exception) -> None:
        self.steps = list(steps)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step, json={"error": "as scripted"})


@pytest.fixture
def scripted(clock: FixedClock) -> Iterator[Callable[..., Transport]]:
    made: list[Transport] = []

    def make(*steps: int | Exception, attempts: int = 3, rest: float = 5.0) -> Transport:
        transport = Transport(
            "http://127.0.0.1:1",
            clock=clock,
            retries=Retries(attempts, pause=1.0),
            breaker=Breaker(clock, limit=3, rest=rest),
            sleep=clock.advance,
            chance=lambda: 0.5,
        )
        transport._client.close()
        transport._client = httpx.Client(base_url=transport.url, transport=Scripted(*steps))
        made.append(transport)
        return transport

    yield make
    for transport in made:
        transport.close()


REFUSED, RESET, TIMEOUT = httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.ReadTimeout("slow")


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ((REFUSED, REFUSED, REFUSED), StoreUnavailable),
        ((RESET, RESET, RESET), OutcomeUnknown),
        ((RESET, REFUSED, REFUSED), OutcomeUnknown),
        ((REFUSED, REFUSED, TIMEOUT), OutcomeUnknown),
        ((503, 503, 503), StoreUnavailable),
        ((TIMEOUT, 503, 503), OutcomeUnknown),
        ((TIMEOUT, 401), AccessDenied),
        ((404,), NotThere),
        ((400,), Refused),
        ((413,), Refused),
    ],
)
def test_a_write_ends_in_what_may_have_happened(
    scripted: Callable[..., Transport], steps: tuple[int | Exception, ...], kind: type[Exception]
) -> None:
    with pytest.raises(StoreError) as error:
        scripted(*steps).change(WRITE)

    assert isinstance(error.value, kind)
    assert isinstance(error.value, OutcomeUnknown) == (kind is OutcomeUnknown)


@pytest.mark.parametrize("steps", [(204,), (RESET, 204), (503, REFUSED, 204), (429, 204)])
def test_a_write_that_succeeds_in_the_end_succeeded(
    scripted: Callable[..., Transport], steps: tuple[int | Exception, ...]
) -> None:
    transport = scripted(*steps)

    transport.change(WRITE)

    assert not transport.breaker.is_open


def test_pauses_between_attempts_double(scripted: Callable[..., Transport], clock: FixedClock) -> None:
    scripted(RESET, RESET, 204).change(WRITE)

    assert clock.monotonic() == 1.0 + 2.0


def test_a_read_that_was_reset_is_unavailable_not_unknown(scripted: Callable[..., Transport]) -> None:
    with pytest.raises(StoreUnavailable, match="lost the connection"):
        scripted(RESET, RESET, RESET).call(WRITE, lambda response, chunks: None)


def test_a_cut_answer_is_tried_again(scripted: Callable[..., Transport]) -> None:
    answers = iter([StoreCorrupt("cut"), None])

    def receive(response: httpx.Response, chunks: Iterator[bytes]) -> str:
        if (error := next(answers)) is not None:
            raise error
        return "whole"

    assert scripted(200, 200).call(WRITE, receive) == "whole"


def test_an_answer_that_never_ends_is_given_up(scripted: Callable[..., Transport], clock: FixedClock) -> None:
    transport = scripted(200, attempts=1)

    def receive(response: httpx.Response, chunks: Iterator[bytes]) -> None:
        clock.advance(Timeouts().total + 1)
        for _ in chunks:
            raise AssertionError("no chunk may come through after the deadline")

    with pytest.raises(StoreUnavailable, match="did not finish"):
        transport.call(WRITE, receive)


def test_the_breaker_opens_after_three_failures_and_one_call_probes(
    scripted: Callable[..., Transport], clock: FixedClock
) -> None:
    transport = scripted(REFUSED, REFUSED, REFUSED, REFUSED, 204, 204, attempts=1)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="cannot reach"):
            transport.change(WRITE)

    with pytest.raises(StoreUnavailable, match=r"3 times in a row; the next try is allowed in 5\.0 s"):
        transport.change(WRITE)
    clock.advance(5.0)
    with pytest.raises(StoreUnavailable, match="cannot reach"):
        transport.change(WRITE)
    assert transport.breaker.is_open, "the probe failed"
    clock.advance(5.0)
    transport.change(WRITE)
    transport.change(WRITE)
    assert not transport.breaker.is_open


def test_only_one_call_probes_at_a_time(clock: FixedClock) -> None:
    breaker = Breaker(clock, limit=1, rest=5.0)
    breaker.failed()
    clock.advance(5.0)
    breaker.enter()

    with pytest.raises(StoreUnavailable):
        breaker.enter()
    breaker.succeeded()
    breaker.enter()


def test_every_failure_of_the_connection_has_a_place() -> None:
    for kind in httpx.TransportError.__subclasses__():
        for leaf in [kind, *kind.__subclasses__()]:
            error = connection_error(leaf("x"), "http://influx")
            assert error.maybe_applied == (not issubclass(leaf, NEVER_SENT))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"error":"unable to parse authentication credentials"}', AccessDenied),
        (403, b'{"error":"not authorized"}', AccessDenied),
        (500, b'{"error":"write /data: no space left on device"}', StoreFull),
        (500, b"<html>gateway</html>", StoreUnavailable),
        (400, b'{"error":"partial write: dropped=0"}', Refused),
        (422, b'{"code":"unprocessable entity","message":"conflict"}', Refused),
        (404, b'{"error":"database not found"}', NotThere),
    ],
)
def test_every_status_has_a_place(status: int, body: bytes, kind: type[Exception]) -> None:
    assert isinstance(status_error(status, body, "http://influx"), kind)


def test_an_authority_of_ones_own_can_be_named(clock: FixedClock) -> None:
    transport = Transport(
        "https://127.0.0.1:9", clock=clock, verify=certifi.where(), retries=Retries(attempts=1)
    )

    with transport, pytest.raises(StoreUnavailable, match="cannot reach"):
        transport.call(WRITE, lambda response, chunks: None)


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8086", True),
        ("http://[::1]:8086", True),
        ("http://localhost", True),
        ("https://influx.example", False),
        ("http://192.168.1.2:8086", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://user@10.0.0.1", False),
    ],
)
def test_loopback_is_told_from_the_network(url: str, near: bool) -> None:
    assert is_loopback(url) == near
