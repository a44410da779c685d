"""What is found in Redis: damaged, foreign, ageing, emptied, never deleted. Only right answers come out."""

from __future__ import annotations

import asyncio
import pickle
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from quantflux.cache.manager import CacheManager
from quantflux.cache.policies import OwnedKey, Policy, standard_policies
from quantflux.core.clock import FixedClock
from quantflux.core.errors import StoreUnavailable
from tests.cache.conftest import OpenCache, Origin, value_of
from tests.services.fault_proxy import Fault, FaultProxy
from tests.services.redis import RedisServer

pytestmark = pytest.mark.redis


class Touches:
    """Pickled, it makes a file when somebody loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.path), "w")


def damaged(blob: bytes, another: bytes, chance: random.Random, canary: Path) -> bytes:
    """Return something else than `blob`: flipped, cut, prolonged, another key's, foreign or hostile."""
    match chance.randrange(7):
        case 0:
            place = chance.randrange(len(blob))
            return blob[:place] + bytes([blob[place] ^ (1 << chance.randrange(8))]) + blob[place + 1 :]
        case 1:
            return blob[: chance.randrange(len(blob))]
        case 2:
            return blob + chance.randbytes(1 + chance.randrange(50))
        case 3:
            return another
        case 4:
            return chance.randbytes(chance.randrange(300))
        case 5:
            return blob[:4] + bytes([chance.randrange(2, 256)]) + blob[5:]
        case _:
            return pickle.dumps(Touches(canary))


