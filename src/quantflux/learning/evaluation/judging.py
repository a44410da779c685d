"""Judges predictions of days that a model had not seen.

1. They are judged as any factor is (`quantflux.factors.evaluation`): correlated with what names earn, on paper and as
   one can trade, cut into quantiles, by year and industry.
2. Chance is weighed (`significance.py`), the best names are held under all rules (`top.py`), and what was predicted is
   set beside what came (`calibration.py`).
3. `verdict.py` says what it amounts to.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from quantflux.backtest import Venue
from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation import EvaluationPlan, Evaluator, FactorReport, forward_returns
from quantflux.factors.market_data import MarketData
from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.factors.universe import Industries, Market
from quantflux.learning.evaluation.calibration import (
    Calibration,
    Reliability,
    calibration_of,
    reliability_of,
)
from quantflux.learning.evaluation.results import Evaluation
from quantflux.learning.evaluation.significance import significance_of
from quantflux.learning.evaluation.top import TopHeld, TopPlan, hold_top, venue_of
from quantflux.learning.evaluation.verdict import LEVEL, verdict_of

TASKS = ("regression", "ranking", "classification")
LEAST_NAMES = 10
"""Days with fewer names have no RankIC."""
_DECAY = (1, 5, 10, 20)
_QUANTILES, _FEW, _COARSE = 10, 100, 5


def judge(
    scores: np.ndarray,
    market: MarketData,
    labels: np.ndarray,
    *,
    horizon: int,
    name: str = "model",
    task: str = "regression",
    probabilities: np.ndarray | None = None,
    venue: Venue | None = None,
    top: TopPlan | None = TopPlan(),  # noqa: B008 - frozen
    quantiles: int | None = None,
    trials: int = 1,
    level: float = LEVEL,
) -> Evaluation:
    """Judge out-of-sample predictions.

    Parameters
    ----------
    scores : array of float64, shape (T, N)
        Known at each close, more being better; NaN where nothing was predicted out of sample. Those of names that
        were not investable on the day do not count.
    market : MarketData
        On the same axes.
    labels : array of float64, shape (T, N)
        What was to be predicted, NaN where it is not known: a number, or the class 0 .. C-1.
    horizon : int
        Days over which a prediction looks ahead.
    name : str
    task : str
        "regression", "ranking" or "classification".
    probabilities : array of float64, shape (T, N, C), optional
        Of each class, for classification.
    venue : Venue, optional
        Where the best names are held, such as that of `quantflux.backtest.arena.load_arena`, which should end with
        the last prediction: what is held then is held to its end. Made of the market's bars, to `horizon` days after
        the last prediction, unless given.
    top : TopPlan, optional
        How they are held; None holds none.
    quantiles : int, optional
        10 unless given, or 5 where fewer than 100 names have a prediction.
    trials : int
        Models that were tried on these days, of which this one was kept.
    level : float
        Probability with which a model that knows nothing may be called found.

    Raises
    ------
    InvalidRequest
        If shapes differ, there is no prediction, or an argument is out of its range.
    """
    _check(scores, market, labels, task, probabilities, level)
    scores = np.where(market.market.chosen & np.isfinite(scores), scores, np.nan)
    rows = np.flatnonzero(~np.isnan(scores).all(axis=1))
    if not len(rows):
        raise InvalidRequest("there is no prediction of an investable name to judge")
    # Later days have neither predictions nor outcomes of any, and would change the figures every time one comes.
    part = slice(int(rows[0]), int(rows[-1]) + horizon + 2)
    signal = _as_factor(name, scores, market, part, horizon, quantiles)
    found = significance_of(signal.tradable.rank_ic, horizon, trials)
    learnt = _rank_ic(scores[part], labels[part], market.market.chosen[part])
    held = None
    if top is not None:
        held = _held(name, scores, market, venue, top, horizon, int(rows[-1]), trials)
    calibration, reliability = _calibrations(scores, labels, probabilities, task, horizon)
    return Evaluation(
        name=name,
        task=task,
        horizon=horizon,
        factor=signal,
        significance=found,
        label_ic=learnt,
        label=significance_of(learnt, horizon, trials),
        top=held,
        calibration=calibration,
        reliability=reliability,
        level=level,
        verdict=verdict_of(found, _gain(signal, held), level),
    )


def rank_ic_by_day(
    scores: np.ndarray, market: Market, horizon: int, *, least: int = LEAST_NAMES
) -> np.ndarray:
    """Return the tradable RankIC of scores by day, as `judge` does: among investable names that can be bought next day.

    Parameters
    ----------
    scores : array of float64, shape (T, N)
    market : Market
    horizon : int
    least : int
        Days with fewer names are NaN.

    Returns
    -------
    array of float64, shape (T,)
        NaN also in the last horizon + 1 rows, whose outcome is not known yet.
    """
    finite = np.where(np.isfinite(scores), scores, np.nan)
    return _rank_ic(finite, forward_returns(market, horizon), market.chosen, least)


def _check(
    scores: np.ndarray,
    market: MarketData,
    labels: np.ndarray,
    task: str,
    probabilities: np.ndarray | None,
    level: float,
) -> None:
    shape = market.market.chosen.shape
    if scores.shape != shape or labels.shape != shape:
        raise InvalidRequest(
            f"scores and labels need the market's shape {shape} (days, symbols), had {scores.shape} and "
            f"{labels.shape}"
        )
    if task not in TASKS:
        raise InvalidRequest(f"a task is one of {', '.join(TASKS)}, was {task!r}")
    if probabilities is not None and (task != "classification" or probabilities.shape[:2] != shape):
        raise InvalidRequest(
            f"probabilities have the shape {shape} and classes behind it, and belong to classification; had "
            f"{probabilities.shape} for {task}"
        )
    if not 0 < level < 0.5:
        raise InvalidRequest(f"level lies above 0 and below 0.5, was {level}")


def _as_factor(
    name: str, scores: np.ndarray, market: MarketData, part: slice, horizon: int, quantiles: int | None
) -> FactorReport:
    """Judge the predictions as a factor, on some days."""
    names = np.isfinite(scores[part]).sum(axis=1)
    usual = float(np.median(names[names > 0]))
    groups = quantiles or (_QUANTILES if usual >= _FEW else _COARSE)
    plan = EvaluationPlan(horizon=horizon, quantiles=groups, decay=_DECAY, least_names=LEAST_NAMES)
    industries = market.industries
    if industries is not None and industries.codes.ndim == 2:
        industries = Industries(industries.codes[part], industries.names)
    return Evaluator(_cut(market.market, part), plan, industries=industries).report(name, scores[part])


def _cut(market: Market, part: slice) -> Market:
    """Return some days of a market, of which is known what names that were stuck on the last one brought later."""
    arrays = {
        field: getattr(market, field)[part]
        for field in ("chosen", "buyable", "sellable", "at_open", "at_close")
    }
    times = market.panel.times[part]
    made = replace(market, panel=market.panel.select(start=times[0], end=times[-1]), **arrays)
    vars(made)["proceeds"] = market.proceeds[part]  # else worked out from the days that are left
    return made


def _rank_ic(
    scores: np.ndarray, outcomes: np.ndarray, chosen: np.ndarray, least: int = LEAST_NAMES
) -> np.ndarray:
    finite = np.where(np.isfinite(outcomes), outcomes, np.nan)
    return rank_correlation(SortedRows(scores), SortedRows(finite), chosen, least)


def _held(
    name: str,
    scores: np.ndarray,
    market: MarketData,
    venue: Venue | None,
    plan: TopPlan,
    horizon: int,
    last: int,
    trials: int,
) -> TopHeld:
    times, symbols = market.raw.times, market.raw.symbols
    return hold_top(
        name,
        scores,
        times,
        symbols,
        venue if venue is not None else venue_of(market, last + horizon + 2),
        horizon=horizon,
        plan=plan,
        industries=market.industries,
        trials=trials,
    )


def _gain(signal: FactorReport, held: TopHeld | None) -> float:
    """Return what is left beyond the market after costs: of the best names, or of the top quantile if none are held."""
    if held is not None:
        return held.beside.comparison.excess_return
    return signal.tradable.portfolios.excess.annual


def _calibrations(
    scores: np.ndarray, labels: np.ndarray, probabilities: np.ndarray | None, task: str, horizon: int
) -> tuple[Calibration | None, Reliability | None]:
    known = np.isfinite(scores) & np.isfinite(labels)
    if task == "regression" and known.any():
        return calibration_of(scores[known], labels[known], np.nonzero(known)[0], horizon=horizon), None
    if probabilities is not None:
        known &= np.isfinite(probabilities).all(axis=2)
        if known.any():
            return None, reliability_of(probabilities[known], labels[known].astype(np.int64))
    return None, None
