"""A lock on a folder that processes share: the kernel frees it when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LOCK = ".lock"
"""The file in the folder that is locked."""


@contextlib.contextmanager
def folder_lock(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a folder, made if need be, against every other process and thread.

    Yields False, and holds nothing, if `wait` is off and another holds it. The folder may be deleted at any time, the
    lock file with it; a lock on a file that is no longer there protects nothing, so it is taken again.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name, folder_lock(Path(name)) as ours:
    ...     with folder_lock(Path(name), wait=False) as theirs:
    ...         ours, theirs
    (True, False)
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            if _still_there(folder, handle):
                yield True
                return
        finally:
            os.close(handle)


def _still_there(folder: Path, handle: int) -> bool:
    try:
        there = (folder / LOCK).stat()
    except FileNotFoundError:
        return False
    return there.st_ino == os.fstat(handle).st_ino
