"""What the registry says of a model: its versions, their stages, and how they came to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from quantflux.core.errors import InvalidRequest
from quantflux.learning.specification import ID_RULE, is_model_id

CANDIDATE, PRODUCTION, RETIRED = "candidate", "production", "retired"
STAGES = (CANDIDATE, PRODUCTION, RETIRED)
"""Every version begins as a candidate. One version of a model is in production; what it replaces is retired."""

_LONGEST = 500


@dataclass(frozen=True)
class StageChange:
    """One line of a version's history. Lines are added, never changed.

    Attributes
    ----------
    at : datetime
        Aware, in UTC.
    replaced_by : int or None
        The version that took its place in production, if that is why it was retired.
    """

    id: str
    version: int
    stage: str
    at: datetime
    actor: str
    reason: str
    replaced_by: int | None = None


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model.

    Attributes
    ----------
    id : str
    version : int
        Counted from 1.
    name, kind, task : str
    stage : str
        `candidate`, `production` or `retired`.
    since : datetime
        When it came to that stage; aware, in UTC.
    created : datetime
    actor : str
        Who added it.
    seed : int
    first, last : date
        Of the days it learnt from.
    cells : int
        It learnt from.
    figures : mapping
        What was found when it was validated, as it was told.
    data_versions : mapping of str to int
        Of the data sets behind it.
    libraries : mapping of str to str
        Version of each library that made it.
    feature_hash : str
        SHA-256 of the features' names and digests.
    digest : str
        SHA-256 of its manifest, and so of every file.
    folder : Path
        Where its files are.
    """

    id: str
    version: int
    name: str
    kind: str
    task: str
    stage: str
    since: datetime
    created: datetime
    actor: str
    seed: int
    first: date
    last: date
    cells: int
    figures: Mapping[str, Any]
    data_versions: Mapping[str, int]
    libraries: Mapping[str, str]
    feature_hash: str
    digest: str
    folder: Path

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"{self.id} version {self.version}"


def check_model_id(name: str) -> str:
    """Return a model's id, which is also the name of its folder.

    Raises
    ------
    InvalidRequest
        Unless it is a letter and at most 49 more letters, digits, `_`, `.` and `-`.

    Examples
    --------
    >>> check_model_id("alpha158.lgb")
    'alpha158.lgb'
    """
    if not is_model_id(name):
        raise InvalidRequest(f"no model can be called {name[:60]!r}; valid is {ID_RULE}")
    return name


def check_words(what: str, text: str, *, least: int = 0) -> str:
    """Return a line that people wrote, without blanks around it.

    Raises
    ------
    InvalidRequest
        If it is shorter than `least`, longer than 500 characters, or holds what cannot be shown.
    """
    line = text.strip()
    if not least <= len(line) <= _LONGEST or not line.isprintable():
        raise InvalidRequest(
            f"{what} is {text[:60]!r}; valid are {least} to {_LONGEST} characters that can be shown, on one line"
        )
    return line
