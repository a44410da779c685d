"""Holds the names with the highest score, and sells one only when more than half of all are better."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.policies import View, Weights


class Patient:
    """A policy: the simulator asks it at the closes that the run file's schedule names."""

    def __init__(self, names: int) -> None:
        self.names = names

    def decide(self, view: View) -> Weights | None:
        """Return the weights wanted at the next open; all that can be seen is the past."""
        score = view["score"][-1]
        if np.isnan(score).all():
            return None
        good = score >= np.nanmedian(score)
        kept = np.flatnonzero((view.shares > 0) & good)
        best = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
        added = [column for column in best[: self.names] if column not in kept]
        columns = np.array([*kept, *added][: self.names])
        return Weights(columns, np.full(len(columns), 1 / self.names))
