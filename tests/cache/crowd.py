"""One process of a crowd on cold keys: `python -m tests.cache.crowd URL RESULT`.

Two of them wait for each other, so that they begin at the same moment.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import redis

from quantflux.cache.manager import CacheManager
from quantflux.cache.policies import standard_policies
from quantflux.cache.redis_backend import RedisBackend
from quantflux.core.clock import SystemClock
from tests.cache.conftest import Origin, value_of

KEYS, CALLERS = 20, 500 * 20
PROCESSES = 2


def main(url: str, result: Path) -> None:
    cache = CacheManager(RedisBackend(url), standard_policies(), SystemClock(), memory_bytes=10_000_000)
    origin = Origin(delay=0.01)
    keys = [f"key {i % KEYS}" for i in range(CALLERS)]
    meet(url)

    async def run() -> list[bytes]:
        return await asyncio.gather(
            *(cache.get_or_compute("results", key, "v1", origin.of(key)) for key in keys)
        )

    begun = time.perf_counter()
    found = asyncio.run(run())
    told = {
        "answers": len(found),
        "wrong": sum(value != value_of(key) for value, key in zip(found, keys, strict=True)),
        "calls": origin.calls,
        "errors": dict(cache.stats().errors),
        "seconds": time.perf_counter() - begun,
    }
    cache.close()
    result.write_text(json.dumps(told))


def meet(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.incr("meeting")
        deadline = time.monotonic() + 30
        while int(client.get("meeting") or 0) < PROCESSES:
            assert time.monotonic() < deadline, "the other process never came"
            time.sleep(0.001)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