def test_a_thousand_damaged_values_under_live_keys_are_misses(
    open_cache: OpenCache, redis_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    chance, canary = random.Random(11), tmp_path / "canary"
    writer, reader, origin = open_cache(redis_url), open_cache(redis_url), Origin()
    names = [str(i) for i in range(1000)]
    sizes = {name: chance.choice([0, 20, 3000]) for name in names}

    async def ask_all(cache: CacheManager, origin: Origin) -> None:
        for start in range(0, len(names), 25):
            some = names[start : start + 25]
            asked = (
                cache.get_or_compute("results", name, "v1", origin.of(name, sizes[name])) for name in some
            )
            assert await asyncio.gather(*asked) == [value_of(name, sizes[name]) for name in some]
            await cache.drain()

    async def run() -> None:
        await ask_all(writer, Origin())
        with redis_server.connect() as client:
            keys = client.keys("qf1:results:*")
            assert len(keys) == 1000
            blobs = [client.get(key) for key in keys]
            for i, key in enumerate(keys):
                if i % 20 == 0:
                    client.delete(key)
                    client.rpush(key, "of another type")
                else:
                    client.set(key, damaged(blobs[i], blobs[i - 1], chance, canary))
        await ask_all(reader, origin)

    asyncio.run(run())
    assert origin.calls == dict.fromkeys(names, 1)
    # Each is met twice: by the first look, and by the one that comes with the lock. Lists count as absent.
    assert reader.stats().errors == {"shared: damaged": 2 * 950}
    assert not canary.exists()


def test_a_damaged_value_is_replaced_by_a_good_one(
    open_cache: OpenCache, redis_url: str, redis_server: RedisServer
) -> None:
    origin = Origin()

    async def ask() -> None:
        cache = open_cache(redis_url)
        assert await cache.get_or_compute("results", "k", "v1", origin.of("k")) == value_of("k")
        await cache.drain()

    asyncio.run(ask())
    with redis_server.connect() as client:
        (key,) = client.keys()
        client.set(key, b"rubbish")
    asyncio.run(ask())
    asyncio.run(ask())

    assert origin.calls == {"k": 2}


def test_a_lost_deletion_leaves_nothing_stale_because_a_write_changes_the_version(
    open_cache: OpenCache, redis_server: RedisServer, redis_url: str
) -> None:
    store = {"version": "v1", "rows": b"old"}
    with FaultProxy(redis_server.port) as proxy:
        caches = [open_cache(f"redis://127.0.0.1:{proxy.port}/0") for _ in range(2)]

        async def read(who: int) -> bytes:
            return await caches[who].get_or_compute(
                "results", "rows", store["version"], lambda: store["rows"]
            )

        async def run() -> None:
            for who in (0, 1):
                assert await read(who) == b"old"
                await caches[who].drain()
            with proxy.failing(Fault(drop_reply=True, when=b"UNLINK")):
                store.update(version="v2", rows=b"new")
                with pytest.raises(StoreUnavailable):
                    await caches[0].clear()
                assert [await read(who) for who in (0, 1)] == [b"new", b"new"]

        asyncio.run(run())


def test_an_ageing_shared_value_serves_at_once_and_is_renewed_for_all(
    open_cache: OpenCache, redis_url: str, clock: FixedClock
) -> None:
    policies = dict(standard_policies()) | {"results": Policy(1000.0, fresh=0.5, jitter=0.0)}
    origin = Origin()

    async def ask(expected_calls: int) -> None:
        cache = open_cache(redis_url, clock=clock, policies=policies)
        assert await cache.get_or_compute("results", "k", "v1", origin.of("k")) == value_of("k")
        await cache.drain()
        assert origin.calls == {"k": expected_calls}

    asyncio.run(ask(1))
    clock.advance(499.0)
    asyncio.run(ask(1))
    clock.advance(2.0)
    asyncio.run(ask(2))  # served from Redis, and renewed behind it
    clock.advance(498.0)
    asyncio.run(ask(2))  # the renewed one is fresh
    clock.advance(502.0)
    asyncio.run(ask(3))  # ended, though Redis, whose clock did not move, still has it


def test_a_shorter_policy_rules_over_what_was_shared_under_a_longer_one(
    open_cache: OpenCache, redis_url: str, clock: FixedClock
) -> None:
    long, short, origin = open_cache(redis_url, clock=clock), open_cache(redis_url, clock=clock), Origin()
    short.apply(standard_policies(results_seconds=10))

    async def run() -> None:
        await long.get_or_compute("results", "k", "v1", origin.of("k"))
        await long.drain()
        clock.advance(20.0)
        await short.get_or_compute("results", "k", "v1", origin.of("k"))

    asyncio.run(run())
    assert origin.calls == {"k": 2}


def test_other_processes_see_the_newest_data_of_a_stock_and_not_their_own_older(
    open_cache: OpenCache, redis_url: str, clock: FixedClock
) -> None:
    one, two = open_cache(redis_url, clock=clock), open_cache(redis_url, clock=clock)
    rows = pa.table({"price": [10.5]})

    async def run() -> None:
        await two.cache_realtime_data("600519", b"older")
        clock.advance(1.0)
        await one.cache_realtime_data("600519", rows)
        assert (await two.get_cached_data("600519")).equals(rows)
        assert (await open_cache(redis_url, clock=clock).get_cached_data("600519")).equals(rows)

    asyncio.run(run())


def test_our_own_newer_data_wins_over_what_a_failed_write_left_in_redis(
    open_cache: OpenCache, redis_server: RedisServer, redis_url: str, clock: FixedClock
) -> None:
    with FaultProxy(redis_server.port) as proxy:
        cache = open_cache(f"redis://127.0.0.1:{proxy.port}/0", clock=clock)

        async def run() -> None:
            await cache.cache_realtime_data("600519", b"older")
            clock.advance(1.0)
            with proxy.failing(Fault(blackhole=True, when=b"SET")):
                await cache.cache_realtime_data("600519", b"newer")
            clock.advance(1.0)
            assert not cache.stats().up
            assert await cache.get_cached_data("600519") == b"newer"
            await cache.drain()
            assert cache.stats().up
            assert await cache.get_cached_data("600519") == b"newer"

        asyncio.run(run())


def test_nobody_hits_in_redis_what_was_answered_to_somebody_else(
    open_cache: OpenCache, redis_url: str
) -> None:
    askers = [("u1", "1list"), ("u11", "list"), ("u", "11list"), ("u1", "list"), ("u1:", "list")]

    async def run() -> None:
        for _ in range(2):
            for owner, key in askers:
                cache = open_cache(redis_url)  # an empty memory: the answer comes from Redis the second time
                expected = f"{owner} sees {key}".encode()
                found = await cache.get_or_compute(
                    "user_queries", OwnedKey.of(owner, key), "v1", lambda expected=expected: expected
                )
                assert found == expected
                await cache.drain()

    asyncio.run(run())


def test_versions_and_keys_that_run_together_to_one_text_are_apart(
    open_cache: OpenCache, redis_url: str
) -> None:
    async def run() -> None:
        for key, version in (
            ("1:a", "v"),
            ("a", "v:1"),
            ("v:a", ""),
            ("a", "v"),
            ("\ud800", "v"),
            ("x" * 10**6, "v"),
        ):
            cache = open_cache(redis_url)
            expected = f"{key[:9]!r} {version}".encode()
            found = await cache.get_or_compute("results", key, version, lambda expected=expected: expected)
            assert found == expected
            await cache.drain()

    asyncio.run(run())
