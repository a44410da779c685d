"""The copy of the chain's end outside the database: a small file, best on another disk or host."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from quantflux.accounts.audit.chain import Head
from quantflux.core.errors import StoreCorrupt, StoreUnavailable
from quantflux.core.folder_lock import folder_lock


class HeadFile:
    """One head in a file, replaced whole.

    Parameters
    ----------
    path : Path
        Its folder is made when first needed, readable by the owner alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Head | None:
        """Return the head, or None if there is no file.

        Raises
        ------
        StoreCorrupt
            If the file holds no head.
        StoreUnavailable
            If it cannot be read.
        """
        try:
            found = json.loads(self.path.read_bytes())
            return Head(int(found["seq"]), str(found["mac"]), str(found["signature"]))
        except FileNotFoundError:
            return None
        except OSError as failure:
            raise StoreUnavailable(
                f"The audit log's copied head {self.path} cannot be read: {failure.strerror}."
            ) from failure
        except (ValueError, KeyError, TypeError) as failure:
            raise StoreCorrupt(f"{self.path} holds no head of an audit log.", str(self.path)) from failure

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the file against other processes that copy heads into it.

        Raises
        ------
        StoreUnavailable
            If its folder cannot be made or written to.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(folder_lock(self.path.parent))
            except OSError as failure:
                raise StoreUnavailable(
                    f"The audit log's head cannot be copied to {self.path}: {failure.strerror}."
                ) from failure
            yield

    def write(self, head: Head) -> None:
        """Replace the head, so that a crash at any moment leaves the old one or the new one.

        Raises
        ------
        StoreUnavailable
            If it cannot be written.
        """
        text = json.dumps({"seq": head.seq, "mac": head.mac, "signature": head.signature}) + "\n"
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as failure:
            raise StoreUnavailable(
                f"The audit log's head cannot be copied to {self.path}: {failure.strerror}."
            ) from failure
