"""Bodies that are no JSON, or JSON that means trouble: refused by every route, never a 500."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from quantflux.api.bodies import parse
from quantflux.api.errors import Problem
from tests.api.conftest import AsRole

EVIL: dict[str, bytes] = {
    "nothing": b" ",
    "cut off": b'{"symbols": ["600519.SH"',
    "two values": b"{} {}",
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b'{"a": 1 /* one */}',
    "Python": b"{'a': None}",
    "an unquoted key": b"{a: 1}",
    "NaN": b'{"limit": NaN}',
    "Infinity": b'{"limit": Infinity}',
    "-Infinity": b'{"limit": -Infinity}',
    "1e999": b'{"limit": 1e999}',
    "-1e999": b'{"limit": -1e999}',
    "5,000 digits": b'{"limit": ' + b"1" * 5000 + b"}",
    "20 digits": b'{"limit": 18446744073709551616}',
    "5,000 decimals and a large exponent": b'{"limit": 0.' + b"1" * 5000 + b"e400}",
    "a leading zero": b'{"limit": 01}',
    "hexadecimal": b'{"limit": 0xff}',
    "a plus sign": b'{"limit": +1}',
    "a bare point": b'{"limit": .5}',
    "10^5 lists": b"[" * 100_000 + b"]" * 100_000,
    "10^5 lists, open": b"[" * 100_000,
    "10^5 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "33 lists": b"[" * 33 + b"]" * 33,
    "33 objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "a key twice": b'{"name": "a", "name": "b"}',
    "a key twice, escaped": b'{"name": "a", "\\u006eame": "b"}',
    "a key twice, deep": b'{"x": [{"a": 1, "a": 1}]}',
    "a lone high surrogate": b'{"name": "\\ud800"}',
    "a lone low surrogate": b'{"name": "\\udc00"}',
    "surrogates in the wrong order": b'{"name": "\\udc00\\ud800"}',
    "a surrogate as a key": b'{"\\ud800": 1}',
    "NUL, escaped": b'{"name": "a\\u0000b"}',
    "NUL in a key": b'{"a\\u0000": 1}',
    "NUL, raw": b'{"name": "a\x00b"}',
    "a raw line feed in a text": b'{"name": "a\nb"}',
    "a raw escape character": b'{"name": "\x1b[31m"}',
    "a byte that is no UTF-8": b'{"name": "\xff"}',
    "an overlong encoding": b'{"name": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "a cut character": b'{"name": "\xe4\xb8',
    "GBK": '{"name": "平安银行"}'.encode("gbk"),
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "a bad escape": b'{"name": "\\x41"}',
    "half an escape": b'{"name": "\\u12"}',
}
"""What is no acceptable JSON anywhere."""

ODD: dict[str, bytes] = {
    "null": b"null",
    "a list": b"[]",
    "a text": b'"a"',
    "a number": b"1",
    "an unknown key": b'{"no_such_key_anywhere": 1}',
    "__proto__": b'{"__proto__": {"role": "admin"}}',
    "a negative zero": b'{"no_such_key_anywhere": -0.0}',
    "the texts inf and nan": b'{"limit": "inf", "no_such_key_anywhere": "nan"}',
    "500 keys": b"{" + b",".join(b'"k%d": %d' % (i, i) for i in range(500)) + b"}",
}
"""Good JSON that fits no body of ours."""


def bodies_of(api: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, re.sub(r"\{[^}]*\}", "1", route.path))
        for route in api.routes
        if isinstance(route, APIRoute) and route.path.startswith("/api/v2") and route.body_field is not None
        for method in sorted(route.methods)
    ]


def answers(api: FastAPI, as_role: AsRole, bodies: dict[str, bytes]) -> list[tuple[str, httpx.Response]]:
    """Send each body to each route that takes one, all in one event loop, as they are many."""
    headers = {**as_role("admin").headers, "Content-Type": "application/json"}

    async def send() -> list[tuple[str, httpx.Response]]:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            return [
                (f"{method} {path} with {name}", await client.request(method, path, content=body))
                for method, path in bodies_of(api)
                for name, body in bodies.items()
            ]

    found = asyncio.run(send())
    assert len(found) >= 10 * len(bodies)
    return found


def test_no_route_takes_what_is_no_json(api: FastAPI, as_role: AsRole) -> None:
    assert len(EVIL) >= 40

    for what, answer in answers(api, as_role, EVIL):
        assert answer.status_code == 400, f"{what}: {answer.text}"
        assert answer.json()["code"] == "invalid_json"


def test_no_route_takes_json_that_it_does_not_know(api: FastAPI, as_role: AsRole) -> None:
    for what, answer in answers(api, as_role, ODD):
        assert answer.status_code == 422, f"{what}: {answer.text}"
        assert len(answer.content) < 20_000
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "given",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/json; charset=gbk",
        "",
    ],
)
def test_only_json_is_taken_for_json(api: FastAPI, as_role: AsRole, given: str) -> None:
    client = as_role("admin")
    headers = {"Content-Type": given} if given else {}

    for method, path in bodies_of(api):
        answer = client.request(method, path, content=b"{}", headers=headers)

        assert answer.status_code == 415, f"{method} {path}"


def test_the_answer_to_a_wrong_body_does_not_repeat_its_values(as_role: AsRole) -> None:
    answer = as_role("admin").post(
        "/api/v2/account/password",
        json={"current_password": ["hunter2hunter2"], "new_password": "hunter3" * 30},
    )

    assert answer.status_code == 422
    assert "hunter" not in answer.text
    assert {each["field"] for each in answer.json()["problems"]} == {
        "body.current_password",
        "body.new_password",
    }


@pytest.mark.parametrize("name", EVIL)
def test_parse_refuses(name: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(EVIL[name])

    assert caught.value.status_code == 400
    assert len(str(caught.value.detail)) < 400


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[" * 32 + b"]" * 32, None),
        ('{"name": "贵州茅台"}'.encode(), {"name": "贵州茅台"}),
        (b'{"name": "\\ud83d\\ude00"}', {"name": "\U0001f600"}),
        (b'{"a": 9223372036854775807, "b": -9223372036854775808}', {"a": 2**63 - 1, "b": -(2**63)}),
        (b'{"a": 0.1, "b": 1e308, "c": true, "d": null}', {"a": 0.1, "b": 1e308, "c": True, "d": None}),
        (b' [1, "1"] ', [1, "1"]),
    ],
)
def test_parse_takes_what_is_json(body: bytes, value: object) -> None:
    parsed = parse(body)

    assert value is None or parsed == value


def test_a_large_body_is_parsed_like_a_small_one() -> None:
    rows = b",".join(b'{"symbol": "600519.SH", "weight": 0.5}' for _ in range(20_000))

    parsed = parse(b"[" + rows + b"]")

    assert len(parsed) == 20_000 and parsed[-1] == {"symbol": "600519.SH", "weight": 0.5}


def test_many_mistakes_are_counted_and_not_listed(as_role: AsRole) -> None:
    answer = as_role("admin").post("/api/v2/users", json={f"k{i}": i for i in range(10_000)})

    assert answer.status_code == 422
    assert len(answer.content) < 1000 and "10002 mistakes" in answer.json()["detail"]
