"""What the shared tier asks of the store behind it. A backend blocks, for at most a few tenths of a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from quantflux.core.errors import StoreUnavailable


class Unreachable(StoreUnavailable):
    """The backend does not answer, or answers nobody. `error` is one of a few fixed words, for counting."""

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


class Refused(StoreUnavailable):
    """The backend answered, but would not do it: full, read-only, misconfigured. Reads may still work."""

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Lock:
    """A right to compute: the key it is kept under, and a token that only its holder knows."""

    key: str
    token: str


@dataclass(frozen=True, slots=True)
class KindUse:
    """What one kind takes in a backend."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class BackendUse:
    """What a backend holds.

    Attributes
    ----------
    kinds : mapping of str to KindUse
    foreign : int
        Entries that are not ours.
    memory_bytes, most_bytes : int
        Memory in use, and the most that it may use; 0 means no limit.
    evictions : int
        Entries that it put out for want of space since it started.
    advice : tuple of str
        What about its configuration is unwise for a cache.
    """

    kinds: Mapping[str, KindUse]
    foreign: int
    memory_bytes: int
    most_bytes: int
    evictions: int
    advice: tuple[str, ...]


class Backend(Protocol):
    """Bytes by key. Every method may raise `Unreachable` or `Refused`, and nothing else."""

    name: str

    def get(self, kind: str, digest: str) -> bytes | None:
        """Return what is kept, or None; a value of a foreign type counts as None."""

    def claim(self, kind: str, digest: str, lock: Lock, seconds: float) -> tuple[bool, bytes | None]:
        """Try to take a lock that ends by itself after `seconds`; return whether that worked, and what is kept."""

    def extend(self, lock: Lock, seconds: float) -> None:
        """Let a lock live `seconds` from now, if it is still ours."""

    def put(self, kind: str, digest: str, blob: bytes, seconds: float, lock: Lock | None) -> None:
        """Keep bytes for `seconds`, then give a lock back."""

    def release(self, lock: Lock) -> None:
        """Give a lock back, if it is still ours."""

    def ping(self) -> None:
        """Do nothing, successfully."""

    def use(self) -> BackendUse:
        """Count what is kept. Walks over every key."""

    def clear(self, kind: str | None) -> int:
        """Remove every entry of ours, or those of one kind, and return how many."""

    def close(self) -> None:
        """Release connections."""
