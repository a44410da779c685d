"""What runs beside the answers of a process: jobs, warming of the cache, and the watch on the configuration."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI

from quantflux.api.app import Lifespan
from quantflux.api.warming import keep_warm
from quantflux.config import ConfigManager, ReloadReport, Settings
from quantflux.jobs import Runner
from quantflux.platform import Platform
from quantflux.work.authority import still_may
from quantflux.work.catalogue import KINDS


def lifetime(platform: Platform, manager: ConfigManager) -> Lifespan:
    """Return what an application runs from its start to its end.

    At the start: the services are built, then the job runner, the warming of the cache, and the watch on the
    configuration file, which tells the platform what changed. At the end they stop in the reverse order; jobs that do
    not finish are queued again.
    """

    def take_over(settings: Settings, _: ReloadReport) -> None:
        platform.apply(settings)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(_prepare, platform)
        if platform.settings.store.name in _EMBEDDED:
            to_thread.current_default_thread_limiter().total_tokens = max(_THREADS, 2 * (os.cpu_count() or 1))
        unsubscribe = manager.subscribe(take_over)
        watcher = manager.watch()
        runner = Runner(
            platform.jobs, KINDS, platform, still_may(platform), threads=platform.settings.server.jobs
        )
        runner.start()
        warming = asyncio.create_task(keep_warm(platform, app.state.usual))
        try:
            yield
        finally:
            warming.cancel()
            await asyncio.to_thread(runner.stop)
            await asyncio.to_thread(watcher.stop)
            unsubscribe()
            await platform.cache.drain()

    return running


_EMBEDDED = ("columnar", "memory")
_THREADS = 8
"""What reads an embedded store computes: more threads than that only wait for each other, and the slowest longest.

Those of a store behind a network wait for it, and stay as many as there are by default.
"""

_ALLOCATIONS = 50_000


def _prepare(platform: Platform) -> None:
    """Build what answers need, so that the first request does not wait for it, and keep pauses short.

    What is there by now stays for good: the garbage collector need not look through 300,000 objects again, which takes
    a tenth of a second and more in which nobody is answered.
    """
    for name in ("database", "audit", "users", "accounts", "limiter", "budget", "cache", "jobs"):
        getattr(platform, name)
    for name in ("factors", "models", "scoring", "portfolios", "backtests"):
        getattr(platform, name)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 20)
