"""Looks on while a model is fitted: tells progress, stops when asked, and knows when rounds no longer help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from quantflux.core.errors import Cancelled
from quantflux.learning.models.contract import Progress, Pruned, Report


@dataclass
class Watch:
    """One fit.

    Attributes
    ----------
    rounds : int
        How many there may be.
    patience : int
        Rounds without a better score on the valid sample after which to stop; 0 for never.
    best : int
        The round with the best score; 0 while there was none.
    """

    rounds: int
    patience: int
    progress: Progress
    cancelled: Callable[[], bool]
    report: Report | None = None
    best: int = 0
    _score: float = field(default=float("-inf"), repr=False)

    def begin(self) -> None:
        """Say that nothing is done yet; raises `Cancelled` if nothing shall be."""
        self.check()
        self.progress(0, self.rounds)

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked for that."""
        if self.cancelled():
            raise Cancelled("the fitting of a model was cancelled")

    def after(self, done: int, score: float | None = None) -> bool:
        """Take note of a round; return whether it was the last that helps.

        Parameters
        ----------
        done : int
            Counted from 1.
        score : float or None
            On the valid sample, larger being better; None without one.

        Raises
        ------
        Cancelled, Pruned
        """
        self.check()
        self.progress(done, self.rounds)
        if score is None:
            return False
        if self.report is not None and self.report(done, score):
            raise Pruned(done, score)
        if score > self._score:
            self.best, self._score = done, score
        return bool(self.patience) and done - self.best >= self.patience
