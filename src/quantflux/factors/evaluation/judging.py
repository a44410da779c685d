"""A factor judged under one set of assumptions.

1. `Assumptions` holds what all factors share: who may be chosen, what names earn over each horizon and the order of
   it, how one deals.
2. `judge` ranks the factor once and correlates it with every horizon (IC, decay), with one horizon at several ages
   of the signal (ageing), by year and by industry; forms quantiles and holds their portfolios.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np

from quantflux.factors.evaluation.forward import forward_returns, paper_returns
from quantflux.factors.evaluation.plan import EvaluationPlan
from quantflux.factors.evaluation.portfolios import Dealing, Portfolios, hold_quantiles
from quantflux.factors.evaluation.quantiles import group_means, group_turnover, labels_of, monotonicity
from quantflux.factors.evaluation.results import IndustryResult, Variant, YearResult, mean_of
from quantflux.factors.evaluation.significance import newey_west_t, usual_lags
from quantflux.factors.evaluation.verdict import CHANCE
from quantflux.factors.ranking import Ranking, SortedRows, row_correlation
from quantflux.factors.universe import Industries, Market


@dataclass(frozen=True)
class Assumptions:
    """Who may be chosen, what names earn, and how one deals.

    Attributes
    ----------
    times : array of datetime64[D], shape (T,)
    chosen : array of bool, shape (T, N)
        Names to choose from, by what is known at the close.
    returns : array of float64, shape (T, N)
        Forward returns over the plan's horizon.
    ahead : mapping of int to SortedRows
        The order of the forward returns over each horizon.
    dealing : Dealing
    industries : tuple of array of int, shape (T, N), and tuple of str; or None
        Codes and names.
    """

    times: np.ndarray
    chosen: np.ndarray
    returns: np.ndarray
    ahead: Mapping[int, SortedRows]
    dealing: Dealing
    industries: tuple[np.ndarray, tuple[str, ...]] | None

    @classmethod
    def on_paper(cls, market: Market, plan: EvaluationPlan, industries: Industries | None) -> Self:
        """Return that whatever trades on a day can be had at its close, free of costs."""
        return cls._of(market, plan, industries, paper_returns, market.traded, Dealing.on_paper(market))

    @classmethod
    def tradable(cls, market: Market, plan: EvaluationPlan, industries: Industries | None) -> Self:
        """Return that investable names can be had at the next open, as far as the rules allow, with costs."""
        dealing = Dealing.tradable(market, plan.commission)
        return cls._of(market, plan, industries, forward_returns, market.chosen, dealing)

    @classmethod
    def _of(
        cls,
        market: Market,
        plan: EvaluationPlan,
        industries: Industries | None,
        returns: Callable[[Market, int], np.ndarray],
        chosen: np.ndarray,
        dealing: Dealing,
    ) -> Self:
        ahead = {horizon: SortedRows(returns(market, horizon)) for horizon in plan.horizons}
        laid = None if industries is None else (industries.laid_on(chosen.shape), industries.names)
        return cls(
            market.panel.times, chosen, returns(market, plan.horizon), MappingProxyType(ahead), dealing, laid
        )


def judge(assumptions: Assumptions, plan: EvaluationPlan, factor: SortedRows, values: np.ndarray) -> Variant:
    """Return what became of a factor.

    Parameters
    ----------
    factor : SortedRows
        The order of `values`.
    values : array of float64, shape (T, N)
    """
    chosen, least, ahead = assumptions.chosen, plan.least_names, assumptions.ahead
    everybody = factor.among(chosen)
    entered = factor.among(chosen & ahead[plan.horizons[0]].there)
    by_horizon = {horizon: entered.correlation(order, least) for horizon, order in ahead.items()}
    rank_ic = by_horizon[plan.horizon]
    both = chosen & factor.there & ahead[plan.horizon].there
    ic = row_correlation(values, assumptions.returns, both, least)
    labels = labels_of(everybody, plan.quantiles)
    book = hold_quantiles(assumptions.dealing, labels, plan.quantiles, plan.horizon)
    means = _column_means(group_means(assumptions.returns, labels, plan.quantiles))
    order, steps = monotonicity(means)
    mean, deviation = mean_of(rank_ic), _deviation(rank_ic)
    t_value = newey_west_t(rank_ic, _lags(rank_ic, plan))
    ageing = _ageing(factor, assumptions, plan) | {0: mean}
    industries, within = _by_industry(entered, assumptions, plan)
    return Variant(
        rank_ic=rank_ic,
        ic=ic,
        rank_ic_mean=mean,
        rank_ic_std=deviation,
        icir=mean / deviation if deviation > 0 else math.nan,
        t_value=t_value,
        ic_mean=mean_of(ic),
        hit_rate=_hit_rate(rank_ic, mean),
        decay=MappingProxyType({horizon: mean_of(by_horizon[horizon]) for horizon in plan.decay}),
        ageing=MappingProxyType(dict(sorted(ageing.items()))),
        half_life=half_life(ageing) if abs(t_value) >= CHANCE else math.nan,
        years=_by_year(assumptions.times, rank_ic, book, plan),
        industries=industries,
        within_industries=within,
        quantile_means=means,
        monotonicity=order,
        ordered_steps=steps,
        turnover=_column_means(group_turnover(labels, plan.quantiles, plan.horizon)),
        autocorrelation=_autocorrelation(everybody.ranks, plan),
        coverage=_coverage(factor.there, chosen),
        portfolios=book,
    )


def half_life(ageing: Mapping[int, float]) -> float:
    """Return at which age, linear between those known, a figure is down to half of its value at the least age.

    Infinite if it never is, NaN if the first value is unknown or 0.

    Examples
    --------
    >>> half_life({0: 0.08, 5: 0.06, 10: 0.02}), half_life({0: 0.08, 5: 0.07})
    (7.5, inf)
    """
    ages = sorted(ageing)
    first = ageing[ages[0]]
    if math.isnan(first) or first == 0:
        return math.nan
    before, part_before = ages[0], 1.0
    for age in ages[1:]:
        part = ageing[age] / first
        if part <= 0.5:
            return before + (age - before) * (part_before - 0.5) / (part_before - part)
        if not math.isnan(part):
            before, part_before = age, part
    return math.inf


def _ageing(factor: SortedRows, assumptions: Assumptions, plan: EvaluationPlan) -> dict[int, float]:
    ahead = assumptions.ahead[plan.horizon]
    return {
        age: mean_of(factor.lagged(age).among(assumptions.chosen).correlation(ahead, plan.least_names))
        for age in plan.decay
    }


def _autocorrelation(ranks: np.ndarray, plan: EvaluationPlan) -> Mapping[int, float]:
    found = {}
    for lag in plan.horizons:
        now, before = ranks[lag:], ranks[: max(len(ranks) - lag, 0)]
        found[lag] = mean_of(row_correlation(now, before, (now > 0) & (before > 0), plan.least_names))
    return MappingProxyType(found)


def _by_year(
    times: np.ndarray, rank_ic: np.ndarray, book: Portfolios, plan: EvaluationPlan
) -> Mapping[int, YearResult]:
    years = times.astype("datetime64[Y]").astype(np.int64) + 1970
    gross, net = book.long_short, book.long_short_net
    found = {}
    for year in np.unique(years).tolist():
        rows = years == year
        ics = rank_ic[rows]
        mean = mean_of(ics)
        found[int(year)] = YearResult(
            days=int(np.count_nonzero(~np.isnan(ics))),
            rank_ic_mean=mean,
            t_value=newey_west_t(ics, _lags(ics, plan)),
            hit_rate=_hit_rate(ics, mean),
            long_short=_total(gross[rows]),
            long_short_net=_total(net[rows]),
        )
    return MappingProxyType(found)


def _by_industry(
    entered: Ranking, assumptions: Assumptions, plan: EvaluationPlan
) -> tuple[Mapping[str, IndustryResult], float]:
    """Return each industry's result, and the mean RankIC within industries."""
    if assumptions.industries is None:
        return MappingProxyType({}), math.nan
    codes, names = assumptions.industries
    ics, counts = entered.correlation_by_group(
        assumptions.ahead[plan.horizon], codes, len(names), plan.least_names
    )
    known = ~np.isnan(ics)
    found = {}
    for place, name in enumerate(names):
        days = known[:, place]
        if days.any():
            found[name] = IndustryResult(
                days=int(np.count_nonzero(days)),
                names=float(counts[days, place].mean()),
                rank_ic_mean=mean_of(ics[:, place]),
                t_value=newey_west_t(ics[:, place], _lags(ics[:, place], plan)),
            )
    weights = np.where(known, counts, 0).sum(axis=1)
    total = np.where(known, ics * counts, 0.0).sum(axis=1)
    some = weights > 0
    return MappingProxyType(found), mean_of(total[some] / weights[some])


def _lags(values: np.ndarray, plan: EvaluationPlan) -> int:
    """Return how many autocovariances to allow for: forward returns overlap by the horizon at least."""
    return max(plan.horizon, usual_lags(int(np.count_nonzero(~np.isnan(values)))))


def _hit_rate(values: np.ndarray, mean: float) -> float:
    known = values[~np.isnan(values)]
    return float(np.mean(known * mean > 0)) if len(known) else math.nan


def _total(returns: np.ndarray) -> float:
    known = returns[~np.isnan(returns)]
    return float(known.sum()) if len(known) else math.nan


def _deviation(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def _column_means(values: np.ndarray) -> np.ndarray:
    return np.array([mean_of(column) for column in values.T])


def _coverage(there: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    names = chosen.sum(axis=1)
    out = np.full(len(names), math.nan)
    np.divide((there & chosen).sum(axis=1), names, out=out, where=names > 0)
    return out
