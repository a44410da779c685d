"""What the cache tells about itself. Every label has a small, fixed set of values: no key, symbol or user is one."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from quantflux.observability.metrics import registry

HIT, SHARED, STALE, MISS = "hit", "shared", "stale", "miss"
OUTCOMES = (HIT, SHARED, STALE, MISS)
"""Found fresh in memory; found fresh in the shared tier; answered with an ageing value; had to be computed."""

lookups_total = Counter(
    "quantflux_cache_lookups_total", "Lookups by how they ended.", ("kind", "outcome"), registry=registry
)
errors_total = Counter(
    "quantflux_cache_errors_total",
    "What went wrong behind an answer that was given all the same, or in computing one.",
    ("tier", "error"),
    registry=registry,
)
seconds = Histogram(
    "quantflux_cache_seconds",
    "Time of a round trip to the shared tier, and of computing a value. A lookup in memory takes about a microsecond.",
    ("tier",),
    buckets=(0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=registry,
)
evictions_total = Counter(
    "quantflux_cache_evictions_total", "Entries put out of memory.", ("reason",), registry=registry
)
shared_bytes_total = Counter(
    "quantflux_cache_shared_bytes_total",
    "Bytes exchanged with the shared tier.",
    ("direction",),
    registry=registry,
)
memory_bytes = Gauge(
    "quantflux_cache_memory_bytes",
    "Memory that entries take.",
    registry=registry,
    multiprocess_mode="livesum",
)
memory_entries = Gauge(
    "quantflux_cache_memory_entries", "Entries in memory.", registry=registry, multiprocess_mode="livesum"
)
shared_up = Gauge(
    "quantflux_cache_shared_up",
    "1 while the shared tier is used, 0 while it is left alone after a failure.",
    registry=registry,
    multiprocess_mode="livemin",
)


class Tally:
    """One count, for this manager's own statistics and for the metrics at once."""

    __slots__ = ("_metric", "count")

    def __init__(self, metric: Counter) -> None:
        self.count = 0
        self._metric = metric

    def add(self, amount: int = 1) -> None:
        """Count."""
        self.count += amount
        self._metric.inc(amount)


class Tallies:
    """The counts of one manager.

    Parameters
    ----------
    kinds : iterable of str
        Kinds of entries.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        self.lookups = {
            kind: {outcome: Tally(lookups_total.labels(kind, outcome)) for outcome in OUTCOMES}
            for kind in kinds
        }
        self.evictions = {reason: Tally(evictions_total.labels(reason)) for reason in ("space", "expired")}
        self.errors: dict[tuple[str, str], Tally] = {}

    def error(self, tier: str, error: str) -> None:
        """Count an error; both words come from our own code, never from a message."""
        tally = self.errors.get((tier, error))
        if tally is None:
            tally = self.errors[tier, error] = Tally(errors_total.labels(tier, error))
        tally.add()

    def evicted(self, reason: str) -> None:
        """Count an entry put out of memory."""
        self.evictions[reason].add()

    def resized(self, entries: int, size: int) -> None:
        """Tell how much is in memory."""
        memory_entries.set(entries)
        memory_bytes.set(size)
