from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock
from tests.accounts.material import Desk, desk_of
from tests.services.mariadb import MariaDBServer

ON_A_SERVER = pytest.param("mariadb", marks=[pytest.mark.mysql, pytest.mark.slow])


@pytest.fixture(params=["sqlite", ON_A_SERVER])
def desk(tmp_path: Path, clock: FixedClock, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Accounts on a database of their own; on a server only where slow tests are asked for."""
    url = f"sqlite:///{tmp_path}/own.db"
    if request.param == "mariadb":
        server: MariaDBServer = request.getfixturevalue("mariadb_server")
        url = (
            f"mysql+pymysql://root@{server.host}:{server.port}/{request.getfixturevalue('mariadb_database')}"
        )
    made = desk_of(url, tmp_path, clock)
    yield made
    made.close()
