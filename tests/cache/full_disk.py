"""Run on a small disk: a Redis that cannot save, and a cache over it.

`python -m tests.cache.full_disk MOUNT RESULT`
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import redis

from quantflux.cache.backend import Refused
from quantflux.cache.manager import CacheManager
from quantflux.cache.policies import standard_policies
from quantflux.cache.redis_backend import RedisBackend
from quantflux.core.clock import SystemClock
from tests.services.redis import RedisServer


def main(mount: Path, result: Path) -> None:
    with RedisServer.temporary(("--save", "3600 1", "--rdbcompression", "no"), mount) as server:
        with server.connect() as client:
            client.set("qf1:results:kept", b"kept")
            save_until_it_fails(client)
        found = asyncio.run(observed(server))
        server.kill()  # it would not stop before it has saved
    result.write_text(json.dumps(found))


def save_until_it_fails(client: redis.Redis) -> None:
    for i in range(20):
        client.set(f"filler{i}", b"x" * 100_000)
    client.bgsave()
    deadline = time.monotonic() + 30
    while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
        assert time.monotonic() < deadline, "saving never failed"
        time.sleep(0.02)


async def observed(server: RedisServer) -> dict[str, Any]:
    backend = RedisBackend(server.url)
    kept = backend.get("results", "kept")
    error = ""
    try:
        backend.put("results", "new", b"value", 10.0, None)
    except Refused as exc:
        error = exc.error
    cache = CacheManager(backend, standard_policies(), SystemClock(), memory_bytes=1_000_000)
    answers = [
        await cache.get_or_compute("results", str(i), "v1", lambda i=i: str(i).encode()) == str(i).encode()
        for i in range(20)
    ]
    await cache.drain()
    up = cache.stats().up
    cache.close()
    return {"kept": (kept or b"").decode(), "error": error, "answers": sum(answers), "shared_up": up}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
