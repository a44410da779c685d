"""What a strategy wants to hold: the best fifth by a combined score, decided at closes on a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.ranking import SortedRows


class Schedule(StrEnum):
    """How often a strategy decides: at the last close of each week or month."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True)
class Targets:
    """Weights wanted, by decision.

    Attributes
    ----------
    rows : array of int, shape (K,)
        Days at whose close was decided, increasing; trading is at the next open.
    weights : array of float64, shape (K, N)
        Each row sums to 1.
    """

    rows: np.ndarray
    weights: np.ndarray


def decision_rows(times: np.ndarray, schedule: Schedule) -> np.ndarray:
    """Return the last row of each week or month, except one that no later day confirms as the last.

    Examples
    --------
    >>> days = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], dtype="datetime64[D]")
    >>> decision_rows(days, Schedule.MONTHLY).tolist()
    [1]
    """
    if schedule is Schedule.MONTHLY:
        period = times.astype("datetime64[M]").astype(np.int64)
    else:
        period = (times.astype(np.int64) + 3) // 7  # 1970-01-01 was a Thursday: weeks change on Mondays
    return np.flatnonzero(period[1:] != period[:-1])


def combined_score(factors: Mapping[str, np.ndarray], chosen: np.ndarray) -> np.ndarray:
    """Return the mean of the factors' ranks of each day, shape (T, N): 1 the best name, 0 the worst.

    All factors count alike: weights fitted on the same history would flatter the result. A name needs a value of
    at least half of them, else it is NaN, as it is outside the chosen names.
    """
    if not factors:
        raise InvalidRequest("a combined score needs at least one factor")
    total, known = np.zeros(chosen.shape), np.zeros(chosen.shape)
    for values in factors.values():
        rows = SortedRows(values)
        among = rows.there & chosen
        count = among.sum(axis=1, keepdims=True)
        total += np.where(among, (rows.ranks(among) - 0.5) / np.maximum(count, 1), 0.0)
        known += among
    score = np.full(chosen.shape, np.nan)
    np.divide(total, known, out=score, where=(2 * known >= len(factors)) & chosen)
    return score


def best_share(score: np.ndarray, rows: np.ndarray, share: float = 0.2, least: int = 10) -> Targets:
    """Return equal weights on the best `share` of the names with a score, at each decision.

    Decisions with fewer than `least` such names are left out: the portfolio stays as it is. Ties are settled by
    the order of symbols.

    Examples
    --------
    >>> best_share(np.array([[0.1, 0.9, 0.5, 0.8]]), np.array([0]), share=0.5, least=4).weights.tolist()
    [[0.0, 0.5, 0.0, 0.5]]
    """
    if not 0 < share <= 1:
        raise InvalidRequest(f"the share to hold must be above 0 and at most 1, was {share}")
    scored = score[rows]
    count = (~np.isnan(scored)).sum(axis=1)
    enough = count >= least
    scored, count = scored[enough], count[enough]
    held = np.maximum(np.round(count * share).astype(np.int64), 1)
    place = np.empty(scored.shape, dtype=np.int64)
    order = np.argsort(-scored, axis=1, kind="stable")
    np.put_along_axis(place, order, np.broadcast_to(np.arange(scored.shape[1]), scored.shape), axis=1)
    return Targets(rows[enough], (place < held[:, None]) / held[:, None])


def everything(chosen: np.ndarray, rows: np.ndarray) -> Targets:
    """Return equal weights on all chosen names at each decision: the benchmark."""
    among = chosen[rows]
    count = among.sum(axis=1)
    return Targets(rows[count > 0], among[count > 0] / count[count > 0, None])
