"""What the figures of a factor amount to, in one word.

A t-value of 3 is asked for, not 2: of many factors tried, some reach 2 by luck (Harvey, Liu, Zhu (2016), "... and the
Cross-Section of Expected Returns", Review of Financial Studies 29(1)).
"""

from __future__ import annotations

import numpy as np

from quantflux.factors.evaluation.results import Variant, Verdict

SURE = 3.0
"""From this t-value on a factor predicts."""

CHANCE = 2.0
"""Below this t-value nothing can be told from chance."""

LEAST_DAYS = 60
"""Days with an IC, below which nothing is said."""


def verdict_of(paper: Variant, tradable: Variant) -> Verdict:
    """Return what paper and tradable results amount to.

    1. `UNKNOWN` with fewer than 60 days.
    2. By the tradable t-value of the RankIC: -3 or less is `REVERSED`. 3 or more predicts, and the long-short
       portfolio after costs decides: `WORKS` if it gains with a t-value of 2 or more, `UNSURE_GAIN` if it gains with
       less, `COSTS` if it loses.
    3. Else, `PAPER_ONLY` if the paper t-value is 3 or more and the tradable one below 2; `HINT` if one of the two is
       2 or more, on either side of zero; `NOISE` if neither is.
    """
    if np.count_nonzero(~np.isnan(tradable.rank_ic)) < LEAST_DAYS or np.isnan(tradable.t_value):
        return Verdict.UNKNOWN
    if tradable.t_value <= -SURE:
        return Verdict.REVERSED
    if tradable.t_value >= SURE:
        net = tradable.portfolios.net
        if not net.annual > 0:
            return Verdict.COSTS
        return Verdict.WORKS if net.t_value >= CHANCE else Verdict.UNSURE_GAIN
    if paper.t_value >= SURE and tradable.t_value < CHANCE:
        return Verdict.PAPER_ONLY
    hint = max(abs(tradable.t_value), abs(paper.t_value)) >= CHANCE
    return Verdict.HINT if hint else Verdict.NOISE
