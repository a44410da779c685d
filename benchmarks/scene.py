"""The same rows in every rival: quantflux's stores, v1's schema on MariaDB, and InfluxDB, all on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
from tests.services.influxdb import InfluxServer
from tests.services.mariadb import MariaDBServer

from benchmarks import v1
from benchmarks.influx_direct import InfluxDirect
from quantflux.config import Settings
from quantflux.core.clock import SystemClock
from quantflux.data.adapters.influxdb import open_store as open_influxdb
from quantflux.data.contract import MarketStore
from quantflux.data.schema import DAILY, MINUTE
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

LAST_DAY = date(2025, 12, 31)
SEED = 2024


@dataclass(frozen=True)
class Size:
    """How large a market is measured.

    Attributes
    ----------
    companies, years : int
        Of daily bars.
    minute_companies, minute_days : int
    """

    companies: int
    years: int
    minute_companies: int
    minute_days: int

    @property
    def first_day(self) -> date:
        """The first calendar day."""
        return LAST_DAY.replace(year=LAST_DAY.year - self.years + 1, month=1, day=1)


@dataclass
class Scene:
    """Everything a benchmark measures.

    Attributes
    ----------
    load_seconds : dict
        Seconds to bring all daily and all minute rows in, by rival.
    rows : dict
        Rows by kind.
    """

    size: Size
    folder: Path
    platform: Platform
    mariadb: MariaDBServer
    v1_database: str
    influx_server: InfluxServer
    influx: InfluxDirect
    influx_store: MarketStore
    symbols: list[str]
    minute_symbols: list[str]
    days: list[date]
    minute_days: list[date]
    load_seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


def market_tables(size: Size) -> tuple[list[pa.Table], list[pa.Table], list[date]]:
    """Return daily tables by block, minute tables by session, and the sessions."""
    market = SyntheticMarket(SEED, size.companies, size.first_day, LAST_DAY)
    minutes = list(market.minute_tables(size.minute_companies, size.minute_days))
    return list(market.daily_tables()), minutes, [day.astype(object) for day in market.sessions]


@contextmanager
def scene(size: Size, folder: Path, say: Callable[[str], None]) -> Iterator[Scene]:
    """Start the servers, load every rival, and take all of it down afterwards."""
    say("making the market")
    daily, minutes, days = market_tables(size)
    for name in ("mariadb", "influxdb"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        mariadb = stack.enter_context(
            MariaDBServer.temporary(
                [
                    "--innodb-buffer-pool-size=4G",
                    "--innodb-flush-log-at-trx-commit=2",
                    "--innodb-log-file-size=512M",
                ],
                folder / "mariadb",
            )
        )
        influx_server = stack.enter_context(InfluxServer(folder / "influxdb"))
        database = mariadb.create_database("stock_cursor")
        influx_store = open_influxdb(clock=SystemClock(), url=influx_server.url, database="quantflux")
        stack.callback(influx_store.close)
        influx = InfluxDirect(influx_server.url, "quantflux")
        stack.callback(influx.close)
        settings = Settings(data_dir=folder / "quantflux", panels={"check_seconds": 0})
        platform = stack.enter_context(Platform.open(settings))
        made = Scene(
            size, folder, platform, mariadb, database, influx_server, influx, influx_store,
            symbols=[], minute_symbols=[], days=days, minute_days=days[-size.minute_days :],
        )  # fmt: skip
        made.rows = {"daily": sum(t.num_rows for t in daily), "minute": sum(t.num_rows for t in minutes)}
        _load(made, daily, minutes, say)
        made.symbols = platform.data.symbols(DAILY)
        made.minute_symbols = platform.data.symbols(MINUTE)
        yield made


def _load(made: Scene, daily: list[pa.Table], minutes: list[pa.Table], say: Callable[[str], None]) -> None:
    stores = {"ours": made.platform.store, "influx": made.influx_store}
    for kind, dataset, tables in (("daily", DAILY, daily), ("minute", MINUTE, minutes)):
        made.load_seconds[kind] = {}
        for rival, store in stores.items():
            say(f"loading {made.rows[kind]:,} {kind} rows: {rival}")
            start = time.perf_counter()
            for table in _batches(tables):
                store.write(dataset, table)
            made.load_seconds[kind][rival] = time.perf_counter() - start
        made.platform.data.compact(dataset, keep_history=timedelta())
    for kind, dataset, tables in (("daily", DAILY, daily), ("minute", MINUTE, minutes)):
        say(f"loading {made.rows[kind]:,} {kind} rows: v1, in bulk")
        whole = pa.concat_tables(tables).sort_by([(name, "ascending") for name in dataset.key])
        start = time.perf_counter()
        v1.load_v1(made.mariadb, made.v1_database, **{"minutes" if kind == "minute" else kind: whole})
        made.load_seconds[kind]["v1"] = time.perf_counter() - start


def _batches(tables: list[pa.Table], rows: int = 500_000) -> Iterator[pa.Table]:
    """Join small tables, so that every store is written in batches of a sensible size."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(t.num_rows for t in waiting) >= rows:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
