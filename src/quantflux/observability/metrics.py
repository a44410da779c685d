"""The registry of everything measured, and what is measured about requests."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

registry = CollectorRegistry()
"""Every metric of ours is made with `registry=registry`, so that a process shows ours and nothing else."""

requests_total = Counter(
    "quantflux_requests_total",
    "Requests answered.",
    ("method", "route", "status"),
    registry=registry,
)
request_seconds = Histogram(
    "quantflux_request_seconds",
    "Time from a request's headers to the last byte of its answer.",
    ("route",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=registry,
)
requests_running = Gauge(
    "quantflux_requests_running",
    "Requests that are being worked on.",
    registry=registry,
    multiprocess_mode="livesum",
)
requests_shed = Counter(
    "quantflux_requests_shed_total",
    "Requests told to come back because the process had no room.",
    registry=registry,
)
requests_refused = Counter(
    "quantflux_requests_refused_total",
    "Requests answered with a problem instead of what they asked for, by its `code`.",
    ("code",),
    registry=registry,
)


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format; those of all workers where several share a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)
    return generate_latest(registry)
