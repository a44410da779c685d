from __future__ import annotations

import json
import sqlite3
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from quantflux.accounts.audit import ACCESS, LOG_IN, AuditEvent
from quantflux.accounts.audit.chain import Chain
from quantflux.core.errors import InvalidRequest, StoreUnavailable
from quantflux.observability.metrics import registry
from tests.accounts.audit.material import rows_of, site_of


def refusal(actor="eve", target="GET /api/v2/users"):
    return AuditEvent(ACCESS, "refused", actor, "203.0.113.9", target=target)


def test_an_entry_tells_who_what_when_where_and_how_it_ended(site, clock):
    site.add(1)

    (entry,) = site.log.entries()

    assert (entry.seq, entry.at) == (1, clock.now())
    assert entry.event == AuditEvent(
        "user.add", "done", "root", "203.0.113.9", "r0", "user:0", {"i": 0}, "aa", "bb"
    )


def test_what_is_rolled_back_was_never_recorded(site):
    with pytest.raises(RuntimeError, match="no"), site.database.transaction() as connection:  # noqa: PT012
        site.log.record(connection, AuditEvent("user.add", "done", "root"))
        raise RuntimeError("no")
    site.add(1)

    assert [entry.seq for entry in site.log.entries()] == [1]
    assert site.log.verify().sound


def test_a_change_whose_record_fails_is_not_made(site):
    # The audit store is down; the rest of the database is not.
    with site.behind() as connection:
        connection.execute("ALTER TABLE audit_entries RENAME TO elsewhere")

    with pytest.raises(StoreUnavailable), site.database.transaction() as connection:  # noqa: PT012
        connection.execute(text("INSERT INTO login_attempts VALUES ('x', 1, 1, 1)"))
        site.log.record(connection, AuditEvent("user.add", "done", "root"))
    with site.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM login_attempts")).scalar_one() == 0
    site.log.note(refusal())
    with site.behind() as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO audit_entries")
    site.log.flush()

    assert [entry.event.actor for entry in site.log.entries()] == ["eve"]


def test_notes_are_written_soon_by_themselves(tmp_path, clock):
    site = site_of(tmp_path, clock, note_seconds=0.01)
    written = threading.Event()

    site.log.note(refusal())
    for _ in range(500):
        if site.log.entries():
            written.set()
            break
        written.wait(0.01)

    assert written.is_set()
    site.log.close()
    site.database.close()


def test_refusals_of_one_caller_become_one_entry_with_a_count(site):
    for i in range(10_000):
        site.log.note(refusal(target=f"GET /{i}"))
    site.log.note(refusal("mallory"))
    site.log.flush()

    first, second = site.log.entries(action=ACCESS)
    assert (first.event.target, dict(first.event.details)) == ("GET /0", {"times": 10_000})
    assert (second.event.actor, dict(second.event.details)) == ("mallory", {})


def measured(end: str) -> float:
    return registry.get_sample_value("quantflux_audit_notes_total", {"end": end}) or 0.0


def test_what_does_not_fit_is_counted_and_the_count_is_recorded(tmp_path, clock):
    site = site_of(tmp_path, clock, capacity=10)
    written, lost = measured("written"), measured("lost")
    for i in range(25):
        site.log.note(AuditEvent("data.export", "done", f"user {i}"))
    site.log.flush()

    entries = site.log.entries()
    assert len(entries) == 11
    assert (entries[-1].event.action, dict(entries[-1].event.details)) == ("audit.overflow", {"lost": 15})
    assert (measured("written") - written, measured("lost") - lost) == (11, 15)
    site.log.close()
    site.database.close()


def test_notes_outlast_a_failure_of_the_database_and_the_overflow_is_not_forgotten(tmp_path, clock):
    site = site_of(tmp_path, clock, capacity=3)
    written, lost = measured("written"), measured("lost")
    for i in range(5):
        site.log.note(AuditEvent("data.export", "done", f"user {i}"))
    with site.behind() as connection:
        connection.execute("ALTER TABLE audit_head RENAME TO elsewhere")
    with pytest.raises(StoreUnavailable):
        site.log.flush()
    site.log.note(AuditEvent("data.export", "done", "too late"))
    with site.behind() as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO audit_head")
    site.log.flush()

    entries = site.log.entries()
    assert [entry.event.actor for entry in entries] == ["user 0", "user 1", "user 2", ""]
    assert dict(entries[-1].event.details) == {"lost": 3}
    assert (measured("written") - written, measured("lost") - lost) == (4, 3), "each once"
    site.log.close()
    site.database.close()


def test_closing_with_an_unreachable_database_logs_what_is_lost(tmp_path, clock, caplog):
    site = site_of(tmp_path, clock)
    site.log.note(refusal())
    with site.behind() as connection:
        connection.execute("DROP TABLE audit_head")

    site.log.close()

    assert "stops with 1 notes unwritten" in caplog.text
    site.database.close()


