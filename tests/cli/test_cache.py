"""`quantflux cache`: what it shows of a real Redis, what it removes, and what it cannot reach."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from quantflux.cache.manager import CacheManager
from quantflux.cache.policies import standard_policies
from quantflux.cache.redis_backend import RedisBackend
from quantflux.cli import app as root
from quantflux.core.clock import SystemClock
from tests.services.process import free_port

REDIS = ("--set", "cache.backend=redis", "--set")


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> int:
    """Run `quantflux ARGUMENTS` in this process, and return its exit code."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("QUANTFLUX_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["quantflux", *arguments])
    with pytest.raises(SystemExit) as left:
        root.main()
    return int(left.value.code or 0)


@pytest.fixture
def filled(redis_url: str) -> str:
    """The address of a Redis that holds three entries of two kinds."""
    cache = CacheManager(RedisBackend(redis_url), standard_policies(), SystemClock(), memory_bytes=1_000_000)

    async def fill() -> None:
        for key in ("a", "b"):
            await cache.get_or_compute("results", key, "v1", lambda: b"value")
        await cache.cache_realtime_data("600519", b"price")
        await cache.drain()

    asyncio.run(fill())
    cache.close()
    return redis_url


@pytest.mark.redis
def test_stats_show_each_kind(
    filled: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, *REDIS, f"cache.url={filled}", "cache", "stats") == 0

    shown = capsys.readouterr()
    lines = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines()[2:6]}
    assert lines["results"] == ["3,600", "s", "2", "90", "B"]
    assert lines["realtime"][:3] == ["300", "s", "1"]
    assert lines["hot_stocks"] == ["1,800", "s", "0", "0", "B"]
    assert "holds 0 keys of others" in shown.out
    assert "unwise: maxmemory is not set" in shown.err
    assert "memory, which this command cannot reach" in shown.err


@pytest.mark.redis
def test_stats_for_programs(
    filled: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, *REDIS, f"cache.url={filled}", "cache", "stats", "--json") == 0

    told = json.loads(capsys.readouterr().out)
    assert told["backend"] == "redis" and told["foreign_keys"] == 0
    assert told["kinds"]["results"] == {"entries": 2, "bytes": 90}
    assert told["life_seconds"]["user_queries"] == 900


@pytest.mark.redis
def test_clear_removes_one_kind_then_all(
    filled: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = (*REDIS, f"cache.url={filled}", "cache", "clear")
    assert run(monkeypatch, tmp_path, *place, "results") == 0
    assert capsys.readouterr().out == "removed 2 entries of results from Redis\n"
    assert run(monkeypatch, tmp_path, *place) == 0
    shown = capsys.readouterr()
    assert shown.out == "removed 1 entry from Redis\n"
    assert "memory, which this command cannot reach" in shown.err
    assert run(monkeypatch, tmp_path, *place, "bars") == 1
    assert "'bars'; valid: hot_stocks, realtime, results, user_queries" in capsys.readouterr().err


def test_a_redis_that_is_not_there_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("stats", "clear"):
        url = f"redis://:geheim-und-lang@127.0.0.1:{free_port()}/0"
        assert run(monkeypatch, tmp_path, *REDIS, f"cache.url={url}", "cache", command) == 1
        shown = capsys.readouterr().err
        assert "cannot be reached" in shown and "geheim" not in shown


def test_memory_alone_belongs_to_the_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, "cache", "stats") == 0
    shown = capsys.readouterr()
    assert "results" in shown.out and "each server process keeps a cache of its own" in shown.err
    assert run(monkeypatch, tmp_path, "cache", "stats", "--json") == 0
    assert json.loads(capsys.readouterr().out)["backend"] == "memory"
    assert run(monkeypatch, tmp_path, "cache", "clear") == 1
    assert "each server process keeps a cache of its own" in capsys.readouterr().err
