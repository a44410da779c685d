"""A loopback TCP proxy that breaks connections on purpose.

Put it between a client and a real server, then choose what goes wrong::

    with FaultProxy(server.port) as proxy:
        proxy.fault = Fault(drop_reply=True, when=b"POST /write", times=1)
        ...  # the next write reaches the server, but the client sees a reset instead of the reply

A fault is met at the beginning of each request, so it also strikes connections opened before it was set.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_CHUNK = 65_536


@dataclass(frozen=True)
class Fault:
    """What goes wrong. The default is nothing.

    Attributes
    ----------
    latency : float
        Seconds that every chunk towards the client is held back.
    refuse : bool
        New connections are reset at once, and open ones at their next request.
    blackhole : bool
        Requests are swallowed: the port answers, nothing ever comes back.
    drop_reply : bool
        The request reaches the server; when its reply arrives, the client gets a reset instead.
    cut_request_at, cut_reply_at : int or None
        After this many bytes (counted from the moment the request began) both sides are reset.
    slice_bytes : int or None
        Traffic is handed on in pieces of this size.
    rate : float or None
        Bytes a second towards the server.
    when : bytes
        Only requests whose first chunk holds these bytes suffer.
    times : int or None
        How often it strikes; later requests pass. None means always.
    """

    latency: float = 0.0
    refuse: bool = False
    blackhole: bool = False
    drop_reply: bool = False
    cut_request_at: int | None = None
    cut_reply_at: int | None = None
    slice_bytes: int | None = None
    rate: float | None = None
    when: bytes = b""
    times: int | None = None


@dataclass
class _Link:
    """One client connection and the fault that its current request met."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    fault: Fault = field(default_factory=Fault)
    replying: bool = True
    sent: int = 0
    received: int = 0

    def reset(self) -> None:
        for writer in (self.client, self.server):
            _reset(writer)


class FaultProxy:
    """Forwards a free loopback port to `target_port`, with faults. Runs in a thread of its own."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.strikes = 0
        self._fault = Fault()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        """The HTTP address of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def fault(self) -> Fault:
        """What goes wrong at present. Setting it starts the count of strikes anew."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self.strikes = 0
        self._fault = fault

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Let `fault` rule inside the block."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = Fault()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            _reset(writer)
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault.refuse and not self._fault.when:
            self.strikes += 1
            _reset(writer)
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        link = _Link(writer, server_writer)
        pumps = [
            asyncio.create_task(self._requests(link, reader)),
            asyncio.create_task(self._replies(link, server_reader)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for side in (server_writer, writer):
                with suppress(OSError):
                    side.close()

    def _meet(self, first_chunk: bytes) -> Fault:
        """Return the fault that a new request meets, and count it."""
        fault = self._fault
        spent = fault.times is not None and self.strikes >= fault.times
        if fault == Fault() or spent or fault.when not in first_chunk:
            return Fault()
        self.strikes += 1
        return fault

    async def _requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_CHUNK):
            if link.replying:  # the peer has been answering, so this chunk begins a new request
                link.fault, link.replying, link.sent, link.received = self._meet(chunk), False, 0, 0
            fault = link.fault
            if fault.refuse:
                return link.reset()
            if fault.blackhole:
                continue
            limit = fault.cut_request_at
            if limit is not None and link.sent + len(chunk) >= limit:
                link.server.write(chunk[: limit - link.sent])
                await link.server.drain()
                return link.reset()
            link.sent += len(chunk)
            await _pour(link.server, chunk, fault)
        return None

    async def _replies(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_CHUNK):
            fault = link.fault
            if fault.drop_reply:
                return link.reset()
            link.replying = True
            if fault.latency:
                await asyncio.sleep(fault.latency)
            limit = fault.cut_reply_at
            if limit is not None and link.received + len(chunk) >= limit:
                link.client.write(chunk[: limit - link.received])
                await link.client.drain()
                return link.reset()
            link.received += len(chunk)
            link.client.write(chunk)
            await link.client.drain()
        return None


async def _pour(writer: asyncio.StreamWriter, chunk: bytes, fault: Fault) -> None:
    size = fault.slice_bytes or (max(1, int(fault.rate / 20)) if fault.rate else len(chunk))
    for offset in range(0, len(chunk), size):
        piece = chunk[offset : offset + size]
        writer.write(piece)
        await writer.drain()
        if fault.rate:
            await asyncio.sleep(len(piece) / fault.rate)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
