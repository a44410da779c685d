"""Counts in a real Redis, shared by several processes' limiters, and what happens when it dies."""

from __future__ import annotations

import pytest

from quantflux.accounts.limits import Budget, RateLimiter, SharedWindows
from quantflux.core.clock import SystemClock
from quantflux.core.errors import LimitReached
from tests.accounts.limits.test_limiter import READ, let_in, rates
from tests.services.redis import RedisServer

pytestmark = pytest.mark.redis


class Counting(SharedWindows):
    """Counts how often Redis is asked."""

    asked = 0

    def _asked(self, question):
        self.asked += 1
        return super()._asked(question)


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    with redis_server.connect() as client:
        client.flushall()
    return redis_server.url


def limiters(url, count, **limits):
    clock = SystemClock()
    shared = [Counting(url, clock, timeout=2.0) for _ in range(count)]
    return shared, [RateLimiter(rates(**limits), clock, each, shares=count) for each in shared]


def close(shared):
    for each in shared:
        each.close()


def test_processes_share_one_limit_exactly_when_it_is_small(url):
    shared, workers = limiters(url, 4, user=40)

    assert sum(let_in(workers[i % 4], 1) for i in range(400)) == 40
    close(shared)


def test_processes_together_never_exceed_a_large_limit_and_come_near_it(url):
    shared, workers = limiters(url, 4, user=3000)

    got = sum(let_in(workers[i % 4], 1) for i in range(6000))

    assert 3000 - 4 * 60 <= got <= 3000
    close(shared)


def test_the_hot_path_seldom_asks_redis(url):
    (shared,), (limiter,) = limiters(url, 1, user=6000)

    assert let_in(limiter, 3000) == 3000
    assert shared.asked < 3000 / 5
    before = shared.asked
    let_in(limiter, 4000)
    after_limit = shared.asked
    let_in(limiter, 20_000)

    assert shared.asked - after_limit <= 10, "who is refused is refused by what the process knows"
    assert before < after_limit
    shared.close()


def test_what_one_process_counted_another_one_shows(url):
    shared, (first, second) = limiters(url, 2, user=40)
    let_in(first, 30)

    assert second.check(READ, "user:7", "203.0.113.9").remaining == 9
    assert 0 < second.check(READ, "user:7", "203.0.113.9").reset_seconds <= 60
    close(shared)


def test_redis_killed_during_an_attack_opens_no_door(tmp_path, caplog):
    with RedisServer.temporary(folder=tmp_path) as server:
        shared, workers = limiters(server.url, 2, user=200)
        before = sum(let_in(workers[i % 2], 1) for i in range(100))
        server.kill()
        during = sum(let_in(workers[i % 2], 1) for i in range(2000))
        newcomer = sum(let_in(workers[i % 2], 1, user="user:8") for i in range(2000))

        assert before == 100
        assert during <= 100, "each process goes on from what it has counted, up to its share"
        assert newcomer == 200
        assert caplog.text.count("each process counts for itself") == 2
        server.start()
        for each in shared:
            each._again_at = 0.0  # its rest is over
        assert let_in(workers[0], 1, user="user:9") == 1
        assert "processes share their counts" in caplog.text
        assert sum(let_in(workers[i % 2], 1) for i in range(2000)) <= 200
        close(shared)


def test_a_redis_that_hangs_is_asked_once_and_then_left_alone(tmp_path):
    with RedisServer.temporary(folder=tmp_path) as server:
        clock = SystemClock()
        shared = Counting(server.url, clock, timeout=0.05)
        limiter = RateLimiter(rates(), clock, shared)
        let_in(limiter, 1)
        server.freeze()

        assert let_in(limiter, 50, user="user:8") == 50
        assert shared.resting
        server.thaw()
        shared.close()


def test_a_restart_of_redis_is_not_taken_for_a_failure(tmp_path, caplog):
    with RedisServer.temporary(folder=tmp_path) as server:
        (shared,), (limiter,) = limiters(server.url, 1)
        let_in(limiter, 1)
        server.restart()

        assert let_in(limiter, 1, user="user:8") == 1
        assert not shared.resting and not caplog.records
        shared.close()


def test_an_owners_budget_is_one_over_all_processes(url):
    clock = SystemClock()
    shared = [SharedWindows(url, clock, timeout=2.0) for _ in range(2)]
    first, second = (Budget(60, 100, clock, each) for each in shared)

    first.spend("user:7", 60)

    assert second.left("user:7") == pytest.approx(40, abs=0.1)
    with pytest.raises(LimitReached):
        second.spend("user:7", 50)
    second.spend("user:7", 40)
    assert first.left("user:7") == pytest.approx(0, abs=0.1)
    close(shared)
