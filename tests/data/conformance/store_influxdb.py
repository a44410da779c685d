"""The InfluxDB store in the suite, on a real 1.x server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from quantflux.core.clock import Clock
from quantflux.data.adapters.influxdb import InfluxDBAdapter, open_store
from tests.data.conformance.stores import StoreUnderTest
from tests.services.influxdb import InfluxServer


class InfluxDBUnderTest(StoreUnderTest):
    name = "influxdb"
    marks = (pytest.mark.influxdb,)
    kill_rounds = 3
    model_examples = 6

    def __init__(self, tmp_path: Path, request: pytest.FixtureRequest, clock: Clock) -> None:
        super().__init__(tmp_path, request, clock)
        self.manifest = tmp_path / "manifest"
        self.server: InfluxServer = request.getfixturevalue("influxdb_server")
        self.renew()
        request.addfinalizer(self._drop)

    def open(self) -> InfluxDBAdapter:
        return open_store(clock=self.clock, **self.options())

    def options(self) -> Mapping[str, Any]:
        return {"url": self.server.url, "database": self.database, "manifest": str(self.manifest)}

    def renew(self) -> None:
        if hasattr(self, "database"):
            self._drop()
        self.database = f"conformance_{uuid4().hex[:12]}"

    def _drop(self) -> None:
        self.server.query(f'DROP DATABASE "{self.database}"')

    def restart(self) -> None:
        self.server.kill()
        self.server.start()


STORE = InfluxDBUnderTest
