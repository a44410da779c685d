"""Keeps the panel tier within its size by letting go of the segments that were used longest ago."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from quantflux.data.panels.manifest import DatasetFolder, Entry

_log = logging.getLogger(__name__)


def held_bytes(root: Path) -> int:
    """Return the bytes of values of every segment under `root`."""
    return sum(entry.bytes for _, _, entry in _segments(root))


def make_room(root: Path, max_bytes: int, held: DatasetFolder, keep: Collection[str]) -> bool:
    """Evict least recently used segments until at most `max_bytes` are held.

    Parameters
    ----------
    root : Path
        The tier's folder.
    held : DatasetFolder
        The folder whose lock the caller holds.
    keep : collection of str
        Keys of segments of `held` that are wanted right now.

    Returns
    -------
    bool
        False if the wanted ones alone, with what other processes hold locked, are too many.
    """
    found = list(_segments(root))
    excess = sum(entry.bytes for _, _, entry in found) - max_bytes
    candidates = [
        item for item in found if item[2].bytes and not (item[0].path == held.path and item[1] in keep)
    ]
    for folder, key, entry in sorted(candidates, key=lambda item: item[0].last_used(item[2])):
        if excess <= 0:
            break
        if _evict(folder, key, locked=folder.path == held.path):
            _log.info("evicted panel segment %s of %s", key, folder.path.name)
            excess -= entry.bytes
    return excess <= 0


def _segments(root: Path) -> Iterator[tuple[DatasetFolder, str, Entry]]:
    for path in sorted(root.iterdir()):
        folder = DatasetFolder(path)
        manifest = folder.load()
        for key, entry in manifest.segments.items() if manifest is not None else ():
            yield folder, key, entry


def _evict(folder: DatasetFolder, key: str, *, locked: bool) -> bool:
    """Drop one segment. Another dataset's folder is left alone while somebody builds in it."""
    with contextlib.nullcontext(True) if locked else folder.lock(wait=False) as ours:
        manifest = folder.load()
        if not ours or manifest is None:
            return False
        slimmer = manifest.without([key])
        folder.save(slimmer)
        folder.sweep(slimmer)
        return True
