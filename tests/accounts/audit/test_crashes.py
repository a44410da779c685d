"""Writers that are killed: a change and its entry are both there or neither, and the chain has no fork and no gap."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from quantflux.accounts.audit import AuditEvent, AuditLog
from quantflux.core.clock import SystemClock
from quantflux.core.errors import StoreError
from quantflux.database import Database
from tests.accounts.audit.material import KEY
from tests.services.mariadb import MariaDBServer

FORK = multiprocessing.get_context("fork")


def write(url: str, folder: Path, writer: str, acknowledged: int) -> None:
    """Make changes without end, each with its entry, and say which were committed, until killed."""
    database = Database.open(url, wait_seconds=60)
    log = AuditLog(database, KEY, folder / "head.json", SystemClock(), note_seconds=0.01, copy_rows=5)
    number = 0
    while True:
        change = f"{writer}/{number}"
        try:
            with database.transaction() as connection:
                connection.execute(
                    text("INSERT INTO login_attempts VALUES (:change, 1, 1, 1)"), {"change": change}
                )
                log.record(connection, AuditEvent("thing.add", "done", writer, target=change))
        except StoreError:
            continue
        log.note(AuditEvent("thing.note", "done", writer))
        os.write(acknowledged, f"{change}\n".encode())
        number += 1


def survive(url: str, folder: Path, *, writers: int, kills: int, seed: int) -> int:
    """Keep so many writers at work, kill one after the other, check what is left; return how much was acknowledged."""
    Database.open(url).close()
    chance = random.Random(seed)
    told = folder / "acknowledged"
    writing = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    working: list[multiprocessing.process.BaseProcess] = []
    for number in range(writers + kills):
        if len(working) == writers:
            wait_for_more(told, 3)
            time.sleep(chance.uniform(0.0, 0.1))
            victim = working.pop(chance.randrange(writers))
            os.kill(victim.pid or 0, signal.SIGKILL)
            victim.join()
        process = FORK.Process(target=write, args=(url, folder, f"w{number}", writing), daemon=True)
        process.start()
        working.append(process)
    wait_for_more(told, 20)
    for process in working:
        process.kill()
        process.join()
    os.close(writing)
    acknowledged = set(told.read_text().split())
    check(url, folder, acknowledged)
    return len(acknowledged)


def wait_for_more(told: Path, count: int) -> None:
    """Wait until so many more changes are acknowledged, however slow the machine is."""
    wanted = told.read_bytes().count(b"\n") + count
    deadline = time.monotonic() + 120
    while (found := told.read_bytes().count(b"\n")) < wanted:
        assert time.monotonic() < deadline, f"{found} changes acknowledged, {wanted} wanted"
        time.sleep(0.001)


def check(url: str, folder: Path, acknowledged: set[str]) -> None:
    database = Database.open(url, wait_seconds=60)
    log = AuditLog(database, KEY, folder / "head.json", SystemClock(), note_seconds=3600)
    with database.reading() as connection:
        changes = set(connection.scalars(text("SELECT subject FROM login_attempts")))
        entries = list(
            connection.scalars(
                text("SELECT target FROM audit_entries WHERE action = 'thing.add' ORDER BY seq")
            )
        )
        count = connection.execute(text("SELECT count(*), max(seq) FROM audit_entries")).one()
    found = log.verify()
    log.close()
    database.close()

    assert found.sound, found.problem
    assert count == (found.entries, found.entries), "a gap"
    assert len(entries) == len(set(entries)) and set(entries) == changes
    assert acknowledged <= changes


def test_killed_writers_leave_one_chain_on_sqlite(tmp_path):
    assert survive(f"sqlite:///{tmp_path}/own.db", tmp_path, writers=8, kills=8, seed=1) >= 44


@pytest.mark.mysql
def test_killed_writers_leave_one_chain_on_mariadb(
    tmp_path, mariadb_server: MariaDBServer, mariadb_database: str
):
    url = f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{mariadb_database}"
    assert survive(url, tmp_path, writers=8, kills=8, seed=2) >= 44


@pytest.mark.slow
def test_two_hundred_kills_on_sqlite(tmp_path):
    assert survive(f"sqlite:///{tmp_path}/own.db", tmp_path, writers=8, kills=200, seed=3) >= 620


@pytest.mark.slow
@pytest.mark.mysql
def test_two_hundred_kills_on_mariadb(tmp_path, mariadb_server: MariaDBServer, mariadb_database: str):
    url = f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{mariadb_database}"
    assert survive(url, tmp_path, writers=8, kills=200, seed=4) >= 620


@pytest.mark.mysql
def test_while_the_server_is_down_nothing_is_changed_and_notes_wait(tmp_path):
    with MariaDBServer.temporary(folder=tmp_path / "server") as server:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE own")
        database = Database.open(f"mysql+pymysql://root@{server.host}:{server.port}/own", wait_seconds=1)
        log = AuditLog(database, KEY, tmp_path / "head.json", SystemClock(), note_seconds=3600)
        server.kill()

        with pytest.raises(StoreError), database.transaction() as connection:
            log.record(connection, AuditEvent("user.add", "done", "root"))
        log.note(AuditEvent("access", "refused", "eve"))
        with pytest.raises(StoreError):
            log.flush()
        server.start()
        log.flush()

        assert [entry.event.actor for entry in log.entries()] == ["eve"]
        assert log.verify().sound
        log.close()
        database.close()


@pytest.mark.mysql
@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries"])
def test_mariadb_itself_refuses_changes(
    tmp_path, mariadb_server: MariaDBServer, mariadb_database: str, statement
):
    url = f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{mariadb_database}"
    database = Database.open(url)
    log = AuditLog(database, KEY, tmp_path / "head.json", SystemClock(), note_seconds=3600)
    log.note(AuditEvent("access", "refused", "张三 🚀"))
    log.flush()

    with pytest.raises(StoreError), database.transaction() as connection:
        connection.execute(text(statement))
    assert [entry.event.actor for entry in log.entries()] == ["张三 🚀"]
    assert log.verify().sound
    log.close()
    database.close()
