"""The page of the API: its tables are the code's, its examples work, its codes are all there are."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tests.api import handbook
from tests.api.conftest import AsRole
from tests.api.v2.research.conftest import Done

PAGE = (handbook.ROOT / "docs/api.md").read_text("utf-8")
EXAMPLES = re.findall(r"```http\n(GET|POST) (\S+)\n(.*?)```", PAGE, re.DOTALL)
NOT_IN_TABLE = {
    400: {"bad_request"},
    408: {"headers_too_slow"},
    431: {"headers_too_large"},
    500: {"internal"},
}
"""Codes that come from below the routes, or from what nobody foresaw."""


@pytest.mark.parametrize("page", handbook.PAGES)
def test_tables_are_what_the_code_says(page: str, api: FastAPI) -> None:
    text = (handbook.ROOT / page).read_text("utf-8")

    assert text == handbook.written(text, api), "write them again: python -m tests.api.handbook"


def test_every_resource_has_a_table(api: FastAPI) -> None:
    wanted = {name for name in handbook.tables(api) if name.startswith("routes of")}

    assert wanted == set(re.findall(r"<!-- table: (routes of [^>]+) -->", PAGE))


def test_every_path_on_the_page_exists(api: FastAPI) -> None:
    paths = [route.path_regex for route in api.routes if isinstance(route, APIRoute)]
    named = set(re.findall(r"/api/v2/[\w/{}.-]+|/health[\w/]*|/metrics|/openapi\.json", PAGE))

    assert len(named) > 60
    for path in named:
        assert any(regex.match(path.rstrip("/.")) for regex in paths), path


def test_every_code_of_http_is_listed_with_its_status() -> None:
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| (\d+) \|", PAGE.split("About HTTP itself")[1], re.MULTILINE
    )
    listed = {(int(status), code) for codes, status in rows for code in re.findall(r"`(\w+)`", codes)}

    assert handbook.problem_codes() | {(s, c) for s, many in NOT_IN_TABLE.items() for c in many} == listed


def test_the_examples_work_in_their_order(as_role: AsRole, done: Done) -> None:
    client = as_role("admin")
    tried: set[str] = set()

    soon = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    for method, path, body in EXAMPLES:
        text = re.sub(r'("expires_at": )"[^"]+"', rf'\1"{soon}"', body)
        sent = {"content": text, "headers": {"Content-Type": "application/json"}} if text else {}
        answer = client.request(method, path, **sent)
        assert answer.status_code < 300, (method, path, answer.text)
        if answer.status_code == 202:
            done(client, answer)
        tried.add(path.split("?")[0].split("/")[3 if path.startswith("/api") else 1])
    assert {
        "bars",
        "factors",
        "models",
        "predictions",
        "scores",
        "screens",
        "portfolios",
        "backtests",
    } <= tried
