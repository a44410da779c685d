"""Hold the names with the highest score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.kernels import ranking
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest


class Weighting(StrEnum):
    """How the names that were picked share the account.

    EQUAL: alike. SCORE: by how far their score lies above that of the last one picked. SIZE: by given sizes.
    """

    EQUAL = "equal"
    SCORE = "score"
    SIZE = "size"


@dataclass(frozen=True, eq=False)
class TopRanked:
    """Hold the best `top` names, or the best `share` of those with a score.

    Attributes
    ----------
    score : array of float64, shape (T, N)
        Known at each close, more being better; NaN for names not to be held.
    rows : array of int, shape (K,)
        At whose close is decided, increasing.
    top : int or None
    share : float or None
        One of the two is given.
    buffer : int
        A name that was picked stays until it ranks more than so many places below the last one to be picked.
    weighting : Weighting
    sizes : array of float64, shape (T, N), optional
        What weights are proportional to, for `Weighting.SIZE`; names without a size get none.
    least : int
        A row with fewer scores decides nothing.

    Raises
    ------
    InvalidRequest
        If a number is out of its range, or shapes differ.

    Examples
    --------
    >>> policy = TopRanked(np.array([[0.1, 0.9, 0.5, 0.8]]), np.array([0]), top=2)
    >>> policy.picked()[1].tolist()
    [1, 3]
    """

    score: np.ndarray
    rows: np.ndarray
    top: int | None = None
    share: float | None = None
    buffer: int = 0
    weighting: Weighting = Weighting.EQUAL
    sizes: np.ndarray | None = None
    least: int = 1

    def __post_init__(self) -> None:
        if (self.top is None) == (self.share is None):
            raise InvalidRequest("hold the `top` names or a `share` of them: give one of the two")
        if self.top is not None and self.top < 1:
            raise InvalidRequest(f"top must be 1 or more, was {self.top}")
        if self.share is not None and not 0 < self.share <= 1:
            raise InvalidRequest(f"the share to hold must be above 0 and at most 1, was {self.share}")
        if self.buffer < 0 or self.least < 1:
            raise InvalidRequest(
                f"buffer is 0 or more and least 1 or more, were {self.buffer} and {self.least}"
            )
        if (self.weighting is Weighting.SIZE) != (self.sizes is not None):
            raise InvalidRequest("sizes are needed for weighting by size, and for no other")
        if self.sizes is not None and self.sizes.shape != self.score.shape:
            raise InvalidRequest(
                f"sizes need the shape of the score {self.score.shape}, had {self.sizes.shape}"
            )

    def picked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows that decide something, the columns picked on them, and how many there are of each."""
        rows = np.ascontiguousarray(self.rows, dtype=np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.score):
            raise InvalidRequest(
                f"the score has rows 0 to {len(self.score) - 1}, decisions are for {rows.min()} to {rows.max()}"
            )
        width = self.score.shape[1]
        most = min(self.top, width) if self.top is not None else max(round((self.share or 0) * width), 1)
        columns, counts = np.empty(len(rows) * most, np.int64), np.empty(len(rows), np.int64)
        score = np.ascontiguousarray(self.score, dtype=np.float64)
        # Numbers beyond the width mean all names, and may be too long for compiled code.
        top, buffer, least = (min(number, width + 1) for number in (self.top or 0, self.buffer, self.least))
        total = ranking.pick_best(score, rows, top, self.share or 0.0, buffer, least, columns, counts)
        return rows[counts >= 0], columns[:total], counts[counts >= 0]

    def decisions(self, venue: Venue) -> Decisions:
        """Return all decisions."""
        if self.score.shape != venue.shape:
            raise InvalidRequest(f"the score needs the venue's shape {venue.shape}, had {self.score.shape}")
        rows, columns, counts = self.picked()
        place = np.repeat(np.arange(len(rows)), counts)
        size = self._sizes(rows[place], columns, place)
        total = np.bincount(place, weights=size, minlength=len(rows))
        equal = 1.0 / counts[place]
        weights = np.divide(size, total[place], out=equal, where=total[place] > 0)
        return Decisions.of(rows, Kind.REPLACE, counts, columns, weights)

    def _sizes(self, rows: np.ndarray, columns: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return what the weight of each pick is proportional to; where that is 0 for all of a row, they are alike."""
        if self.weighting is Weighting.EQUAL:
            return np.ones(len(columns))
        if self.sizes is not None:
            return np.asarray(np.maximum(np.nan_to_num(self.sizes[rows, columns]), 0.0))
        score = self.score[rows, columns]
        if (endless := np.isinf(score)).any():
            raise InvalidRequest(
                f"the score is infinite on row {rows[endless][0]}; weighting by score needs finite ones"
            )
        lowest = np.full(place[-1] + 1 if len(place) else 0, np.inf)
        np.minimum.at(lowest, place, score)
        return np.asarray(score - lowest[place])
