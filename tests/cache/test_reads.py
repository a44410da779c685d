"""The hottest stocks are those read most of late, and memory for them is bounded."""

from __future__ import annotations

import math
import random

import pytest

from quantflux.cache.reads import ReadCounts
from quantflux.core.clock import FixedClock


def test_the_order_is_that_of_explicitly_decayed_counts(clock: FixedClock) -> None:
    chance, reads, half_life = random.Random(5), ReadCounts(clock, half_life=100.0), 100.0
    log: list[tuple[float, str]] = []
    for _ in range(500):
        symbol = f"{chance.randrange(20):06d}.SZ"
        reads.add([symbol])
        log.append((clock.monotonic(), symbol))
        clock.advance(chance.expovariate(1 / 5.0))
    now = clock.monotonic()
    scores: dict[str, float] = {}
    for when, symbol in log:
        scores[symbol] = scores.get(symbol, 0.0) + math.exp(-math.log(2) * (now - when) / half_life)

    assert reads.hottest(20) == sorted(scores, key=scores.__getitem__, reverse=True)


def test_the_scale_is_renewed_before_it_overflows(clock: FixedClock) -> None:
    reads = ReadCounts(clock, half_life=1.0)
    for day in range(20):
        reads.add(["600519.SH"] * 3)
        reads.add(["000001.SZ"] * (4 if day == 19 else 1))
        assert reads.hottest(1) == (["000001.SZ"] if day == 19 else ["600519.SH"])
        clock.advance(300.0)


def test_a_flood_of_names_pushes_out_no_hot_one_and_takes_no_memory(clock: FixedClock) -> None:
    reads = ReadCounts(clock, capacity=100)
    reads.add(["600519.SH"] * 5)

    for i in range(5000):
        reads.add([f"{i:06d}.SZ"])

    assert reads.hottest(1) == ["600519.SH"]
    assert len(reads.hottest(10**6)) <= 200


@pytest.mark.parametrize("count", [0, 1, 5])
def test_no_more_than_asked_for(clock: FixedClock, count: int) -> None:
    reads = ReadCounts(clock)
    reads.add(["600519.SH", "000001.SZ"])

    assert len(reads.hottest(count)) == min(count, 2)
