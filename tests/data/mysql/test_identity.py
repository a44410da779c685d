"""A database dropped and made anew counts its versions from one again; only its identity tells it from the old one."""

from __future__ import annotations

from datetime import date

import pytest

from quantflux.data.contract import HasIdentity
from quantflux.data.schema import DAILY_BASIC
from tests.data.mysql.conftest import OpenStore, valuations
from tests.services.mariadb import MariaDBServer

pytestmark = pytest.mark.mysql


def test_a_database_made_anew_has_another_identity_at_the_same_version(
    mariadb_server: MariaDBServer, mariadb_database: str, open_mysql: OpenStore
) -> None:
    def first_write() -> tuple[int, str]:
        store = open_mysql()
        assert isinstance(store, HasIdentity)
        assert store.identity(DAILY_BASIC) == ""
        version = store.write(DAILY_BASIC, valuations("600519.SH", [date(2024, 1, 2)])).version
        named = store.identity(DAILY_BASIC)
        store.write(DAILY_BASIC, valuations("600519.SH", [date(2024, 1, 3)]))
        assert store.identity(DAILY_BASIC) == named
        return version, named

    old_version, old_name = first_write()
    mariadb_server.drop_database(mariadb_database)
    mariadb_server.create_database(mariadb_database)
    version, name = first_write()

    assert version == old_version
    assert "" != name != old_name
