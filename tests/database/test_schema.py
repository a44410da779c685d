from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from quantflux.core.errors import ConfigError
from quantflux.database import Database
from quantflux.database.migrations.upgrade import revisions, upgrade
from quantflux.database.tables import metadata
from tests.services.mariadb import MariaDBServer


def differences(database: Database) -> list[object]:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    return list(found)


def constraint_names(database: Database) -> set[str]:
    names: set[str] = set()
    with database.reading() as connection:
        found = inspect(connection)
        for table in metadata.tables:
            names.add(str(found.get_pk_constraint(table)["name"]))
            names |= {str(each["name"]) for each in found.get_foreign_keys(table)}
            names |= {str(each["name"]) for each in found.get_unique_constraints(table)}
            names |= {str(each["name"]) for each in found.get_check_constraints(table)}
    return names


@pytest.fixture
def mariadb_url(mariadb_server: MariaDBServer, mariadb_database: str) -> str:
    return f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{mariadb_database}"


def declared_names() -> set[str]:
    return {str(each.name) for table in metadata.tables.values() for each in table.constraints}


def test_sqlite_gets_what_the_tables_declare(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/own.db")

    assert differences(database) == []
    assert constraint_names(database) == declared_names()
    database.close()


@pytest.mark.mysql
def test_mariadb_gets_what_the_tables_declare(mariadb_url):
    database = Database.open(mariadb_url)

    assert differences(database) == []
    named = {
        name for name in declared_names() if not name.startswith("pk_")
    }  # MySQL calls each of them PRIMARY
    assert constraint_names(database) == named | {"None"}
    with database.reading() as connection:
        collations = set(
            connection.scalars(
                text(
                    "SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema = DATABASE() "
                    "AND table_name <> 'alembic_version'"
                )
            )
        )
    assert collations == {"utf8mb4_bin"}
    database.close()


@pytest.mark.mysql
def test_a_half_done_upgrade_is_finished(mariadb_url):
    # MySQL cannot take a change of the schema back: a process killed between two tables leaves the first.
    database = Database.open(mariadb_url)
    with database.transaction() as connection:
        connection.execute(text("DROP TABLE requests"))
        connection.execute(text("DROP INDEX ix_revocations_at ON revocations"))
        connection.execute(text("DELETE FROM alembic_version"))

    with database.transaction() as connection:
        upgrade(connection, 5)

    assert differences(database) == []
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def test_many_starts_at_once_upgrade_once(kind, tmp_path, request):
    url = f"sqlite:///{tmp_path}/own.db" if kind == "sqlite" else request.getfixturevalue("mariadb_url")
    failures: list[Exception] = []

    def start() -> None:
        try:
            Database.open(url, wait_seconds=30).close()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(failure)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database = Database.open(url)
    with database.reading() as connection:
        present = list(connection.scalars(text("SELECT version_num FROM alembic_version")))
    database.close()

    assert failures == []
    assert present == [revisions().get_current_head()]


@pytest.mark.mysql
@pytest.mark.slow
def test_a_start_waits_for_another_ones_upgrade_longer_than_for_an_answer(mariadb_url, mariadb_server):
    other = mariadb_server.connect()
    with other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('quantflux.schema', 1)")
    ends = threading.Timer(5.0, other.close)  # which gives the lock up
    ends.start()
    Database.open(mariadb_url, wait_seconds=1).close()
    ends.join()


def test_a_newer_schema_is_refused(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/own.db"
    database = Database.open(url)
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(ConfigError, match="9999 was made by a newer quantflux"):
        Database.open(url)


def test_revisions_form_one_line():
    assert len(revisions().get_heads()) == 1
