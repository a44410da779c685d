"""How entries are chained: each carries a keyed authentication code over itself and over the code before it.

1. An entry's fields are written as a JSON array, which says unambiguously where each of them ends (`_bytes_of`).
2. `mac(n) = HMAC-SHA256(key, "entry" + mac(n - 1) + fields)`, `mac(0)` being zeros (`Chain.mac`). Without the key
   nobody can write a code that fits, so an entry that was changed, removed, moved or put in does not fit.
3. That leaves cutting the end off. The last entry's number and code are signed, `HMAC(key, "head" + n + mac(n))`
   (`Chain.sign`), kept beside the log, and copied elsewhere (`head.py`): the log may never be shorter than that.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256

FIRST = "0" * 64
"""The code before the first entry."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as the table holds it, all but its code. `at` is microseconds since 1970, UTC."""

    seq: int
    at: int
    action: str
    outcome: str
    actor: str
    address: str
    request_id: str
    target: str
    details: str
    hash_before: str
    hash_after: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: number and code of the last entry, signed. Of an empty log: 0 and `FIRST`."""

    seq: int
    mac: str
    signature: str


class Chain:
    """Makes and checks codes with one key.

    Parameters
    ----------
    key : bytes
        At least 32.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError(f"the audit log's key needs at least 32 bytes, was {len(key)}")
        self._key = key

    def mac(self, before: str, row: Row) -> str:
        """Return the code of an entry, 64 hexadecimal digits, given the one before it."""
        return hmac.new(self._key, b"entry\0" + before.encode() + _bytes_of(row), sha256).hexdigest()

    def fits(self, before: str, row: Row, mac: str) -> bool:
        """Whether an entry carries the code that it should."""
        return hmac.compare_digest(self.mac(before, row).encode(), mac.encode())

    def sign(self, seq: int, mac: str) -> Head:
        """Return the signed end of a chain."""
        signature = hmac.new(self._key, f"head\0{seq}\0{mac}".encode(), sha256).hexdigest()
        return Head(seq, mac, signature)

    def signed(self, head: Head) -> bool:
        """Whether an end of the chain was signed with this key."""
        return hmac.compare_digest(
            self.sign(head.seq, head.mac).signature.encode(), head.signature.encode("utf-8", "replace")
        )


def _bytes_of(row: Row) -> bytes:
    fields = [
        row.seq,
        row.at,
        row.action,
        row.outcome,
        row.actor,
        row.address,
        row.request_id,
        row.target,
        row.details,
        row.hash_before,
        row.hash_after,
    ]
    return json.dumps(fields, separators=(",", ":")).encode("ascii")
