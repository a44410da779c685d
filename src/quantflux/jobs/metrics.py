"""What is measured about runs of jobs."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from quantflux.observability.metrics import registry

runs_total = Counter(
    "quantflux_job_runs_total",
    "Runs of jobs that ended in this process; `late` ones had been taken for dead.",
    ("kind", "end"),
    registry=registry,
)
run_seconds = Histogram(
    "quantflux_job_run_seconds",
    "Time that runs of jobs took.",
    ("kind",),
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400),
    registry=registry,
)
