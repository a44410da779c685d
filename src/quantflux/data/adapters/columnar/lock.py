"""One writer at a time per dataset, across threads and processes.

The lock only spares rivals wasted work: what makes a lost update impossible is that a commit names the version it
builds on. The kernel frees the lock when its holder dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quantflux.core.errors import VersionConflict
from quantflux.data.adapters.columnar.errors import translated

_POLL_SECONDS = 0.005


@contextmanager
def writing(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock file `path` while the block runs.

    Raises
    ------
    VersionConflict
        If another writer holds it for `timeout` seconds.
    """
    with translated(path, "lock"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + timeout
        while not _try(handle, path):
            if time.monotonic() >= deadline:
                raise VersionConflict(f"another writer has held {path} for {timeout:g} s")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)


def _try(handle: int, path: Path) -> bool:
    with translated(path, "lock"):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
