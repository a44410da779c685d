from __future__ import annotations

import threading
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import NotAuthenticated
from quantflux.database.tables.accounts import devices, refresh_tokens, sessions
from tests.accounts.material import Desk, desk_of
from tests.services.mariadb import MariaDBServer


def refused(desk: Desk, token: str) -> bool:
    try:
        desk.accounts.refresh(token, address="")
    except NotAuthenticated:
        return True
    return False


def test_each_token_gives_the_next_and_the_session_stays_one(desk):
    first = desk.add("li.wei")
    desk.clock.advance(300)
    second = desk.accounts.refresh(first.refresh, address="")
    desk.clock.advance(300)
    third = desk.accounts.refresh(second.refresh, address="")

    assert first.session == second.session == third.session
    assert len({first.refresh, second.refresh, third.refresh}) == 3
    assert desk.who(third).name == "li.wei"


def test_a_lost_reply_may_be_asked_for_again_within_ten_seconds(desk):
    first = desk.add("li.wei")
    lost = desk.accounts.refresh(first.refresh, address="")
    desk.clock.advance(10)
    again = desk.accounts.refresh(first.refresh, address="")

    assert again.refresh == lost.refresh
    assert desk.accounts.refresh(again.refresh, address="").session == first.session


def test_a_token_that_comes_back_later_ends_the_session_and_all_its_access(desk):
    first = desk.add("li.wei")
    thief = desk.accounts.refresh(first.refresh, address="198.51.100.1")
    assert desk.who(thief).name == "li.wei"
    desk.clock.advance(10.000001)

    assert refused(desk, first.refresh)
    assert refused(desk, thief.refresh)
    for tokens in (first, thief):
        with pytest.raises(NotAuthenticated):
            desk.who(tokens)
    assert ("session.reuse", "refused", "li.wei") in desk.events()


def test_a_token_whose_successor_was_used_ends_the_session_even_at_once(desk):
    # Whoever has the successor had the reply; nobody is left who could ask for it again honestly.
    first = desk.add("li.wei")
    second = desk.accounts.refresh(first.refresh, address="")
    third = desk.accounts.refresh(second.refresh, address="")

    assert refused(desk, first.refresh)
    assert refused(desk, third.refresh)


def test_other_sessions_of_the_user_go_on_after_a_theft(desk):
    stolen = desk.add("li.wei")
    other = desk.log_in("li.wei")
    desk.accounts.refresh(stolen.refresh, address="")
    desk.clock.advance(11)
    assert refused(desk, stolen.refresh)

    assert desk.who(other).name == "li.wei"
    assert desk.accounts.refresh(other.refresh, address="").session == other.session


def test_garbage_ends_nothing(desk):
    tokens = desk.add("li.wei")
    for text in (
        "",
        "x",
        tokens.access,
        tokens.session,
        tokens.refresh + "A",
        tokens.refresh[:-1],
        "\ud800",
        "é" * 50,
    ):
        assert refused(desk, text)

    assert not refused(desk, tokens.refresh)


def test_only_digests_are_kept(desk):
    desk.add("li.wei")
    tokens = desk.log_in("li.wei")
    second = desk.accounts.refresh(tokens.refresh, address="")
    with desk.database.reading() as connection:
        kept = str(
            [connection.execute(table.select()).all() for table in (refresh_tokens, sessions, devices)]
        )

    for secret in (tokens.refresh, second.refresh, tokens.access, tokens.device):
        assert secret and secret not in kept


def test_a_session_ends_when_it_idles_and_when_it_is_old(desk):
    idle = desk.add("li.wei")
    desk.clock.advance(1799)
    kept = desk.accounts.refresh(idle.refresh, address="")
    desk.clock.advance(1800)
    assert refused(desk, kept.refresh)

    tokens = desk.log_in("li.wei")
    began = desk.clock.monotonic()
    while desk.clock.monotonic() - began < 43_200 - 2000:
        desk.clock.advance(1000)
        tokens = desk.accounts.refresh(tokens.refresh, address="")
    desk.clock.advance(800)
    last = desk.accounts.refresh(tokens.refresh, address="")
    assert last.expires_in == 43_200 - (desk.clock.monotonic() - began)  # no token outlives its session
    desk.clock.advance(last.expires_in)
    assert refused(desk, last.refresh)
    with pytest.raises(NotAuthenticated):
        desk.who(last)


def in_parallel(desk: Desk, token: str, count: int) -> list[str]:
    """Refresh by one token from many threads at once; an empty text stands for a refusal."""
    answers: list[str] = []
    ready = threading.Barrier(count)

    def refresh() -> None:
        ready.wait()
        try:
            answers.append(desk.accounts.refresh(token, address="").refresh)
        except NotAuthenticated:
            answers.append("")

    threads = [threading.Thread(target=refresh) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def check_parallel_refreshes(desk: Desk) -> None:
    first = desk.add("li.wei")
    answers = in_parallel(desk, first.refresh, 50)

    assert len(answers) == 50 and len(set(answers)) == 1 and answers[0]
    with desk.database.reading() as connection:
        of_session = refresh_tokens.select().where(refresh_tokens.c.session_id == first.session)
        assert len(connection.execute(of_session).all()) == 2
    assert desk.accounts.refresh(answers[0], address="").session == first.session


def test_fifty_refreshes_at_once_give_one_successor(desk):
    check_parallel_refreshes(desk)


@pytest.mark.mysql
def test_fifty_refreshes_at_once_give_one_successor_on_a_server(
    mariadb_server: MariaDBServer, mariadb_database: str, tmp_path: Path, clock: FixedClock
):
    url = f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{mariadb_database}"
    desk = desk_of(url, tmp_path, clock)
    check_parallel_refreshes(desk)
    desk.close()
