"""What runs beside the answers of a process: jobs, and the watch on the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from quantflux.api.app import Lifespan
from quantflux.config import ConfigManager, ReloadReport, Settings
from quantflux.jobs import Runner
from quantflux.platform import Platform
from quantflux.work.authority import still_may
from quantflux.work.catalogue import KINDS


def lifetime(platform: Platform, manager: ConfigManager) -> Lifespan:
    """Return what an application runs from its start to its end.

    At the start: the job runner and the watch on the configuration file, which tells the
    platform what changed. At the end they stop in the reverse order; jobs that do not finish are queued again.
    """

    def take_over(settings: Settings, _: ReloadReport) -> None:
        platform.apply(settings)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        unsubscribe = manager.subscribe(take_over)
        watcher = manager.watch()
        runner = Runner(
            platform.jobs, KINDS, platform, still_may(platform), threads=platform.settings.server.jobs
        )
        runner.start()
        try:
            yield
        finally:
            await asyncio.to_thread(runner.stop)
            await asyncio.to_thread(watcher.stop)
            unsubscribe()
            await platform.cache.drain()

    return running
