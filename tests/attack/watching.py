"""Watches what this process does to files beside what it may: by Python's audit events, by inotify, by listings."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
import zoneinfo
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import quantflux

_PATHS = {
    "open": 1,
    "sqlite3.connect": 1,
    "os.listdir": 1,
    "os.scandir": 1,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
}
"""Events by how many of their first arguments are paths."""
_READS = {"os.listdir", "os.scandir"}
_NEVER = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn"}
_NEVER |= {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
_KERNELS = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "quantflux" / "kernels"
"""Where compiled kernels are kept, which are loaded or made when first needed."""


class Watch:
    """What was done, as (event, path, whether it writes).

    Parameters
    ----------
    data : Path
        The folder in which alone anything may be written, but for caches of compiled code.
    secret : iterable of Path
        Files in it that may not even be read.
    """

    def __init__(self, data: Path, secret: Iterable[Path] = ()) -> None:
        self.done: list[tuple[str, str, bool]] = []
        self._write = [os.path.realpath(folder) for folder in (data, _KERNELS)]
        self._secret = {os.path.realpath(path) for path in secret}
        package = Path(quantflux.__file__).parent
        places = {
            sys.prefix,
            sys.base_prefix,
            str(package),
            *zoneinfo.TZPATH,
            *sysconfig.get_paths().values(),
        }
        self._read = {os.path.realpath(place) for place in places if Path(place).is_dir()}

    def add(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take down an event."""
        if event in _NEVER:
            self.done.append((event, str(arguments[:2]), True))
        elif event in _PATHS:
            writes = _opens_to_write(arguments) if event == "open" else event not in _READS
            paths = arguments[: _PATHS[event]]
            self.done += [
                (event, _real(p), writes) for p in paths if isinstance(p, (str, bytes, os.PathLike))
            ]

    def wrong(self) -> list[tuple[str, str, bool]]:
        """Return what was done that may not be."""
        return sorted({each for each in self.done if not self._allowed(*each)})

    def _allowed(self, event: str, path: str, writes: bool) -> bool:
        if event in _NEVER or path in self._secret:
            return False
        if path in ("/dev/null", ":memory:") or any(_inside(path, folder) for folder in self._write):
            return True
        name, *_ = reversed(parts := Path(path).parts)
        if "__pycache__" in parts or name.startswith(
            ".coverage"
        ):  # what Python and coverage write of themselves
            return True
        return not writes and any(_inside(path, place) for place in self._read)


def _opens_to_write(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or any(c in (mode or "") for c in "wax+")


def _real(path: Any) -> str:
    text = os.fsdecode(path)
    return text if text == ":memory:" or "\0" in text else os.path.realpath(text.removeprefix("file:"))


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


_WATCHES: list[Watch] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    for watch in _WATCHES:
        watch.add(event, arguments)


@contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    """Take down what this process does; a hook cannot be taken away, only left idle."""
    if not getattr(sys, "_quantflux_watched", False):
        sys.addaudithook(_hear)
        sys._quantflux_watched = True  # type: ignore[attr-defined]
    _WATCHES.append(watch)
    try:
        yield watch
    finally:
        _WATCHES.remove(watch)


# ---- what is not opened by Python -----------------------------------------------------------------

_OPENED = 0x20  # IN_OPEN
_EVENT = struct.Struct("iIII")


class Guarded:
    """Files of which every opening is noticed, also by compiled code (`with Guarded(files) as g: ...; g.opened()`)."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = list(files)

    def __enter__(self) -> Guarded:
        libc = ctypes.CDLL(None, use_errno=True)
        self._queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._queue >= 0, os.strerror(ctypes.get_errno())
        self._names = {libc.inotify_add_watch(self._queue, bytes(f), _OPENED): str(f) for f in self._files}
        assert -1 not in self._names
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._queue)

    def opened(self) -> set[str]:
        """Return which were opened since this was asked last."""
        found = set()
        while True:
            try:
                told = os.read(self._queue, 65_536)
            except BlockingIOError:
                return found
            at = 0
            while at < len(told):
                number, _, _, length = _EVENT.unpack_from(told, at)
                found.add(self._names.get(number, "more than could be told"))
                at += _EVENT.size + length


def tree(folder: Path, *, without: Path | None = None) -> dict[str, str]:
    """Return what stands in a folder, by paths: digests of files, kinds of the rest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if without is not None and path.is_relative_to(without):
            continue
        kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else ""
        found[str(path.relative_to(folder))] = kind or sha256(path.read_bytes()).hexdigest()
    return found
