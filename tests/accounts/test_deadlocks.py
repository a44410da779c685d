"""Log-ins that come at the same instant to a server that knows no failures yet."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import delete

from quantflux.core.errors import NotAuthenticated, QuantfluxError
from quantflux.database.tables.accounts import login_attempts
from tests.accounts.material import desk_of

AT_ONCE, ROUNDS = 12, 3


@pytest.mark.mysql
def test_first_log_ins_at_once_all_get_their_answer(tmp_path, clock, mariadb_server, mariadb_database):
    """All but one find the row of all addresses just made by another, and wait for each other to count in it."""
    url = f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{mariadb_database}"
    desk = desk_of(url, tmp_path, clock)
    barrier, outcomes = threading.Barrier(AT_ONCE), []

    def log_in(number: int) -> None:
        barrier.wait(30)
        try:
            desk.log_in(f"user{number}", "a wrong word", address=f"192.0.2.{number}")
        except QuantfluxError as failure:
            outcomes.append(type(failure))

    for _ in range(ROUNDS):
        with desk.database.transaction() as connection:
            connection.execute(delete(login_attempts))
        threads = [threading.Thread(target=log_in, args=(number,)) for number in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    desk.close()

    assert outcomes == [NotAuthenticated] * AT_ONCE * ROUNDS
