"""`AuditLog`: entries that join the chain inside the transaction of what they record, or soon after a refusal."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from quantflux.accounts.audit.chain import FIRST, Chain, Row
from quantflux.accounts.audit.copying import HeadCopier
from quantflux.accounts.audit.events import AuditEntry, AuditEvent, Outcome, Verification
from quantflux.accounts.audit.head import HeadFile
from quantflux.accounts.audit.metrics import notes_written
from quantflux.accounts.audit.notes import Note, Notes
from quantflux.accounts.audit.reading import entries_of, head_of, log_ins_of
from quantflux.accounts.audit.texts import details_text, plain
from quantflux.accounts.audit.unusual import UnusualAccess
from quantflux.accounts.audit.verification import verify
from quantflux.core.clock import Clock
from quantflux.core.errors import QuantfluxError, StoreCorrupt
from quantflux.database.engine import Database
from quantflux.database.tables import audit as columns
from quantflux.database.tables.audit import audit_entries, audit_head
from quantflux.database.times import to_micros

logger = logging.getLogger(__name__)

_BATCH = 500
"""Entries of one transaction of notes; others who write wait for it."""


class AuditLog:
    """The log of who did what.

    What changes something is recorded by `record` in the transaction that changes it: both are kept, or neither.
    What changes nothing (refusals, failed log-ins, limits hit, exports) is handed to `note`, which never fails and
    never waits; a thread writes it within `note_seconds`. Up to that much of the notes is lost if the process is
    killed.

    Parameters
    ----------
    database : Database
    key : bytes
        Of the authentication code, at least 32 bytes.
    head_file : Path
        Where the signed end of the log is copied, after at most `copy_rows` entries or `copy_seconds`.
    clock : Clock
    unusual : UnusualAccess or None
        Watches what is written and raises events of its own.
    note_seconds : float
        How long notes are gathered.
    capacity : int
        Most notes that wait; what does not fit is counted, and the count is recorded.

    Raises
    ------
    StoreUnavailable
        If the database does not answer.
    """

    def __init__(
        self,
        database: Database,
        key: bytes,
        head_file: Path,
        clock: Clock,
        *,
        unusual: UnusualAccess | None = None,
        note_seconds: float = 1.0,
        capacity: int = 10_000,
        copy_rows: int = 100,
        copy_seconds: float = 60.0,
    ) -> None:
        self._database = database
        self._chain = Chain(key)
        self._clock = clock
        self._unusual = unusual
        self._note_seconds = note_seconds
        self._notes = Notes(capacity)
        self._recorded: deque[tuple[int, int, AuditEvent]] = deque(maxlen=capacity)
        self._working = threading.Lock()
        self._starting = threading.Lock()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._head_file = HeadFile(head_file)
        self._copier = HeadCopier(
            database, self._chain, self._head_file, rows=copy_rows, seconds=copy_seconds
        )
        self._prepare()

    def record(self, connection: Connection, event: AuditEvent) -> int:
        """Append an event inside the caller's transaction and return its number.

        Do it last: from here to the end of the transaction everybody else who records waits.

        Raises
        ------
        StoreCorrupt
            If the end of the chain was tampered with. Nothing may then be done that has to be recorded.
        SQLAlchemyError
            If the database fails; `Database.transaction` makes it a StoreUnavailable. The action must fail with it.
        """
        at = to_micros(self._clock.now())
        seq = self._append(connection, [(at, event)])
        if self._unusual is not None:
            self._recorded.append((seq, at, event))
        self._copier.appended = True
        self._rouse()
        return seq

    def note(self, event: AuditEvent) -> None:
        """Take an event that changes nothing, to be written soon. Never fails, never waits."""
        if self._notes.add(to_micros(self._clock.now()), event):
            self._rouse()

    def flush(self) -> None:
        """Write what was noted, now, and copy the chain's end if this process has moved it.

        Raises
        ------
        StoreError
            If the database or the copy fails. What was noted waits on.
        """
        with self._working:
            while self._notes or self._recorded:  # what is unusual about them makes notes of its own
                self._write_notes()
            if self._copier.appended:
                self._copier.copy(self._alarm, now=True)
            if self._notes:  # an alarm
                self._write_notes()

    def close(self) -> None:
        """Write what was noted and stop. What cannot be written is lost; the count of it is logged."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.flush()
        except (QuantfluxError, SQLAlchemyError) as failure:
            logger.error("the audit log stops with %d notes unwritten: %s", len(self._notes), failure)

    def entries(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        action: str | None = None,
        actor: str | None = None,
        outcome: Outcome | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        before: int | None = None,
    ) -> list[AuditEntry]:
        """Read entries by number, oldest first unless asked otherwise.

        Parameters
        ----------
        after, before : int
            Only numbers above and below these.
        limit : int
            Most entries, from 1 to 10000.
        action : str or None
            One action, or all that begin so if it ends with a dot: `user.`.
        actor : str or None
        outcome : {"done", "refused", "failed"} or None
        since, until : datetime or None
            Aware; the first is included, the second is not.
        newest_first : bool

        Raises
        ------
        InvalidRequest
            If `limit` is out of range.
        """
        return entries_of(
            self._database,
            after=after,
            before=before,
            limit=limit,
            action=action,
            actor=actor,
            outcome=outcome,
            since=since,
            until=until,
            newest_first=newest_first,
        )

    def verify(self) -> Verification:
        """Check every entry, the end of the chain and its copy outside the database."""
        return verify(self._database, self._chain, self._head_file)

    def _prepare(self) -> None:
        """Make the end of an empty chain, once, and its first copy."""
        with self._database.reading() as connection:
            if head_of(connection) is not None:
                return
            if connection.execute(select(audit_entries.c.seq).limit(1)).first() is not None:
                logger.critical("the audit log has entries, and its end is gone; run: quantflux audit verify")
                return
        head = self._chain.sign(0, FIRST)
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    insert(audit_head).values(id=1, seq=0, mac=head.mac, signature=head.signature)
                )
        except IntegrityError:
            return  # another process was quicker
        self._copier.begin(head)

    def _append(self, connection: Connection, events: Sequence[tuple[int, AuditEvent]]) -> int:
        """Chain events to the end, which is held until the transaction ends, and return the last one's number."""
        head = head_of(connection, hold=True)
        if head is None or not self._chain.signed(head):
            raise StoreCorrupt(
                "The end of the audit log is missing or was tampered with; nothing may be done that has to be "
                "recorded. Run: quantflux audit verify"
            )
        seq, mac, rows = head.seq, head.mac, []
        for at, event in events:
            seq += 1
            row = row_of(seq, at, event)
            mac = self._chain.mac(mac, row)
            rows.append({**{name: getattr(row, name) for name in Row.__slots__}, "mac": mac})
        fresh = self._chain.sign(seq, mac)
        try:
            connection.execute(insert(audit_entries), rows)
        except IntegrityError as failure:
            raise StoreCorrupt(
                f"The audit log holds entries after its end, {head.seq}. Run: quantflux audit verify"
            ) from failure
        connection.execute(
            update(audit_head).where(audit_head.c.id == 1).values(seq=seq, mac=mac, signature=fresh.signature)
        )
        return seq

    def _rouse(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None and not self._stop.is_set():
                    self._thread = threading.Thread(target=self._run, name="quantflux-audit", daemon=True)
                    self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        failing = False
        while not self._stop.is_set():
            self._wake.wait(self._copier.due_in())
            self._wake.clear()
            self._stop.wait(self._note_seconds)
            try:
                with self._working:
                    self._write_notes()
                    self._copier.copy(self._alarm)
                failing = False
            except (QuantfluxError, SQLAlchemyError):
                if not failing:
                    logger.exception(
                        "the audit log cannot be written; notes wait, privileged changes are refused"
                    )
                failing = True
                self._wake.set()

    def _write_notes(self) -> None:
        self._watch_recorded()
        notes, lost = self._notes.take()
        if lost:
            event = AuditEvent("audit.overflow", "failed", "", details={"lost": lost})
            notes.append(Note(to_micros(self._clock.now()), event))
        written = 0
        try:
            while written < len(notes):
                batch = notes[written : written + _BATCH]
                with self._database.transaction() as connection:
                    events = [(note.at, note.as_event()) for note in batch]
                    last = self._append(connection, events)
                written += len(batch)
                notes_written.inc(sum(note.times for note in batch))
                self._copier.appended = True
                for seq, (at, event) in enumerate(events, start=last - len(batch) + 1):
                    self._watch(seq, at, event)
        except BaseException:
            self._notes.put_back([n for n in notes[written:] if n.event.action != "audit.overflow"], lost)
            raise

    def _watch_recorded(self) -> None:
        while self._recorded:
            self._watch(*self._recorded.popleft())

    def _watch(self, seq: int, at: int, event: AuditEvent) -> None:
        if self._unusual is None:
            return
        for raised in self._unusual.look(seq, at, event, partial(log_ins_of, self._database)):
            self.note(raised)

    def _alarm(self, problem: str) -> None:
        logger.critical("the audit log was tampered with: %s", problem)
        self.note(AuditEvent("audit.tampered", "failed", "", details={"problem": problem}))


def row_of(seq: int, at: int, event: AuditEvent) -> Row:
    """Return an event as the table holds it: texts of one line and bounded length, no secrets."""
    return Row(
        seq,
        at,
        plain(event.action, columns.ACTION),
        event.outcome,
        plain(event.actor, columns.NAME),
        plain(event.address, columns.ADDRESS),
        plain(event.request_id, columns.REQUEST),
        plain(event.target, columns.TARGET),
        details_text(event.details),
        plain(event.before, columns.HASH),
        plain(event.after, columns.HASH),
    )
