"""`verify`: whether the log is whole, and where it first is not.

1. Walk all entries by number: each must follow the one before it by one and carry the code that fits (`_walk`).
2. The end that the database marks must be signed, and be the entry that the walk came to (`_against_head`).
3. The end that was copied outside must be signed, and be in the log (`_against_copy`): a log cut short together with
   its mark, or put back from a backup, passes the first two.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from quantflux.accounts.audit.chain import FIRST, Chain, Head
from quantflux.accounts.audit.events import Verification
from quantflux.accounts.audit.head import HeadFile
from quantflux.accounts.audit.reading import head_of, mac_of, rows_after
from quantflux.core.errors import StoreCorrupt
from quantflux.database.engine import Database


@dataclass(slots=True)
class _Walk:
    """How far the chain was found sound, and what came next."""

    seq: int = 0
    mac: str = FIRST
    last: int = 0
    bad: int | None = None
    problem: str = ""


def verify(database: Database, chain: Chain, file: HeadFile) -> Verification:
    """Check a whole log while others may write to it.

    Raises
    ------
    StoreUnavailable
        If the database does not answer, or the copy cannot be read.
    """
    copied, unreadable = _copy_of(file)  # before the entries: it may only be older than what they show
    with database.reading() as connection:
        walk = _walk(connection, chain)
        if not walk.problem:
            _against_head(connection, chain, walk)
        if not walk.problem and not unreadable:
            _against_copy(connection, chain, walk, file, copied)
    problem = walk.problem or unreadable
    return Verification(walk.seq, walk.last, walk.bad, problem, None if copied is None else copied.seq)


def _copy_of(file: HeadFile) -> tuple[Head | None, str]:
    try:
        return file.read(), ""
    except StoreCorrupt as damage:
        return None, str(damage)


def _walk(connection: Connection, chain: Chain) -> _Walk:
    walk = _Walk()
    while True:
        before = walk.seq
        for row, mac in rows_after(connection, walk.seq or None):
            walk.last = row.seq
            if row.seq <= walk.seq or row.seq < 1:
                walk.bad, walk.problem = row.seq, f"entry {row.seq} does not belong to the log"
            elif row.seq > walk.seq + 1:
                gone = (
                    f"entry {walk.seq + 1} is"
                    if row.seq == walk.seq + 2
                    else f"entries {walk.seq + 1} to {row.seq - 1} are"
                )
                walk.bad, walk.problem = walk.seq + 1, f"{gone} missing"
            elif not chain.fits(walk.mac, row, mac):
                walk.bad, walk.problem = row.seq, f"entry {row.seq} is not as it was written"
            if walk.problem:
                return walk
            walk.seq, walk.mac = row.seq, mac
        head = head_of(connection)
        # On a server, others may have appended between the last rows and the head: then there are more to walk.
        if head is None or head.seq <= walk.seq or walk.seq == before:
            return walk


def _against_head(connection: Connection, chain: Chain, walk: _Walk) -> None:
    head = head_of(connection)
    if head is None or not chain.signed(head):
        walk.bad = walk.seq + 1
        walk.problem = (
            "the end of the log is missing or was not signed with our key; entries may have been cut off"
        )
    elif head.seq > walk.seq:
        walk.bad, walk.problem = walk.seq + 1, f"entries {walk.seq + 1} to {head.seq} are missing"
    elif head.seq < walk.seq:
        walk.bad, walk.problem = (
            head.seq + 1,
            f"the log ends with {head.seq}; what follows does not belong to it",
        )
    elif head.mac != walk.mac:
        walk.bad, walk.problem = walk.seq, f"entry {walk.seq} is not the one with which the log ends"


def _against_copy(
    connection: Connection, chain: Chain, walk: _Walk, file: HeadFile, copied: Head | None
) -> None:
    if copied is None:
        if not walk.seq:
            return
        walk.problem = f"{file.path} is missing: nothing outside the database vouches for the log's end"
    elif not chain.signed(copied):
        walk.problem = f"{file.path} was not signed with our key"
    elif copied.seq > walk.seq:
        walk.bad = walk.seq + 1
        walk.problem = f"entries {walk.seq + 1} to {copied.seq} are missing: {file.path} vouches for them"
    elif copied.seq and mac_of(connection, copied.seq) != copied.mac:
        walk.bad = copied.seq
        walk.problem = f"entry {copied.seq} is not the one that {file.path} vouches for"
