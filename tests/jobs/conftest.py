"""A ledger on SQLite and on a real MariaDB, empty at the start of each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from quantflux.core.clock import FixedClock
from quantflux.database.engine import Database
from quantflux.database.tables.jobs import job_results
from quantflux.database.tables.jobs import jobs as table
from quantflux.jobs import Jobs
from tests.services.mariadb import MariaDBServer


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('ledger')}/quantflux.db"
        return
    server: MariaDBServer = request.getfixturevalue("mariadb_server")
    name = server.create_database()
    yield f"mysql+pymysql://root@127.0.0.1:{server.port}/{name}"
    server.drop_database(name)


@pytest.fixture(scope="module")
def open_database(database_url: str) -> Iterator[Database]:
    """The database, open."""
    database = Database.open(database_url, pool_size=10)
    yield database
    database.close()


@pytest.fixture
def database(open_database: Database) -> Database:
    """The database without a job."""
    with open_database.transaction() as connection:
        connection.execute(delete(job_results))
        connection.execute(delete(table))
    return open_database


@pytest.fixture
def ledger(database: Database, clock: FixedClock, tmp_path: Path) -> Jobs:
    """An empty ledger."""
    return Jobs(database, clock, tmp_path / "results")
