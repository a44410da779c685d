"""A real server over a small synthetic market, with a runner of jobs, and clients of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import date

import polars as pl
import pytest
import uvicorn

import quantflux
from quantflux.accounts.permissions import Role
from quantflux.accounts.principal import LOCAL
from quantflux.api.app import create_app
from quantflux.api.listener import bind
from quantflux.api.server import configured
from quantflux.client.retries import Retries
from quantflux.config import ConfigManager
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.jobs import Runner
from quantflux.platform import Platform
from quantflux.work.authority import still_may
from quantflux.work.catalogue import KINDS
from tests.api.conftest import PASSWORD, settings_in, with_cheap_passwords

ClientOf = Callable[..., "quantflux.Client"]

QUICK = Retries(attempts=6, first=0.01, most=0.05)


MARKET = SyntheticMarket(seed=5, companies=10, start=date(2023, 1, 3), end=date(2024, 6, 28))


@pytest.fixture(scope="package")
def daily() -> pl.DataFrame:
    """The daily bars that are in the store, as they were before they came into it."""
    found = pl.concat([pl.DataFrame(pl.from_arrow(rows)) for rows, _ in MARKET.tables()])
    return found.with_columns(pl.col("symbol").cast(pl.String)).sort("symbol", "trade_date")


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Ten companies over a year and a half, a researcher ann and an administrator root who have chosen passwords."""
    market = MARKET
    with Platform.open(settings_in(tmp_path_factory.mktemp("client"))) as opened:
        for rows, basic in market.tables():
            opened.data.write(DAILY, rows)
            opened.data.write(DAILY_BASIC, basic)
        opened.data.write(INSTRUMENTS, market.instruments())
        with_cheap_passwords(opened)
        add_user(opened, "ann", Role.RESEARCHER)
        add_user(opened, "root", Role.ADMIN)
        yield opened


def add_user(platform: Platform, name: str, role: Role) -> None:
    """Add a user whose password is `PASSWORD`."""
    _, given = platform.users.add(LOCAL, name, role)
    first = platform.accounts.log_in(name, given, address="192.0.2.1")
    caller = platform.accounts.authenticate_request(f"Bearer {first.access}", None, address="192.0.2.1")
    platform.accounts.change_password(caller, given, PASSWORD, address="192.0.2.1")


@pytest.fixture(scope="package")
def port(platform: Platform) -> Iterator[int]:
    """The port of a server that runs in a thread, with its jobs."""
    runner = Runner(platform.jobs, KINDS, platform, still_may(platform))
    runner.start()
    app = create_app(platform, manager=ConfigManager(environ={}))
    server = uvicorn.Server(configured(app, platform.settings.server))
    listener: socket.socket = bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(30)
    runner.stop()


@pytest.fixture(scope="package")
def url(port: int) -> str:
    """The address of the server."""
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def client_of(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClientOf]:
    """Return a client that is closed after the test: `client_of(user="ann")`; options are those of Client."""
    monkeypatch.delenv("QUANTFLUX_API_KEY", raising=False)
    made: list[quantflux.Client] = []

    def client(at: str = url, **options: object) -> quantflux.Client:
        if "user" in options:
            options.setdefault("password", PASSWORD)
        options.setdefault("retries", QUICK)
        made.append(quantflux.Client(at, **options))  # type: ignore[arg-type]
        return made[-1]

    yield client
    for each in made:
        each.close()


@pytest.fixture(scope="package")
def shared(url: str) -> Iterator[quantflux.Client]:
    """A client of ann that only reads."""
    with quantflux.Client(url, "ann", PASSWORD) as client:
        yield client
