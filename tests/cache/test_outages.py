"""Redis dies, freezes, falls silent or crawls: answers stay right, one request pays a time-out, later ones nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from quantflux.cache.manager import CacheManager
from quantflux.cache.redis_backend import RedisBackend
from quantflux.cache.shared import PATIENCE
from quantflux.core.clock import FixedClock
from quantflux.core.errors import StoreUnavailable
from tests.cache.conftest import OpenCache, Origin, value_of
from tests.services.fault_proxy import Fault, FaultProxy
from tests.services.redis import RedisServer

pytestmark = pytest.mark.redis

Hurt = Callable[[RedisServer, FaultProxy], AbstractContextManager[None]]


@contextmanager
def killed(server: RedisServer, _: FaultProxy) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def frozen(server: RedisServer, _: FaultProxy) -> Iterator[None]:
    server.freeze()
    yield
    server.thaw()


@contextmanager
def silent(_: RedisServer, proxy: FaultProxy) -> Iterator[None]:
    with proxy.failing(Fault(blackhole=True)):
        yield


@contextmanager
def slow(_: RedisServer, proxy: FaultProxy) -> Iterator[None]:
    with proxy.failing(Fault(latency=5.0)):
        yield


@contextmanager
def dribbling(_: RedisServer, proxy: FaultProxy) -> Iterator[None]:
    with proxy.failing(Fault(rate=20.0)):
        yield


@contextmanager
def resetting(_: RedisServer, proxy: FaultProxy) -> Iterator[None]:
    with proxy.failing(Fault(drop_reply=True)):
        yield


async def answers(cache: CacheManager, origin: Origin, keys: list[str]) -> dict[str, bytes]:
    return {key: await cache.get_or_compute("results", key, "v1", origin.of(key)) for key in keys}


@pytest.mark.parametrize("hurt", [killed, frozen, silent, slow, dribbling, resetting])
def test_answers_stay_right_and_only_the_first_request_pays(
    hurt: Hurt, open_cache: OpenCache, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [f"key {i}" for i in range(200)]
    with RedisServer.temporary() as server, FaultProxy(server.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        writer, cache, origin = open_cache(url, clock=clock), open_cache(url, clock=clock), Origin()

        async def run() -> None:
            before = keys[:20]
            await answers(writer, Origin(), before)
            await writer.drain()
            assert await answers(cache, origin, before[:10]) == {key: value_of(key) for key in before[:10]}
            assert origin.calls == {}
            with hurt(server, proxy), caplog.at_level(logging.WARNING):
                assert await answers(cache, origin, keys) == {key: value_of(key) for key in keys}
                await cache.drain()
                assert not cache.stats().up
                # One failure in 200 requests: the breaker kept all others away.
                assert sum(cache.stats().errors.values()) == 1, cache.stats().errors
                assert origin.calls == dict.fromkeys(keys[10:], 1)
                assert len(caplog.records) == 1
                assert await cache.get_cached_data("600519") is None
                await cache.cache_realtime_data("600519", b"mine")
                assert await cache.get_cached_data("600519") == b"mine"

            # A trial that nobody waits for finds out that it is back.
            for _ in range(100):
                clock.advance(10.0)
                await answers(cache, origin, keys[:1])
                await cache.get_cached_data("000001")
                await cache.drain()
                if cache.stats().up:
                    break
                await asyncio.sleep(0.05)
            assert cache.stats().up
            await answers(cache, origin, ["after"])
            await cache.drain()
            await answers(writer, origin, ["after"])
            assert origin.calls["after"] == 1

        asyncio.run(run())


def test_in_earnest_a_request_waits_a_tenth_of_a_second(redis_server: RedisServer) -> None:
    backend = RedisBackend(redis_server.url)
    options = backend._client.get_connection_kwargs()
    backend.close()

    assert PATIENCE == options["socket_timeout"] == options["socket_connect_timeout"] == 0.1
    assert options["retry"].get_retries() == 1


def test_a_crowd_at_the_moment_of_death_gets_its_answers(open_cache: OpenCache) -> None:
    with RedisServer.temporary() as server:
        cache, origin = open_cache(server.url), Origin()

        async def run() -> list[dict[str, bytes]]:
            await answers(cache, origin, ["warm"])
            server.freeze()
            try:
                return await asyncio.gather(
                    *(answers(cache, origin, [f"{i}-{j}" for j in range(3)]) for i in range(100))
                )
            finally:
                server.thaw()

        for part in asyncio.run(run()):
            assert part == {key: value_of(key) for key in part}
    assert origin.total == 301


def test_a_redis_that_is_not_there_from_the_start_is_found_when_it_comes(
    open_cache: OpenCache, clock: FixedClock
) -> None:
    with RedisServer.temporary() as server:
        server.stop()
        cache, origin = open_cache(server.url, clock=clock), Origin()

        async def run() -> None:
            await answers(cache, origin, ["a", "b"])
            server.start()
            clock.advance(1.0)
            await answers(cache, origin, ["c"])
            await cache.drain()
            assert cache.stats().up

        asyncio.run(run())
    assert cache.stats().errors == {"shared: connection": 1}


def test_a_trial_that_fails_costs_nobody_anything_and_the_next_comes_later(
    open_cache: OpenCache, clock: FixedClock
) -> None:
    with RedisServer.temporary() as server, FaultProxy(server.port) as proxy:
        cache, origin = open_cache(f"redis://127.0.0.1:{proxy.port}/0", clock=clock), Origin()

        async def run() -> None:
            with proxy.failing(Fault(blackhole=True)):
                await answers(cache, origin, ["a"])
                clock.advance(0.6)
                struck = proxy.strikes
                for i in range(20):
                    await answers(cache, origin, [f"b{i}"])
                await cache.drain()
                assert proxy.strikes == struck + 1  # one ping
                clock.advance(0.6)
                await answers(cache, origin, ["c"])
                await cache.drain()
                assert proxy.strikes == struck + 1 and not cache.stats().up

        asyncio.run(run())


def test_clearing_says_so_when_redis_cannot_be_reached(open_cache: OpenCache) -> None:
    with RedisServer.temporary() as server:
        cache = open_cache(server.url)
        asyncio.run(answers(cache, Origin(), ["a"]))
        server.kill()

        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            asyncio.run(cache.clear())
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            cache.shared_use()

    assert cache.stats().entries == 0


def test_too_many_writes_at_once_are_dropped_not_hoarded(open_cache: OpenCache, redis_url: str) -> None:
    with RedisServer.temporary() as server:
        cache, origin = open_cache(server.url), Origin()

        async def run() -> None:
            for i in range(200):  # no pause between: nothing is written in between
                cache._shared.store_soon(("results", str(i), "v1"), b"x", 10.0, None)
            await cache.drain()
            assert await answers(cache, origin, ["a"]) == {"a": value_of("a")}

        asyncio.run(run())
    assert cache.stats().errors == {"shared: overflow": 200 - 64}


def test_a_value_too_big_to_share_stays_in_memory(open_cache: OpenCache, redis_url: str) -> None:
    cache, other, origin = open_cache(redis_url, memory_bytes=100_000_000), open_cache(redis_url), Origin()

    async def run() -> None:
        for reader in (cache, cache, other):
            value = await reader.get_or_compute("results", "big", "v1", origin.of("big", 5_000_000))
            assert value == value_of("big", 5_000_000)
            await reader.drain()

    asyncio.run(run())
    assert origin.calls == {"big": 2} and cache.stats().errors == {"shared: oversized": 1}
