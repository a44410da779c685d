"""What has to be computed again, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Course(StrEnum):
    """How values were, or would be, brought up to date."""

    CURRENT = "current"
    APPENDED = "appended"
    RESTARTED = "restarted"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Decision:
    """A course and its reason.

    Attributes
    ----------
    keep_rows : int
        Rows of stored values that stay.
    state_rows : int
        After how many rows the state stands from which the computation goes on; 0: it starts anew.
    reason : str
        In words, for people.
    """

    course: Course
    keep_rows: int
    state_rows: int
    reason: str
