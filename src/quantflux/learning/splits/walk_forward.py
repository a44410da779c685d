"""Learn from the past, test on what follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.splits.folds import Fold, check_least, check_number


@dataclass(frozen=True)
class WalkForward:
    """Learn from the past, test on the days that follow, and walk on by as many days as were tested.

    The parts of a fold follow each other as train, valid, test, with `reach` and `embargo` rows left out between them.

    Parameters
    ----------
    train, test : int
        Days to learn from, and days to test on. The last test may be shorter.
    valid : int
        Days to stop by, between the two.
    folds : int, optional
        How many; the last ones that there can be. Unless given, as many as there can be.
    expanding : bool
        Learn from all days since the first, of which there are at least `train`.
    embargo : int
        Further days to leave out between the parts.

    Examples
    --------
    >>> for fold in WalkForward(train=3, test=2).split(days=8, reach=1):
    ...     print(fold.number, fold.train.tolist(), fold.test.tolist())
    0 [0, 1, 2] [4, 5]
    1 [2, 3, 4] [6, 7]
    """

    train: int
    test: int
    valid: int = 0
    folds: int | None = field(default=None, kw_only=True)
    expanding: bool = field(default=False, kw_only=True)
    embargo: int = field(default=0, kw_only=True)

    forward: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_least(1, train=self.train, test=self.test, folds=1 if self.folds is None else self.folds)
        check_least(0, valid=self.valid, embargo=self.embargo)

    def split(self, days: int, reach: int) -> list[Fold]:
        """Return the folds in the order of time; see `Splitter.split`."""
        gap = reach + self.embargo
        between = gap + (self.valid + gap if self.valid else 0)  # rows from the end of train to the test
        ahead, least = self.train + between, self.folds or 1
        needed = ahead + (least - 1) * self.test + 1
        if days < needed:
            raise InvalidRequest(
                f"a walk of {least} {'fold' if least == 1 else 'folds'} of {self.train} days to train, "
                f"{self.valid} to stop by and {self.test} to test, {gap} days apart, needs at least {needed} days; "
                f"there are {days}"
            )
        first = ahead if self.folds is None else max(ahead, days - self.folds * self.test)
        made = []
        for number, start in enumerate(range(first, days, self.test)):
            end = start - between
            made.append(
                Fold(
                    number,
                    np.arange(0 if self.expanding else end - self.train, end),
                    np.arange(start - gap - self.valid, start - gap),
                    np.arange(start, min(start + self.test, days)),
                )
            )
        check_number(len(made))
        return made
