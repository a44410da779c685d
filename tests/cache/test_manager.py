"""The door of the cache, with memory alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pyarrow as pa
import pytest

from quantflux.cache.manager import CacheManager
from quantflux.cache.policies import OwnedKey, Policy, standard_policies
from quantflux.core.clock import FixedClock
from quantflux.core.errors import Busy, InvalidRequest, StoreUnavailable
from tests.cache.conftest import OpenCache, Origin, value_of


@pytest.fixture
def still(open_cache: OpenCache, clock: FixedClock) -> CacheManager:
    """A cache whose time stands still; entries of `results` live exactly 100 s, and are fresh for 80."""
    policies = dict(standard_policies()) | {"results": Policy(100.0, fresh=0.8, jitter=0.0)}
    return open_cache(clock=clock, policies=policies)


async def ask(cache: CacheManager, key: str, compute: Callable[[], bytes], version: str = "v1") -> bytes:
    return await cache.get_or_compute("results", key, version, compute)


def test_a_hundred_callers_at_once_cost_one_computation(still: CacheManager) -> None:
    origin = Origin(delay=0.05)

    async def run() -> list[bytes]:
        return await asyncio.gather(*(ask(still, "k", origin.of("k")) for _ in range(100)))

    assert set(asyncio.run(run())) == {value_of("k")}
    assert origin.calls == {"k": 1}


def test_callers_in_event_loops_of_several_threads_share_one_computation(still: CacheManager) -> None:
    origin, answers = Origin(delay=0.1), []
    threads = [
        threading.Thread(target=lambda: answers.append(asyncio.run(ask(still, "k", origin.of("k")))))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [value_of("k")] * 6
    assert origin.calls == {"k": 1}


def test_another_version_of_the_data_is_another_entry(still: CacheManager) -> None:
    async def run() -> None:
        assert await ask(still, "k", lambda: b"before") == b"before"
        assert await ask(still, "k", lambda: b"after", version="v2") == b"after"
        assert await ask(still, "k", lambda: b"never", version="v1") == b"before"

    asyncio.run(run())
    assert still.peek("results", "k", "v2") == b"after"
    assert still.peek("results", "k", "v3") is None and still.peek("realtime", "k", "v1") is None


def test_an_ageing_value_is_served_while_it_is_renewed_and_an_ended_one_is_not(
    still: CacheManager, clock: FixedClock
) -> None:
    async def run() -> None:
        assert await ask(still, "k", lambda: b"first") == b"first"
        clock.advance(79.9)
        assert await ask(still, "k", lambda: b"too early") == b"first"
        clock.advance(0.2)
        assert still.peek("results", "k", "v1") is None
        assert await ask(still, "k", lambda: b"second") == b"first"
        await still.drain()
        assert await ask(still, "k", lambda: b"too early") == b"second"
        clock.advance(100.0)
        assert await ask(still, "k", lambda: b"third") == b"third"

    asyncio.run(run())
    kind = still.stats().kinds["results"]
    assert (kind.hits, kind.stale, kind.misses) == (2, 1, 2)


def test_many_readers_of_an_ageing_value_renew_it_once(still: CacheManager, clock: FixedClock) -> None:
    origin = Origin(delay=0.02)

    async def run() -> None:
        await ask(still, "k", origin.of("k"))
        clock.advance(90.0)
        for _ in range(50):
            assert await ask(still, "k", origin.of("k")) == value_of("k")
        await still.drain()

    asyncio.run(run())
    assert origin.calls == {"k": 2}


def test_a_renewal_that_fails_is_counted_and_the_old_value_serves_to_its_end(
    still: CacheManager, clock: FixedClock
) -> None:
    def broken() -> bytes:
        raise StoreUnavailable("the store is down")

    async def run() -> None:
        await ask(still, "k", lambda: b"old")
        clock.advance(90.0)
        for _ in range(10):
            assert await ask(still, "k", broken) == b"old"
            await still.drain()
        assert still.stats().errors == {"origin: failed": 1}  # not at every reading
        clock.advance(2.0)
        assert await ask(still, "k", broken) == b"old"
        await still.drain()
        clock.advance(8.0)
        with pytest.raises(StoreUnavailable, match="the store is down"):
            await ask(still, "k", broken)

    asyncio.run(run())
    assert still.stats().errors == {"origin: failed": 3}


def test_an_error_reaches_every_waiter_and_is_not_remembered(still: CacheManager) -> None:
    calls = []

    def broken() -> bytes:
        calls.append(1)
        raise StoreUnavailable("the store is down")

    async def run() -> None:
        outcomes = await asyncio.gather(*(ask(still, "k", broken) for _ in range(10)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert await ask(still, "k", lambda: b"well") == b"well"

    asyncio.run(run())
    assert len(calls) == 1


def test_a_caller_that_goes_away_does_not_take_the_computation_with_it(still: CacheManager) -> None:
    origin = Origin(delay=0.05)

    async def run() -> None:
        first = asyncio.create_task(ask(still, "k", origin.of("k")))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(ask(still, "k", origin.of("k")))
        await asyncio.sleep(0.01)
        first.cancel()
        assert await second == value_of("k")

    asyncio.run(run())
    assert origin.calls == {"k": 1}


def test_waiters_of_another_loop_are_told_when_the_computing_loop_stops(still: CacheManager) -> None:
    started, outcome = threading.Event(), []

    async def never() -> bytes:
        started.set()
        await asyncio.sleep(0.2)
        raise AssertionError("the loop should have been stopped")

    async def abandon() -> None:
        asyncio.get_running_loop().create_task(still.get_or_compute("results", "k", "v1", never))
        await asyncio.sleep(0.1)

    def wait() -> None:
        started.wait()
        try:
            asyncio.run(ask(still, "k", lambda: b"mine"))
        except Busy as exc:
            outcome.append(exc)

    waiter = threading.Thread(target=wait)
    waiter.start()
    asyncio.run(abandon())
    waiter.join()

    assert len(outcome) == 1 and outcome[0].retryable


def test_never_more_computations_at_once_than_the_origin_takes(open_cache: OpenCache) -> None:
    cache, running, most = open_cache(origin_limit=3), [0], [0]

    async def compute() -> bytes:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.005)
        running[0] -= 1
        return b"v"

    async def run() -> None:
        keys = [str(i) for i in range(40)]
        tasks = [asyncio.create_task(cache.get_or_compute("results", k, "v1", compute)) for k in keys]
        for task in tasks[::5]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cache.drain()

    asyncio.run(run())
    assert most == [3] and running == [0]


def test_a_cancelled_wait_for_the_origin_loses_no_place(open_cache: OpenCache) -> None:
    from quantflux.cache.origin import Origin as Limited

    limited = Limited(1)

    async def slow() -> bytes:
        await asyncio.sleep(0.01)
        return b"v"

    async def run() -> None:
        tasks = [asyncio.create_task(limited.run(slow)) for _ in range(20)]
        for i, task in enumerate(tasks[1:]):
            if i % 2:
                await asyncio.sleep(0.001)
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await asyncio.wait_for(limited.run(slow), 5) == b"v"

    asyncio.run(run())
    assert limited._gate._free == 1
    limited.close()


def test_a_place_given_to_one_who_is_cancelled_at_that_moment_is_given_back() -> None:
    from quantflux.cache.origin import _Gate

    gate = _Gate(1)

    async def run() -> None:
        await gate.enter()
        waiter = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        gate.leave()
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await asyncio.wait_for(gate.enter(), 5)

    asyncio.run(run())


def test_a_computation_may_ask_the_cache_for_another_value_when_all_places_are_taken(
    open_cache: OpenCache,
) -> None:
    cache = open_cache(origin_limit=1)

    async def outer() -> bytes:
        return await cache.get_or_compute("results", "inner", "v1", lambda: b"inner") + b" and outer"

    async def run() -> bytes:
        return await asyncio.wait_for(cache.get_or_compute("results", "outer", "v1", outer), 5)

    assert asyncio.run(run()) == b"inner and outer"


def test_a_plain_function_may_return_an_awaitable_and_runs_beside_the_event_loop(still: CacheManager) -> None:
    threads = []

    async def value() -> bytes:
        return b"awaited"

    def compute() -> bytes:
        threads.append(threading.current_thread())
        return b"plain"

    def promise() -> Awaitable[bytes]:
        return value()

    async def run() -> None:
        assert await still.get_or_compute("results", "a", "v1", promise) == b"awaited"
        assert await still.get_or_compute("results", "b", "v1", compute) == b"plain"

    asyncio.run(run())
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize("wrong", ["text", None, 7, bytearray(b"x")])
def test_only_bytes_are_values(still: CacheManager, wrong: object) -> None:
    with pytest.raises(InvalidRequest, match=f"bytes, the computation gave {type(wrong).__name__}"):
        asyncio.run(ask(still, "k", lambda: wrong))  # type: ignore[arg-type, return-value]


def test_an_unknown_kind_is_refused_by_name(still: CacheManager) -> None:
    with pytest.raises(InvalidRequest, match=r"'bars'; valid: hot_stocks, realtime, results, user_queries"):
        asyncio.run(still.get_or_compute("bars", "k", "v1", lambda: b""))


def test_nobody_hits_what_was_answered_to_somebody_else(still: CacheManager) -> None:
    # Owners and keys that run together to the same text must not meet either.
    askers = [
        ("u1", "1list"),
        ("u11", "list"),
        ("u", "11list"),
        ("u1", "list"),
        ("1:u", "list"),
        ("u1:", "list"),
    ]

    async def run() -> None:
        for _ in range(2):
            for owner, key in askers:
                expected = f"{owner} sees {key}".encode()
                found = await still.get_or_compute(
                    "user_queries", OwnedKey.of(owner, key), "v1", lambda expected=expected: expected
                )
                assert found == expected
                assert still.peek("user_queries", OwnedKey.of(owner, key), "v1") == expected

    asyncio.run(run())


def test_a_private_kind_takes_no_key_without_an_owner(still: CacheManager) -> None:
    with pytest.raises(InvalidRequest, match=r"OwnedKey.of\(owner, key\)"):
        asyncio.run(still.get_or_compute("user_queries", "watchlist", "v1", lambda: b""))
    with pytest.raises(InvalidRequest, match="empty"):
        OwnedKey.of("", "watchlist")


def test_lives_are_spread_so_that_what_was_made_together_does_not_end_together(
    open_cache: OpenCache, clock: FixedClock
) -> None:
    cache = open_cache(clock=clock, policies=standard_policies(results_seconds=100))

    async def run() -> list[int]:
        for i in range(200):
            await ask(cache, str(i), lambda: b"v")
        left = []
        for _ in range(12):
            left.append(len(cache._memory))
            clock.advance(1.0)
            if clock.monotonic() < 90:
                clock.advance(89.0)
            await cache.warm(0, lambda _: None)  # sweeps
        return left

    left = asyncio.run(run())
    assert left[0] == left[1] == 200 and left[-1] == 0
    assert max(a - b for a, b in pairwise(left)) < 60  # not all in one second


def test_shorter_lives_rule_at_once_and_longer_ones_revive_nothing(
    still: CacheManager, clock: FixedClock
) -> None:
    async def run() -> None:
        await ask(still, "k", lambda: b"first")
        clock.advance(50.0)
        still.apply(dict(standard_policies()) | {"results": Policy(40.0, jitter=0.0)})
        assert still.peek("results", "k", "v1") is None
        still.apply(dict(standard_policies()) | {"results": Policy(1000.0, jitter=0.0)})
        assert still.peek("results", "k", "v1") is None
        assert await ask(still, "k", lambda: b"second") == b"second"
        clock.advance(700.0)
        assert still.peek("results", "k", "v1") == b"second"

    asyncio.run(run())
    with pytest.raises(InvalidRequest, match="Policies are needed for"):
        still.apply({"results": Policy(1.0)})


def test_clearing_one_kind_leaves_the_others_and_what_is_under_way_is_not_kept(still: CacheManager) -> None:
    async def run() -> None:
        await ask(still, "k", lambda: b"v")
        await still.get_or_compute("hot_stocks", "k", "v1", lambda: b"hot")
        origin = Origin(delay=0.05)
        flying = asyncio.create_task(ask(still, "slow", origin.of("slow")))
        await asyncio.sleep(0.02)
        assert await still.clear("results") == 1
        assert await flying == value_of("slow")
        assert still.peek("results", "k", "v1") is None and still.peek("results", "slow", "v1") is None
        assert still.peek("hot_stocks", "k", "v1") == b"hot"
        assert await still.clear() == 1
        with pytest.raises(InvalidRequest, match="'bars'"):
            await still.clear("bars")

    asyncio.run(run())


def test_the_newest_data_of_a_stock_is_found_by_any_spelling(still: CacheManager, clock: FixedClock) -> None:
    rows = pa.table({"price": [1700.0, None], "volume": [100, 200]})

    async def run() -> None:
        assert await still.get_cached_data("600519") is None
        await still.cache_realtime_data("600519", rows)
        assert (await still.get_cached_data("sh600519")).equals(rows)
        await still.cache_realtime_data("600519.SH", b"newer")
        assert await still.get_cached_data("600519") == b"newer"
        assert await still.get_cached_data("000001") is None
        clock.advance(300.0)
        assert await still.get_cached_data("600519") is None
        with pytest.raises(InvalidRequest, match="found dict"):
            await still.cache_realtime_data("600519", {"price": 1})  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest):
            await still.get_cached_data("../../etc/passwd")

    asyncio.run(run())


def test_the_hottest_stocks_are_warmed_and_one_that_fails_stops_nobody(still: CacheManager) -> None:
    still.count_reads(["600519.SH"] * 3 + ["000001.SZ"] * 2 + ["300750.SZ"])
    asked = []

    async def load(symbol: str) -> None:
        asked.append(symbol)
        if symbol == "600519.SH":
            raise StoreUnavailable("down")
        await still.get_or_compute("hot_stocks", symbol, "v1", symbol.encode)

    assert asyncio.run(still.warm(2, load)) == 1
    assert asked == ["600519.SH", "000001.SZ"] == still.hot(2)
    assert still.peek("hot_stocks", "000001.SZ", "v1") == b"000001.SZ"
    assert still.peek("hot_stocks", "300750.SZ", "v1") is None


def test_the_metrics_say_what_happened(still: CacheManager, clock: FixedClock) -> None:
    from quantflux.observability.metrics import registry

    def lookups(outcome: str) -> float:
        labels = {"kind": "results", "outcome": outcome}
        return registry.get_sample_value("quantflux_cache_lookups_total", labels) or 0.0

    before = {outcome: lookups(outcome) for outcome in ("hit", "stale", "miss", "shared")}

    async def run() -> None:
        await ask(still, "k", lambda: b"v" * 1000)
        await ask(still, "k", lambda: b"")
        still.peek("results", "k", "v1")
        clock.advance(90.0)
        await ask(still, "k", lambda: b"v")
        await still.drain()

    asyncio.run(run())
    assert {o: lookups(o) - n for o, n in before.items()} == {"hit": 2, "stale": 1, "miss": 1, "shared": 0}
    assert registry.get_sample_value("quantflux_cache_memory_entries") == 1
    assert registry.get_sample_value("quantflux_cache_memory_bytes") == still.stats().bytes > 0
