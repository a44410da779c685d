"""The tier that all processes share: a backend behind time-outs and breakers, which never makes an answer fail.

- `_link` opens when the backend does not answer. Callers then go on without it, and pay nothing; after a pause one
  background ping, paid by nobody, finds out whether it is back.
- `_writes` opens when the backend answers but refuses to write (full, read-only, failing disk). Reads go on; after a
  pause one write is the trial.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from quantflux.cache import envelope
from quantflux.cache.backend import Backend, BackendUse, Lock, Refused, Unreachable
from quantflux.cache.breaker import Breaker
from quantflux.cache.memory import Name
from quantflux.cache.metrics import Tallies, seconds, shared_bytes_total, shared_up
from quantflux.core.clock import Clock

PATIENCE = 0.1
"""Seconds that a request waits for the tier, whatever happens behind it."""

LARGEST = 4_000_000
"""Bytes of the largest compressed value that is shared: at 1 Gbit/s, a third of what patience allows."""

MOST_PENDING = 64
"""Writes under way at once; more are dropped and counted, so that a slow backend cannot fill our memory."""

INLINE = 16_384
"""Bytes up to which packing and unpacking is cheaper than handing it to a thread."""

_THREADS = 8
_PAUSE, _LONGEST_PAUSE = 0.5, 8.0

logger = logging.getLogger(__name__)

T = TypeVar("T")
_round_trips, _received, _sent = (
    seconds.labels("shared"),
    shared_bytes_total.labels("received"),
    shared_bytes_total.labels("sent"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """How an attempt to become the one who computes ended: a lock, a value that is there after all, or neither."""

    lock: Lock | None
    found: envelope.Sealed | None
    asked: bool


class SharedTier:
    """Reads and writes values; a failure is a miss.

    Parameters
    ----------
    backend : Backend
    clock : Clock
        Its wall time dates values, its monotonic reading times the breakers.
    tallies : Tallies
    patience : float
        Seconds that any one step may take.
    """

    def __init__(
        self, backend: Backend, clock: Clock, tallies: Tallies, *, patience: float = PATIENCE
    ) -> None:
        self.backend = backend
        self._clock = clock
        self._tallies = tallies
        self._patience = patience
        self._link = Breaker(clock, _PAUSE, _LONGEST_PAUSE)
        self._writes = Breaker(clock, _PAUSE, _LONGEST_PAUSE)
        self._pool = ThreadPoolExecutor(_THREADS, "cache-shared")
        self._tasks: set[asyncio.Task[None]] = set()
        shared_up.set(1)

    @property
    def up(self) -> bool:
        """Whether the backend is used at present."""
        return self._link.closed

    async def find(self, name: Name) -> envelope.Sealed | None:
        """Return what is kept under a name, whatever its age."""
        digest = _digest(name)
        blob = await self._ask(partial(self.backend.get, name[0], digest))
        return await self._unsealed(digest, blob)

    async def claim(self, name: Name, life: float) -> Claim:
        """Try to become the one who computes a value, by a lock that ends by itself after `life` seconds."""
        digest, lock = _digest(name), Lock(_digest(name), uuid.uuid4().hex)
        if not self._may_write():
            return Claim(None, None, asked=False)
        answer = await self._ask(partial(self.backend.claim, name[0], digest, lock, life), writes=True)
        if answer is None:
            return Claim(None, None, asked=False)
        taken, blob = answer
        return Claim(lock if taken else None, await self._unsealed(digest, blob), asked=True)

    async def extend(self, lock: Lock, life: float) -> None:
        """Keep a lock for `life` seconds from now."""
        await self._ask(partial(self.backend.extend, lock, life))

    def release_soon(self, lock: Lock) -> None:
        """Give a lock back, behind the caller's back."""
        self._in_background(self._quietly(partial(self.backend.release, lock)))

    def store_soon(self, name: Name, value: bytes, life: float, lock: Lock | None) -> None:
        """Write a value and give a lock back, behind the caller's back."""
        if not self._link.closed:
            return
        if len(self._tasks) >= MOST_PENDING:
            self._tallies.error("shared", "overflow")
            return
        self._in_background(self.store(name, value, life, lock))

    async def store(self, name: Name, value: bytes, life: float, lock: Lock | None = None) -> None:
        """Write a value and give a lock back."""
        if not self._link.closed or not self._may_write():
            return
        if len(value) > envelope.LARGEST:
            self._tallies.error("shared", "oversized")
            return
        digest, made = _digest(name), int(self._clock.now().timestamp() * 1e6)
        pack = partial(envelope.seal, digest, value, made, life)
        blob = pack() if len(value) <= INLINE else await self._in_thread(pack)
        if len(blob) > LARGEST:
            self._tallies.error("shared", "oversized")
            if lock is not None:
                self.release_soon(lock)
            return
        _sent.inc(len(blob))
        await self._quietly(partial(self.backend.put, name[0], digest, blob, life, lock), writes=True)

    def use(self) -> BackendUse:
        """Count what the backend holds; raises `StoreUnavailable` as the backend does."""
        return self.backend.use()

    async def clear(self, kind: str | None) -> int:
        """Remove entries; raises `StoreUnavailable` if that cannot be done."""
        return await self._in_thread(partial(self.backend.clear, kind))

    async def drain(self) -> None:
        """Wait until what was to be written is written, or has failed."""
        loop = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is loop]
        await asyncio.gather(*mine, return_exceptions=True)

    def close(self) -> None:
        """Release threads and connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.backend.close()

    def _may_write(self) -> bool:
        return self._writes.closed or self._writes.take_trial()

    async def _quietly(self, work: Callable[[], None], *, writes: bool = False) -> None:
        def done() -> bool:
            work()
            return True

        await self._ask(done, writes=writes)

    async def _ask(self, work: Callable[[], T], *, writes: bool = False) -> T | None:
        """Return what `work` gives, or None when the backend is left alone, fails or takes too long."""
        if not self._link.closed:
            if self._link.take_trial():
                self._in_background(self._probe())
            return None
        begun = time.perf_counter()
        job = self._pool.submit(self._unless_open, work)
        try:
            answer = await asyncio.wait_for(asyncio.wrap_future(job), self._patience)
        except Unreachable as exc:
            self._lost(exc.error, exc)
            return None
        except Refused as exc:
            self._tallies.error("shared", exc.error)
            if writes:
                if self._writes.closed:
                    logger.warning("cache: no more writing for now: %s", exc)
                self._writes.failed()
            return None
        except TimeoutError:
            return self._too_late(job)
        _round_trips.observe(time.perf_counter() - begun)
        if writes and not self._writes.closed and answer is not None:
            self._writes.succeeded()
        return answer

    def _unless_open(self, work: Callable[[], T]) -> T | None:
        # What queued up behind the call that failed need not fail one by one.
        return work() if self._link.closed else None

    def _too_late(self, job: Future[T | None]) -> T | None:
        if job.done() and not job.cancelled() and job.exception() is None:
            return job.result()  # it was our own event loop that was late
        if job.cancelled():
            # It never began: our own threads were busy, which says nothing about the backend.
            self._tallies.error("shared", "busy")
        else:
            self._lost("timeout", None)
        return None

    def _lost(self, error: str, exc: Exception | None) -> None:
        self._tallies.error("shared", error)
        if self._link.closed:
            logger.warning("cache: going on without the shared tier: %s", exc or "it did not answer in time")
            shared_up.set(0)
        self._link.failed()

    async def _probe(self) -> None:
        try:
            await asyncio.wait_for(self._in_thread(self.backend.ping), self._patience)
        except (Unreachable, Refused, TimeoutError):
            return
        self._link.succeeded()
        shared_up.set(1)
        logger.info("cache: the shared tier is back")

    async def _unsealed(self, digest: str, blob: bytes | None) -> envelope.Sealed | None:
        if blob is None:
            return None
        _received.inc(len(blob))
        unpack = partial(envelope.unseal, digest, blob)
        sealed = unpack() if len(blob) <= INLINE else await self._in_thread(unpack)
        if sealed is None:
            self._tallies.error("shared", "damaged")
        return sealed

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _digest(name: Name) -> str:
    """Return the name of an entry in the backend: of fixed length and alphabet, whatever the key holds."""
    kind, key, version = name
    whole = f"{kind}:{len(version)}:{version}:{key}"
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
