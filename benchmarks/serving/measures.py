"""The runs: bars beside v1's route, kinds of requests, mixed traffic, and Redis killed under it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyarrow as pa
from tests.services.mariadb import MariaDBServer
from tests.services.process import ServerProcess, free_port
from tests.services.redis import RedisServer

from benchmarks.rivals.measuring import Say
from benchmarks.rivals.report import Grid, RivalReport
from benchmarks.serving import requests
from benchmarks.serving.market import Market
from benchmarks.serving.server import make_key, served
from benchmarks.serving.wrk import Asking, Load, run, write_requests
from benchmarks.v1 import load_v1

_COLUMNS = ["what", "requests/s", "P50, ms", "P99, ms", "P99.9, ms", "longest, ms", "requests", "failed"]
_WARM_SECONDS = 3.0
_WARM_MIXED_SECONDS = 20.0  # every score of the last days is computed once
_MIXED_CONNECTIONS = 6


class Measures:
    """Measures one installation.

    Parameters
    ----------
    market : Market
    work : Path
        Has the folder `installation`.
    report : RivalReport
        Takes the tables.
    say : callable
    seconds : float
        That each run of one kind of request lasts.
    """

    def __init__(self, market: Market, work: Path, report: RivalReport, say: Say, seconds: float) -> None:
        self._market, self._work, self._report, self._say, self._seconds = market, work, report, say, seconds
        self._folder = work / "installation"
        self._headers = (f"X-API-Key: {make_key(self._folder)}", "Content-Type: application/json")

    def beside_v1(self, daily: pa.Table) -> None:
        """Measure a year of daily bars of a hundred symbols, ours and v1's, with Redis behind both and without."""
        rows = []
        asked = write_requests(self._work / "v1.txt", requests.v1_history(self._market))
        with RedisServer.temporary() as redis, _v1_tables(self._work, daily) as database:
            for label, cache in (("v1, MariaDB", None), ("v1, Redis before MariaDB", redis.url)):
                with _v1_served(self._work, database, cache) as url:
                    rows.append([label, *self._measured(label, url, asked, ())])
        asked = write_requests(self._work / "cached.txt", requests.cached_bars(self._market))
        with RedisServer.temporary() as redis:
            for label, settings in (("quantflux", ()), ("quantflux, Redis behind its memory", _redis(redis))):
                with served(self._folder, *settings) as server:
                    rows.append([label, *self._measured(label, server.url, asked, self._headers)])
        self._add(
            "A year of daily bars, asked for again",
            rows,
            "16 connections that stay open; JSON, all columns, the newest day included.",
        )

    def kinds_of_requests(self) -> None:
        """Measure what one worker answers of each kind."""
        kinds: dict[str, list[Asking]] = {
            "nothing but that it lives": [Asking("/health/live")],
            "one day of the calendar": [Asking(f"/api/v2/calendar/{self._market.days[-1]}")],
            "a year of bars, in memory": requests.cached_bars(self._market),
            "a year of bars, from the panels": requests.uncached_bars(self._market),
        }
        rows = []
        with served(self._folder) as server:
            for label, asked in kinds.items():
                path = write_requests(self._work / "kind.txt", asked)
                rows.append([label, *self._measured(label, server.url, path, self._headers)])
            rows.append(["the same bars, by their tag", *self._not_modified(server.url)])
        self._add("Kinds of requests", rows, "16 connections that stay open.")

    def mixed_traffic(self, seconds: float) -> None:
        """Measure 80 % bars, 15 % factors and scores and 5 % changes for as long as is asked."""
        path = write_requests(self._work / "mixed.txt", requests.mixed(self._market))
        rows = []
        with served(self._folder) as server:
            self._say(f"mixed traffic for {seconds:.0f} s")
            self._mixed(server.url, path, _WARM_MIXED_SECONDS, 1)
            rows.append([f"mixed, {seconds:.0f} s", *_cells(self._mixed(server.url, path, seconds, 2))])
        note = (
            "6 connections that stay open. 60 % bars asked for before, 20 % new ones, 8 % factors, 7 % scores, "
            "5 % definitions."
        )
        self._add("Mixed traffic", rows, note)

    def redis_killed(self, before: int = 3, after: int = 10) -> None:
        """Measure mixed traffic second by second while Redis, which cache and limits use, is killed."""
        path = write_requests(self._work / "mixed.txt", requests.mixed(self._market))
        rows = []
        with RedisServer.temporary() as redis, served(self._folder, *_redis(redis)) as server:
            self._mixed(server.url, path, _WARM_MIXED_SECONDS, 3)
            for second in range(-before, after):
                label = f"second {second + 1}" if second >= 0 else f"{-second} s before"
                killing = threading.Timer(0.3, redis.kill)
                if second == 0:
                    killing.start()
                    label += ", Redis killed in it"
                load = self._mixed(server.url, path, 1.0, 10 + second)
                killing.join() if second == 0 else None
                rows.append([label, *_cells(load)])
        self._add(
            "Redis killed under mixed traffic",
            rows,
            "6 connections that stay open; wrk begins anew each second.",
        )

    def _mixed(self, url: str, path: Path, seconds: float, number: int) -> Load:
        return run(url, path, seconds, connections=_MIXED_CONNECTIONS, headers=self._headers, number=number)

    def _measured(self, label: str, url: str, asked: Path, headers: Sequence[str]) -> list[str | float]:
        self._say(f"{label}: {self._seconds:.0f} s")
        run(url, asked, _WARM_SECONDS, headers=headers)
        return _cells(run(url, asked, self._seconds, headers=headers))

    def _not_modified(self, url: str) -> list[str | float]:
        asked = requests.cached_bars(self._market)[:1]
        name, _, key = self._headers[0].partition(": ")
        tag = httpx.get(url + asked[0].path, headers={name: key}).headers["etag"]
        path = write_requests(self._work / "kind.txt", asked)
        return self._measured("by tag", url, path, (*self._headers, f"If-None-Match: {tag}"))

    def _add(self, title: str, rows: list[list[str | float]], note: str) -> None:
        self._report.tables.append(Grid(title, list(_COLUMNS), rows, note))


def _cells(load: Load) -> list[str | float]:
    return [load.rate, load.p50, load.p99, load.p999, load.most, f"{load.requests:,}", str(load.failed)]


def _redis(server: RedisServer) -> tuple[str, ...]:
    return ("cache.backend=redis", f"cache.url={server.url}", "limits.backend=redis")


@contextmanager
def _v1_tables(work: Path, daily: pa.Table) -> Iterator[str]:
    (work / "mariadb").mkdir()
    options = ["--innodb-buffer-pool-size=2G", "--innodb-flush-log-at-trx-commit=2"]
    with MariaDBServer.temporary(options, work / "mariadb") as mariadb:
        name = mariadb.create_database("stock_cursor")
        load_v1(mariadb, name, daily=daily)
        yield f"mysql+pymysql://{mariadb.user}@{mariadb.host}:{mariadb.port}/{name}?charset=utf8mb4"


@contextmanager
def _v1_served(work: Path, database: str, cache: str | None) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.serving.v1_app", "--port", str(port), "--database", database]
    command += ["--cache", cache] if cache else []
    process = ServerProcess(command, work / "v1.log", lambda: _answers(url))
    process.start()
    try:
        yield url
    finally:
        process.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/nothing", timeout=1.0).status_code == 404
    except httpx.HTTPError:
        return False
