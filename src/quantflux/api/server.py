"""The HTTP server: one process that answers, started and stopped without losing a request.

To stop (SIGTERM, SIGINT):

1. Every further answer says that its connection ends with it, and /health/ready says 503.
2. What waits in the listening socket's queue is taken, then the socket is closed.
3. Connections that are open but silent get a moment to send the request that may be under way already.
4. What is being answered is finished, for `stop_seconds` at most; then the lifespan ends: jobs, cache, log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import Any, cast

import uvicorn

from quantflux.api.app import Application
from quantflux.api.connection import GuardedConnection
from quantflux.config import ServerSettings

logger = logging.getLogger(__name__)

_LINGER_SECONDS = 1.0
_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    OSError
        If the address cannot be had; the message names it.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as exc:
        raise OSError(exc.errno, f"cannot listen on {host}:{port}: {exc.strerror}") from exc
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


class GracefulServer(uvicorn.Server):
    """Uvicorn's server with the stop that this module describes."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, losing nothing that was accepted."""
        app = cast("Application", self.config.loaded_app)
        app.edge.draining = True
        await self._close_listeners(sockets or [])
        await self._linger()
        await super().shutdown(None)

    async def _close_listeners(self, sockets: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        # A second handle on the queue, since the first is closed by the loop, which would reset who waits in it.
        queues = [sock.dup() for sock in sockets]
        for server in self.servers:
            server.close()
        for sock in sockets:
            sock.close()
        for queue in queues:
            queue.setblocking(False)
            with contextlib.suppress(BlockingIOError, OSError):
                while True:
                    waiting, _ = queue.accept()
                    waiting.setblocking(False)
                    await loop.connect_accepted_socket(self._connection, waiting)
            queue.close()

    def _connection(self) -> asyncio.Protocol:
        return GuardedConnection(self.config, self.server_state, self.lifespan.state)

    async def _linger(self) -> None:
        until = time.monotonic() + _LINGER_SECONDS
        while self.server_state.connections and time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.02)


def configured(app: Application, settings: ServerSettings) -> uvicorn.Config:
    """Return uvicorn's configuration for an application.

    The client's address and scheme are read by the edge, from proxies that are trusted, and never by uvicorn.
    """
    options: dict[str, Any] = {
        "http": GuardedConnection,
        "ws": "none",
        "loop": "uvloop",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": 20,
        "timeout_graceful_shutdown": int(settings.stop_seconds) or None,
    }
    return uvicorn.Config(app, **options)


def run(app: Application, settings: ServerSettings, listener: socket.socket) -> None:
    """Answer requests until the process is told to stop."""
    GracefulServer(configured(app, settings)).run(sockets=[listener])
