"""Tags, 304, and bodies that are kept for as long as the data stay the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi import Request, Response

from quantflux.api.answers import Form
from quantflux.api.cached import answer
from quantflux.api.questions import Found, Question
from quantflux.config import Settings
from quantflux.core.errors import LimitReached, NotFound
from quantflux.data.schema import DAILY
from quantflux.platform import Platform
from tests.data.market_tables import daily_bars

QUESTION = Question("user_queries", "closes", Form.COLUMNS, (DAILY.name,))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with Platform.open(Settings(data_dir=tmp_path)) as opened:
        write(opened, 2)
        yield opened


def write(platform: Platform, day: int) -> None:
    platform.data.write(DAILY, daily_bars(["600519.SH"], date(2024, 1, day), 1))


class Origin:
    """Writes the version that it reads, and counts."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.calls = 0
        self.writes = 0

    def __call__(self) -> Found:
        self.calls += 1
        body = f"version {self.platform.data.version(DAILY)}".encode()
        if self.writes:
            self.writes -= 1
            write(self.platform, 3 + self.calls)
        return Found(body, next="600519.SH@1")


def ask(
    platform: Platform,
    origin: Callable[[], Found],
    tag: str | None = None,
    question: Question = QUESTION,
    method: str = "GET",
) -> Response:
    headers = [] if tag is None else [(b"if-none-match", tag.encode())]
    scope = {
        "type": "http",
        "method": method,
        "headers": headers,
        "path": "/bars",
        "query_string": b"limit=1",
    }
    scope |= {"server": ("host", 80), "scheme": "http"}
    return asyncio.run(answer(Request(scope), platform, question, origin))


def test_the_second_answer_comes_from_memory(platform: Platform) -> None:
    origin = Origin(platform)

    first, second = ask(platform, origin), ask(platform, origin)

    assert origin.calls == 1
    assert first.body == second.body == b"version 1"
    assert first.headers["etag"] == second.headers["etag"]
    assert (
        first.headers["link"] == second.headers["link"] == '</bars?limit=1&after=600519.SH%401>; rel="next"'
    )


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_who_has_it_gets_304_and_nothing_is_read(platform: Platform, form: str) -> None:
    tag = ask(platform, Origin(platform)).headers["etag"]
    asyncio.run(platform.cache.clear())
    origin = Origin(platform)

    response = ask(platform, origin, form.format(tag))

    assert response.status_code == 304 and response.body == b"" and origin.calls == 0
    assert response.headers["etag"] == tag


def test_a_write_makes_another_tag_and_another_answer_at_once(platform: Platform) -> None:
    tag = ask(platform, Origin(platform)).headers["etag"]

    write(platform, 3)
    response = ask(platform, Origin(platform), tag)

    assert response.status_code == 200 and response.body == b"version 2"
    assert response.headers["etag"] != tag


def test_another_question_form_or_permission_has_another_tag(platform: Platform) -> None:
    others = [
        Question("user_queries", "opens", Form.COLUMNS, (DAILY.name,)),
        Question("user_queries", "closes", Form.ROWS, (DAILY.name,)),
    ]

    tags = {ask(platform, Origin(platform), question=q).headers["etag"] for q in [QUESTION, *others]}

    assert len(tags) == 3


def test_a_body_read_while_somebody_wrote_is_thrown_away(platform: Platform) -> None:
    origin = Origin(platform)
    origin.writes = 1

    response = ask(platform, origin)

    assert origin.calls == 2
    assert response.body == b"version 2"
    assert ask(platform, origin).headers["etag"] == response.headers["etag"]


def test_data_that_never_stand_still_are_answered_without_a_tag(platform: Platform) -> None:
    origin = Origin(platform)
    origin.writes = 10

    response = ask(platform, origin)

    assert response.status_code == 200 and "etag" not in response.headers


def test_an_error_is_not_kept(platform: Platform) -> None:
    def fails() -> Found:
        raise NotFound("nothing")

    with pytest.raises(NotFound):
        ask(platform, fails)

    assert ask(platform, Origin(platform)).body == b"version 1"


def test_any_tag_will_do_only_if_there_is_an_answer(platform: Platform) -> None:
    def fails() -> Found:
        raise NotFound("nothing")

    with pytest.raises(NotFound):
        ask(platform, fails, "*")

    first, second = (ask(platform, Origin(platform), "*") for _ in range(2))
    assert first.status_code == second.status_code == 304
    assert first.body == b"" and first.headers["etag"] == second.headers["etag"]


def test_only_reads_are_answered_with_304(platform: Platform) -> None:
    tag = ask(platform, Origin(platform)).headers["etag"]

    assert ask(platform, Origin(platform), tag, method="HEAD").status_code == 304
    assert ask(platform, Origin(platform), tag, method="POST").body == b"version 1"
    assert ask(platform, Origin(platform), "*", method="POST").body == b"version 1"


def test_another_release_answers_anew(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = ask(platform, Origin(platform)).headers["etag"]
    monkeypatch.setattr("quantflux.__version__", "99.0.0")
    origin = Origin(platform)

    assert ask(platform, origin, tag).status_code == 200 and origin.calls == 1


def test_nobody_is_refused_for_the_budget_of_another(platform: Platform) -> None:
    begun, asked = threading.Event(), threading.Event()

    def too_much() -> Found:
        begun.set()
        asked.wait(5)
        raise LimitReached("no more this hour", 60)

    async def both() -> tuple[object, Response]:
        scope = {"type": "http", "method": "GET", "headers": [], "path": "/bars", "query_string": b""}
        scope |= {"server": ("host", 80), "scheme": "http"}
        poor = asyncio.create_task(answer(Request(dict(scope)), platform, QUESTION, too_much))
        await asyncio.to_thread(begun.wait, 5)
        rich = asyncio.create_task(answer(Request(dict(scope)), platform, QUESTION, Origin(platform)))
        await asyncio.sleep(0.05)
        asked.set()
        refused, response = await asyncio.gather(poor, rich, return_exceptions=True)
        assert isinstance(response, Response), response
        return refused, response

    refused, response = asyncio.run(both())

    assert isinstance(refused, LimitReached)
    assert response.body == b"version 1"
