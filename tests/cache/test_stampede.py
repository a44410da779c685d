"""A crowd on cold keys, in two processes; Redis emptied under load; a process that dies while it computes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from quantflux.cache.backend import Lock
from quantflux.cache.redis_backend import RedisBackend
from quantflux.cache.shared import _digest
from tests.cache.conftest import OpenCache, Origin, value_of
from tests.cache.crowd import CALLERS, KEYS
from tests.services.redis import RedisServer

pytestmark = pytest.mark.redis

REPOSITORY = Path(__file__).parents[2]


def test_500_cold_requests_for_each_of_20_keys_in_each_of_two_processes(
    redis_url: str, tmp_path: Path
) -> None:
    results = [tmp_path / "one.json", tmp_path / "two.json"]
    crowds = [
        subprocess.Popen([sys.executable, "-m", "tests.cache.crowd", redis_url, str(path)], cwd=REPOSITORY)
        for path in results
    ]
    assert [crowd.wait(60) for crowd in crowds] == [0, 0]

    told = [json.loads(path.read_text()) for path in results]
    assert [one["answers"] for one in told] == [CALLERS, CALLERS]
    assert [one["wrong"] for one in told] == [0, 0]
    for one in told:
        assert max(one["calls"].values(), default=0) <= 1  # single flight in the process
    total = sum(sum(one["calls"].values()) for one in told)
    assert KEYS <= total <= 2 * KEYS, told


def test_two_processes_that_ask_for_one_slow_value_compute_it_once(
    open_cache: OpenCache, redis_url: str
) -> None:
    one, two, origin = open_cache(redis_url), open_cache(redis_url), Origin(delay=0.4)

    async def run() -> list[bytes]:
        return await asyncio.gather(
            *(cache.get_or_compute("results", "k", "v1", origin.of("k")) for cache in (one, two) * 5)
        )

    assert asyncio.run(run()) == [value_of("k")] * 10
    assert origin.calls == {"k": 1}


def test_the_lock_is_renewed_while_a_computation_lasts_longer_than_its_life(
    open_cache: OpenCache, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.cache.flights.LOCK_SECONDS", 0.3)
    one, two, origin = open_cache(redis_url), open_cache(redis_url), Origin(delay=1.0)

    async def run() -> None:
        await asyncio.gather(
            *(cache.get_or_compute("results", "k", "v1", origin.of("k")) for cache in (one, two))
        )

    asyncio.run(run())
    assert origin.calls == {"k": 1}


def test_the_lock_of_a_dead_process_holds_nobody_up_for_long(
    open_cache: OpenCache, redis_url: str, redis_server: RedisServer
) -> None:
    dead, digest = RedisBackend(redis_url), _digest(("results", "k", "v1"))
    assert dead.claim("results", digest, Lock(digest, "dead"), 0.3)[0]
    dead.close()
    cache, origin = open_cache(redis_url), Origin()

    async def run() -> None:
        assert await cache.get_or_compute("results", "k", "v1", origin.of("k")) == value_of("k")
        await cache.drain()

    asyncio.run(run())
    with redis_server.connect() as client:
        assert client.exists(f"qf1:lock:{digest}") == 0
    assert origin.calls == {"k": 1}


def test_a_lock_without_an_end_is_waited_for_once_and_not_for_ever(
    open_cache: OpenCache, redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.cache.flights.LONGEST_WAIT", 0.2)
    with redis_server.connect() as client:
        client.set(f"qf1:lock:{_digest(('results', 'k', 'v1'))}", "somebody")
    cache, origin = open_cache(redis_url), Origin()

    assert asyncio.run(cache.get_or_compute("results", "k", "v1", origin.of("k"))) == value_of("k")


def test_a_computation_that_fails_gives_its_lock_back(
    open_cache: OpenCache, redis_url: str, redis_server: RedisServer
) -> None:
    cache = open_cache(redis_url)

    def broken() -> bytes:
        raise LookupError("nothing there")

    async def run() -> None:
        with pytest.raises(LookupError, match="nothing there"):
            await cache.get_or_compute("results", "k", "v1", broken)
        await cache.drain()

    asyncio.run(run())
    with redis_server.connect() as client:
        assert client.keys() == []


def test_emptying_redis_under_load_never_overruns_the_origin_nor_spoils_an_answer(
    open_cache: OpenCache, redis_url: str, redis_server: RedisServer
) -> None:
    caches = [open_cache(redis_url, origin_limit=3, memory_bytes=1_000_000) for _ in range(2)]
    running, most, wrong, asked, emptied = [0, 0], [0, 0], [], [0], [0]
    give_up_at = time.monotonic() + 60

    def enough() -> bool:
        return (asked[0] > 500 and emptied[0] > 5) or time.monotonic() > give_up_at

    def compute(who: int, key: str) -> bytes:
        running[who] += 1
        most[who] = max(most[who], running[who])
        time.sleep(0.003)
        running[who] -= 1
        return value_of(key)

    async def reader(who: int, seed: int) -> None:
        step = seed
        while not enough():
            step = (step * 1103515245 + 12345) % 2**31
            key = str(step % 50)
            found = await caches[who].get_or_compute("results", key, "v1", partial(compute, who, key))
            asked[0] += 1
            if found != value_of(key):
                wrong.append(key)
            await asyncio.sleep(0.001)

    async def vandal() -> None:
        while not enough():
            await asyncio.sleep(0.2)
            emptied[0] += 1
            with redis_server.connect() as client:
                client.flushall()
            for cache in caches:
                cache._memory.clear()

    async def run() -> None:
        await asyncio.gather(vandal(), *(reader(i % 2, i) for i in range(60)))

    asyncio.run(run())
    assert wrong == [] and asked[0] > 500 and emptied[0] > 5
    assert max(most) <= 3
