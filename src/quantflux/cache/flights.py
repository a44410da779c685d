"""Computes each missing value once, however many ask for it.

How a flight goes (`Flights._fly`):

1. It is a task of its own: callers that go away do not take it with them.
2. It looks into the shared tier, and takes what is there.
3. Otherwise it tries to get the key's lock in the shared tier. Whoever has it computes, renewing the lock as it goes;
   the others look again until a value is there or the lock is gone. Without a shared tier each process computes.
4. The computation waits for a place at the origin, which is limited.
5. The value goes into memory, to all callers, and in the background to the shared tier.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any

from quantflux.cache.backend import Lock
from quantflux.cache.envelope import Sealed
from quantflux.cache.memory import Entry, MemoryTier, Name
from quantflux.cache.metrics import MISS, SHARED, Tallies, seconds
from quantflux.cache.origin import Compute, Origin
from quantflux.cache.policies import Policy
from quantflux.cache.shared import SharedTier
from quantflux.core.clock import Clock
from quantflux.core.errors import Busy

LOCK_SECONDS = 1.5
"""Life of the lock of one who computes; renewed three times in it. A dead process holds the others up no longer."""

LONGEST_WAIT = 10.0
"""Seconds that a flight waits for another process before it computes by itself."""

RETRY_SECONDS = 2.0
"""Seconds between two attempts to renew an ageing value, after one that failed."""

_FIRST_LOOK, _LONGEST_LOOK = 0.01, 0.1

logger = logging.getLogger(__name__)

_computing = seconds.labels("origin")


class Flights:
    """The computations under way.

    Parameters
    ----------
    memory : MemoryTier
    shared : SharedTier or None
    origin : Origin
    policies : mapping of str to Policy
        Read anew for each entry.
    clock : Clock
    tallies : Tallies
    chance : Random
        Where jitter comes from.
    """

    def __init__(
        self,
        memory: MemoryTier,
        shared: SharedTier | None,
        origin: Origin,
        policies: Mapping[str, Policy],
        clock: Clock,
        tallies: Tallies,
        chance: random.Random,
    ) -> None:
        self._memory = memory
        self._shared = shared
        self._origin = origin
        self._policies = policies
        self._clock = clock
        self._tallies = tallies
        self._chance = chance
        self._flying: dict[Name, Future[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clearings = 0

    def join(self, name: Name, compute: Compute, *, ahead: bool) -> Future[bytes]:
        """Return the flight of a key, started now if nobody has; `ahead` of the end of a value that still serves."""
        flight: Future[bytes] = Future()
        current = self._flying.setdefault(name, flight)
        if current is flight:
            task = asyncio.get_running_loop().create_task(self._fly(name, compute, flight, ahead))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return current

    def keep(self, name: Name, value: bytes) -> Entry:
        """Put a value that is new at this moment into memory."""
        policy = self._policies[name[0]]
        life, now = policy.life(self._chance.random()), self._clock.monotonic()
        entry = Entry(value, now, now + life * policy.fresh, now + life)
        self._memory.put(name, entry)
        return entry

    def dated(self, kind: str, sealed: Sealed) -> Entry:
        """Return a value of the shared tier as an entry with the age that it has."""
        policy, now = self._policies[kind], self._clock.monotonic()
        # A clock of another host may be ahead of ours; then the value counts as new.
        born = now - max(self._clock.now().timestamp() - sealed.made / 1e6, 0.0)
        life = min(sealed.life, policy.seconds)
        return Entry(sealed.value, born, born + life * policy.fresh, born + life)

    def forget(self) -> None:
        """Let nothing be kept that is being computed at this moment."""
        self._clearings += 1

    async def drain(self) -> None:
        """Wait for the flights that this event loop has under way."""
        loop = asyncio.get_running_loop()
        while mine := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.gather(*mine, return_exceptions=True)

    async def _fly(self, name: Name, compute: Compute, flight: Future[bytes], ahead: bool) -> None:
        try:
            entry = await self._sought(name, compute, ahead)
        except asyncio.CancelledError:
            self._land(name, flight, Busy("The computation was stopped with its event loop; ask again."))
            raise
        except Exception as exc:  # noqa: BLE001 - whatever it is, it belongs to those who wait
            self._tallies.error("origin", "failed")
            if ahead:
                logger.warning("cache: renewing an entry of %s failed: %r", name[0], exc)
                self._put_off(name)
            self._land(name, flight, exc)
            return
        self._land(name, flight, entry.value)
        if not ahead and entry.fresh_until <= self._clock.monotonic():  # what the shared tier had is ageing
            self.join(name, compute, ahead=True)

    def _put_off(self, name: Name) -> None:
        """Let an ageing value serve as it is for a little, lest an origin in trouble be asked at every reading."""
        entry, until = self._memory.get(name), self._clock.monotonic() + RETRY_SECONDS
        if entry is not None:
            self._memory.put(name, entry._replace(fresh_until=min(until, entry.ends)))

    def _land(self, name: Name, flight: Future[bytes], outcome: bytes | Exception) -> None:
        del self._flying[name]
        if isinstance(outcome, bytes):
            flight.set_result(outcome)
        else:
            flight.set_exception(outcome)

    async def _sought(self, name: Name, compute: Compute, ahead: bool) -> Entry:
        """Return what the shared tier has, else compute under its lock."""
        entry, lock = None, None
        if self._shared is not None:
            entry = self._useful(name, await self._shared.find(name), ahead)
            if entry is None:
                entry, lock = await self._claimed(self._shared, name, ahead)
        if not ahead:
            self._tallies.lookups[name[0]][SHARED if entry else MISS].add()
        return entry or await self._computed(name, compute, lock)

    def _useful(self, name: Name, sealed: Sealed | None, ahead: bool) -> Entry | None:
        if sealed is None:
            return None
        entry = self.dated(name[0], sealed)
        if self._clock.monotonic() >= (entry.fresh_until if ahead else entry.ends):
            return None
        self._memory.put(name, entry)
        return entry

    async def _claimed(self, shared: SharedTier, name: Name, ahead: bool) -> tuple[Entry | None, Lock | None]:
        """Wait until another process has the value, or it falls to us to compute it."""
        pause, give_up = _FIRST_LOOK, time.monotonic() + LONGEST_WAIT
        while True:
            claim = await shared.claim(name, LOCK_SECONDS)
            entry = self._useful(name, claim.found, ahead)
            if entry is not None:
                if claim.lock is not None:
                    shared.release_soon(claim.lock)
                return entry, None
            if claim.lock is not None or not claim.asked or time.monotonic() > give_up:
                return None, claim.lock
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK)

    async def _computed(self, name: Name, compute: Compute, lock: Lock | None) -> Entry:
        """Compute a value and keep it in both tiers; give the lock back whatever happens."""
        clearings = self._clearings
        try:
            with _computing.time():
                value = await self._renewing(lock, self._origin.run(compute))
        except Exception:
            if self._shared is not None and lock is not None:
                self._shared.release_soon(lock)
            raise
        # What was cleared meanwhile may be why it was cleared: serve the value, and keep it nowhere.
        if clearings != self._clearings:
            if self._shared is not None and lock is not None:
                self._shared.release_soon(lock)
            now = self._clock.monotonic()
            return Entry(value, now, now + 1.0, now + 1.0)
        entry = self.keep(name, value)
        if self._shared is not None:
            self._shared.store_soon(name, value, entry.ends - entry.born, lock)
        return entry

    async def _renewing(self, lock: Lock | None, computation: Coroutine[Any, Any, bytes]) -> bytes:
        """Return what a computation gives, and keep its lock alive until then."""
        if self._shared is None or lock is None:
            return await computation
        task = asyncio.ensure_future(computation)
        try:
            while not (await asyncio.wait({task}, timeout=LOCK_SECONDS / 3))[0]:
                await self._shared.extend(lock, LOCK_SECONDS)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result()
