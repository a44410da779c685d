"""Looks on while a model is fitted: tells progress, stops when asked, and knows when rounds no longer help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from quantflux.core.errors import Cancelled
from quantflux.learning.models.contract import Progress, Pruned, Report
from quantflux.learning.models.parameters import Parameter, Whole

BOOSTING: Mapping[str, Parameter] = {
    "n_estimators": Whole(500, 1, 100_000),
    "early_stopping_rounds": Whole(50, 0),
    "give_up_rounds": Whole(None, 0),
}
"""How many rounds boosted trees have. `give_up_rounds` left out is half of `early_stopping_rounds`, at least 25."""

_LEAST_GIVES_UP = 25


@dataclass
class Watch:
    """One fit.

    Attributes
    ----------
    rounds : int
        How many there may be.
    patience : int
        Rounds without a better score on the valid sample after which to stop; 0 for never.
    gives_up : int
        Rounds without a better score after which to stop if all that was gained is lost again: the model has been
        better than nothing and is worse by now. 0 for never.
    nothing : float
        The score of a model that knows nothing.
    best : int
        The round with the best score; 0 while there was none.
    """

    rounds: int
    patience: int
    progress: Progress
    cancelled: Callable[[], bool]
    report: Report | None = None
    gives_up: int = 0
    nothing: float = float("-inf")
    best: int = 0
    _score: float = field(default=float("-inf"), repr=False)

    @classmethod
    def of_boosting(
        cls,
        chosen: Mapping[str, Any],
        progress: Progress,
        cancelled: Callable[[], bool],
        report: Report | None,
        nothing: float,
    ) -> Self:
        """Return the watch of a fit of boosted trees, given its parameters."""
        patience, gives_up = chosen["early_stopping_rounds"], chosen["give_up_rounds"]
        if gives_up is None:
            gives_up = max(patience // 2, _LEAST_GIVES_UP) if patience else 0
        return cls(
            chosen["n_estimators"],
            patience,
            progress,
            cancelled,
            report,
            gives_up=gives_up,
            nothing=nothing,
        )

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
        lost = self._score > self.nothing > score
        waits = [rounds for rounds in (self.patience, self.gives_up if lost else 0) if rounds]
        return bool(waits) and done - self.best >= min(waits)
