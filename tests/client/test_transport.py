"""Tokens that end, servers that are busy, connections that break."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import quantflux
from quantflux.client.calls import Call
from quantflux.client.failures import ServerUnreachable
from quantflux.client.retries import Retries
from quantflux.core.errors import Busy, InvalidRequest, LimitReached, NotAuthenticated
from quantflux.platform import Platform
from tests.api.conftest import PASSWORD
from tests.client.conftest import QUICK
from tests.services.fault_proxy import Fault, FaultProxy

ClientOf = Callable[..., quantflux.Client]


@pytest.fixture
def proxy(port: int) -> Iterator[FaultProxy]:
    """A proxy before the server."""
    with FaultProxy(port) as opened:
        yield opened


def watch(client: quantflux.Client, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is sent from now on."""
    seen: list[str] = []
    exchange = client._http.wire.exchange

    def seeing(method: str, target: str, headers: dict[str, str], content: bytes | None = None) -> object:
        seen.append(f"{method} {target}")
        return exchange(method, target, headers, content)

    monkeypatch.setattr(client._http.wire, "exchange", seeing)
    return seen


def spoil(client: quantflux.Client) -> None:
    """Let the server refuse the access token."""
    client._http.credentials._access += "x"  # type: ignore[attr-defined]


def test_threads_that_are_refused_refresh_once(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(user="ann")
    seen = watch(client, monkeypatch)
    spoil(client)
    together = threading.Barrier(12)

    def ask(_: int) -> str:
        together.wait()
        return client.account.get()["name"]

    with ThreadPoolExecutor(12) as pool:
        names = list(pool.map(ask, range(12)))

    assert names == ["ann"] * 12
    assert seen.count("POST /api/v2/auth/refresh") == 1
    assert "POST /api/v2/auth/login" not in seen


def test_a_token_is_renewed_before_it_ends(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(user="ann")
    seen = watch(client, monkeypatch)
    client._http.credentials._ends = 0.0  # type: ignore[attr-defined]

    client.account.get()

    assert seen == ["POST /api/v2/auth/refresh", "GET /api/v2/account"]


def test_a_session_that_was_ended_begins_anew(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(user="ann")
    with quantflux.Client(client.url, "ann", PASSWORD) as other:
        other.log_in.log_out_everywhere()
    seen = watch(client, monkeypatch)
    spoil(client)

    assert client.account.get()["name"] == "ann"
    assert seen.count("POST /api/v2/auth/login") == 1


def test_a_session_of_a_second_factor_cannot_begin_anew(client_of: ClientOf) -> None:
    client = client_of(user="ann")
    client._http.credentials._code = "123456"  # type: ignore[attr-defined]
    with quantflux.Client(client.url, "ann", PASSWORD) as other:
        other.log_in.log_out_everywhere()
    spoil(client)

    with pytest.raises(NotAuthenticated, match="new code"):
        client.account.get()


def test_after_closing_nothing_is_renewed(url: str) -> None:
    client = quantflux.Client(url, "ann", PASSWORD)
    client.close()

    with pytest.raises(InvalidRequest, match="was closed"):
        client.account.get()
    client.close()


def test_a_lost_answer_is_asked_for_again(client_of: ClientOf, proxy: FaultProxy) -> None:
    client = client_of(proxy.url, user="ann")
    proxy.fault = Fault(drop_reply=True, when=b"GET /api/v2/calendar", times=2)

    found = client.market_data.read_day("2024-02-09")

    assert found["is_session"] is False and proxy.strikes == 2


def test_a_job_whose_answer_was_lost_is_begun_once(client_of: ClientOf, proxy: FaultProxy) -> None:
    client = client_of(proxy.url, user="ann")
    before = len(client.jobs.list(kind="factors.compute").all())
    proxy.fault = Fault(drop_reply=True, when=b"POST /api/v2/factors/compute", times=2)

    job = client.compute_factors("momentum_20d")

    assert proxy.strikes == 2
    listed = client.jobs.list(kind="factors.compute").all()
    assert len(listed) == before + 1 and listed[0]["id"] == job.id
    job.wait()


def test_a_lost_refresh_is_repeated(client_of: ClientOf, proxy: FaultProxy) -> None:
    client = client_of(proxy.url, user="ann")
    spoil(client)
    proxy.fault = Fault(drop_reply=True, when=b"POST /api/v2/auth/refresh", times=1)

    assert client.account.get()["name"] == "ann"
    assert proxy.strikes == 1


def test_what_could_be_done_twice_is_not_repeated(client_of: ClientOf, proxy: FaultProxy) -> None:
    client = client_of(proxy.url, user="ann")
    proxy.fault = Fault(drop_reply=True, when=b"POST /api/v2/account/api-keys")

    with pytest.raises(ServerUnreachable, match="may have been carried out"):
        client.account.create_api_key(name="x", scopes=["market:read"], expires_at="2030-01-01T00:00:00Z")

    assert proxy.strikes == 1


def test_silence_ends_after_the_timeout(client_of: ClientOf, proxy: FaultProxy) -> None:
    client = client_of(proxy.url, user="ann", timeout=0.3, retries=Retries(attempts=2, first=0.01))
    proxy.fault = Fault(blackhole=True, when=b"GET /api/v2/account")

    with pytest.raises(ServerUnreachable, match=r"nothing came for 0\.3 s"):
        client.account.get()

    assert proxy.strikes == 2


def scripted(*answers: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """Return a server that greets, then gives the answers in turn, and what it was asked."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v2/system/version":
            return httpx.Response(200, json={"version": quantflux.__version__, "api": "v2"})
        asked.append(request)
        return left.pop(0)

    return httpx.MockTransport(answer), asked


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": "so it is"}, headers=headers)


def slept(pauses: list[float]) -> Retries:
    return Retries(attempts=4, first=1.0, sleep=pauses.append, random=lambda: 0.5)


def test_retry_after_is_honoured() -> None:
    pauses: list[float] = []
    transport, asked = scripted(
        problem(503, "store_unavailable", **{"Retry-After": "5"}),
        problem(429, "limit_reached", **{"Retry-After": "2"}),
        problem(503, "busy"),
        httpx.Response(200, json={"name": "ann"}),
    )
    client = quantflux.Client(token="x", transport=transport, retries=slept(pauses))

    assert client.account.get()["name"] == "ann"
    assert pauses == [5.5, 3.0, 2.0] and len(asked) == 4


def test_one_key_for_all_attempts_and_another_for_the_next_request() -> None:
    job = {"id": "a", "kind": "k", "state": "done", "progress": {}, "error": None}
    transport, asked = scripted(
        problem(409, "idempotency_in_progress", **{"Retry-After": "1"}),
        problem(504, "outcome_unknown"),
        httpx.Response(202, json=job),
        httpx.Response(202, json=job),
    )
    client = quantflux.Client(token="x", transport=transport, retries=slept([]))

    client.compute_factors("classic")
    client.compute_factors("classic")

    keys = [request.headers["idempotency-key"] for request in asked]
    assert len(set(keys[:3])) == 1 and keys[3] != keys[0]
    assert len({request.content for request in asked}) == 1


def test_a_pause_that_is_too_long_is_not_waited_for() -> None:
    pauses: list[float] = []
    transport, _ = scripted(problem(429, "limit_reached", **{"Retry-After": "1800"}))
    client = quantflux.Client(token="x", transport=transport, retries=slept(pauses))

    with pytest.raises(LimitReached) as raised:
        client.account.get()

    assert raised.value.retry_after == 1800 and pauses == []


def test_it_gives_up_in_the_end() -> None:
    transport, asked = scripted(*(problem(503, "busy") for _ in range(4)))
    client = quantflux.Client(token="x", transport=transport, retries=slept([]))

    with pytest.raises(Busy):
        client.account.get()

    assert len(asked) == 4


def test_a_proxys_503_does_not_promise_that_nothing_was_done() -> None:
    transport, asked = scripted(httpx.Response(503, html="<h1>no upstream</h1>"))
    client = quantflux.Client(token="x", transport=transport, retries=slept([]))

    with pytest.raises(Busy, match="Is it a quantflux server"):
        client.users.add(name="x", role="viewer")

    assert len(asked) == 1


def test_a_next_page_elsewhere_is_not_followed() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(str(request.url))
        if len(sent) > 2:
            raise AssertionError(sent)
        return httpx.Response(
            200,
            content=_stream(),
            headers={"Content-Type": "application/vnd.apache.arrow.stream"}
            | ({"Link": '<http://evil.example/x?after=9>; rel="next"'} if len(sent) == 1 else {}),
        )

    client = quantflux.Client(token="x", transport=scripted()[0])
    client._http.wire._http = httpx.Client(transport=httpx.MockTransport(answer))

    assert len(client._http.table(Call("GET", "/api/v2/bars"))) == 2
    assert sent[1] == "http://127.0.0.1:8000/api/v2/bars?after=9"


def _stream() -> bytes:
    import io

    import polars as pl

    sink = io.BytesIO()
    pl.DataFrame({"close": [1.0]}).write_ipc_stream(sink)
    return sink.getvalue()


def test_nothing_is_kept_without_room(platform: Platform, client_of: ClientOf) -> None:
    client = client_of(user="ann", cache_bytes=0)

    assert client.panel("close").equals(client.panel("close"))
    assert client._http.cache.get("x") is None


def test_the_pauses_are_spread() -> None:
    drawn = {QUICK.pause(1, None) for _ in range(50)}

    assert len(drawn) > 40 and all(pause is not None and 0 <= pause < 0.01 for pause in drawn)
