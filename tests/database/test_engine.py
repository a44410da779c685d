from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from quantflux.core.errors import ConfigError, StoreCorrupt, StoreFull, StoreUnavailable
from quantflux.database import Database
from quantflux.database.tables.accounts import login_attempts
from tests.services.mariadb import MariaDBServer


@pytest.fixture
def database(tmp_path: Path):
    opened = Database.open(f"sqlite:///{tmp_path}/own.db", wait_seconds=0.2)
    yield opened
    opened.close()


def row(subject: str, failures: int = 1) -> dict[str, object]:
    return {"subject": subject, "failures": failures, "last_at": 0, "blocked_until": 0}


def subjects(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(select(login_attempts.c.subject).order_by(login_attempts.c.subject)))


def test_a_block_that_ends_well_is_kept_and_one_that_raises_is_not(database):
    with database.transaction() as connection:
        connection.execute(insert(login_attempts), [row("a"), row("b")])

    def write_and_stop() -> None:
        with database.transaction() as connection:
            connection.execute(insert(login_attempts), row("c"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop()

    assert subjects(database) == ["a", "b"]


def test_a_broken_constraint_passes_through_and_shows_no_values(database):
    with database.transaction() as connection:
        connection.execute(insert(login_attempts), row("hidden-value"))
    with pytest.raises(IntegrityError) as caught, database.transaction() as connection:
        connection.execute(insert(login_attempts), row("hidden-value"))

    assert "hidden-value" not in str(caught.value)


def test_what_was_committed_lasts_and_foreign_keys_hold(database):
    with database.reading() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}  # 2 is FULL


def test_the_file_belongs_to_its_owner_alone(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/new/own.db")
    with database.transaction() as connection:
        connection.execute(insert(login_attempts), row("a"))

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()}
    database.close()

    assert set(modes) == {"own.db", "own.db-wal", "own.db-shm"}
    assert set(modes.values()) == {0o600}


def test_threads_that_read_then_write_lose_no_update(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/own.db", wait_seconds=30)
    with database.transaction() as connection:
        connection.execute(insert(login_attempts), row("sum", 0))

    def add() -> None:
        for _ in range(20):
            with database.transaction() as connection:
                seen = connection.scalar(select(login_attempts.c.failures).with_for_update())
                connection.execute(login_attempts.update().values(failures=seen + 1))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        total = connection.scalar(select(login_attempts.c.failures))
    database.close()

    assert total == 160


def test_a_writer_in_another_process_is_waited_for_then_reported(database, tmp_path):
    rival = sqlite3.connect(tmp_path / "own.db", isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreUnavailable, match="lock"), database.transaction():
            pass
    finally:
        rival.close()
    with database.transaction():
        pass


def test_a_writer_in_this_process_is_waited_for_then_reported(database):
    refused = []

    def write() -> None:
        try:
            with database.transaction():
                pass
        except StoreUnavailable as failure:
            refused.append(failure)

    with database.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    assert len(refused) == 1


def test_readers_go_on_while_somebody_writes(database):
    with database.transaction() as connection:
        connection.execute(insert(login_attempts), row("a"))
        assert subjects(database) == []
    assert subjects(database) == ["a"]


def test_a_full_disk_keeps_nothing_and_says_so(database):
    with database.reading() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()

    def fill() -> None:
        with database.transaction() as connection:
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            for i in range(2000):
                connection.execute(insert(login_attempts), row(f"{i:079}"))

    with pytest.raises(StoreFull):
        fill()

    assert subjects(database) == []


def test_a_file_of_something_else_is_damage(tmp_path):
    (tmp_path / "own.db").write_bytes(b"this is no database, although it is long enough" * 100)

    with pytest.raises(StoreCorrupt):
        Database.open(f"sqlite:///{tmp_path}/own.db")


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        Database.open(f"sqlite:///{tmp_path}/file/own.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("not an address", "cannot be read"),
        ("oracle://host/db", "oracle"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_matter_of_configuration(url, said):
    with pytest.raises(ConfigError, match=said):
        Database.open(url)


def test_nobody_listens_is_unavailable_and_the_password_is_not_told(free_tcp_port):
    url = f"mysql+pymysql://root:hidden-word@127.0.0.1:{free_tcp_port}/own"

    with pytest.raises(StoreUnavailable) as caught:
        Database.open(url, wait_seconds=1)

    assert "hidden-word" not in str(caught.value)
    assert caught.value.retryable


@pytest.fixture
def free_tcp_port() -> int:
    from tests.services.process import free_port

    return free_port()


@pytest.mark.mysql
@pytest.mark.slow
def test_a_server_that_stands_still_is_given_up_before_it_goes_on():
    with MariaDBServer.temporary() as server:
        url = f"mysql+pymysql://root@{server.host}:{server.port}/{server.create_database()}"
        database = Database.open(url, wait_seconds=1)
        goes_on = threading.Timer(9.0, server.thaw)
        server.freeze()
        goes_on.start()
        try:
            with pytest.raises(StoreUnavailable), database.reading() as connection:
                connection.execute(text("SELECT 1"))
            assert goes_on.is_alive(), "it was waited for until it went on"
        finally:
            goes_on.cancel()
            server.thaw()
            database.close()
