"""The InfluxDB store in the suite, on a real 2.x server that somebody has started: by hand, not in every run.

Set QUANTFLUX_TEST_INFLUXDB2_URL, QUANTFLUX_TEST_INFLUXDB2_ORG and QUANTFLUX_TEST_INFLUXDB2_TOKEN (of an operator).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from quantflux.core.clock import Clock
from quantflux.data.adapters.influxdb import InfluxDBAdapter, open_store
from tests.data.conformance.stores import StoreUnderTest

URL = os.environ.get("QUANTFLUX_TEST_INFLUXDB2_URL", "")
ORG = os.environ.get("QUANTFLUX_TEST_INFLUXDB2_ORG", "")
TOKEN = os.environ.get("QUANTFLUX_TEST_INFLUXDB2_TOKEN", "")


class InfluxDB2UnderTest(StoreUnderTest):
    name = "influxdb2"
    entry_point = "influxdb"
    kill_rounds = 3
    model_examples = 6
    marks = (
        pytest.mark.influxdb,
        pytest.mark.skipif(not URL, reason="QUANTFLUX_TEST_INFLUXDB2_URL names no server"),
    )

    def __init__(self, tmp_path: Path, request: pytest.FixtureRequest, clock: Clock) -> None:
        super().__init__(tmp_path, request, clock)
        self.renew()
        request.addfinalizer(self._drop)

    def open(self) -> InfluxDBAdapter:
        return open_store(clock=self.clock, **self.options())

    def options(self) -> Mapping[str, Any]:
        return {"url": URL, "dialect": "2", "org": ORG, "token": TOKEN, "database": self.database}

    def renew(self) -> None:
        if hasattr(self, "database"):
            self._drop()
        self.database = f"conformance_{uuid4().hex[:12]}"

    def _drop(self) -> None:
        with httpx.Client(base_url=URL, headers={"Authorization": f"Token {TOKEN}"}) as client:
            buckets = client.get("/api/v2/buckets", params={"org": ORG, "limit": 100}).json()["buckets"]
            for bucket in buckets:
                if bucket["name"].startswith(self.database):
                    client.delete(f"/api/v2/buckets/{bucket['id']}").raise_for_status()


STORE = InfluxDB2UnderTest
