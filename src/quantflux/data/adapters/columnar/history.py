"""Forgetting: deletes files and log entries that only versions older than a cutoff need."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from quantflux.data.adapters.columnar.errors import translated
from quantflux.data.adapters.columnar.layout import is_data_file
from quantflux.data.adapters.columnar.log import DeltaLog

_LOG_FILE = re.compile(r"([0-9]{20})\.(?:json|checkpoint\.parquet)")


def forget(log: DeltaLog, cutoff: datetime) -> None:
    """Keep what is needed to read as of `cutoff` or later; delete the rest, and leftovers of killed writers.

    The caller holds the write lock, so a file that no kept version names belongs to nobody.
    """
    newest = log.snapshot()
    oldest = newest.version
    while oldest > 0 and (note := log.note(oldest)) is not None and note.at > cutoff:
        oldest -= 1
    log.checkpoint()
    base = log.at(oldest)
    if base is None:
        # `oldest` itself is forgotten already: the first kept version is the next one.
        oldest += 1
        base = log.at(oldest)
    needed = set(newest.paths) | set(base.paths if base is not None else ())
    for version in range(oldest + 1, newest.version + 1):
        needed.update(log.added(version))
    with translated(log.folder, "delete old files of"):
        for path in log.folder.glob("period=*/*"):
            relative = path.relative_to(log.folder).as_posix()
            if is_data_file(relative) and relative not in needed:
                path.unlink(missing_ok=True)
        _trim(log.directory, oldest)


def _trim(directory: Path, oldest: int) -> None:
    """Delete log entries older than the last checkpoint from which `oldest` can be rebuilt."""
    found = {path: int(m[1]) for path in directory.iterdir() if (m := _LOG_FILE.fullmatch(path.name))}
    bases = [version for path, version in found.items() if path.suffix == ".parquet" and version <= oldest]
    if bases:
        for path, version in found.items():
            if version < max(bases):
                path.unlink(missing_ok=True)
