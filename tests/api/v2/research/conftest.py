"""A market like the demonstration's, clients of it by role, and a runner for its jobs: one for all of research."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from quantflux.api.app import create_app
from quantflux.config import ConfigManager
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.jobs import Runner
from quantflux.learning.models import load
from quantflux.platform import Platform
from quantflux.work.authority import still_may
from quantflux.work.catalogue import KINDS
from tests.api.conftest import AsRole, TestClient, clients_of, settings_in, with_cheap_passwords

FIRST, LAST = date(2022, 10, 10), date(2025, 12, 31)

Done = Callable[..., Any]


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Sixty companies over three years."""
    market = SyntheticMarket(seed=7, companies=60, start=FIRST, end=LAST)
    with Platform.open(settings_in(tmp_path_factory.mktemp("research"))) as opened:
        for daily, basic in market.tables():
            opened.data.write(DAILY, daily)
            opened.data.write(DAILY_BASIC, basic)
        opened.data.write(INSTRUMENTS, market.instruments())
        with_cheap_passwords(opened)
        yield opened


@pytest.fixture(scope="package", autouse=True)
def runner(platform: Platform) -> Iterator[Runner]:
    """What does the jobs."""
    made = Runner(platform.jobs, KINDS, platform, still_may(platform))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="package", autouse=True)
def tried_here() -> Iterator[None]:
    """Let models be tried in this process, not in a child that takes a second to start."""

    def tried(folder: Any, kind: str, rows: np.ndarray, **limits: Any) -> np.ndarray:
        return load(kind, folder, threads=1).predict(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quantflux.learning.registry.gate.predictions_of", tried)
        yield


@pytest.fixture(scope="package")
def api(platform: Platform) -> FastAPI:
    """The application."""
    return create_app(platform, manager=ConfigManager(environ={}))


@pytest.fixture(scope="package")
def as_role(api: FastAPI, platform: Platform) -> AsRole:
    """Return a client that is logged in as a user of a role, always the same one."""
    return clients_of(api, platform)


@pytest.fixture(scope="package")
def done() -> Done:
    """Wait for the job of a 202, and return what it gave; a NaN in it fails."""

    def wait(client: TestClient, answer: Any, state: str = "done") -> Any:
        assert answer.status_code == 202, answer.text
        place = answer.headers["location"]
        until = time.monotonic() + 60
        while (job := client.get(place).json())["state"] in ("queued", "running"):
            assert time.monotonic() < until, job
            time.sleep(0.02)
        assert job["state"] == state, job
        if state != "done":
            return job["error"]
        return json.loads(client.get(f"{place}/result").content, parse_constant=pytest.fail)

    return wait
