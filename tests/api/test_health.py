"""How the parts are, asked by many while one of them does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from fastapi import FastAPI
from sqlalchemy import Connection

from quantflux.database import Database
from quantflux.platform import Platform
from tests.api.conftest import TestClient

CALLERS = 24


def test_a_stuck_database_is_looked_at_by_one_thread(
    api: FastAPI, anonymous: TestClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, reading, looks = threading.Event(), platform.database.reading, []

    @contextmanager
    def stuck(_: Database) -> Iterator[Connection]:
        looks.append(threading.get_ident())
        assert answers.wait(30)
        with reading() as connection:
            yield connection

    monkeypatch.setattr(Database, "reading", stuck)
    api.state.health = (0.0, [])

    with ThreadPoolExecutor(CALLERS) as pool:
        asked = [pool.submit(anonymous.get, "/health/ready") for _ in range(CALLERS)]
        deadline = time.monotonic() + 30
        while api.edge.running < CALLERS and time.monotonic() < deadline:
            time.sleep(0.01)
        waiting = api.edge.running
        answers.set()

    assert waiting == CALLERS
    assert {each.result().status_code for each in asked} == {200}
    assert len(looks) == 1
