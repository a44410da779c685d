"""The backend over a real Redis, and what it makes of each refusal."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from quantflux.cache.backend import KindUse, Lock, Refused, Unreachable
from quantflux.cache.redis_backend import RedisBackend
from tests.cache.conftest import OpenCache, Origin
from tests.services.fault_proxy import Fault, FaultProxy
from tests.services.process import free_port
from tests.services.redis import RedisServer
from tests.services.small_disk import needs_root, run_on_small_disk

pytestmark = pytest.mark.redis


@pytest.fixture
def backend(redis_url: str) -> RedisBackend:
    return RedisBackend(redis_url)


def test_what_was_put_is_there_until_its_life_is_over(
    backend: RedisBackend, redis_server: RedisServer
) -> None:
    backend.put("results", "d1", b"value", 50.0, None)

    assert backend.get("results", "d1") == b"value"
    assert backend.get("realtime", "d1") is None
    with redis_server.connect() as client:
        assert 20_000 < client.pttl("qf1:results:d1") <= 50_000
    backend.put("results", "d1", b"value", 0.02, None)
    time.sleep(0.05)
    assert backend.get("results", "d1") is None


def test_one_lock_one_holder_and_only_its_token_extends_or_releases_it(
    backend: RedisBackend, redis_server: RedisServer
) -> None:
    mine, theirs = Lock("d1", "mine"), Lock("d1", "theirs")
    assert backend.claim("results", "d1", mine, 10.0) == (True, None)
    assert backend.claim("results", "d1", theirs, 10.0) == (False, None)

    backend.extend(theirs, 1000.0)
    backend.release(theirs)
    with redis_server.connect() as client:
        assert client.pttl("qf1:lock:d1") <= 10_000
    backend.extend(mine, 1000.0)
    with redis_server.connect() as client:
        assert client.pttl("qf1:lock:d1") > 900_000

    backend.put("results", "d1", b"value", 10.0, mine)
    assert backend.claim("results", "d1", theirs, 10.0) == (True, b"value")


def test_values_and_locks_of_a_foreign_type_are_nothing(
    backend: RedisBackend, redis_server: RedisServer
) -> None:
    with redis_server.connect() as client:
        client.rpush("qf1:results:d1", "a list")
    lock = Lock("d1", "mine")

    assert backend.get("results", "d1") is None
    assert backend.claim("results", "d1", lock, 10.0) == (True, None)
    backend.put("results", "d1", b"value", 10.0, lock)
    assert backend.get("results", "d1") == b"value"


def test_use_counts_each_kind_and_what_is_not_ours(redis_server: RedisServer, backend: RedisBackend) -> None:
    for i in range(1200):
        backend.put("results", f"d{i}", b"12345", 100.0, None)
    backend.put("realtime", "d1", b"123", 100.0, None)
    backend.claim("realtime", "d2", Lock("d2", "t"), 100.0)
    with redis_server.connect() as client:
        client.set("somebody:else", 1)

    use = backend.use()

    assert use.kinds == {"realtime": KindUse(1, 3), "results": KindUse(1200, 6000)}
    assert use.foreign == 1 and use.memory_bytes > 0 and use.most_bytes == 0


def test_clearing_takes_what_is_ours_and_nothing_else(
    redis_server: RedisServer, backend: RedisBackend
) -> None:
    for i in range(1200):
        backend.put("results", f"d{i}", b"12345", 100.0, None)
    backend.put("realtime", "d1", b"123", 100.0, None)
    with redis_server.connect() as client:
        client.set("somebody:else", 1)

        assert backend.clear("results") == 1200
        assert backend.clear(None) == 1
        assert client.keys() == [b"somebody:else"]


@pytest.mark.parametrize(
    ("options", "keys", "told"),
    [
        ((), (), ["maxmemory is not set"]),
        (("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"), (), []),
        (("--maxmemory", "50mb", "--maxmemory-policy", "noeviction"), (), ["maxmemory-policy is noeviction"]),
        (
            ("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"),
            ("_kombu.binding.celery", "celery"),
            ["keys of a task queue; a queue must not share memory with a cache"],
        ),
    ],
)
def test_it_says_what_is_unwise_about_a_redis(
    options: tuple[str, ...], keys: tuple[str, ...], told: list[str]
) -> None:
    with RedisServer.temporary(options) as server, server.connect() as client:
        for key in keys:
            client.sadd(key, "x")
        backend = RedisBackend(server.url)
        advice = backend.use().advice
        backend.close()

    assert len(advice) == len(told)
    assert all(part in said for part, said in zip(told, advice, strict=True))


def test_nobody_listening() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:\d+/0 cannot be reached") as caught:
        RedisBackend(f"redis://:geheim@127.0.0.1:{free_port()}/0").ping()
    assert caught.value.error == "connection" and "geheim" not in str(caught.value)


def test_a_connection_that_died_with_the_last_redis_is_replaced_at_once() -> None:
    with RedisServer.temporary() as server:
        backend = RedisBackend(server.url)
        backend.ping()
        server.restart()
        backend.put("results", "d1", b"value", 50.0, None)
        assert backend.get("results", "d1") == b"value"
        backend.close()


def test_silence_is_a_time_out(redis_server: RedisServer) -> None:
    with FaultProxy(redis_server.port) as proxy:
        backend = RedisBackend(f"redis://127.0.0.1:{proxy.port}/0")
        backend.ping()
        with proxy.failing(Fault(blackhole=True)), pytest.raises(Unreachable) as caught:
            backend.ping()
        backend.close()

    assert caught.value.error == "timeout"


def test_wrong_credentials() -> None:
    with RedisServer.temporary() as server, server.connect() as client:
        client.config_set("requirepass", "right")
        backend = RedisBackend(f"redis://:wrong@127.0.0.1:{server.port}/0")
        with pytest.raises(Unreachable, match="refused the credentials") as caught:
            backend.ping()
        backend.close()
        right = RedisBackend(f"redis://:right@127.0.0.1:{server.port}/0")
        right.ping()
        right.close()

    assert caught.value.error == "denied"


def refused(server: RedisServer) -> tuple[bytes | None, str]:
    """Return what can still be read under "kept", and why nothing can be written."""
    backend = RedisBackend(server.url)
    try:
        kept = backend.get("results", "kept")
        with pytest.raises(Refused) as caught:
            backend.put("results", "new", b"x" * 200_000, 10.0, None)
        with pytest.raises(Refused):
            backend.claim("results", "new", Lock("new", "t"), 10.0)
        return kept, caught.value.error
    finally:
        backend.close()


def test_a_full_redis_is_read_and_not_written() -> None:
    with RedisServer.temporary(("--maxmemory-policy", "noeviction")) as server:
        with server.connect() as client:
            client.set("qf1:results:kept", b"kept")
            client.config_set("maxmemory", "1mb")

        assert refused(server) == (b"kept", "full")


def test_a_replica_is_read_and_not_written() -> None:
    at_once = ("--repl-diskless-sync-delay", "0")
    with RedisServer.temporary(at_once) as primary, RedisServer.temporary() as replica:
        with primary.connect() as client:
            client.set("qf1:results:kept", b"kept")
        with replica.connect() as client:
            client.replicaof(primary.host, primary.port)
            while client.get("qf1:results:kept") is None:
                time.sleep(0.02)

        assert refused(replica) == (b"kept", "readonly")


@needs_root
def test_a_redis_whose_disk_is_full_is_read_and_not_written(tmp_path: Path) -> None:
    assert run_on_small_disk("tests.cache.full_disk", "1m", tmp_path) == {
        "kept": "kept",
        "error": "misconfigured",
        "answers": 20,
        "shared_up": True,
    }


@pytest.mark.parametrize("refusal", ["full", "readonly"])
def test_refused_writes_are_counted_and_paused_while_reads_go_on(
    open_cache: OpenCache, refusal: str, redis_server: RedisServer
) -> None:
    with RedisServer.temporary(("--maxmemory-policy", "noeviction")) as server:
        cache, reader, origin = open_cache(server.url), open_cache(server.url), Origin()

        async def run() -> None:
            await cache.get_or_compute("results", "before", "v1", origin.of("before"))
            await cache.drain()
            with server.connect() as client:
                if refusal == "full":
                    client.config_set("maxmemory", "1mb")
                else:
                    client.replicaof(redis_server.host, free_port())
            for i in range(50):
                await cache.get_or_compute("results", str(i), "v1", origin.of(str(i)))
            await cache.drain()
            await reader.get_or_compute("results", "before", "v1", origin.of("before"))

        asyncio.run(run())

    assert origin.calls == {"before": 1} | {str(i): 1 for i in range(50)}
    assert cache.stats().errors == {f"shared: {refusal}": 1}, json.dumps(dict(cache.stats().errors))
    assert cache.stats().up and reader.stats().kinds["results"].shared == 1
