"""Hold out spans of days, and learn from all others, the later ones included."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.splits.folds import Fold, check_least, check_number, marked

USUAL_FOLDS = 5


@dataclass(frozen=True)
class PurgedKFold:
    """Test each of several spans of days by a model of all other days, the later ones included.

    Parameters
    ----------
    folds : int
        How many spans, as equal as can be.
    valid : int
        Days to stop by: those right before the test, or right after it where there are too few before.
    embargo : int
        Days after a part that is not learnt from to leave out, beyond those whose labels meet it.

    Examples
    --------
    >>> for fold in PurgedKFold(3, embargo=1).split(days=12, reach=1):
    ...     print(fold.number, fold.train.tolist(), fold.test.tolist())
    0 [6, 7, 8, 9, 10, 11] [0, 1, 2, 3]
    1 [0, 1, 2, 10, 11] [4, 5, 6, 7]
    2 [0, 1, 2, 3, 4, 5, 6] [8, 9, 10, 11]
    """

    folds: int = USUAL_FOLDS
    valid: int = field(default=0, kw_only=True)
    embargo: int = field(default=0, kw_only=True)

    forward: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_least(2, folds=self.folds)
        check_least(0, valid=self.valid, embargo=self.embargo)

    def split(self, days: int, reach: int) -> list[Fold]:
        """Return the folds in the order of their tests; see `Splitter.split`."""
        what = f"{self.folds} folds with {self.valid} days to stop by"
        return _needing(lambda count: self._folds(count, reach), days, what, reach, self.embargo)

    def _folds(self, days: int, reach: int) -> list[Fold]:
        made = []
        for number, test in enumerate(np.array_split(np.arange(days), self.folds)):
            apart = _apart(days, test, reach, self.embargo)
            before, after = apart[apart < test.min(initial=days)], apart[apart > test.max(initial=-1)]
            fits = len(before) >= self.valid
            valid = before[len(before) - self.valid :] if fits else after[: self.valid]
            if len(valid) < self.valid:
                return []
            train = np.intersect1d(apart, _apart(days, valid, reach, self.embargo))
            made.append(Fold(number, train, valid, test))
        return made


@dataclass(frozen=True)
class CombinatorialPurged:
    """Test every choice of `tests` out of `groups` spans of days by a model of the others.

    Each group is tested comb(groups - 1, tests - 1) times, each time by another model: so there are that many
    histories of predictions instead of one.

    Parameters
    ----------
    groups : int
        How many spans, as equal as can be.
    tests : int
        How many of them a fold tests.
    embargo : int
        Days after a test to leave out, beyond those whose labels meet it.

    Examples
    --------
    >>> for fold in CombinatorialPurged(3, 2).split(days=9, reach=1):
    ...     print(fold.number, fold.train.tolist(), fold.test.tolist())
    0 [7, 8] [0, 1, 2, 3, 4, 5]
    1 [4] [0, 1, 2, 6, 7, 8]
    2 [0, 1] [3, 4, 5, 6, 7, 8]
    """

    groups: int = 6
    tests: int = 2
    embargo: int = field(default=0, kw_only=True)

    forward: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_least(2, groups=self.groups)
        check_least(1, tests=self.tests)
        check_least(0, embargo=self.embargo)
        if self.tests >= self.groups:
            raise InvalidRequest(
                f"tests must be below groups, so that a group is left to learn from, was {self.tests} of {self.groups}"
            )
        check_number(math.comb(self.groups, self.tests))

    def split(self, days: int, reach: int) -> list[Fold]:
        """Return the folds in the order of the choices; see `Splitter.split`."""
        what = f"{self.groups} groups of which {self.tests} are tested"
        return _needing(lambda count: self._folds(count, reach), days, what, reach, self.embargo)

    def _folds(self, days: int, reach: int) -> list[Fold]:
        groups = np.array_split(np.arange(days), self.groups)
        none = np.zeros(0, dtype=np.int64)
        made = []
        for number, chosen in enumerate(combinations(groups, self.tests)):
            test = np.concatenate(chosen)
            made.append(Fold(number, _apart(days, test, reach, self.embargo), none, test))
        return made


def _apart(days: int, others: np.ndarray, reach: int, embargo: int) -> np.ndarray:
    """Return the rows whose usual spans meet none of the other rows' and that are not under their embargo."""
    before = np.concatenate([[0], np.cumsum(marked(days, others))])
    row = np.arange(days)
    first, last = np.maximum(row - reach - embargo, 0), np.minimum(row + reach, days - 1)
    return np.flatnonzero(before[last + 1] == before[first])


def _needing(
    folds_of: Callable[[int], list[Fold]], days: int, what: str, reach: int, embargo: int
) -> list[Fold]:
    """Return the folds; if some would have nothing to learn from or to test, say how many days it takes."""

    def suffices(count: int) -> bool:
        found = folds_of(count)
        return bool(found) and all(len(fold.train) and len(fold.test) for fold in found)

    if suffices(days):
        return folds_of(days)
    high = max(2 * days, 2)
    while not suffices(high):
        high *= 2
    # More days never take from a span of days, so what suffices goes on to suffice.
    needed = bisect_left(range(high), True, lo=days, key=suffices)
    raise InvalidRequest(
        f"{what}, {reach + embargo} days apart, need at least {needed} days; there are {days}"
    )
