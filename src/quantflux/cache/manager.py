"""The door of the cache: memory, then the shared tier, then the origin.

A fresh entry in memory is the answer at once. An ageing one is the answer too, and is renewed behind the caller's back.
Otherwise the caller joins the flight of that key (`flights`), or starts it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import isawaitable

import pyarrow as pa

from quantflux.cache.backend import Backend, BackendUse
from quantflux.cache.flights import Flights
from quantflux.cache.memory import MemoryTier
from quantflux.cache.metrics import HIT, MISS, SHARED, STALE, Tallies, Tally
from quantflux.cache.origin import Compute, Origin
from quantflux.cache.policies import REALTIME, OwnedKey, Policy
from quantflux.cache.reads import ReadCounts
from quantflux.cache.shared import PATIENCE, SharedTier
from quantflux.cache.statistics import CacheStats, KindStats
from quantflux.cache.tables import from_value, to_value
from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, QuantfluxError
from quantflux.core.symbols import parse_symbol

_NEWEST = "\0newest"
"""The version of what is replaced rather than dated; no dataset has one like it."""

logger = logging.getLogger(__name__)


class CacheManager:
    """Results by kind, key and version of the data they were made from.

    One manager serves all event loops and threads of a process.

    Parameters
    ----------
    backend : Backend or None
        Of the tier that processes share; None for memory alone.
    policies : mapping of str to Policy
        By kind; kinds are fixed from now on.
    clock : Clock
    memory_bytes : int
        Most memory for entries.
    origin_limit : int
        Computations at once.
    patience : float
        Seconds that a request waits for the shared tier, once, when it fails.
    chance : Random, optional
        Where jitter comes from.

    Examples
    --------
    >>> from quantflux.cache.policies import standard_policies
    >>> from quantflux.core.clock import SystemClock
    >>> cache = CacheManager(None, standard_policies(), SystemClock(), memory_bytes=1_000_000)
    >>> asyncio.run(cache.get_or_compute("results", "mean of close", "v7", lambda: b"10.5"))
    b'10.5'
    >>> cache.peek("results", "mean of close", "v7"), cache.peek("results", "mean of close", "v8")
    (b'10.5', None)
    >>> cache.close()
    """

    def __init__(
        self,
        backend: Backend | None,
        policies: Mapping[str, Policy],
        clock: Clock,
        *,
        memory_bytes: int,
        origin_limit: int = 8,
        patience: float = PATIENCE,
        chance: random.Random | None = None,
    ) -> None:
        self._now = clock.monotonic
        self._policies = dict(policies)
        self._tallies = Tallies(policies)
        self._memory = MemoryTier(memory_bytes, self._tallies.resized, self._tallies.evicted)
        self._shared = SharedTier(backend, clock, self._tallies, patience=patience) if backend else None
        self._origin = Origin(origin_limit)
        self._flights = Flights(
            self._memory,
            self._shared,
            self._origin,
            self._policies,
            clock,
            self._tallies,
            chance or random.Random(),  # noqa: S311 - spreads lives, guards nothing
        )
        self._reads = ReadCounts(clock)
        self._hits: dict[str, Tally] = {kind: tallies[HIT] for kind, tallies in self._tallies.lookups.items()}

    def peek(self, kind: str, key: str, version: str) -> bytes | None:
        """Return a fresh value if it is in this process's memory; never waits, and counts nothing but a hit."""
        entry = self._memory.get((kind, key, version))
        if entry is None or entry.fresh_until <= self._now():
            return None
        self._hits[kind].add()
        return entry.value

    async def get_or_compute(self, kind: str, key: str, version: str, compute: Compute) -> bytes:
        """Return the value of a key, computing it where nobody has yet.

        Parameters
        ----------
        kind : str
            One of the policies'.
        key : str
            Everything that the answer depends on, except the data. Of a private kind: an `OwnedKey`.
        version : str
            Of the data that the answer is made from: after a write it is another one.
        compute : callable
            Gives the bytes. A plain function runs in a thread; a coroutine function in the event loop. Its errors
            reach every caller that waits for this key, and are not remembered.

        Raises
        ------
        InvalidRequest
            If the kind is unknown, the key of a private kind has no owner, or `compute` gives no bytes.
        Busy
            If the event loop that computed was stopped. Asking again is safe.
        """
        name = (kind, key, version)
        entry = self._memory.get(name)
        if entry is not None:
            now = self._now()
            if now < entry.fresh_until:
                self._hits[kind].add()
                return entry.value
            if now < entry.ends:
                self._tallies.lookups[kind][STALE].add()
                self._flights.join(name, compute, ahead=True)
                return entry.value
        self._check(kind, key)
        flight = self._flights.join(name, compute, ahead=False)
        return await asyncio.shield(asyncio.wrap_future(flight))

    def keep(self, kind: str, key: str, version: str, value: bytes) -> None:
        """Keep a value that is new at this moment in this process's memory alone.

        For what is computed sooner than the shared tier answers; raises what `get_or_compute` does of kind and key.
        """
        self._check(kind, key)
        self._tallies.lookups[kind][MISS].add()
        self._flights.keep((kind, key, version), value)

    async def cache_realtime_data(self, symbol: str, data: pa.Table | pa.RecordBatch | bytes) -> None:
        """Keep the newest data of a stock in place of what was kept before, for all processes.

        Parameters
        ----------
        symbol : str
            In any spelling that `parse_symbol` takes.
        data : Table, RecordBatch or bytes

        Raises
        ------
        InvalidRequest
            If the symbol is none, or the data is neither a table nor bytes.
        """
        name = (REALTIME, parse_symbol(symbol), _NEWEST)
        value = to_value(data)
        entry = self._flights.keep(name, value)
        if self._shared is not None:
            await self._shared.store(name, value, entry.ends - entry.born)

    async def get_cached_data(self, symbol: str) -> pa.Table | bytes | None:
        """Return the newest data that `cache_realtime_data` was given for a stock, in any process, while it lives.

        Another process may have newer data than our memory, so the shared tier is always asked; memory is the answer
        when it holds the newer, or nothing better can be had.
        """
        name = (REALTIME, parse_symbol(symbol), _NEWEST)
        sealed = await self._shared.find(name) if self._shared is not None else None
        mine = self._memory.get(name)
        newest, tier = mine, HIT
        if sealed is not None:
            theirs = self._flights.dated(REALTIME, sealed)
            if mine is None or mine.born < theirs.born:
                newest, tier = theirs, SHARED
        if newest is None or newest.ends <= self._now():
            self._tallies.lookups[REALTIME][MISS].add()
            return None
        self._tallies.lookups[REALTIME][tier].add()
        return from_value(newest.value)

    def count_reads(self, symbols: Iterable[str]) -> None:
        """Count one read of each stock. Only for symbols that exist: others would push real ones out."""
        self._reads.add(symbols)

    def hot(self, count: int) -> list[str]:
        """Return up to `count` stocks, those read most of late first; a read counts half after 15 minutes."""
        return self._reads.hottest(count)

    async def warm(self, count: int, load: Callable[[str], Awaitable[object] | object]) -> int:
        """Have the hottest stocks loaded, one after the other, and drop what has ended.

        Called every few minutes by the server. It takes one place at the origin at most, so warming never crowds out
        those who ask.

        Parameters
        ----------
        count : int
            How many stocks.
        load : callable
            Given a symbol; asks this cache for what is usually asked of a stock. Plain functions run in the event
            loop and should only start work.

        Returns
        -------
        int
            How many stocks were loaded. One that fails is logged and passed over.
        """
        self._memory.sweep(self._now())
        loaded = 0
        for symbol in self.hot(count):
            try:
                outcome = load(symbol)
                if isawaitable(outcome):
                    await outcome
                loaded += 1
            except QuantfluxError as exc:
                self._tallies.error("origin", "warming")
                logger.warning("cache: warming %s failed: %s", symbol, exc)
        return loaded

    def stats(self) -> CacheStats:
        """Return what this process has done and holds."""
        lookups = self._tallies.lookups
        return CacheStats(
            {
                kind: KindStats(
                    policy.seconds,
                    lookups[kind][HIT].count,
                    lookups[kind][SHARED].count,
                    lookups[kind][STALE].count,
                    lookups[kind][MISS].count,
                )
                for kind, policy in self._policies.items()
            },
            len(self._memory),
            self._memory.bytes,
            self._memory.most_bytes,
            {reason: tally.count for reason, tally in self._tallies.evictions.items()},
            {
                f"{tier}: {error}": tally.count
                for (tier, error), tally in sorted(self._tallies.errors.items())
            },
            self._shared.backend.name if self._shared is not None else "memory",
            self._shared.up if self._shared is not None else None,
        )

    def shared_use(self) -> BackendUse | None:
        """Return what the shared tier holds, all processes together; None where there is none. Walks over every key.

        Raises
        ------
        StoreUnavailable
            If it does not answer.
        """
        return self._shared.use() if self._shared is not None else None

    async def clear(self, kind: str | None = None) -> int:
        """Drop everything, or one kind, from this process's memory and the shared tier; other processes keep theirs.

        Returns
        -------
        int
            Entries dropped; one that was in both tiers counts twice.

        Raises
        ------
        InvalidRequest
            If the kind is unknown.
        StoreUnavailable
            If the shared tier does not answer; memory is empty all the same.
        """
        if kind is not None:
            self._policy(kind)
        self._flights.forget()
        dropped = self._memory.clear(kind)
        return dropped + (await self._shared.clear(kind) if self._shared is not None else 0)

    def apply(self, policies: Mapping[str, Policy]) -> None:
        """Take over new policies. Entries that would outlive theirs are shortened; none is lengthened.

        Raises
        ------
        InvalidRequest
            If the kinds are others than before.
        """
        if set(policies) != set(self._policies):
            raise InvalidRequest(
                f"Policies are needed for {_listed(self._policies)}, found {_listed(policies)}."
            )
        self._policies.update(policies)
        for kind, policy in policies.items():
            self._memory.shorten(kind, policy.seconds, policy.fresh)

    async def drain(self) -> None:
        """Wait for what this event loop still does in the background: flights, then writes to the shared tier."""
        await self._flights.drain()
        if self._shared is not None:
            await self._shared.drain()

    def close(self) -> None:
        """Release threads and connections."""
        self._origin.close()
        if self._shared is not None:
            self._shared.close()

    def _policy(self, kind: str) -> Policy:
        policy = self._policies.get(kind)
        if policy is None:
            raise InvalidRequest(
                f"No kind of cache entry is called {kind!r}; valid: {_listed(self._policies)}."
            )
        return policy

    def _check(self, kind: str, key: str) -> None:
        if self._policy(kind).private and not isinstance(key, OwnedKey):
            raise InvalidRequest(
                f"Entries of {kind} belong to somebody: make the key with OwnedKey.of(owner, key)."
            )


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kinds))
