"""Forged credentials on every route: nobody is let in, and all are told the same."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from quantflux.accounts.secrets import secret_file
from tests.accounts.forged import Genuine, claims_of, forged, header_of, signed
from tests.attack.target import Target, at

FEW = 12
"""Of the forged headers that go to every route by default; all of them go to one route, and to every one when asked
for many."""


@pytest.fixture(scope="module")
def headers(target: Target) -> dict[str, str]:
    """Values of the header Authorization by what is wrong with them."""
    user = target.new_user("admin")
    key = secret_file(target.platform.settings.data_dir / "secrets" / "signing")
    genuine = Genuine(user.access, user.refresh, _api_key(target), key, "own")
    assert target.send("GET", "/api/v2/account", headers=_with(_resigned(genuine))).status == 200
    return forged(genuine)


def _api_key(target: Target) -> str:
    until = (target.platform.clock.now() + timedelta(days=1)).isoformat()
    body = {"name": "forged", "scopes": ["market:read"], "expires_at": until}
    return str(target.send("POST", "/api/v2/account/api-keys", body=body, by="viewer").json()["text"])


def _resigned(genuine: Genuine) -> str:
    """Return a header signed as the forged ones are: only what is changed in them keeps them out."""
    return f"Bearer {signed(header_of(genuine), claims_of(genuine.access), genuine.key)}"


def _with(header: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", header.encode())]


def _attack(target: Target, headers: dict[str, str], names: list[str]) -> int:
    sent = 0
    told: set[bytes] = set()
    for method, route in target.routes:
        if route.need.permission is None:
            continue
        v1 = route.need.of_v1
        for name in names:
            reply = target.send(
                method, at(route), headers=_with(headers[name]), body=None if method == "GET" else {}
            )
            assert reply.status == 401, (
                f"{method} {route.path} took {name}: {reply.status} {reply.body[:200]!r}"
            )
            sent += 1
            if not v1:
                told.add(reply.without_id)
    assert len(told) == 1, told
    return sent


def test_every_forged_header_is_refused_on_a_route(
    target: Target, headers: dict[str, str], tried: Counter[str]
) -> None:
    assert len(headers) >= 60
    told = set()
    for name, header in headers.items():
        reply = target.send("GET", "/api/v2/users", headers=_with(header))
        assert reply.status == 401, name
        told.add(reply.without_id)
    assert len(told) == 1
    tried["forged credentials"] += len(headers)


def test_every_route_refuses_forged_headers(
    target: Target, headers: dict[str, str], tried: Counter[str]
) -> None:
    names = sorted(headers)[:: max(1, len(headers) // FEW)]
    tried["forged credentials"] += _attack(target, headers, names)


@pytest.mark.slow
def test_every_route_refuses_every_forged_header(
    target: Target, headers: dict[str, str], tried: Counter[str]
) -> None:
    tried["forged credentials"] += _attack(target, headers, sorted(headers))


def test_forged_headers_open_no_public_route_further(
    target: Target, headers: dict[str, str], tried: Counter[str]
) -> None:
    """Where nobody has to log in, forged credentials show no more than none."""
    for name, header in headers.items():
        for path in ("/docs", "/openapi.json"):
            assert target.send("GET", path, headers=_with(header)).status == 401, name
        reply = target.send("GET", "/metrics", headers=_with(header), address="198.51.100.7")
        assert reply.status == 401, name
    tried["forged credentials"] += 3 * len(headers)
