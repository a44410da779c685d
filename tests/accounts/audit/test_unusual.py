from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quantflux.accounts.audit import ACCESS, EXPORT, LOG_IN, AuditEvent, UnusualAccess
from quantflux.core.clock import FixedClock
from tests.accounts.audit.material import Site, site_of

HOME, HOTEL = "203.0.113.9", "198.51.100.7"


@pytest.fixture
def monday():
    return FixedClock(datetime(2041, 1, 7, 2, tzinfo=UTC))  # ten in the morning in Shanghai


@pytest.fixture
def watched(tmp_path, monday):
    site = site_of(tmp_path, monday, unusual=UnusualAccess())
    yield site
    site.log.close()
    site.database.close()


def log_in(site: Site, address: str = HOME, who: str = "ann") -> list[str]:
    return raised_by(site, AuditEvent(LOG_IN, "done", who, address))


def raised_by(site: Site, *events: AuditEvent) -> list[str]:
    before = len(site.log.entries(limit=10_000))
    for event in events:
        site.log.note(event)
    site.log.flush()
    return [e.event.action for e in site.log.entries(after=before) if e.event.action.startswith("unusual.")]


def test_a_users_new_address_is_unusual_once_and_a_first_log_in_is_not(watched):
    assert log_in(watched) == []
    assert log_in(watched) == []
    assert log_in(watched, HOTEL) == ["unusual.address"]
    assert log_in(watched, HOTEL) == []
    assert log_in(watched, HOTEL, "bob") == []
    (entry,) = watched.log.entries(action="unusual.address")
    assert (entry.event.actor, entry.event.address) == ("ann", HOTEL)


def test_addresses_of_one_ipv6_network_are_one(watched):
    assert log_in(watched, "2001:db8:1:2::1") == []
    assert log_in(watched, "2001:db8:1:2:ffff::9") == []
    assert log_in(watched, "2001:db8:1:3::1") == ["unusual.address"]


def test_what_was_usual_is_known_after_a_restart_and_to_other_processes(tmp_path, monday, watched):
    other = site_of(tmp_path, monday, unusual=UnusualAccess())
    assert log_in(watched) == log_in(other) == []

    assert log_in(watched, HOTEL) == ["unusual.address"]
    assert log_in(other, HOTEL) == []
    fresh = site_of(tmp_path, monday, unusual=UnusualAccess())
    assert log_in(fresh, HOTEL) == []
    assert log_in(fresh, "192.0.2.1") == ["unusual.address"]
    for site in (other, fresh):
        site.log.close()
        site.database.close()


def test_recorded_log_ins_are_watched_as_noted_ones_are(watched):
    for address in (HOME, HOTEL):
        with watched.database.transaction() as connection:
            watched.log.record(connection, AuditEvent(LOG_IN, "done", "ann", address))
    watched.log.flush()

    assert [e.event.address for e in watched.log.entries(action="unusual.address")] == [HOTEL]


def test_a_log_in_far_from_all_hours_known_is_unusual(watched, monday):
    for _ in range(20):  # at ten o'clock on twenty days
        assert log_in(watched) == []
        monday.advance(86_400)

    monday.advance(2 * 3600)
    assert log_in(watched) == []  # noon is near enough
    monday.advance(15 * 3600)
    assert log_in(watched) == ["unusual.hour"]  # three at night
    monday.advance(600)
    assert log_in(watched) == []  # told once; it is known now
    assert watched.log.entries(action="unusual.hour")[0].event.details["hour"] == 3


def test_hours_are_not_judged_by_a_few_log_ins(watched, monday):
    for _ in range(19):
        log_in(watched)
    monday.advance(12 * 3600)

    assert log_in(watched) == []


def test_many_refusals_are_told_once_for_actor_and_address(watched, monday):
    refused = [AuditEvent(ACCESS, "refused", "eve", HOME) for _ in range(19)]

    assert raised_by(watched, *refused) == []
    assert raised_by(watched, refused[0]) == ["unusual.refusals"] * 2
    assert raised_by(watched, *refused, *refused) == []
    monday.advance(301)
    assert raised_by(watched, *refused, refused[0]) == ["unusual.refusals"] * 2


def test_refusals_of_nobody_from_many_addresses_raise_nothing(watched):
    refused = [AuditEvent(ACCESS, "refused", "", f"203.0.113.{i}") for i in range(200)]

    assert raised_by(watched, *refused) == []


def test_exports_of_an_hour_are_added_up(watched, monday):
    export = AuditEvent(EXPORT, "done", "ann", HOME, details={"rows": 8_000_000, "bytes": 1000})

    assert raised_by(watched, export, export) == []
    assert raised_by(watched, export) == ["unusual.export"]
    assert raised_by(watched, export) == []
    monday.advance(3601)
    assert raised_by(watched, export) == []
    big = AuditEvent(EXPORT, "done", "bob", HOME, details={"rows": 1, "bytes": 2_000_000_000})
    assert raised_by(watched, big) == ["unusual.export"]


def test_memory_stays_bounded_whatever_comes():
    watch = UnusualAccess(most=100)
    for i in range(10_000):
        watch.look(
            i, i, AuditEvent(ACCESS, "refused", f"eve {i}", f"10.0.{i // 256 % 256}.{i % 256}"), lambda *_: []
        )
        watch.look(
            i, i, AuditEvent(LOG_IN, "done", f"ann {i}", f"10.0.{i // 256 % 256}.{i % 256}"), lambda *_: []
        )
        watch.look(i, i, AuditEvent(LOG_IN, "done", "bob", f"10.0.{i // 256 % 256}.{i % 256}"), lambda *_: [])

    assert len(watch._habits) <= 100 and len(watch._sums) <= 100
    assert max(len(habits.networks) for habits in watch._habits.values()) <= 64


@pytest.mark.parametrize("details", [{"rows": -5}, {"rows": "many"}, {"rows": None}, {}])
def test_odd_details_raise_nothing(watched, details):
    assert raised_by(watched, AuditEvent(EXPORT, "done", "ann", HOME, details=details)) == []
