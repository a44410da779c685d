"""Is a factor any good? Its information coefficient, quantile portfolios, turnover and decay.

1. `Evaluator` prepares what all factors share: forward returns of every horizon, sorted once (`forward.py`,
   `ranking.py`).
2. `Evaluator.report` correlates a factor with them by day (IC, RankIC), tests the mean (`significance.py`), and
   follows its quantile portfolios (`quantiles.py`).

Only investable names take part, and only those that could be bought at the next open (`forward.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.forward import forward_returns, holding_returns, paper_returns
from quantflux.factors.quantiles import NOT_HELD, cohort_returns, group_means, mean_turnover, quantile_labels
from quantflux.factors.ranking import SortedRows, rank_correlation, row_correlation
from quantflux.factors.significance import newey_west_t
from quantflux.factors.universe import Market

TRADING_DAYS = 244
"""Trading days in a year at the Chinese exchanges, on average."""


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How factors are judged.

    Attributes
    ----------
    horizon : int
        Days a position is held.
    quantiles : int
    decay : tuple of int
        Horizons of the decay curve, days.
    least_names : int
        Days with fewer names have no IC.
    """

    horizon: int = 5
    quantiles: int = 5
    decay: tuple[int, ...] = (1, 5, 10, 20, 40, 60)
    least_names: int = 10

    def __post_init__(self) -> None:
        if min(self.horizon, *self.decay) < 1:
            raise InvalidRequest(f"horizons must be at least 1 day, were {self.horizon} and {self.decay}")
        if not 2 <= self.quantiles <= 100:
            raise InvalidRequest(f"quantiles must be 2 to 100, were {self.quantiles}")


@dataclass(frozen=True)
class FactorReport:
    """What became of a factor. Returns are fractions, before costs.

    Attributes
    ----------
    name : str
    rank_ic, ic : array, shape (T,)
        Spearman's and Pearson's correlation with the forward return, by signal day; NaN without enough names.
    rank_ic_mean, rank_ic_std, icir, t_value : float
        ICIR is mean over deviation of the daily RankIC; the t-value allows for overlap (Newey and West).
    ic_mean : float
    paper_rank_ic : float
        The RankIC a careless study would show: from this close on, whether one could trade or not.
    decay : mapping of int to float
        Mean RankIC by horizon in days.
    quantile_means : array, shape (Q,)
        Mean forward return over the horizon by quantile, the lowest first.
    quantile_returns : array, shape (T, Q)
        Daily return of each quantile's portfolio.
    turnover : float
        Part of the top quantile that is new after each horizon.
    autocorrelation : float
        Mean rank correlation of the factor with itself one horizon before.
    coverage : array, shape (T,)
        Part of the investable names that have a value; NaN on days without any.
    """

    name: str
    rank_ic: np.ndarray
    ic: np.ndarray
    rank_ic_mean: float
    rank_ic_std: float
    icir: float
    t_value: float
    ic_mean: float
    paper_rank_ic: float
    decay: Mapping[int, float]
    quantile_means: np.ndarray
    quantile_returns: np.ndarray
    turnover: float
    autocorrelation: float
    coverage: np.ndarray

    @property
    def quantile_curves(self) -> np.ndarray:
        """Value of 1 yuan in each quantile's portfolio, shape (T, Q)."""
        return np.cumprod(1 + np.nan_to_num(self.quantile_returns), axis=0)

    @property
    def long_short(self) -> np.ndarray:
        """Daily return of the top quantile minus the bottom one, shape (T,); NaN while nothing is held."""
        return np.asarray(self.quantile_returns[:, -1] - self.quantile_returns[:, 0])

    @property
    def long_short_annual(self) -> float:
        """Mean of `long_short` times 244."""
        return _mean(self.long_short) * TRADING_DAYS


class Evaluator:
    """Judges factors on one market.

    Parameters
    ----------
    market : Market
    plan : EvaluationPlan, optional
    """

    def __init__(self, market: Market, plan: EvaluationPlan | None = None) -> None:
        self.plan = plan or EvaluationPlan()
        self.market = market
        self._held = holding_returns(market)
        self._paper = SortedRows(paper_returns(market, self.plan.horizon))
        horizons = sorted({self.plan.horizon, *self.plan.decay})
        self._ahead = {horizon: SortedRows(forward_returns(market, horizon)) for horizon in horizons}

    def report(self, name: str, values: np.ndarray) -> FactorReport:
        """Judge one factor.

        Parameters
        ----------
        values : array of float64, shape (T, N)
            Known at the close of each day, NaN where unknown, more being better.
        """
        if values.shape != self.market.chosen.shape:
            raise InvalidRequest(
                f"factor {name!r} must have shape {self.market.chosen.shape} (days, symbols), had {values.shape}"
            )
        plan, chosen = self.plan, self.market.chosen
        factor = SortedRows(values)
        ahead = self._ahead[plan.horizon]
        by_horizon = {h: self._rank_ic(factor, self._ahead[h]) for h in self._ahead}
        rank_ic = by_horizon[plan.horizon]
        ic = row_correlation(values, ahead.values, factor.there & ahead.there & chosen, plan.least_names)
        labels = self._labels(factor)
        deviation = _deviation(rank_ic)
        mean = _mean(rank_ic)
        return FactorReport(
            name=name,
            rank_ic=rank_ic,
            ic=ic,
            rank_ic_mean=mean,
            rank_ic_std=deviation,
            icir=mean / deviation if deviation > 0 else float("nan"),
            t_value=newey_west_t(rank_ic, max(plan.horizon, _usual_lags(rank_ic))),
            ic_mean=_mean(ic),
            paper_rank_ic=_mean(self._rank_ic(factor, self._paper)),
            decay=MappingProxyType({h: _mean(by_horizon[h]) for h in plan.decay}),
            quantile_means=_column_means(group_means(ahead.values, labels, plan.quantiles)),
            quantile_returns=cohort_returns(self._held, labels, plan.quantiles, plan.horizon),
            turnover=mean_turnover(labels, plan.quantiles - 1, plan.horizon),
            autocorrelation=self._autocorrelation(values),
            coverage=_coverage(factor.there, chosen),
        )

    def _rank_ic(self, factor: SortedRows, ahead: SortedRows) -> np.ndarray:
        return rank_correlation(factor, ahead, self.market.chosen, self.plan.least_names)

    def _labels(self, factor: SortedRows) -> np.ndarray:
        """Return quantiles chosen by what was known at the close, without the names that the next open refused."""
        labels = quantile_labels(factor, self.market.chosen, self.plan.quantiles)
        refused = np.ones_like(labels, dtype=bool)
        refused[:-1] = ~self.market.buyable[1:]
        return np.where(refused, NOT_HELD, labels)

    def _autocorrelation(self, values: np.ndarray) -> float:
        """Sampled once per horizon: a mean over thousands of overlapping days would say no more."""
        sample = values[:: self.plan.horizon]
        chosen = self.market.chosen[:: self.plan.horizon]
        now, before = SortedRows(sample[1:]), SortedRows(sample[:-1])
        return _mean(rank_correlation(now, before, chosen[1:], self.plan.least_names))


def _usual_lags(values: np.ndarray) -> int:
    return int(4 * (np.count_nonzero(~np.isnan(values)) / 100) ** (2 / 9))


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _deviation(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _column_means(values: np.ndarray) -> np.ndarray:
    return np.array([_mean(column) for column in values.T])


def _coverage(there: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    names = chosen.sum(axis=1)
    out = np.full(len(names), np.nan)
    np.divide((there & chosen).sum(axis=1), names, out=out, where=names > 0)
    return out
