"""Generated requests, good ones and bad ones, to every operation of the API's own description, by users of every role.

No answer may be a failure of the server; status, content type and body must be what the description says, and what
the description forbids must be refused.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.attack.target import ROLES, Reply, Target, attacked

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FEW, MANY = 8, 80
"""Good and as many bad requests to each operation, by default and when asked for many."""

_WORK_SECONDS = 3.0


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Like the others, but nothing may be estimated to take long."""
    folder: Path = tmp_path_factory.mktemp("described")
    with attacked(folder, work_seconds=_WORK_SECONDS) as made:
        yield made


def test_some(target: Target, tried: Counter[str]) -> None:
    cases = attack(target, FEW, tried, "contract")

    assert cases >= 2_000


@pytest.mark.slow
def test_many(target: Target, tried: Counter[str]) -> None:
    cases = attack(target, MANY, tried, "contract, many")

    assert cases >= 20_000


def attack(target: Target, each: int, tried: Counter[str], name: str) -> int:
    """Send requests to every operation and return how many; collects what is wrong before it fails."""
    schema = schemathesis.openapi.from_dict(target.app.openapi())
    wrong: dict[str, str] = {}
    total = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in schemathesis.GenerationMode:
            total += _attack_one(target, operation, mode, each, wrong)
        target.tidy()
    tried[name] += total
    assert not wrong, f"{len(wrong)} findings:\n" + "\n\n".join(wrong.values())
    return total


def _attack_one(
    target: Target, operation: Any, mode: schemathesis.GenerationMode, each: int, wrong: dict[str, str]
) -> int:
    sent = 0
    of_v2 = operation.path.startswith("/api/v2")  # version 1 takes what its clients always sent

    @seed(20240603)
    @settings(
        max_examples=each,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.sampled_from(ROLES))
    def send(case: Any, role: str) -> None:
        nonlocal sent
        sent += 1
        prepared = _prepared(case)
        reply = _sent(target, prepared, role)
        checks = list(CHECKS)
        if of_v2 and reply.status != 413:  # a refusal, which the check does not know as one
            checks.append(negative_data_rejection)
        try:
            case.validate_response(_response(prepared, reply), checks=checks)
        except FailureGroup as failure:  # each kind of finding is told once, with its request
            told = "; ".join(f"{type(each).__name__}: {each}" for each in failure.exceptions)
            key = f"{operation.label} {[type(each).__name__ for each in failure.exceptions]} "
            body = prepared.body[:600] if prepared.body else b""
            wrong.setdefault(
                key + str(reply.status),
                f"{mode} by {role}: {prepared.method} {prepared.url}\n{body!r}\n{reply.status} {reply.body[:600]!r}\n"
                f"{told[:800]}",
            )

    try:
        send()
    except Exception as failure:
        if type(failure).__name__ not in ("Unsatisfiable", "SkipTest", "Skipped"):
            raise  # nothing bad can be said to an operation without parameters
    return sent


def _prepared(case: Any) -> requests.PreparedRequest:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kwargs = case.as_transport_kwargs(base_url="http://test")
        kwargs.pop("cookies", None)
        return requests.Request(**{k: v for k, v in kwargs.items() if k in _TAKEN}).prepare()


_TAKEN = ("method", "url", "headers", "params", "data", "json", "files")


def _sent(target: Target, prepared: requests.PreparedRequest, role: str) -> Reply:
    path, _, query = prepared.path_url.partition("?")
    headers = [
        (str(n).lower().encode("latin-1"), v if isinstance(v, bytes) else v.encode("utf-8"))
        for n, v in prepared.headers.items()
        if n.lower()
        not in ("host", "content-length", "connection", "accept-encoding", "authorization", "x-api-key")
    ]
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return target.send(prepared.method or "", path, query=query.encode(), headers=headers, body=body, by=role)


def _response(prepared: requests.PreparedRequest, reply: Reply) -> schemathesis.Response:
    return schemathesis.Response(
        status_code=reply.status,
        headers={name: [value] for name, value in reply.headers.items()},
        content=reply.body,
        request=prepared,
        elapsed=0.0,
        verify=False,
        http_version="1.1",
    )
