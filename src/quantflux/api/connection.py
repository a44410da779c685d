"""One connection: what uvicorn leaves unbounded before a request is complete.

A request's line and headers may have 64 kB in 100 fields and must be there 10 seconds after they began; a connection
that never begins one is cut as early. What cannot be read as HTTP is refused, with the headers that every answer has.
Who does not take an answer, or a trickle of it, is cut off, so that nobody can fill memory with what they never read.
Who comes when there is no room for more connections is told to come back, and cut off unheard when too many do.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quantflux.api.errors import MEDIA_TYPE, document
from quantflux.api.headers import SECURITY
from quantflux.observability.metrics import requests_refused, requests_shed

MOST_HEADER_BYTES = 65_536
MOST_HEADERS = 100
HEADER_SECONDS = 10.0
SEND_SECONDS = 10.0
MOST_TOLD = 24
"""Connections beyond the room that are told so; those beyond these get no word."""

TELL_SECONDS = 1.0
"""How long they get to ask, so that there is something to answer."""

SLOWEST_READER = 10_000
"""Bytes a second of an answer that the other end must take, looked at every `SEND_SECONDS`."""


class GuardedConnection(HttpToolsProtocol):
    """A connection with limits on what comes before a request is understood.

    Parameters
    ----------
    room : int, optional
        Connections that this process can hold; without it, any number.
    """

    def __init__(self, *arguments: Any, room: int | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._room = room
        self._crowded = False  # beyond the room
        self._deadline: asyncio.TimerHandle | None = None
        self._reading = False  # within a request's line or headers
        self._fed = 0  # bytes since that request began, at least
        self._refused = False
        self._look: asyncio.TimerHandle | None = None  # at whether what waits to be sent gets less

    @property
    def is_fresh(self) -> bool:
        """Whether no request was read from it yet."""
        return self.cycle is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time within which a request must come."""
        super().connection_made(transport)  # type: ignore[arg-type]
        beyond = 0 if self._room is None else len(self.connections) - self._room
        if beyond > MOST_TOLD:
            requests_shed.inc()
            self.transport.abort()
            return
        self._crowded = beyond > 0
        self._deadline = self.loop.call_later(TELL_SECONDS if self._crowded else HEADER_SECONDS, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._stop_waiting()
        self._stop_looking()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to watch whether the other end takes what it asked for: there is more than the socket holds."""
        super().pause_writing()
        self._stop_looking()
        self._look_later()

    def resume_writing(self) -> None:
        """Stop watching: nearly everything is sent."""
        self._stop_looking()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the connection was refused already."""
        if self._refused:
            return
        self._fed += len(data)
        super().data_received(data)
        if not self._reading or self._refused:
            return
        if self._fed > MOST_HEADER_BYTES:
            self._refuse(431, f"The line and headers of a request may have {MOST_HEADER_BYTES} bytes.")
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._expire)

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._reading = True

    def on_headers_complete(self) -> None:
        """Begin to answer, if the headers are within the limits."""
        self._reading = False
        self._stop_waiting()
        fed, self._fed = self._fed, 0
        if self._refused:
            return
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            self._refuse(400, "The request must be HTTP/1.1.")
        elif len(self.headers) > MOST_HEADERS:
            self._refuse(431, f"A request may have {MOST_HEADERS} headers.")
        elif fed > MOST_HEADER_BYTES and self._size() > MOST_HEADER_BYTES:
            self._refuse(431, f"The line and headers of a request may have {MOST_HEADER_BYTES} bytes.")
        elif self._crowded:
            requests_shed.inc()
            self._refuse(503, "The server has no room for more connections now; nothing was done, try again.")
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of the body."""
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; an answer that has begun is cut off instead, so that nothing is read into it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._refused = True
            self.transport.close()
        else:
            self._refuse(400, msg)

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _look_later(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._look = self.loop.call_later(SEND_SECONDS, self._look_at, waiting)

    def _look_at(self, waiting: int) -> None:
        self._look = None
        if waiting - self.transport.get_write_buffer_size() < SLOWEST_READER * SEND_SECONDS:
            self.transport.abort()  # closing would wait for the very bytes that are not taken
        else:
            self._look_later()

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            if self._reading:
                self._refuse(408, f"A request's headers must be there within {HEADER_SECONDS:g} seconds.")
            else:
                self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        self._refused = True
        self._stop_waiting()
        if self.transport.is_closing():
            return
        code = {400: "bad_request", 408: "headers_too_slow", 431: "headers_too_large", 503: "busy"}[status]
        requests_refused.labels(code).inc()
        body = document(status, code, detail, "")
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            (b"cache-control", b"no-store"),
            *([(b"retry-after", b"1")] if status == 503 else []),
            *SECURITY,
        ]
        line = b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())
        head = b"\r\n".join([line, *(name + b": " + value for name, value in headers)])
        self.transport.write(head + b"\r\n\r\n" + body)
        self.transport.close()
