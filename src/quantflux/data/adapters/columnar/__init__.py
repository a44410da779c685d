"""The embedded store on Delta Lake: ACID upserts, time travel, pruned reads, checksummed files, zero servers."""

from __future__ import annotations

from pathlib import Path

from quantflux.core.clock import Clock
from quantflux.data.adapters.columnar.store import ColumnarStore

__all__ = ["ColumnarStore", "open_store"]


def open_store(
    *, clock: Clock, path: str | Path, compression: int = 3, lock_timeout: float = 60.0
) -> ColumnarStore:
    """Open the store in a folder. Nothing is read or made before the first use.

    Parameters
    ----------
    clock : Clock
    path : str or Path
        Root folder, made at the first write.
    compression : int
        zstd level of appended files, 1 to 22.
    lock_timeout : float
        Seconds that a write waits for another writer of the same dataset.
    """
    return ColumnarStore(Path(path), clock, compression=compression, lock_timeout=lock_timeout)
