"""The data files of one dataset that are open, so that a read need not open and check them again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from quantflux.data.adapters.columnar.datafile import DataFile
from quantflux.data.adapters.columnar.log import Snapshot
from quantflux.data.schema import Dataset

_MOST = 256
"""Files kept open per dataset; a process may usually have 1,024 in all."""


class OpenFiles:
    """Open files by path, the least used closed first. A file in use stays open until its reader lets go."""

    def __init__(self, folder: Path, data: Dataset) -> None:
        self._folder = folder
        self._data = data
        self._files: OrderedDict[str, DataFile] = OrderedDict()
        self._newest = 0
        self._guard = Lock()

    def open(self, snapshot: Snapshot, paths: Sequence[str]) -> list[DataFile]:
        """Return files of a snapshot; on a newer snapshot than ever before, let go of those it no longer has."""
        with self._guard:
            if snapshot.version > self._newest:
                self._newest = snapshot.version
                for path in self._files.keys() - set(snapshot.paths):
                    del self._files[path]
            known = [self._files.get(path) for path in paths]
        files = [
            file or DataFile(self._folder / path, self._data) for file, path in zip(known, paths, strict=True)
        ]
        with self._guard:
            for path, file in zip(paths, files, strict=True):
                self._files[path] = file
                self._files.move_to_end(path)
            while len(self._files) > _MOST:
                self._files.popitem(last=False)
        return files
