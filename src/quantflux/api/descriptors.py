"""File descriptors: how many connections this process can hold and still open the files that its answers need."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

RESERVED = 64
"""Kept for stores, databases, caches and jobs while connections take what they can."""

LEAST_ROOM = 8
_ENOUGH = 65_536
_OPEN = Path("/proc/self/fd")
_USUALLY_OPEN = 64


def raise_limit() -> None:
    """Raise this process's limit as far as it may itself. The usual 1024 is there for programs that use `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems refuse what they said was allowed
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room_for_connections() -> int:
    """Return how many connections may be open, beside what is open now and what is reserved."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _ENOUGH
    taken = sum(1 for _ in _OPEN.iterdir()) if _OPEN.exists() else _USUALLY_OPEN
    return max(soft - taken - RESERVED, LEAST_ROOM)
