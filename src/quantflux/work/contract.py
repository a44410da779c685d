"""What a kind of long work is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quantflux.accounts.permissions import Permission
from quantflux.jobs import Told
from quantflux.platform import Platform

Run = Callable[[Platform, Mapping[str, Any], Told], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of long work.

    Attributes
    ----------
    name : str
        Subject and verb, such as `backtests.run`; stands in the ledger, so it is never changed.
    permission : Permission
        What the owner must be allowed, when it is asked for and again when it runs.
    run : callable
        Takes the platform, the payload and the line to its runner; returns a JSON document. Harmless when run twice,
        as a process may die between the work and its last word. Asks `told.cancelled()` often and raises `Cancelled`.
    """

    name: str
    permission: Permission
    run: Run
