"""What each file of a model must look like, whatever its name says.

None of the kinds of file that are accepted can hold a program. What can, such as a pickle, begins otherwise and is
refused before any library reads it; archives, and formats that point to other files, are not accepted at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from quantflux.core.errors import StoreCorrupt
from quantflux.learning.registry.boosted import problem_of_boosted
from quantflux.learning.registry.trees import problem_of_trees

_MOST_JSON = 512 << 20


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


def _begins(valid: bytes) -> Callable[[Path], str]:
    def problem(path: Path) -> str:
        with path.open("rb") as file:
            head = file.read(len(valid))
        return "" if head == valid else f"it begins with {head!r}; valid is {valid.decode('ascii')!r}"

    return problem


def _json(path: Path) -> str:
    """Say what is wrong with a file of JSON; of XGBoost's, too, whose other format begins alike."""
    problem = _begins(b"{")(path)
    if problem or path.stat().st_size > _MOST_JSON:
        return problem or f"it has more than {_MOST_JSON >> 20} MiB"
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        return str(error)
    return problem_of_boosted(values) if "learner" in values else ""


def _trees(path: Path) -> str:
    """Say what is wrong with a text of LightGBM."""
    return _begins(b"tree\n")(path) or problem_of_trees(path)


_LOOKS: dict[str, Callable[[Path], str]] = {
    ".txt": _trees,
    ".json": _json,
    ".cbm": _begins(b"CBM1"),  # CatBoost
}
