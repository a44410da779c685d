"""The kinds of requests that are counted apart, how many of each are allowed, and the answer to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class RouteKind(StrEnum):
    """What a request means for the server."""

    READ = "read"
    WORK = "work"
    """It computes."""

    WRITE = "write"
    LOGIN = "login"
    """It tries a credential; counted by address, as nobody is known yet."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Most requests in a minute.

    Attributes
    ----------
    user : mapping of RouteKind to int
        By one user, of each kind but LOGIN.
    logins : int
        Of the kind LOGIN, from one address.
    address : int
        Of all kinds, from one address.
    total : int
        Of all kinds, from everybody.
    """

    user: Mapping[RouteKind, int]
    logins: int
    address: int
    total: int


class Allowance(NamedTuple):
    """Whether a request may go on, and what its headers say.

    Attributes
    ----------
    allowed : bool
    limit : int
        Requests in a minute, of the limit that refused, or else of the caller's own.
    remaining : int
        How many of them are left.
    reset_seconds : int
        Seconds until the present window ends.
    retry_after : int
        Seconds until a request will be allowed; 0 if this one is.
    name : str
        Which limit: `read`, `work`, `write`, `login`, `address` or `total`.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    retry_after: int
    name: str
