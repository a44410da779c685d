"""Was a planted alpha found?"""

from __future__ import annotations

from enum import Enum

import numpy as np

from quantflux.data.sources.synthetic import PlantedAlpha
from quantflux.factors import FactorReport

_SURE = 3.0
_FADED = 0.5


class Verdict(Enum):
    """What a factor's record says about the alpha planted for it."""

    FOUND = "found"
    FADED = "found, fading"
    MISSED = "not found"
    NONE = "not planted"


def verdict(report: FactorReport, alpha: PlantedAlpha | None) -> Verdict:
    """Return whether the alpha was found (t-value of the RankIC above 3) and whether it fades.

    It fades if the mean RankIC of the last third of the days is below half of that of the first third.
    """
    if alpha is None:
        return Verdict.NONE
    if not report.tradable.t_value >= _SURE:
        return Verdict.MISSED
    rank_ic = report.tradable.rank_ic
    known = rank_ic[~np.isnan(rank_ic)]
    third = len(known) // 3
    fading = known[-third:].mean() < _FADED * known[:third].mean()
    return Verdict.FADED if fading else Verdict.FOUND
