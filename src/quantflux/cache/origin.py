"""Runs what computes values: never more than a few at once, however many are missed at the same moment."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

from quantflux.core.errors import InvalidRequest

Compute: TypeAlias = Callable[[], bytes | Awaitable[bytes]]
"""Gives the value: a plain function, which runs in a thread, or one that returns an awaitable."""

_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("_inside", default=False)


class Origin:
    """The limit on concurrent computations, and the threads of those that block.

    Parameters
    ----------
    limit : int
        Computations at once; the others wait in order of arrival.
    """

    def __init__(self, limit: int) -> None:
        self._gate = _Gate(limit)
        self._pool = ThreadPoolExecutor(limit, "cache-origin")

    async def run(self, compute: Compute) -> bytes:
        """Return what `compute` gives.

        Raises
        ------
        InvalidRequest
            If that is not bytes.
        """
        # Asked by a computation that has a place already: waiting for a second one could be for ever.
        if _inside.get():
            return await self._call(compute)
        await self._gate.enter()
        mark = _inside.set(True)
        try:
            return await self._call(compute)
        finally:
            _inside.reset(mark)
            self._gate.leave()

    def close(self) -> None:
        """Let running computations end, and start no others."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(self, compute: Compute) -> bytes:
        if inspect.iscoroutinefunction(compute):
            value = await compute()
        else:
            context = contextvars.copy_context()
            value = await asyncio.get_running_loop().run_in_executor(self._pool, context.run, compute)
            if inspect.isawaitable(value):
                value = await value
        if not isinstance(value, bytes):
            raise InvalidRequest(f"A cached value is bytes, the computation gave {type(value).__name__}.")
        return value


class _Gate:
    """A counted gate, first come first served, that event loops of several threads may share."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    async def enter(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn: Future[None] = Future()
            self._waiting.append(turn)
        with self._given_back(turn):
            await asyncio.wrap_future(turn)

    def leave(self) -> None:
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            self._free += 1

    @contextmanager
    def _given_back(self, turn: Future[None]) -> Iterator[None]:
        """Hand the place on if it was given at the very moment when the caller was cancelled."""
        try:
            yield
        except BaseException:
            if not turn.cancelled():
                self.leave()
            raise
