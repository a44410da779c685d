"""Opens caches for tests, and closes them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quantflux.cache.manager import CacheManager
from quantflux.cache.policies import standard_policies
from quantflux.cache.redis_backend import RedisBackend
from quantflux.core.clock import SystemClock

PATIENCE = 0.5
"""Seconds; more than in earnest, as a busy machine that tests many things at once may hold a healthy Redis up."""

OpenCache = Callable[..., CacheManager]


@pytest.fixture
def open_cache() -> Iterator[OpenCache]:
    """Open a cache, in memory alone or over the Redis at an address."""
    opened: list[CacheManager] = []

    def call(url: str | None = None, **options: Any) -> CacheManager:
        settings: dict[str, Any] = {
            "policies": standard_policies(),
            "clock": SystemClock(),
            "memory_bytes": 10_000_000,
            "chance": random.Random(1),
            "patience": PATIENCE,
        } | options
        backend = RedisBackend(url, timeout=settings["patience"]) if url is not None else None
        cache = CacheManager(backend, settings.pop("policies"), settings.pop("clock"), **settings)
        opened.append(cache)
        return cache

    yield call
    for cache in opened:
        cache.close()


class Origin:
    """Computes values and counts how often it was asked for each."""

    def __init__(self, delay: float = 0.0) -> None:
        self.calls: dict[str, int] = {}
        self.delay = delay

    @property
    def total(self) -> int:
        return sum(self.calls.values())

    def of(self, key: str, size: int = 20) -> Callable[[], bytes]:
        def compute() -> bytes:
            self.calls[key] = self.calls.get(key, 0) + 1
            if self.delay:
                import time

                time.sleep(self.delay)
            return value_of(key, size)

        return compute


def value_of(key: str, size: int = 20) -> bytes:
    """The one right value of a key."""
    return random.Random(key).randbytes(size)
