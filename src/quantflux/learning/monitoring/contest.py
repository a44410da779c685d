"""Whether a challenger is better than the champion: their RankIC on the same days and the same names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.universe import Market
from quantflux.learning.evaluation import (
    Significance,
    rank_ic_by_day,
    significance_of,
)
from quantflux.pages import Words
from quantflux.pages.markup import number

LEVEL = 0.05
"""Probability with which a challenger that is no better is promoted, at one look."""

LEAST_DAYS = 60
"""Days on which both have a RankIC, below which nothing is decided."""

WORTH = 0.005
"""The least difference of mean RankICs that is worth a change."""


class Recommendation(StrEnum):
    """What to do."""

    PROMOTE = "promote"
    KEEP = "keep"
    UNDECIDED = "undecided"


@dataclass(frozen=True, eq=False)
class Contest:
    """A challenger beside the champion.

    Attributes
    ----------
    recommendation : Recommendation
    reason : Words
    champion, challenger : float
        Mean RankIC on the days on which both have one.
    difference : Significance
        Of the daily RankIC of the challenger less that of the champion.
    low, high : float
        Where the true difference lies: it is below, and above, with a probability of 5 % each.
    """

    recommendation: Recommendation
    reason: Words
    champion: float
    challenger: float
    difference: Significance
    low: float
    high: float


def paired_rank_ics(
    champion: np.ndarray, challenger: np.ndarray, market: Market, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tradable RankIC of two models by day, among the names that both have scored.

    Parameters
    ----------
    champion, challenger : array of float64, shape (T, N)
    market : Market
    horizon : int

    Returns
    -------
    tuple of two arrays of float64, shape (T,)
    """
    both = np.isfinite(champion) & np.isfinite(challenger)
    first, second = (np.where(both, scores, np.nan) for scores in (champion, challenger))
    return rank_ic_by_day(first, market, horizon), rank_ic_by_day(second, market, horizon)


def contest_of(champion: np.ndarray, challenger: np.ndarray, horizon: int) -> Contest:
    """Return whether a challenger should take the place of the champion.

    1. `UNDECIDED` with fewer than 60 days.
    2. `KEEP` if it is worse by more than chance does with a probability of 5 % (Newey and West's t-value beside what is
       needed, see `Significance`), or if it is better by less than 0.005 for sure, which is not worth a change.
    3. `PROMOTE` if it is better by more than chance does with a probability of 5 %; else `UNDECIDED`.

    That holds for one look: who looks day after day until it says `PROMOTE` is fooled more often.

    Parameters
    ----------
    champion, challenger : array of float64, shape (T,)
        RankIC by day, as of `paired_rank_ics`; days on which one is NaN are left out.
    horizon : int
        Days over which a prediction looks ahead.

    Raises
    ------
    InvalidRequest
        If the lengths differ.

    Examples
    --------
    >>> champion = np.random.default_rng(1).normal(0.04, 0.1, 250)
    >>> found = contest_of(champion, champion + np.random.default_rng(2).normal(0.02, 0.05, 250), horizon=1)
    >>> found.recommendation, round(found.difference.mean, 3)
    (<Recommendation.PROMOTE: 'promote'>, 0.019)
    """
    if champion.shape != challenger.shape:
        raise InvalidRequest(
            f"a contest needs both models on the same days, had {len(champion)} and {len(challenger)}"
        )
    gap = challenger - champion
    there = ~np.isnan(gap)
    found = significance_of(gap, horizon)
    reach = found.needed(LEVEL) * found.error
    made = _recommendation(found, found.mean + reach)
    return Contest(
        recommendation=made,
        reason=_reason(made, found),
        champion=_mean(champion[there]),
        challenger=_mean(challenger[there]),
        difference=found,
        low=found.mean - reach,
        high=found.mean + reach,
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _recommendation(found: Significance, high: float) -> Recommendation:
    if found.count < LEAST_DAYS or math.isnan(found.t_value):
        return Recommendation.UNDECIDED
    if found.below <= LEVEL or high < WORTH:
        return Recommendation.KEEP
    return Recommendation.PROMOTE if found.above <= LEVEL else Recommendation.UNDECIDED


def _reason(made: Recommendation, found: Significance) -> Words:
    if found.count < LEAST_DAYS:
        return Words(
            f"两个模型都有 RankIC 的交易日只有 {found.count} 天，不足 {LEAST_DAYS} 天。",
            f"Both models have a RankIC on {found.count} days, fewer than {LEAST_DAYS}.",
        )
    if math.isnan(found.t_value):
        return Words("两者的 RankIC 天天相同。", "Their RankICs differ by the same on every day.")
    gap, t_value = number(found.mean, 4, sign=True), number(found.t_value, 1)
    told = Words(
        f"{found.count} 天里挑战者的 RankIC 平均相差 {gap}（t = {t_value}，需要 {number(found.needed(LEVEL), 1)}）",
        f"Over {found.count} days the challenger's RankIC differs by {gap} on average (t = {t_value}, needed "
        f"{number(found.needed(LEVEL), 1)})",
    )
    if made is Recommendation.PROMOTE:
        return Words(f"{told.zh}：更好，建议替换。", f"{told.en}: it is better.")
    if made is Recommendation.UNDECIDED:
        return Words(f"{told.zh}：还分不出高下。", f"{told.en}: too close to tell.")
    if found.below <= LEVEL:
        return Words(f"{told.zh}：更差，保留原模型。", f"{told.en}: it is worse.")
    return Words(
        f"{told.zh}：即使更好也不到 {WORTH}，不值得替换。",
        f"{told.en}: if it is better at all, then by less than {WORTH}, which is not worth a change.",
    )
