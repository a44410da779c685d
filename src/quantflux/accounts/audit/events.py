"""What is told to the audit log, and what is read from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

Outcome = Literal["done", "refused", "failed"]

LOG_IN = "session.log_in"
"""The action of a log-in, done or refused; `UnusualAccess` learns a user's addresses and hours from those done."""

EXPORT = "data.export"
"""The action of a large answer; `details` has `rows` and `bytes`. `UnusualAccess` adds them up."""

ACCESS = "access"
"""The action of a request that lacked a permission or a credential; the target is the method and the route."""

LIMIT = "limit"
"""The action of a request that came too soon; `details` has the limit's name."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that somebody did, or was kept from doing.

    Attributes
    ----------
    action : str
        What, as a subject and a verb: `user.add`.
    outcome : {"done", "refused", "failed"}
    actor : str
        Name of the user, `command line`, or empty if nobody was logged in.
    address : str
        Of the client, as far as it can be trusted.
    request_id : str
        The one that the caller was told.
    target : str
        What it was done to, such as `user:7`.
    details : mapping
        Plain JSON values. Secrets do not belong here; what looks like one is struck out before it is stored.
    before, after : str
        Digests of the target's state, or empty.
    """

    action: str
    outcome: Outcome
    actor: str
    address: str = ""
    request_id: str = ""
    target: str = ""
    details: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An event as it stands in the log: `seq` counts from 1 without a gap, `at` is aware, in UTC."""

    seq: int
    at: datetime
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the whole log found.

    Attributes
    ----------
    entries : int
        How many entries were found sound, from the first on.
    last_seq : int
        Of the last entry in the table.
    bad_seq : int or None
        The first entry that is not as it was written, or is missing; None if all are sound.
    problem : str
        What is wrong, in a sentence; empty if nothing is.
    copied_seq : int or None
        How far the head that is copied outside the database vouches for the log; None without such a copy.
    """

    entries: int
    last_seq: int
    bad_seq: int | None
    problem: str
    copied_seq: int | None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem
