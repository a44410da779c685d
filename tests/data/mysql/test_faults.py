"""Servers that stop, stall, fill up or refuse: the caller learns what happened to the rows, in bounded time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import AccessDenied, ConfigError, OutcomeUnknown, QuantfluxError, StoreUnavailable
from quantflux.data.adapters.mysql.connection import Server, Timeouts
from quantflux.data.adapters.mysql.store import MySQLAdapter
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY_BASIC
from tests.data.mysql.conftest import IMPATIENT, OpenStore, pes, valuations
from tests.services.fault_proxy import Fault, FaultProxy
from tests.services.mariadb import MariaDBServer

pytestmark = pytest.mark.mysql

DAYS = [date(2024, 1, 2) + timedelta(days=n) for n in range(4)]
SYMBOL = "600519.SH"


class DarkAfterCommit(FaultProxy):
    """Hands a COMMIT to the server, drops the reply, and refuses everything from then on."""

    dark = False

    def _meet(self, first_chunk: bytes) -> Fault:
        if self.dark:
            return Fault(refuse=True)
        self.dark = b"COMMIT" in first_chunk
        return Fault(drop_reply=self.dark)


def wait_for(condition: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if condition():
            return
        pause.wait(0.05)
    raise TimeoutError("the awaited state did not come")


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run `work` in a thread; its result or exception ends up in the list."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except QuantfluxError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


@contextmanager
def rival(server: MariaDBServer, database: str, *statements: str) -> Iterator[Any]:
    """Hold a transaction open that has run these statements; yield its connection."""
    connection = server.connect(database, autocommit=False)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        yield connection
    finally:
        connection.close()


def waiting(server: MariaDBServer) -> bool:
    """Whether some transaction waits for a row lock."""
    found = server.execute("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
    return bool(found[0][0])


def lock_waits(server: MariaDBServer) -> int:
    """How often somebody has begun to wait for a row lock; each attempt of a write begins anew."""
    return int(server.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'")[0][1])


LOCK_ROW = f"UPDATE stock_daily_basic SET pb = 1 WHERE ts_code = '{SYMBOL}'"


def test_a_stopped_server_fails_in_bounded_time_and_serves_again(
    own_server: MariaDBServer, clock: FixedClock
) -> None:
    store = MySQLAdapter(Server("127.0.0.1", own_server.port, "root", "", "hurt", IMPATIENT), clock)
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))
    own_server.freeze()

    with pytest.raises(StoreUnavailable):
        store.read(Query(DAILY_BASIC))
    with pytest.raises(StoreUnavailable):
        store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0))
    with pytest.raises(StoreUnavailable):
        MySQLAdapter(Server("127.0.0.1", own_server.port, "root", "", "hurt", IMPATIENT), clock).ping()

    own_server.thaw()
    assert [pe for *_, pe in pes(store)] == [10.0] * 4
    store.close()


def test_a_restarted_server_is_found_again(own_server: MariaDBServer, clock: FixedClock) -> None:
    store = MySQLAdapter(Server("127.0.0.1", own_server.port, "root", "", "hurt"), clock)
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))

    own_server.kill()
    with pytest.raises(StoreUnavailable):
        store.read(Query(DAILY_BASIC))
    own_server.start()

    assert len(pes(store)) == 4
    assert store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0)).version == 2
    store.close()


def test_a_black_hole_fails_in_bounded_time(mariadb_server: MariaDBServer, open_mysql: OpenStore) -> None:
    with FaultProxy(mariadb_server.port) as proxy:
        store = open_mysql(proxy.port, IMPATIENT)
        store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))

        with proxy.failing(Fault(blackhole=True)), pytest.raises(StoreUnavailable):
            store.read(Query(DAILY_BASIC))

        assert len(pes(store)) == 4


def test_a_lost_reply_to_commit_is_settled_by_asking(
    mariadb_server: MariaDBServer, open_mysql: OpenStore
) -> None:
    with FaultProxy(mariadb_server.port) as proxy:
        store = open_mysql(proxy.port, IMPATIENT)
        with proxy.failing(Fault(drop_reply=True, when=b"COMMIT", times=1)):
            receipt = store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))

    assert proxy.strikes == 0  # setting the fault back starts the count anew
    assert (receipt.version, receipt.rows) == (1, 4)
    assert len(pes(open_mysql())) == 4


def test_a_commit_that_never_arrived_is_sent_again(
    mariadb_server: MariaDBServer, open_mysql: OpenStore
) -> None:
    with FaultProxy(mariadb_server.port) as proxy:
        store = open_mysql(proxy.port, IMPATIENT)
        with proxy.failing(Fault(blackhole=True, when=b"COMMIT", times=1)):
            receipt = store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))
            assert proxy.strikes == 1

        with (
            proxy.failing(Fault(blackhole=True, when=b"COMMIT")),
            pytest.raises(StoreUnavailable, match="nothing stored"),
        ):
            store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0))

    assert receipt.version == 1
    assert [pe for *_, pe in pes(open_mysql())] == [10.0] * 4


def test_a_commit_whose_end_cannot_be_learnt_is_unknown(
    mariadb_server: MariaDBServer, open_mysql: OpenStore
) -> None:
    rows = valuations(SYMBOL, DAYS)
    with DarkAfterCommit(mariadb_server.port) as proxy, pytest.raises(OutcomeUnknown) as caught:
        open_mysql(proxy.port, IMPATIENT).write(DAILY_BASIC, rows)

    again = open_mysql().write(DAILY_BASIC, rows)

    assert caught.value.retryable
    assert again.version == 1  # it had been stored, and storing it again changed nothing
    assert len(pes(open_mysql())) == 4


@pytest.mark.parametrize("size", [1, 7])
def test_sliced_traffic_is_put_together(
    mariadb_server: MariaDBServer, open_mysql: OpenStore, size: int
) -> None:
    with FaultProxy(mariadb_server.port) as proxy:
        store = open_mysql(proxy.port)
        with proxy.failing(Fault(slice_bytes=size)):
            store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))

            assert len(pes(store)) == 4


@pytest.mark.parametrize("at", [0, 3, 40, 200, 900])
def test_a_reply_cut_anywhere_gives_no_half_answer(
    mariadb_server: MariaDBServer, open_mysql: OpenStore, at: int
) -> None:
    open_mysql().write(DAILY_BASIC, valuations(SYMBOL, [DAYS[0] + timedelta(days=n) for n in range(60)]))
    with FaultProxy(mariadb_server.port) as proxy:
        store = open_mysql(proxy.port, IMPATIENT)
        store.ping()

        with (
            proxy.failing(Fault(cut_reply_at=at, when=b"GROUP_CONCAT")),
            pytest.raises(StoreUnavailable),
        ):
            store.read(Query(DAILY_BASIC))

        assert store.read(Query(DAILY_BASIC)).num_rows == 60


def test_a_lock_held_for_a_while_is_waited_for(
    mariadb_server: MariaDBServer, mariadb_database: str, open_mysql: OpenStore
) -> None:
    store = open_mysql(waits=Timeouts(lock=1))
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))

    with rival(mariadb_server, mariadb_database, LOCK_ROW) as connection:
        before = lock_waits(mariadb_server)
        thread, results = in_thread(lambda: store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0)))
        wait_for(lambda: lock_waits(mariadb_server) >= before + 2)  # one was given up, and another one began
        connection.commit()
        thread.join(30)

    assert results[0].version == 2
    assert [pe for *_, pe in pes(store)] == [11.0] * 4


def test_a_lock_held_for_ever_stores_nothing(
    mariadb_server: MariaDBServer, mariadb_database: str, open_mysql: OpenStore
) -> None:
    store = open_mysql(waits=Timeouts(lock=1))
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))

    with (
        rival(mariadb_server, mariadb_database, LOCK_ROW),
        pytest.raises(StoreUnavailable, match="1205"),
    ):
        store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0))

    assert [pe for *_, pe in pes(store)] == [10.0] * 4
    assert store.version(DAILY_BASIC) == 1


def test_the_loser_of_a_deadlock_tries_again(
    mariadb_server: MariaDBServer, mariadb_database: str, open_mysql: OpenStore
) -> None:
    store = open_mysql()
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))
    store.write(DAILY_BASIC, valuations("000001.SZ", [DAYS[0] + timedelta(days=n) for n in range(900)]))
    heavier = "UPDATE stock_daily_basic SET pb = 1 WHERE ts_code = '000001.SZ'"  # so that the rival wins

    with rival(mariadb_server, mariadb_database, heavier, LOCK_ROW) as connection:
        thread, results = in_thread(lambda: store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0)))
        wait_for(lambda: waiting(mariadb_server))
        with connection.cursor() as cursor:
            cursor.execute("UPDATE quantflux_versions SET version = version + 0")
        connection.commit()
        thread.join(30)

    [deadlocks] = mariadb_server.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    assert int(deadlocks[1]) > 0
    assert results[0].version == 3


def test_a_connection_killed_while_it_waits_is_replaced(
    mariadb_server: MariaDBServer, mariadb_database: str, open_mysql: OpenStore
) -> None:
    store = open_mysql()
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))

    with rival(mariadb_server, mariadb_database, LOCK_ROW) as connection:
        thread, results = in_thread(lambda: store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0)))
        wait_for(lambda: waiting(mariadb_server))
        [(victim,)] = mariadb_server.execute(
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        )
        mariadb_server.execute(f"KILL {victim}")
        connection.commit()
        thread.join(30)

    assert results[0].version == 2


def test_idle_connections_that_the_server_closed_are_replaced(
    mariadb_server: MariaDBServer, mariadb_database: str, open_mysql: OpenStore
) -> None:
    store = open_mysql()
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))
    for (number,) in mariadb_server.execute(
        "SELECT id FROM information_schema.processlist WHERE db = %s", arguments=(mariadb_database,)
    ):
        mariadb_server.execute(f"KILL {number}")

    assert len(pes(store)) == 4
    assert store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0)).version == 2


def test_a_busy_pool_says_so(open_mysql: OpenStore) -> None:
    store = open_mysql(pool_size=1, waits=Timeouts(pool=0.2))
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))
    batches = store.iter_batches(Query(DAILY_BASIC), 1)
    next(batches)

    with pytest.raises(StoreUnavailable, match="in use"):
        store.version(DAILY_BASIC)

    assert len(list(batches)) == 3
    assert store.version(DAILY_BASIC) == 1


def test_leaving_a_stream_early_frees_its_connection(open_mysql: OpenStore) -> None:
    store = open_mysql(pool_size=1, waits=Timeouts(pool=0.2))
    store.write(DAILY_BASIC, valuations(SYMBOL, DAYS))
    batches = store.iter_batches(Query(DAILY_BASIC), 1)
    next(batches)

    batches.close()  # type: ignore[attr-defined]

    assert len(pes(store)) == 4


def test_fifty_clients_of_a_server_for_five(clock: FixedClock, own_server: MariaDBServer) -> None:
    own_server.execute("SET GLOBAL max_connections = 10")  # the least it takes
    own_server.execute("CREATE USER reader@'127.0.0.1'")
    own_server.execute("GRANT ALL ON hurt.* TO reader@'127.0.0.1'")
    first = MySQLAdapter(Server("127.0.0.1", own_server.port, "reader", "", "hurt"), clock)
    first.write(DAILY_BASIC, valuations(SYMBOL, DAYS))
    outcomes: list[Any] = []
    everyone_in = threading.Barrier(50)

    def client() -> None:
        store = MySQLAdapter(Server("127.0.0.1", own_server.port, "reader", "", "hurt", pool_size=1), clock)
        try:
            stream = store.iter_batches(
                Query(DAILY_BASIC), 1
            )  # holds its connection until everyone has tried
            outcomes.append(next(stream).num_rows)
        except StoreUnavailable as error:
            outcomes.append(error)
        everyone_in.wait(30)
        store.close()

    threads = [threading.Thread(target=client) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    refused = [o for o in outcomes if isinstance(o, StoreUnavailable)]
    assert len(outcomes) == 50
    assert outcomes.count(1) >= 5
    assert refused and all("1040" in str(error) and error.retryable for error in refused)
    assert len(pes(first)) == 4
    first.close()


def test_wrong_credentials_and_names_are_told_apart(
    mariadb_server: MariaDBServer, open_mysql: OpenStore, clock: FixedClock
) -> None:
    with pytest.raises(AccessDenied):
        open_mysql(user="nobody").ping()
    with pytest.raises(ConfigError, match="no_such_database"):
        MySQLAdapter(Server("127.0.0.1", mariadb_server.port, "root", "", "no_such_database"), clock).ping()
    with pytest.raises(StoreUnavailable):
        open_mysql(port=1).ping()


def test_a_reader_without_rights_cannot_write(
    mariadb_server: MariaDBServer, mariadb_database: str, open_mysql: OpenStore
) -> None:
    open_mysql().write(DAILY_BASIC, valuations(SYMBOL, DAYS))
    user = f"ro_{mariadb_database[-20:]}"
    mariadb_server.execute(f"CREATE USER {user}@'127.0.0.1'")
    mariadb_server.execute(f"GRANT SELECT ON {mariadb_database}.* TO {user}@'127.0.0.1'")
    store = open_mysql(user=user)

    assert len(pes(store)) == 4
    assert store.version(DAILY_BASIC) == 1
    with pytest.raises(AccessDenied):
        store.write(DAILY_BASIC, valuations(SYMBOL, DAYS, 11.0))
