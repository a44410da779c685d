"""What each file of a model must look like, whatever its name says.

None of the kinds of file that are accepted can hold a program. What can, such as a pickle, begins otherwise and is
refused before any library reads it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from quantflux.core.errors import StoreCorrupt
from quantflux.learning.registry.trees import problem_of_trees

_MEMBER = re.compile(r"[A-Za-z0-9_.-]+\.(json|npy|npz|bin)")
_MOST_MEMBERS = 100_000
_MOST_UNPACKED = 2 << 30
_MOST_RATIO = 100


def check_content(path: Path) -> None:
    """Check that a file holds what its ending says.

    Raises
    ------
    StoreCorrupt
        If it holds something else, or its ending is none that a model has.
    """
    looks = _LOOKS.get(path.suffix)
    if looks is None:
        raise StoreCorrupt(
            f"{path.name} is of no kind that a model has; valid are {', '.join(sorted(_LOOKS))}", str(path)
        )
    problem = looks(path)
    if problem:
        raise StoreCorrupt(f"{path.name} is not what its ending says: {problem}", str(path))


def _begins(*valid: bytes) -> Callable[[Path], str]:
    def problem(path: Path) -> str:
        with path.open("rb") as file:
            head = file.read(64)
        if head.startswith(valid):
            return ""
        shown = " or ".join(repr(each.decode("ascii")) for each in valid)
        return f"it begins with {head[:8]!r}; valid is {shown}"

    return problem


def _archive(path: Path) -> str:
    """Say what is wrong with a file of skops: a zip of arrays and one `schema.json`."""
    problem = _begins(b"PK")(path)
    if problem:
        return problem
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        return str(error)
    names = [member.filename for member in members]
    unpacked = sum(member.file_size for member in members)
    packed = max(sum(member.compress_size for member in members), 1)
    problems = {
        "it holds what is no array of its own": not all(_MEMBER.fullmatch(name) for name in names),
        "it holds a name twice": len(set(names)) != len(names),
        "it has no schema.json": "schema.json" not in names,
        f"it has {len(names):,} parts": len(names) > _MOST_MEMBERS,
        "it is encrypted": any(member.flag_bits & 1 for member in members),
        f"it grows from {packed:,} to {unpacked:,} bytes": (
            unpacked > _MOST_UNPACKED or unpacked / packed > _MOST_RATIO
        ),
    }
    return next((problem for problem, found in problems.items() if found), "")


def _trees(path: Path) -> str:
    """Say what is wrong with a text of LightGBM."""
    return _begins(b"tree\n")(path) or problem_of_trees(path)


_LOOKS: dict[str, Callable[[Path], str]] = {
    ".txt": _trees,
    ".json": _begins(b"{"),
    ".cbm": _begins(b"CBM1"),  # CatBoost
    ".skops": _archive,
}
