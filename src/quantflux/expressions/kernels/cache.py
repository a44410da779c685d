"""Where compiled kernels are kept between processes.

Numba looks at the file of a function alone to tell whether its compiled form is still good, not at what it calls in
other files. So they are kept in a folder named by the content of all kernels: after any change, all are compiled anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba

_KEPT_SECONDS = 30 * 86_400.0
"""How long a folder that nobody uses is left alone: another version may be in use beside this one."""


def cache_folder(sources: Path, root: Path) -> Path:
    """Return the folder for the kernels in `sources`, under `root`."""
    content = hashlib.sha256(numba.__version__.encode())
    for path in sorted(sources.glob("*.py")):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return root / content.hexdigest()[:16]


@contextmanager
def own_cache(sources: Path) -> Iterator[None]:
    """Give the kernels of another folder, imported within, a place named by their content; they may call these."""
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    use_own_cache(sources)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


def use_own_cache(sources: Path | None = None) -> None:
    """Tell Numba to keep compiled code there, unless the user says where (`NUMBA_CACHE_DIR`)."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    root = base / "quantflux" / "kernels"
    folder = cache_folder(sources or Path(__file__).parent, root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _forget_old(root, time.time() - _KEPT_SECONDS)
    except OSError:
        return  # a home that cannot be written to: Numba finds a place by its own rules, or keeps nothing
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]


def _forget_old(root: Path, since: float) -> None:
    for other in root.iterdir():
        if other.stat().st_mtime < since:
            shutil.rmtree(other, ignore_errors=True)
