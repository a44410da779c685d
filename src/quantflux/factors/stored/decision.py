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
        Rows of stored values that stay; the computation goes on from the state after them, or starts anew at 0.
    reason : str
        In words, for people.
    """

    course: Course
    keep_rows: int
    reason: str
