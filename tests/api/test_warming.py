"""What was often asked is answered before it is asked again."""

from __future__ import annotations

import asyncio
from typing import Any

import pyarrow.compute as pc
import pytest

from quantflux.api.answers import Form
from quantflux.api.questions import Found, Question
from quantflux.api.warming import UsualQuestions, keep_warm
from quantflux.data.schema import DAILY
from quantflux.platform import Platform
from tests.api.conftest import AsRole


def test_after_a_write_the_hottest_stocks_are_answered_before_anybody_asks(
    as_role: AsRole, api: Any, platform: Platform, market_tables: Any
) -> None:
    client = as_role("viewer")
    address = f"/api/v2/bars/{platform.data.symbols()[0]}?start=2024-03-01"
    first = client.get(address)
    assert first.status_code == 200
    row = market_tables[DAILY].slice(0, 1)
    place = row.schema.get_field_index("volume")
    platform.data.write(DAILY, row.set_column(place, row.schema.field(place), pc.add(row["volume"], 1)))
    before = platform.cache.stats().kinds["hot_stocks"]

    asyncio.run(platform.cache.warm(1, lambda stock: api.state.usual.load(platform, stock)))
    warmed = platform.cache.stats().kinds["hot_stocks"]
    second = client.get(address)
    after = platform.cache.stats().kinds["hot_stocks"]

    assert warmed.misses == before.misses + 1
    assert second.json()["columns"] == first.json()["columns"]
    assert second.headers["etag"] != first.headers["etag"]
    assert (after.hits - warmed.hits, after.misses - warmed.misses) == (1, 0)


def test_what_there_is_not_is_not_remembered(as_role: AsRole, api: Any) -> None:
    assert as_role("viewer").get("/api/v2/bars/600999.SH").status_code == 404
    assert "600999.SH" not in api.state.usual._stocks


def test_it_remembers_a_few_questions_of_a_stock_the_newest_ones() -> None:
    usual = UsualQuestions()
    questions = [
        Question("hot_stocks", f"bars {number}", Form.COLUMNS, (DAILY.name,), stock="000001.SZ")
        for number in range(6)
    ]
    for question in [*questions, questions[2]]:
        usual.note(question, lambda: Found(b"{}"))

    kept = [question.text for question, _ in usual._stocks["000001.SZ"].values()]
    assert kept == ["bars 3", "bars 4", "bars 5", "bars 2"]


def test_it_goes_on_after_a_failure_until_it_is_stopped(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []

    async def warm(count: int, load: Any) -> int:
        rounds.append(count)
        if len(rounds) == 1:
            raise ZeroDivisionError
        return 0

    monkeypatch.setattr(platform.cache, "warm", warm)

    async def run() -> None:
        task = asyncio.create_task(keep_warm(platform, UsualQuestions(), every=0.001))
        while len(rounds) < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert "warming the cache failed" in caplog.text
    assert rounds[0] == platform.settings.cache.hot_stocks
