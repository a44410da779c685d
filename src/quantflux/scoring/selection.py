"""Chooses the best names, with at most so many of an industry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quantflux.scoring.scores import DayScores


@dataclass(frozen=True, eq=False)
class Chosen:
    """The names chosen.

    Attributes
    ----------
    scores : DayScores
        Of everybody.
    places : array of int, shape (K,)
        Columns, the best first; equal scores by symbol.
    left_out : tuple of (str, int)
        Why names that have a score were not chosen, and how many.
    """

    scores: DayScores
    places: np.ndarray
    left_out: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What is to be told of each, as plain values; see `DayScores.row`."""
        return [self.scores.row(place) for place in self.places.tolist()]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON."""
        scores = self.scores
        reasons = (*scores.comparison.left_out, *self.left_out)
        return {
            "name": scores.request.name,
            "trade_date": scores.day.isoformat(),
            "method": scores.request.method,
            "compared": int(scores.comparison.chosen[-1].sum()),
            "total_stocks": int(scores.scored.sum()),
            "selected_stocks": len(self.places),
            "left_out": [{"reason": reason, "count": count} for reason, count in reasons],
            "weights": [asdict(each) for each in scores.weights],
            "top_stocks": self.rows,
            "notes": list(scores.notes),
        }


def best(
    scores: np.ndarray, among: np.ndarray, groups: Sequence[str], top: int, per_group: int | None = None
) -> tuple[np.ndarray, int]:
    """Return the places of the highest scores, the best first, and how many better ones a full group kept out.

    Parameters
    ----------
    scores : array of float64, shape (N,)
        In the order of symbols, so that of equal ones the first by symbol comes first; NaN is never chosen.
    among : array of bool, shape (N,)
    groups : sequence of str, length N
        Names without one, an empty text, are a group too.
    top, per_group : int
        Most names of all, and of a group.

    Examples
    --------
    >>> places, kept_out = best(np.array([3.0, 2.0, 1.0, 3.0]), np.ones(4, dtype=bool), "aabb", 3, per_group=1)
    >>> places.tolist(), kept_out
    ([0, 3], 2)
    """
    candidates = np.flatnonzero(among & ~np.isnan(scores))
    order = candidates[np.argsort(-scores[candidates], kind="stable")]
    if per_group is None:
        return order[:top], 0
    taken: dict[str, int] = {}
    found: list[int] = []
    kept_out = 0
    for place in order.tolist():
        if len(found) == top:
            break
        if taken.get(groups[place], 0) >= per_group:
            kept_out += 1
            continue
        taken[groups[place]] = taken.get(groups[place], 0) + 1
        found.append(place)
    return np.array(found, dtype=np.int64), kept_out
