"""Where results are kept: JSON documents in the ledger, in pieces; large ones as files beside it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from pathlib import Path
from typing import NamedTuple

import zstandard
from sqlalchemy import Connection, insert, select

from quantflux.core.errors import StoreCorrupt, StoreFull, StoreUnavailable
from quantflux.database.tables.jobs import job_results
from quantflux.jobs.job import Job

_PIECE = 1 << 20
"""MySQL's drivers may double bytes when they escape them, and servers take packets of 16 MB at most by default."""

_ABANDONED_SECONDS = 86_400.0


class Kept(NamedTuple):
    """What the job's row says of its result."""

    size: int
    digest: str
    place: str


class Results:
    """Keeps and reads result documents.

    Parameters
    ----------
    folder : Path
        For documents above `most_in_ledger`. Processes that share a ledger must share it.
    most_in_ledger : int
        Bytes of the largest document that goes into the database.
    """

    def __init__(self, folder: Path, most_in_ledger: int = 16_000_000) -> None:
        self._folder = folder
        self._most = most_in_ledger

    def lay_down(self, job_id: str, attempt: int, document: bytes) -> Kept:
        """Write a document that is too large for the ledger to its file; small ones wait for `put`.

        Raises
        ------
        StoreUnavailable
            If the file cannot be written. Nothing is left of it.
        """
        place = "ledger"
        if len(document) > self._most:
            place = "file"
            self._write(self._path(job_id, attempt), document)
        return Kept(len(document), hashlib.sha256(document).hexdigest(), place)

    def put(self, connection: Connection, seq: int, document: bytes) -> None:
        """Write a document's pieces in the transaction that ends the job."""
        packed = zstandard.ZstdCompressor(level=3).compress(document)
        pieces = [packed[at : at + _PIECE] for at in range(0, len(packed), _PIECE)]
        for part, data in enumerate(pieces):
            connection.execute(insert(job_results).values(seq=seq, part=part, data=data))

    def read(self, connection: Connection, job: Job) -> bytes | Path:
        """Return the document of a finished job, or where its file is.

        Raises
        ------
        StoreCorrupt
            If a piece is missing or the document is not the one that was kept.
        """
        if job.result_place == "file":
            path = self._path(job.id, job.attempts)
            if not path.is_file() or path.stat().st_size != job.result_bytes:
                raise StoreCorrupt(f"The result of job {job.id} is not where it was kept.", path.name)
            return path
        wanted = select(job_results.c.data).where(job_results.c.seq == job.seq).order_by(job_results.c.part)
        packed = b"".join(connection.execute(wanted).scalars())
        try:
            document = zstandard.ZstdDecompressor().decompress(packed)
        except zstandard.ZstdError:
            document = b""
        if hashlib.sha256(document).hexdigest() != job.result_digest:
            raise StoreCorrupt(f"The result of job {job.id} does not match its checksum.", "job_results")
        return document

    def drop(self, job_id: str, attempt: int) -> None:
        """Remove the file of a job, if it has one; rows go with the job's row."""
        with contextlib.suppress(OSError):
            self._path(job_id, attempt).unlink(missing_ok=True)

    def files(self) -> list[tuple[str, Path]]:
        """Return the job id and path of files older than a day, which a crash may have left without a row."""
        oldest = time.time() - _ABANDONED_SECONDS
        found = []
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        found.append((path.name.partition(".")[0], path))
        return found

    def _path(self, job_id: str, attempt: int) -> Path:
        # The attempt is part of the name: a run that was taken for dead cannot overwrite what its successor gave.
        return self._folder / f"{job_id}.{attempt}.json"

    def _write(self, path: Path, document: bytes) -> None:
        unfinished = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished.touch(mode=0o600)
            with unfinished.open("wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        except OSError as failure:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            kind = StoreFull if failure.errno in (errno.ENOSPC, errno.EDQUOT) else StoreUnavailable
            raise kind(f"The result's file cannot be written: {failure.strerror}.") from failure