def test_entries_are_chosen_and_ordered_as_asked(site, clock):
    begun = clock.now()
    site.add(2)
    clock.advance(60)
    site.log.note(refusal("Eve"))
    site.log.note(AuditEvent("users.list", "done", "eve"))
    site.log.flush()

    def seqs(**asked):
        return [entry.seq for entry in site.log.entries(**asked)]

    assert seqs() == [1, 2, 3, 4]
    assert seqs(after=2) == [3, 4]
    assert seqs(newest_first=True, limit=2) == [4, 3]
    assert seqs(newest_first=True, before=3) == [2, 1]
    assert seqs(action="user.") == [1, 2]
    assert seqs(action="user") == []
    assert seqs(action="user%") == seqs(action="user_.") == []
    assert seqs(actor="eve") == [4]
    assert seqs(outcome="refused") == [3]
    assert seqs(since=begun + timedelta(seconds=60)) == [3, 4]
    assert seqs(until=begun + timedelta(seconds=60)) == [1, 2]
    for limit in (0, 10_001):
        with pytest.raises(InvalidRequest, match="limit is from 1 to 10000"):
            seqs(limit=limit)


def test_an_entry_whose_details_were_damaged_can_still_be_read(site):
    site.add(1)
    with site.behind() as connection:
        connection.execute("UPDATE audit_entries SET details = '{'")

    assert dict(site.log.entries()[0].event.details) == {"unreadable": "{"}


def test_the_end_is_copied_after_so_many_rows(tmp_path, clock):
    site = site_of(tmp_path, clock, note_seconds=0.01, copy_rows=5, copy_seconds=3600.0)

    def copied():
        return json.loads(site.head_file.read_text())["seq"]

    site.add(4)
    for _ in range(10):
        threading.Event().wait(0.01)
    assert copied() == 0
    site.add(1)
    for _ in range(500):
        if copied() == 5:
            break
        threading.Event().wait(0.01)
    assert copied() == 5
    site.log.close()
    site.database.close()


def test_the_end_is_copied_after_so_many_seconds(tmp_path, clock):
    site = site_of(tmp_path, clock, note_seconds=0.01, copy_rows=1000, copy_seconds=0.05)
    site.add(1)

    for _ in range(500):
        if json.loads(site.head_file.read_text())["seq"] == 1:
            break
        threading.Event().wait(0.01)

    assert json.loads(site.head_file.read_text())["seq"] == 1
    assert site.head_file.stat().st_mode & 0o777 == 0o600
    site.log.close()
    site.database.close()


def test_a_copy_that_cannot_be_made_stops_nobody_but_is_logged(tmp_path, clock, caplog):
    site = site_of(tmp_path, clock)
    site.add(1)
    site.head_file.unlink()
    site.head_file.mkdir()

    site.log.close()

    assert "the audit log stops" in caplog.text
    assert len(site.log.entries()) == 1
    site.database.close()


def test_a_folder_that_cannot_be_written_stops_the_start_and_later_nobody(tmp_path, clock, caplog):
    site = site_of(tmp_path, clock)
    site.add(1)
    for file in site.head_file.parent.iterdir():
        file.unlink()
    site.head_file.parent.rmdir()
    site.head_file.parent.write_text("a file")

    site.add(1)
    site.log.close()

    assert "cannot be copied to" in caplog.text
    assert len(site.log.entries()) == 2
    site.database.close()
    for file in tmp_path.glob("own.db*"):
        file.unlink()
    with pytest.raises(StoreUnavailable, match="cannot be copied to"):
        site_of(tmp_path, clock)


def test_two_processes_make_one_chain(tmp_path, clock, site):
    other = site_of(tmp_path, clock)
    for _ in range(5):
        site.add(2)
        other.add(2)
        other.log.note(AuditEvent(LOG_IN, "failed", "eve"))
        other.log.flush()
    site.log.flush()

    found = site.log.verify()
    assert (found.sound, found.entries, found.copied_seq) == (True, 25, 25)
    other.log.close()
    other.database.close()


def test_threads_make_one_chain(site):
    threads = [threading.Thread(target=lambda: [site.add(1) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert site.log.verify().entries == 80


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="at least 32 bytes, was 3"):
        Chain(b"abc")


def test_neither_control_characters_nor_secrets_reach_the_file(site):
    enemy = "eve\r\nuser.add done\x1b[2J\u202egnp.exe\x00\ud800"
    secrets = {
        "password": "canary-1",
        "new_password": "canary-2",
        "nested": [{"Authorization": "canary-3"}],
        "tried": "Bearer canary-4-abcdefgh",
        "url": "mysql://root:canary-5@db/x",
        "key": "qf_abcdef_canary6canary6canary6",
        "raw": b"canary-7",
    }
    site.log.note(AuditEvent("access\n", "refused", enemy, enemy, enemy, "Bearer canary-8-abcdefgh", secrets))
    site.log.flush()

    stored = " ".join(str(field) for row in _rows(site) for field in row)
    assert "canary" not in stored
    assert stored.isprintable()
    (entry,) = site.log.entries(action="access\n")
    assert entry.event.actor == "eve\\x0d\\x0auser.add done\\x1b[2J\\u202egnp.exe\\x00\\ud800"
    assert site.log.entries(actor=enemy) == [entry]
    assert site.log.verify().sound


def _rows(site):
    connection = sqlite3.connect(site.file)
    try:
        return rows_of(connection)
    finally:
        connection.close()
