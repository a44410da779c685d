"""Connections whose other end does not read what it asked for."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from quantflux.api import connection
from quantflux.api.connection import GuardedConnection

LARGE = 40_000_000
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def large(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(LARGE), "more_body": True})
    await send({"type": "http.response.body", "body": b"end"})


async def served(state: ServerState) -> asyncio.Server:
    config = uvicorn.Config(large, ws="none", lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: GuardedConnection(config, state, {}), "127.0.0.1", 0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SEND_SECONDS", 0.2)


LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


@LOOPS
def test_who_does_not_read_an_answer_is_cut_off_and_nothing_is_left_of_it(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        state = ServerState()
        server = await served(state)
        client = socket.create_connection(server.sockets[0].getsockname())
        client.sendall(REQUEST)
        until = time.monotonic() + 10.0
        while not state.tasks and time.monotonic() < until:
            await asyncio.sleep(0.01)
        assert state.connections
        while state.connections and time.monotonic() < until:
            await asyncio.sleep(0.05)

        assert not state.connections, "it still holds the connection and the answer"
        await asyncio.sleep(0.05)
        assert not state.tasks, "the route still waits"
        client.close()
        server.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


def test_who_reads_at_a_modest_pace_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOWEST_READER", 1_000_000)

    async def scenario() -> int:
        state = ServerState()
        server = await served(state)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=100_000)
        writer.write(REQUEST)
        taken = 0
        while not (part := await reader.read(1_000_000)).endswith(b"\r\n0\r\n\r\n"):
            assert part, "it was cut off"
            taken += len(part)
            await asyncio.sleep(0.002)
        taken += len(part)
        writer.close()
        server.close()
        return taken

    assert asyncio.run(scenario()) >= LARGE
