"""Whether a model in use is still as good as it was when it was validated.

1. Live figures are the RankIC of each day's stored predictions, once it is known what the names earned
   (`quantflux.learning.evaluation.rank_ic_by_day`).
2. A cumulative sum (Page's) adds up how far they fall short of half the validated mean, less half of its standard
   error, and never falls below nothing: a steady model's sum keeps returning to nothing, that of a model that lost its
   power rises day after day. All of it is in units of the long-run deviation, which allows for days in common.
3. Above a threshold it is an alarm. The threshold is the one that a steady model reaches within a year with a
   probability that is given, taking the sum for a Brownian motion; that of days is a little lower, so that the alarms
   are rather too few. The same reckoning says how long it takes to notice that a model has lost all of its power.
   A model whose short validation was lucky is overrated, and sets off more alarms than that.
4. Short of that, it is to be watched while the mean of the last days is below the validated one by more than chance
   does on one day in twenty.

References
----------
Page (1954), "Continuous Inspection Schemes", Biometrika 41.
Siegmund (1985), "Sequential Analysis": run lengths of the cumulative sum of a Brownian motion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from scipy.optimize import brentq

from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation import TRADING_DAYS
from quantflux.learning.evaluation import long_run_deviation
from quantflux.pages import Words
from quantflux.pages.charts import rolling_mean
from quantflux.pages.markup import number

LEAST_DAYS = 20
"""Live days, below which only an alarm is given."""

_WATCHED = 0.05
_STEEPEST = 700.0  # the largest exponent that is a number


class State(StrEnum):
    """How a model does."""

    OK = "ok"
    WATCH = "watch"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Validated:
    """What a model showed when it was validated.

    Attributes
    ----------
    mean, deviation : float
        Of its daily RankIC.
    long_run : float
        See `quantflux.learning.evaluation.long_run_deviation`.
    days : int
        With a RankIC.
    """

    mean: float
    deviation: float
    long_run: float
    days: int

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.long_run / math.sqrt(self.days)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_dict` takes it back."""
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "long_run": self.long_run,
            "days": self.days,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Read what `to_dict` told.

        Raises
        ------
        InvalidRequest
            If it is anything else.
        """
        wanted = ("mean", "deviation", "long_run", "days")
        numbers = [told.get(name) for name in wanted]
        if set(told) != set(wanted) or not all(
            isinstance(value, int | float) and math.isfinite(value) for value in numbers
        ):
            raise InvalidRequest(
                f"what was validated has the numbers {', '.join(wanted)}, found {dict(told)!r:.120}"
            )
        return cls(told["mean"], told["deviation"], told["long_run"], int(told["days"]))


@dataclass(frozen=True, eq=False)
class Health:
    """How a model does, and why.

    Attributes
    ----------
    state : State
    reason : Words
    days : int
        Live days whose outcome is known.
    mean, recent : float
        Live RankIC of all of them and of the last ones; NaN if there are none.
    shortfall_t : float
        How far the recent mean is from the validated one, in standard errors of the difference; NaN with fewer than 20
        days.
    since : datetime64[D] or None
        The day from which on it has been an alarm.
    times : array of datetime64[D], shape (T,)
    rolling : array of float64, shape (T,)
        Mean of the last days up to each; NaN with fewer than 20.
    shortfall : array of float64, shape (T,)
        The cumulative sum.
    threshold : float
        Above which it is an alarm.
    notice : float
        Days that it takes on average to notice that all power is lost.
    """

    state: State
    reason: Words
    days: int
    mean: float
    recent: float
    shortfall_t: float
    since: np.datetime64 | None
    times: np.ndarray
    rolling: np.ndarray
    shortfall: np.ndarray
    threshold: float
    notice: float


def validated_of(rank_ic: np.ndarray, horizon: int) -> Validated:
    """Return what was validated, to be kept with a model.

    Parameters
    ----------
    rank_ic : array of float64, shape (T,)
        Out of sample, by day; NaN is left out.
    horizon : int
        Days over which a prediction looks ahead.

    Raises
    ------
    InvalidRequest
        If fewer than 3 days have one, or all are the same.
    """
    known = rank_ic[~np.isnan(rank_ic)]
    long_run = long_run_deviation(known, horizon)
    if math.isnan(long_run):
        raise InvalidRequest(
            f"a validated RankIC needs 3 days or more that are not all alike, had {len(known)} days"
        )
    return Validated(float(known.mean()), float(known.std(ddof=1)), long_run, len(known))


def health_of(
    times: np.ndarray,
    rank_ic: np.ndarray,
    validated: Validated,
    *,
    window: int = 60,
    false_alarms: float = 0.05,
) -> Health:
    """Return how a model in use does beside its validation.

    Parameters
    ----------
    times : array of datetime64[D], shape (T,)
        Days since it is in use.
    rank_ic : array of float64, shape (T,)
        Of its stored predictions; NaN where it is not known, as on the newest days.
    validated : Validated
    window : int
        Days of the recent mean.
    false_alarms : float
        Probability with which a steady model is called an alarm within a year.

    Raises
    ------
    InvalidRequest
        If the lengths differ, or the validated mean is not above its standard error: there is nothing to be lost.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2024-05-01", dtype="datetime64[D]")
    >>> known = Validated(mean=0.1, deviation=0.1, long_run=0.1, days=500)
    >>> found = health_of(days, np.where(days < np.datetime64("2024-03-01"), 0.1, -0.02), known)
    >>> found.state, found.since, round(found.notice)
    (<State.ALARM: 'alarm'>, np.datetime64('2024-03-12'), 15)
    """
    if times.shape != rank_ic.shape:
        raise InvalidRequest(f"needed is a RankIC of each of {len(times)} days, had {len(rank_ic)}")
    if window < LEAST_DAYS or not 0 < false_alarms < 1:
        raise InvalidRequest(
            f"the window is {LEAST_DAYS} days or more and false alarms lie between 0 and 1, were {window} and "
            f"{false_alarms}"
        )
    if not validated.mean > validated.error:
        raise InvalidRequest(
            f"the validated RankIC of {validated.mean:.4f} is not above its standard error of {validated.error:.4f}: "
            "a model that was not found to predict cannot be watched for losing it"
        )
    known = ~np.isnan(rank_ic)
    # A mean that was overrated by chance must not look like decay: what is asked for is less by its standard error.
    level = (validated.mean - validated.error) / 2
    slope = level / validated.long_run
    threshold = _threshold(slope, TRADING_DAYS / -math.log1p(-false_alarms))
    shortfall = _accumulated(np.where(known, (level - rank_ic) / validated.long_run, 0.0))
    count = int(known.sum())
    recent = rank_ic[known][-window:]
    gap = _shortfall_t(recent, validated)
    state = State.WATCH if gap <= NormalDist().inv_cdf(_WATCHED) else State.OK
    if count and shortfall[-1] >= threshold:
        state = State.ALARM
    over = np.flatnonzero(shortfall < threshold)
    since = None if state is not State.ALARM else times[over[-1] + 1 if len(over) else 0]
    mean = float(rank_ic[known].mean()) if count else math.nan
    return Health(
        state=state,
        reason=_reason(state, count, recent, gap, validated, since),
        days=count,
        mean=mean,
        recent=float(recent.mean()) if count else math.nan,
        shortfall_t=gap,
        since=since,
        times=times,
        rolling=rolling_mean(rank_ic, window, LEAST_DAYS),
        shortfall=shortfall,
        threshold=threshold,
        notice=_run_length(-slope, threshold),
    )


def _accumulated(steps: np.ndarray) -> np.ndarray:
    """Return the sum of steps that starts anew whenever it falls below nothing."""
    total = np.cumsum(steps)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total), 0.0)) if len(total) else total


def _run_length(slope: float, threshold: float) -> float:
    """Return after how many days, on average, the sum reaches a threshold if it falls by `slope` a day."""
    steep = 2 * slope * threshold
    return (math.exp(min(steep, _STEEPEST)) - 1 - steep) / (2 * slope * slope)


def _threshold(slope: float, days: float) -> float:
    """Return the threshold that the sum reaches after so many days on average if it falls by `slope` a day."""
    return float(brentq(lambda height: _run_length(slope, height) - days, 1e-9, _STEEPEST / (2 * slope)))


def _shortfall_t(recent: np.ndarray, validated: Validated) -> float:
    if len(recent) < LEAST_DAYS:
        return math.nan
    error = validated.long_run * math.sqrt(1 / len(recent) + 1 / validated.days)
    return float(recent.mean() - validated.mean) / error


def _reason(
    state: State,
    days: int,
    recent: np.ndarray,
    gap: float,
    validated: Validated,
    since: np.datetime64 | None,
) -> Words:
    was = number(validated.mean, 4, sign=True)
    if state is State.ALARM:
        return Words(
            f"{since} 起报警：RankIC 长期低于验证值 {was} 的一半，已不能归于运气。重新训练或停用。",
            f"Alarm since {since}: the RankIC has stayed below half of the validated {was} for longer than chance "
            "would have it. Train it again or retire it.",
        )
    if math.isnan(gap):
        return Words(
            f"只有 {days} 个交易日知道结果，少于 {LEAST_DAYS} 天，还无法判断；没有报警。",
            f"The outcome of {days} days is known, fewer than {LEAST_DAYS}: too early to tell, and no alarm.",
        )
    now = number(float(recent.mean()), 4, sign=True)
    told = Words(
        f"最近 {len(recent)} 天的 RankIC 均值为 {now}，验证时为 {was}（差 {number(gap, 1, sign=True)} 个标准误）",
        f"The mean RankIC of the last {len(recent)} days is {now}, and was {was} when validated "
        f"({number(gap, 1, sign=True)} standard errors)",
    )
    if state is State.WATCH:
        return Words(
            f"{told.zh}：稳定的模型二十天里约有一天如此。继续观察。",
            f"{told.en}: a steady model falls so short on one day in twenty. Keep an eye on it.",
        )
    return Words(f"{told.zh}：与验证相符。", f"{told.en}: as validated.")
