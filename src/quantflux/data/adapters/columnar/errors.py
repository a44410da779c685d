"""Turns what the file system, Arrow and Delta raise into our errors, at the edge."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError

from quantflux.core.errors import (
    AccessDenied,
    QuantfluxError,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreUnavailable,
    VersionConflict,
)

_BY_NUMBER: dict[int, type[StoreError]] = {
    errno.ENOSPC: StoreFull,
    errno.EDQUOT: StoreFull,
    errno.EFBIG: StoreFull,
    errno.EACCES: AccessDenied,
    errno.EPERM: AccessDenied,
    errno.EROFS: AccessDenied,
}

_BY_WORDS: tuple[tuple[str, type[StoreError]], ...] = (
    ("No space left on device", StoreFull),
    ("Disk quota exceeded", StoreFull),
    ("File too large", StoreFull),
    ("Permission denied", AccessDenied),
    ("Read-only file system", AccessDenied),
    ("Input/output error", StoreUnavailable),
)
"""Delta reports what the operating system said only as text."""


@contextmanager
def translated(path: Path, action: str) -> Iterator[None]:
    """Run a block that touches `path`, and raise what goes wrong as one of our errors."""
    try:
        yield
    except QuantfluxError:
        raise
    except CommitFailedError as exc:
        raise VersionConflict(f"cannot {action} {path}: another writer committed first ({exc})") from exc
    except pa.ArrowException as exc:
        raise StoreCorrupt(f"cannot {action} {path}: {exc}", str(path)) from exc
    except OSError as exc:
        raise _from_number(exc, path, action) from exc
    except DeltaError as exc:
        raise _from_words(exc, path, action) from exc


def _from_number(exc: OSError, path: Path, action: str) -> StoreError:
    if exc.errno is None:
        return _from_words(exc, path, action)
    if exc.errno == errno.ENOENT:
        return StoreCorrupt(
            f"cannot {action} {path}: a file of the store is missing ({exc.strerror})", str(path)
        )
    kind = _BY_NUMBER.get(exc.errno, StoreUnavailable)
    return kind(f"cannot {action} {path}: {exc.strerror}")


def _from_words(exc: Exception, path: Path, action: str) -> StoreError:
    text = str(exc)
    for words, kind in _BY_WORDS:
        if words in text:
            return kind(f"cannot {action} {path}: {words.lower()}")
    return StoreCorrupt(f"cannot {action} {path}: {text}", str(path))
