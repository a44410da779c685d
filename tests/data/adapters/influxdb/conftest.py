"""InfluxDB stores for tests: closed afterwards, quick to give up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quantflux.core.clock import SystemClock
from quantflux.data.adapters.influxdb import InfluxDBAdapter, open_store
from tests.services.fault_proxy import FaultProxy
from tests.services.influxdb import InfluxServer

OpenStore = Callable[..., InfluxDBAdapter]
QUICK = {"connect": 0.5, "read": 0.5, "write": 0.5, "pool": 0.5, "total": 5.0}


@pytest.fixture
def open_influxdb() -> Iterator[OpenStore]:
    """Open a store: `open_influxdb(url, timeouts=QUICK, ...)`. Its clock is the machine's."""
    opened: list[InfluxDBAdapter] = []

    def opener(url: str, **options: Any) -> InfluxDBAdapter:
        store = open_store(clock=SystemClock(), url=url, **options)
        opened.append(store)
        return store

    yield opener
    for store in opened:
        store.close()


@pytest.fixture
def store(open_influxdb: OpenStore, influxdb_server: InfluxServer, influxdb_database: str) -> InfluxDBAdapter:
    """A store in a fresh database of the session's server."""
    return open_influxdb(influxdb_server.url, database=influxdb_database)


@pytest.fixture
def proxy(influxdb_server: InfluxServer) -> Iterator[FaultProxy]:
    """A proxy in front of the session's server."""
    with FaultProxy(influxdb_server.port) as proxy:
        yield proxy


@pytest.fixture
def behind_proxy(open_influxdb: OpenStore, proxy: FaultProxy, influxdb_database: str) -> InfluxDBAdapter:
    """A store that tries once and waits half a second, behind the proxy."""
    return open_influxdb(proxy.url, database=influxdb_database, timeouts=QUICK, attempts=1, breaker_rest=0.0)
