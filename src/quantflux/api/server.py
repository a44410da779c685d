"""The HTTP server: one process that answers, started and stopped without losing a request.

To stop (SIGTERM, SIGINT):

1. Every further answer says that its connection ends with it, and /health/ready says 503.
2. Nobody else is let into the listening socket's queue; who waits in it is taken, then the socket is closed.
3. Connections that are open but silent get a moment to send the request that may be under way already.
4. What is being answered is finished, for `stop_seconds` at most; then the lifespan ends: jobs, cache, log.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn

from quantflux.api.app import Application, create_app
from quantflux.api.connection import GuardedConnection
from quantflux.api.descriptors import raise_limit, room_for_connections
from quantflux.api.lifetime import lifetime
from quantflux.api.listener import turn_away_newcomers
from quantflux.api.workers import Workers, end_with_parent
from quantflux.config import ConfigManager, ConfigRequest, ServerSettings, Settings
from quantflux.platform import Platform

_LINGER_SECONDS = 1.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)


def serve_alone(request: ConfigRequest, listener: socket.socket) -> int:
    """Answer in this process until it is told to stop; return its exit code."""
    _answer(request, listener, owned=True)
    return 0


def serve_together(
    request: ConfigRequest, settings: Settings, listener: socket.socket, log: Callable[[str, str], None]
) -> int:
    """Answer in several processes until this one is told to stop; return its exit code.

    Parameters
    ----------
    log : callable
        Sets up logging in a worker, from level and form; a function that can be pickled.
    """
    server, logging = settings.server, settings.logging
    with tempfile.TemporaryDirectory(prefix="quantflux-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # read by the workers when they import the client
        work = partial(_work, request, partial(log, logging.level, logging.format))
        return Workers(work, listener, server.workers, server.stop_seconds).run()


def _work(request: ConfigRequest, log: Callable[[], None], listener: socket.socket) -> None:
    log()
    end_with_parent()
    _answer(request, listener, owned=False)


def _answer(request: ConfigRequest, listener: socket.socket, owned: bool) -> None:
    raise_limit()
    manager = ConfigManager(request)
    with Platform.open(manager.current) as platform:
        app = create_app(platform, lifetime(platform, manager), manager)
        GracefulServer(configured(app, manager.current.server), owned).run(sockets=[listener])


class GracefulServer(uvicorn.Server):
    """Uvicorn's server with the stop that this module describes.

    Parameters
    ----------
    config : uvicorn.Config
    owned : bool
        Whether the listening socket is this process's alone. Otherwise others may go on answering on it.
    """

    def __init__(self, config: uvicorn.Config, owned: bool) -> None:
        super().__init__(config)
        self._owned = owned

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal. Uvicorn would raise it again at the end, before files and connections are closed."""
        before = {number: signal.signal(number, self.handle_exit) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

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
        if self._owned:
            for sock in sockets:
                turn_away_newcomers(sock)
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
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def _linger(self) -> None:
        until = time.monotonic() + _LINGER_SECONDS
        while self.server_state.connections and time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.02)


def configured(app: Application, settings: ServerSettings) -> uvicorn.Config:
    """Return uvicorn's configuration for an application.

    The client's address and scheme are read by the edge, from proxies that are trusted, and never by uvicorn.
    """
    options: dict[str, Any] = {
        "http": partial(GuardedConnection, room=room_for_connections()),
        "ws": "none",
        "loop": "uvloop",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": 20,
        "timeout_graceful_shutdown": math.ceil(settings.stop_seconds) or 1,
    }
    return uvicorn.Config(app, **options)
