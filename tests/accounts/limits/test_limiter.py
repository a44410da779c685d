from __future__ import annotations

import random
import threading

import pytest

from quantflux.accounts.limits import RateLimiter, Rates, RouteKind
from quantflux.accounts.limits.address import client_address
from quantflux.core.hosts import network_of

READ, WORK, LOGIN = RouteKind.READ, RouteKind.WORK, RouteKind.LOGIN


def rates(user=100, logins=100, address=10_000, total=1_000_000, work=10) -> Rates:
    return Rates({READ: user, WORK: work, RouteKind.WRITE: user}, logins, address, total)


def let_in(limiter, count, kind=READ, user="user:7", address="203.0.113.9") -> int:
    return sum(limiter.check(kind, user, address).allowed for _ in range(count))


@pytest.mark.parametrize("limit", [1, 2, 49, 50, 51, 777, 6000])
def test_exactly_the_limit_is_let_in(clock, limit):
    limiter = RateLimiter(rates(user=limit), clock)

    assert let_in(limiter, limit + 200) == limit


def test_the_headers_count_down_to_a_refusal_that_says_when(clock):
    limiter = RateLimiter(rates(user=3), clock)

    answers = [limiter.check(READ, "user:7", "203.0.113.9") for _ in range(4)]

    assert [a.remaining for a in answers] == [2, 1, 0, 0]
    assert [a.allowed for a in answers] == [True, True, True, False]
    assert {(a.limit, a.name) for a in answers} == {(3, "read")}
    assert answers[0].reset_seconds == 60 and answers[0].retry_after == 0
    assert 60 <= answers[3].retry_after <= 61


def test_waiting_as_long_as_told_is_enough_and_a_little_less_is_not(clock):
    for limit in (1, 7, 100):
        limiter = RateLimiter(rates(user=limit), clock)
        clock.advance(17)
        for _ in range(5):
            let_in(limiter, limit)
            refused = limiter.check(READ, "user:7", "203.0.113.9")
            assert not refused.allowed
            clock.advance(max(refused.retry_after - 2, 0))
            if refused.retry_after > 2:
                assert not limiter.check(READ, "user:7", "203.0.113.9").allowed
            clock.advance(2)
            assert limiter.check(READ, "user:7", "203.0.113.9").allowed


def test_no_minute_however_cut_holds_many_more_than_the_limit(clock):
    # The worst that two counted windows can miss: what was spread evenly in their sum was a burst in truth.
    limiter = RateLimiter(rates(user=100), clock)
    chance, times, now = random.Random(5), [], 0.0
    for _ in range(2500):
        step = chance.choice([0.0, 0.01, 0.3, 2.0])
        clock.advance(step)
        now += step
        if limiter.check(READ, "user:7", "203.0.113.9").allowed:
            times.append(now)

    worst = max(sum(begun <= t < begun + 60 for t in times) for begun in times)
    assert worst <= 150
    assert len(times) <= 100 * (now / 60 + 1)


def test_kinds_users_and_addresses_are_counted_apart(clock):
    limiter = RateLimiter(rates(user=5, work=3, logins=2), clock)

    assert let_in(limiter, 10) == 5
    assert let_in(limiter, 10, WORK) == 3
    assert let_in(limiter, 10, user="user:8") == 5
    assert let_in(limiter, 10, LOGIN, user="") == 2
    assert let_in(limiter, 10, LOGIN, user="somebody else") == 2 - 2
    assert let_in(limiter, 10, LOGIN, user="", address="198.51.100.7") == 2


def test_an_address_is_limited_over_all_its_users_and_with_nobody_logged_in(clock):
    limiter = RateLimiter(rates(address=50), clock)

    assert sum(let_in(limiter, 1, user=f"user:{i}") for i in range(80)) == 50
    assert let_in(limiter, 80, user="", address="198.51.100.7") == 50
    refused = limiter.check(READ, "", "198.51.100.7")
    assert (refused.name, refused.limit) == ("address", 50)


def test_addresses_of_one_ipv6_subscriber_are_one(clock):
    limiter = RateLimiter(rates(address=50), clock)

    assert sum(let_in(limiter, 1, user="", address=f"2001:db8:1:2::{i:x}") for i in range(200)) == 50
    assert let_in(limiter, 1, user="", address="2001:db8:1:3::1") == 1


def test_what_a_user_is_refused_takes_nothing_from_the_others(clock):
    limiter = RateLimiter(rates(user=10, total=100), clock)

    assert let_in(limiter, 10_000, user="eve") == 10
    assert sum(let_in(limiter, 10, user=f"user:{i}") for i in range(20)) == 90
    assert limiter.check(READ, "user:new", "203.0.113.9").name == "total"


def test_a_thousand_spoofed_addresses_are_one_client_and_two_clients_behind_a_proxy_are_two(clock):
    limiter, trusted = RateLimiter(rates(address=100), clock), (network_of("10.0.0.0/8"),)

    def asked(peer, forwarded):
        scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}
        return limiter.check(READ, "", client_address(scope, trusted)).allowed

    direct = sum(asked("203.0.113.9", f"10.{i // 250}.{i % 250}.1") for i in range(1000))
    proxied = sum(asked("10.0.0.5", f"172.16.{i // 250}.{i % 250}, 198.51.100.7") for i in range(1000))
    neighbour = sum(asked("10.0.0.5", "198.51.100.8") for i in range(1000))

    assert (direct, proxied, neighbour) == (100, 100, 100)


def test_rates_change_at_once_and_what_was_counted_stays(clock):
    limiter = RateLimiter(rates(user=10), clock)
    assert let_in(limiter, 20) == 10

    limiter.apply(rates(user=15))
    assert let_in(limiter, 20) == 5
    limiter.apply(rates(user=5))
    assert let_in(limiter, 20) == 0


def test_threads_together_get_no_more_than_the_limit(clock):
    limiter, got = RateLimiter(rates(user=1000), clock), []
    threads = [threading.Thread(target=lambda: got.append(let_in(limiter, 400))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(got) == 1000


def test_memory_stays_bounded_however_many_come(clock):
    limiter = RateLimiter(rates(), clock, most=1000)
    for i in range(20_000):
        limiter.check(READ, f"user:{i}", f"10.{i // 65536}.{i // 256 % 256}.{i % 256}")

    assert len(limiter._leases) <= 1000
    assert len(limiter._own._kept) <= 1000
