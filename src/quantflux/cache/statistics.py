"""What a process tells about its cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindStats:
    """Lookups of one kind since the process started, by how they ended, and the life of its entries."""

    seconds: float
    hits: int
    shared: int
    stale: int
    misses: int


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What this process has done and holds. Memory belongs to one process; the shared tier has its own figures.

    Attributes
    ----------
    kinds : mapping of str to KindStats
    entries, bytes, most_bytes : int
        Of the memory tier.
    evictions : mapping of str to int
        By reason: space, expired.
    errors : mapping of str to int
        By "tier: error".
    backend : str
        "memory" where there is no shared tier.
    up : bool or None
        Whether the shared tier is in use at present; None where there is none.
    """

    kinds: Mapping[str, KindStats]
    entries: int
    bytes: int
    most_bytes: int
    evictions: Mapping[str, int]
    errors: Mapping[str, int]
    backend: str
    up: bool | None
