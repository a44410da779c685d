"""The store that lives in this process: for tests, trials and small studies."""

from __future__ import annotations

from quantflux.core.clock import Clock
from quantflux.data.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore", "open_store"]


def open_store(*, clock: Clock, keep_versions: int = 100) -> MemoryStore:
    """Open an empty store.

    Parameters
    ----------
    clock : Clock
    keep_versions : int
        How many versions of each dataset can be read as of.
    """
    return MemoryStore(clock, keep_versions=keep_versions)
