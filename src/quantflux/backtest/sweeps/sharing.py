"""Objects full of arrays, handed to other processes without copying the arrays.

Large arrays are written into a folder once and mapped by whoever opens the object: all processes of the machine share
one copy in the page cache. The rest is pickled, in which an array is only the name of its file.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

_SMALLEST = 4_096
"""Bytes below which an array travels with the pickle: a file and a mapping take a page each."""


class ArrayFolder:
    """A folder that objects' arrays are written into.

    Parameters
    ----------
    path : Path
        Empty, and read by nobody but the processes that are handed what `pack` returns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._files: dict[int, tuple[str, np.ndarray]] = {}  # the array too, or its id could be given away

    def pack(self, value: Any) -> bytes:
        """Return an object as bytes for `unpack`; an array that was written before is not written again."""
        packed = io.BytesIO()
        _Packer(packed, self).dump(value)
        return packed.getvalue()

    def file_of(self, values: np.ndarray) -> str:
        """Write an array unless it is there, and return the name of its file."""
        if id(values) not in self._files:
            name = f"{len(self._files)}.npy"
            np.save(self.path / name, values, allow_pickle=False)
            self._files[id(values)] = name, values
            self.bytes += values.nbytes
        return self._files[id(values)][0]


def unpack(packed: bytes, path: Path) -> Any:
    """Return an object of `ArrayFolder.pack`; its large arrays are read-only maps of the files in the folder."""
    return _Unpacker(io.BytesIO(packed), path).load()


class _Packer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, folder: ArrayFolder) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._folder = folder

    def persistent_id(self, obj: Any) -> str | None:
        plain = type(obj) is np.ndarray and not obj.dtype.hasobject
        return self._folder.file_of(obj) if plain and obj.nbytes >= _SMALLEST else None


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, path: Path) -> None:
        super().__init__(file)
        self._path, self._open = path, dict[str, np.ndarray]()

    def persistent_load(self, pid: str) -> np.ndarray:
        if pid not in self._open:
            # `asarray`: compiled code wants plain arrays, not the subclass that numpy maps files with.
            self._open[pid] = np.asarray(np.load(self._path / pid, mmap_mode="r", allow_pickle=False))
        return self._open[pid]
