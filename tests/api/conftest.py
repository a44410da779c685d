"""An application over a small synthetic market, and clients of it by role."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest
from fastapi import FastAPI
from starlette.exceptions import StarletteDeprecationWarning

from quantflux.accounts import manager
from quantflux.accounts.passwords import Passwords
from quantflux.accounts.permissions import Role
from quantflux.accounts.principal import LOCAL
from quantflux.api.app import create_app
from quantflux.config import ConfigManager, Settings
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, DAILY_BASIC, INSTRUMENTS, Dataset
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

with warnings.catch_warnings():
    # It would rather have httpx2; the one that the client of the API uses does as well.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient

RENEWED_SECONDS = 240.0

AsRole = Callable[[str], TestClient]

PASSWORD = "rain over nine hills"
_NO_LIMIT = 10_000_000
_LIMITS = dict.fromkeys(("reads", "work", "writes", "address", "logins", "total"), _NO_LIMIT)


def settings_in(folder: Path, **sections: object) -> Settings:
    """Settings of an installation in a folder, whose rates are out of the way of tests."""
    limits = {f"{name}_per_minute": rate for name, rate in _LIMITS.items()}
    return Settings.model_validate({"data_dir": folder, "limits": limits, **sections})


def with_cheap_passwords(platform: Platform) -> None:
    """Build a platform's accounts with hashes that take no time, as tests log in often."""
    with mock.patch.object(manager, "Passwords", partial(Passwords, rounds=1, memory_kib=8)):
        assert platform.accounts


def log_in(platform: Platform, role: str) -> str:
    """Make a user of a role who has chosen a password, and return an access token."""
    user, given = platform.users.add(LOCAL, f"some-{role}", Role(role))
    first = platform.accounts.log_in(user.name, given, address="192.0.2.1")
    caller = platform.accounts.authenticate_request(f"Bearer {first.access}", None, address="192.0.2.1")
    return platform.accounts.change_password(caller, given, PASSWORD, address="192.0.2.1").access


def clients_of(app: FastAPI, platform: Platform) -> AsRole:
    """Return what gives a client that is logged in as a user of a role, always the same user.

    Tokens end after ten minutes, and some applications serve tests for longer: whose token is old is logged in again.
    """
    tokens: dict[str, tuple[str, float]] = {}

    def client(role: str) -> TestClient:
        token, since = tokens.get(role, ("", 0.0))
        if not token:
            tokens[role] = log_in(platform, role), time.monotonic()
        elif time.monotonic() - since > RENEWED_SECONDS:
            again = platform.accounts.log_in(f"some-{role}", PASSWORD, address="192.0.2.1")
            tokens[role] = again.access, time.monotonic()
        return TestClient(app, headers={"Authorization": f"Bearer {tokens[role][0]}"})

    return client


@pytest.fixture(scope="session")
def market_tables() -> dict[Dataset, pa.Table]:
    """Eight companies over half a year."""
    market = SyntheticMarket(seed=3, companies=8, start=date(2024, 1, 2), end=date(2024, 6, 28))
    ((daily, basic),) = market.tables()
    return {
        DAILY: daily,
        DAILY_BASIC: basic,
        INSTRUMENTS: market.instruments(),
        CORPORATE_ACTIONS: market.corporate_actions(),
    }


@pytest.fixture(scope="module")
def platform(
    market_tables: dict[Dataset, pa.Table], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A platform over that market; one a module, so that no module sees what another did."""
    with Platform.open(settings_in(tmp_path_factory.mktemp("api"))) as opened:
        for dataset, rows in market_tables.items():
            opened.data.write(dataset, rows)
        with_cheap_passwords(opened)
        yield opened


@pytest.fixture(scope="module")
def api(platform: Platform) -> FastAPI:
    """The application."""
    return create_app(platform, manager=ConfigManager(environ={}))


@pytest.fixture(scope="module")
def anonymous(api: FastAPI) -> Iterator[TestClient]:
    """A client that is not logged in."""
    with TestClient(api) as client:
        yield client


@pytest.fixture(scope="module")
def as_role(api: FastAPI, platform: Platform) -> AsRole:
    """Return a client that is logged in as a user of a role, always the same one: `as_role("viewer")`."""
    return clients_of(api, platform)
