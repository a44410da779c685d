"""Seven ways to tamper with the log, at every position, by somebody who may write to the database but has no key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import pytest

from quantflux.accounts.audit.chain import Chain, Row
from tests.accounts.audit.material import FIELDS, Site, head_at, rows_of, site_of

Rows = list[tuple[object, ...]]
Tamper = Callable[[sqlite3.Connection, Rows, int], None]


def edited(connection: sqlite3.Connection, rows: Rows, seq: int) -> None:
    field = FIELDS[1 + seq % (len(FIELDS) - 1)]
    value = rows[seq - 1][FIELDS.index(field)]
    other = value + 1 if isinstance(value, int) else "0" * 64 if field == "mac" else f"{value}x"
    connection.execute(f"UPDATE audit_entries SET {field} = ? WHERE seq = ?", (other, seq))


def deleted(connection: sqlite3.Connection, rows: Rows, seq: int) -> None:
    connection.execute("DELETE FROM audit_entries WHERE seq = ?", (seq,))


def inserted(connection: sqlite3.Connection, rows: Rows, seq: int) -> None:
    connection.execute("UPDATE audit_entries SET seq = -(seq + 1) WHERE seq >= ?", (seq,))
    connection.execute("UPDATE audit_entries SET seq = -seq WHERE seq < 0")
    forged = (seq, *rows[seq - 1][1:4], "somebody else", *rows[seq - 1][5:])
    connection.execute(f"INSERT INTO audit_entries ({', '.join(FIELDS)}) VALUES ({marks()})", forged)


def reordered(connection: sqlite3.Connection, rows: Rows, seq: int) -> None:
    other = seq + 1 if seq < len(rows) else 1
    connection.execute("UPDATE audit_entries SET seq = -1 WHERE seq = ?", (seq,))
    connection.execute("UPDATE audit_entries SET seq = ? WHERE seq = ?", (seq, other))
    connection.execute("UPDATE audit_entries SET seq = ? WHERE seq = -1", (other,))


def cut(connection: sqlite3.Connection, rows: Rows, seq: int) -> None:
    connection.execute("DELETE FROM audit_entries WHERE seq >= ?", (seq,))


def restored(connection: sqlite3.Connection, rows: Rows, seq: int) -> None:
    # The whole of an old backup, with the end of the log that was rightly signed at that time.
    cut(connection, rows, seq)
    connection.execute("UPDATE audit_head SET seq = ?, mac = ?, signature = ?", head_at(rows, seq - 1))


def forged(connection: sqlite3.Connection, rows: Rows, seq: int) -> None:
    # A chain of its own from here to the end, consistent in itself, with another key.
    chain, mac = Chain(b"the key of the enemy, 32 bytes.."), rows[seq - 2][-1] if seq > 1 else "0" * 64
    for row in rows[seq - 1 :]:
        mac = chain.mac(str(mac), Row(*row[:4], "somebody else", *row[5:-1]))  # type: ignore[arg-type]
        connection.execute(
            "UPDATE audit_entries SET actor = 'somebody else', mac = ? WHERE seq = ?", (mac, row[0])
        )
    head = chain.sign(len(rows), str(mac))
    connection.execute("UPDATE audit_head SET mac = ?, signature = ?", (head.mac, head.signature))


KINDS: list[Tamper] = [edited, deleted, inserted, reordered, cut, restored, forged]


def marks() -> str:
    return ", ".join("?" * len(FIELDS))


def first_bad(kind: Tamper, seq: int, count: int) -> int:
    return 1 if kind is reordered and seq == count else seq


def sweep(site: Site, kind: Tamper, positions: Iterator[int] | range) -> list[tuple[int, int | None]]:
    """Tamper at each position, verify, put everything back; return where the answer was not the position."""
    missed = []
    with site.behind() as connection:
        rows = rows_of(connection)
        head = head_at(rows, len(rows))
        for seq in positions:
            connection.execute("BEGIN")
            kind(connection, rows, seq)
            connection.execute("COMMIT")
            found = site.log.verify()
            if found.sound or found.bad_seq != first_bad(kind, seq, len(rows)) or found.entries >= seq + 1:
                missed.append((seq, found.bad_seq))
            connection.execute("BEGIN")
            connection.execute("DELETE FROM audit_entries")
            connection.executemany(
                f"INSERT INTO audit_entries ({', '.join(FIELDS)}) VALUES ({marks()})", rows
            )
            connection.execute("UPDATE audit_head SET seq = ?, mac = ?, signature = ?", head)
            connection.execute("COMMIT")
    assert site.log.verify().sound, "the test itself broke the log"
    return missed


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_tampering_is_found_where_it_begins(site, kind):
    site.add(60)
    site.log.flush()

    assert sweep(site, kind, range(1, 61)) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_tampering_is_found_at_each_of_a_thousand_positions(site, kind):
    site.add(1000)
    site.log.flush()

    assert sweep(site, kind, range(1, 1001)) == []


def test_a_backup_that_was_put_back_and_written_to_is_found_by_the_copied_end(tmp_path, clock, site, caplog):
    site.add(5)
    site.log.flush()
    with site.behind() as connection:
        old = rows_of(connection)
    site.add(5)
    site.log.flush()

    with site.behind() as connection:
        restored(connection, old, 6)
    again = site_of(tmp_path, clock)
    again.add(20, "user.role")
    again.log.flush()
    found = again.log.verify()

    assert (found.bad_seq, found.copied_seq) == (10, 10)
    assert "vouches for" in found.problem
    assert [e.event.action for e in again.log.entries(action="audit.tampered")] == ["audit.tampered"]
    assert "tampered with" in caplog.text
    again.log.close()
    again.database.close()


def test_a_database_made_anew_does_not_match_the_copied_end(tmp_path, clock, site):
    site.add(3)
    site.log.flush()
    site.log.close()
    site.database.close()

    for file in tmp_path.glob("own.db*"):
        file.unlink()
    again = site_of(tmp_path, clock)

    assert again.log.verify().bad_seq == 1
    again.log.close()
    again.database.close()


def test_entries_below_the_first_are_found(site):
    site.add(3)
    with site.behind() as connection:
        connection.execute("UPDATE audit_entries SET seq = -7 WHERE seq = 3")

    assert site.log.verify().bad_seq == -7


def test_losing_the_copied_end_is_told(site):
    site.add(3)
    site.log.flush()
    site.head_file.unlink()

    found = site.log.verify()

    assert (found.sound, found.bad_seq, found.entries) == (False, None, 3)
    assert "head.json is missing" in found.problem


@pytest.mark.parametrize("text", ["", "{", '{"seq": 3}', "[1]", '{"seq": "x", "mac": "", "signature": ""}'])
def test_a_damaged_copied_end_is_told_and_kept(site, text):
    site.add(3)
    site.log.flush()
    site.head_file.write_text(text)

    site.add(1)
    site.log.flush()

    assert "holds no head" in site.log.verify().problem
    assert site.head_file.read_text() == text
    assert [e.event.outcome for e in site.log.entries(action="audit.tampered")] == ["failed"]


def test_a_copied_end_with_a_foreign_signature_is_told(site):
    site.add(3)
    site.log.flush()
    site.head_file.write_text(site.head_file.read_text().replace('"seq": 3', '"seq": 2'))

    assert "was not signed with our key" in site.log.verify().problem


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM audit_head", "UPDATE audit_head SET seq = 1", "UPDATE audit_head SET signature = 'é'"],
)
def test_nothing_is_recorded_after_an_end_that_was_tampered_with(site, change):
    from quantflux.core.errors import StoreCorrupt

    site.add(3)
    with site.behind() as connection:
        connection.execute(change)

    with pytest.raises(StoreCorrupt, match="quantflux audit verify"):
        site.add(1)
    assert len(site.log.entries()) == 3


def test_nothing_is_recorded_over_entries_that_do_not_belong(site):
    from quantflux.core.errors import StoreCorrupt

    site.add(3)
    with site.behind() as connection:
        row = (4, *rows_of(connection)[2][1:])
        connection.execute(f"INSERT INTO audit_entries ({', '.join(FIELDS)}) VALUES ({marks()})", row)

    with pytest.raises(StoreCorrupt, match="entries after its end, 3"):
        site.add(1)
    assert site.log.verify().bad_seq == 4


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries"])
def test_the_database_itself_refuses_changes(site, statement):
    site.add(1)
    connection = sqlite3.connect(site.file)

    with pytest.raises(sqlite3.IntegrityError, match="only ever appended to"):
        connection.execute(statement)
    connection.close()


def test_the_code_is_the_one_that_its_definition_gives(site):
    # Written down again from the definition, with the standard library alone.
    import hashlib
    import hmac
    import json

    from tests.accounts.audit.material import KEY

    site.add(2)
    with site.behind() as connection:
        rows = rows_of(connection)

    before = "0" * 64
    for row in rows:
        text = json.dumps(list(row[:-1]), separators=(",", ":"))
        before = hmac.new(KEY, f"entry\0{before}{text}".encode(), hashlib.sha256).hexdigest()
        assert row[-1] == before
