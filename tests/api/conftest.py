"""An application over a small synthetic market, and clients of it by role."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pytest
from fastapi import FastAPI
from starlette.exceptions import StarletteDeprecationWarning

from quantflux.accounts.permissions import ROLES, Role
from quantflux.accounts.principal import Principal
from quantflux.api.app import create_app
from quantflux.config import Settings
from quantflux.core.errors import NotAuthenticated
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, DAILY_BASIC, INSTRUMENTS, Dataset
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

with warnings.catch_warnings():
    # It would rather have httpx2; the one that the client of the API uses does as well.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient

AsRole = Callable[[str], TestClient]


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
    with Platform.open(Settings(data_dir=tmp_path_factory.mktemp("api"))) as opened:
        for dataset, rows in market_tables.items():
            opened.data.write(dataset, rows)
        opened.__dict__["accounts"] = _NamedRoles()
        opened.__dict__["limiter"] = _NoLimits()
        yield opened


@pytest.fixture(scope="module")
def api(platform: Platform) -> FastAPI:
    """The application."""
    return create_app(platform)


@pytest.fixture(scope="module")
def anonymous(api: FastAPI) -> Iterator[TestClient]:
    """A client that is not logged in."""
    with TestClient(api) as client:
        yield client


@pytest.fixture(scope="module")
def as_role(api: FastAPI) -> AsRole:
    """Return a client that is logged in as a user of a role: `as_role("viewer")`."""

    def client(role: str) -> TestClient:
        return TestClient(api, headers={"Authorization": f"Bearer {role}"})

    return client


class _NamedRoles:
    """Takes a role's name for a token."""

    def authenticate_request(
        self, authorization: str | None, api_key: str | None, *, address: str
    ) -> Principal:
        name = (authorization or "").removeprefix("Bearer ")
        if name not in set(Role):
            raise NotAuthenticated("Log in: the credentials were not accepted.")
        role = Role(name)
        return Principal(list(Role).index(role) + 1, name, role, ROLES[role], "token", session=f"s-{name}")


@dataclass(frozen=True)
class _Allowance:
    allowed: bool = True
    limit: int = 1000
    remaining: int = 999
    reset_seconds: float = 60.0
    retry_after: float = 0.0


class _NoLimits:
    """Lets everything through."""

    def check(self, kind: str, user: str, address: str) -> _Allowance:
        return _Allowance()
