"""Judges factor after factor on one market, on paper and as one can trade."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation.distribution import distribution_of
from quantflux.factors.evaluation.judging import Assumptions, judge
from quantflux.factors.evaluation.plan import EvaluationPlan
from quantflux.factors.evaluation.results import Correlations, FactorReport, mean_of
from quantflux.factors.evaluation.verdict import verdict_of
from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.factors.universe import Industries, Market


def evaluate_factor(
    name: str,
    values: np.ndarray,
    market: Market,
    *,
    industries: Industries | None = None,
    others: Mapping[str, np.ndarray] | None = None,
    plan: EvaluationPlan | None = None,
) -> FactorReport:
    """Judge one factor; for several on one market make an `Evaluator`, which prepares the market only once.

    Parameters
    ----------
    name : str
    values : array of float64, shape (T, N)
        Known at the close of each day, more being better; NaN, and what is infinite, is unknown.
    market : Market
    industries : Industries, optional
    others : mapping of str to array of float64, shape (T, N), optional
        Factors to compare it with.
    plan : EvaluationPlan, optional

    Raises
    ------
    InvalidRequest
        If an array has another shape than the market.
    """
    return Evaluator(market, plan, industries=industries).report(name, values, others)


class Evaluator:
    """Judges factors on one market.

    Parameters
    ----------
    market : Market
    plan : EvaluationPlan, optional
    industries : Industries, optional
    """

    def __init__(
        self, market: Market, plan: EvaluationPlan | None = None, *, industries: Industries | None = None
    ) -> None:
        self.plan = plan or EvaluationPlan()
        self.market = market
        with ThreadPoolExecutor(2) as pool:
            sides = (Assumptions.on_paper, Assumptions.tradable)
            made = pool.map(lambda side: side(market, self.plan, industries), sides)
            self._paper, self._tradable = made

    def report(
        self, name: str, values: np.ndarray, others: Mapping[str, np.ndarray] | None = None
    ) -> FactorReport:
        """Judge one factor; see `evaluate_factor`."""
        values = self._checked(name, values)
        factor = SortedRows(values)
        with ThreadPoolExecutor(2) as pool:
            sides = (self._paper, self._tradable)
            paper, tradable = pool.map(lambda side: judge(side, self.plan, factor, values), sides)
        sample = slice(None, None, self.plan.horizon)
        return FactorReport(
            name=name,
            plan=self.plan,
            times=self.market.panel.times,
            paper=paper,
            tradable=tradable,
            distribution=distribution_of(values[sample], self.market.chosen[sample]),
            correlations=self._correlations(name, values, others) if others else None,
            verdict=verdict_of(paper, tradable),
        )

    def _correlations(self, name: str, values: np.ndarray, others: Mapping[str, np.ndarray]) -> Correlations:
        every = {name: values} | {
            other: self._checked(other, array) for other, array in others.items() if other != name
        }
        return correlations(every, self.market.chosen, step=self.plan.horizon, least=self.plan.least_names)

    def _checked(self, name: str, values: np.ndarray) -> np.ndarray:
        if values.shape != self.market.chosen.shape:
            raise InvalidRequest(
                f"factor {name!r} must have shape {self.market.chosen.shape} (days, symbols), had {values.shape}"
            )
        values = np.ascontiguousarray(values, dtype=np.float64)
        infinite = np.isinf(values)
        return np.where(infinite, np.nan, values) if infinite.any() else values


def correlations(
    factors: Mapping[str, np.ndarray], chosen: np.ndarray, *, step: int = 1, least: int = 10
) -> Correlations:
    """Return how alike factors are: the mean rank correlation of their values on a day.

    Parameters
    ----------
    factors : mapping of str to array of float64, shape (T, N)
    chosen : array of bool, shape (T, N)
    step : int
        Every how many days: factors move slowly, and a mean over neighbouring days says no more.
    least : int
        Days with fewer names do not count.
    """
    rows = [SortedRows(np.ascontiguousarray(values[::step])) for values in factors.values()]
    among = chosen[::step]
    matrix = np.eye(len(rows))
    for i, one in enumerate(rows):
        for j in range(i + 1, len(rows)):
            matrix[i, j] = matrix[j, i] = mean_of(rank_correlation(one, rows[j], among, least))
    return Correlations(tuple(factors), matrix)
