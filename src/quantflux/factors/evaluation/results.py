"""What evaluation found about a factor, as plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from quantflux.factors.evaluation.distribution import Distribution
from quantflux.factors.evaluation.plan import EvaluationPlan
from quantflux.factors.evaluation.portfolios import Portfolios
from quantflux.factors.evaluation.records import Record


class Verdict(Enum):
    """What the figures say; see `quantflux.factors.evaluation.verdict` for the rules."""

    WORKS = "works"
    UNSURE_GAIN = "predicts, gain unsure"
    COSTS = "predicts, costs eat it"
    PAPER_ONLY = "on paper only"
    REVERSED = "works the other way round"
    HINT = "a hint, not more"
    NOISE = "noise"
    UNKNOWN = "too little to tell"


@dataclass(frozen=True, slots=True)
class YearResult:
    """One calendar year.

    Attributes
    ----------
    days : int
        With an IC.
    rank_ic_mean, t_value, hit_rate : float
        As in `Variant`.
    long_short, long_short_net : float
        Sum of the year's daily returns, before and after costs.
    """

    days: int
    rank_ic_mean: float
    t_value: float
    hit_rate: float
    long_short: float
    long_short_net: float


@dataclass(frozen=True, slots=True)
class IndustryResult:
    """One industry, its names ranked among themselves.

    Attributes
    ----------
    days : int
        With enough names.
    names : float
        How many have a value and a return, on the mean day.
    rank_ic_mean, t_value : float
    """

    days: int
    names: float
    rank_ic_mean: float
    t_value: float


@dataclass(frozen=True)
class Variant:
    """A factor judged under one set of assumptions. Returns are fractions; NaN is unknown.

    Attributes
    ----------
    rank_ic, ic : array, shape (T,)
        Spearman's and Pearson's correlation with the forward return, by signal day; NaN without enough names.
    rank_ic_mean, rank_ic_std, icir, t_value : float
        ICIR is mean over deviation of the daily RankIC; the t-value allows for overlap (Newey and West).
    ic_mean : float
    hit_rate : float
        Part of the days whose RankIC has the sign of the mean.
    decay : mapping of int to float
        Mean RankIC by days held.
    ageing : mapping of int to float
        Mean RankIC of a signal of so many days ago with the return over the plan's horizon.
    half_life : float
        Days until `ageing` is down to half of its first value; infinite if it never is, NaN if the RankIC cannot be
        told from zero (t-value below 2).
    years : mapping of int to YearResult
    industries : mapping of str to IndustryResult
        Those with enough names; empty without industries.
    within_industries : float
        Mean RankIC within industries, each by its number of names: what is left without bets on industries.
    quantile_means : array, shape (Q,)
        Mean forward return over the horizon by quantile, the lowest first.
    monotonicity, ordered_steps : float
        See `quantflux.factors.evaluation.quantiles.monotonicity`.
    turnover : array, shape (Q,)
        Part of each quantile that is new after one horizon.
    autocorrelation : mapping of int to float
        Mean correlation of the factor's ranks with those of so many days before.
    coverage : array, shape (T,)
        Part of the names to choose from that have a value; NaN on days without any.
    portfolios : Portfolios
        The quantiles, held day by day.
    """

    rank_ic: np.ndarray
    ic: np.ndarray
    rank_ic_mean: float
    rank_ic_std: float
    icir: float
    t_value: float
    ic_mean: float
    hit_rate: float
    decay: Mapping[int, float]
    ageing: Mapping[int, float]
    half_life: float
    years: Mapping[int, YearResult]
    industries: Mapping[str, IndustryResult]
    within_industries: float
    quantile_means: np.ndarray
    monotonicity: float
    ordered_steps: float
    turnover: np.ndarray
    autocorrelation: Mapping[int, float]
    coverage: np.ndarray
    portfolios: Portfolios


@dataclass(frozen=True)
class Correlations:
    """How alike factors are.

    Attributes
    ----------
    names : tuple of str
        The judged factor first.
    matrix : array, shape (K, K)
        Mean rank correlation of the names' values on a day.
    """

    names: tuple[str, ...]
    matrix: np.ndarray

    @property
    def closest(self) -> tuple[str, float] | None:
        """The other factor that the first one is most like, or most unlike, and their correlation."""
        known = [(name, float(value)) for name, value in zip(self.names[1:], self.matrix[0, 1:], strict=True)]
        known = [(name, value) for name, value in known if not math.isnan(value)]
        return max(known, key=lambda pair: abs(pair[1]), default=None)


@dataclass(frozen=True)
class FactorReport:
    """What became of a factor.

    Attributes
    ----------
    name : str
    plan : EvaluationPlan
    times : array of datetime64[D], shape (T,)
    paper : Variant
        Bought and sold at the close of the signal, whatever the rules say, free of costs.
    tradable : Variant
        Among investable names, bought at the next open unless it is locked, sold when it can be, with costs.
    distribution : Distribution
    correlations : Correlations or None
        None without other factors.
    verdict : Verdict
    """

    name: str
    plan: EvaluationPlan
    times: np.ndarray
    paper: Variant
    tradable: Variant
    distribution: Distribution
    correlations: Correlations | None
    verdict: Verdict

    def to_dict(self, *, series: bool = False) -> dict[str, Any]:
        """Return everything as lists, texts and numbers for JSON: unknown numbers are None, infinite ones texts.

        Parameters
        ----------
        series : bool
            With the daily series as well: dates, ICs, coverage, returns and costs of each quantile.
        """
        made: dict[str, Any] = {
            "name": self.name,
            "first_day": str(self.times[0]) if len(self.times) else None,
            "last_day": str(self.times[-1]) if len(self.times) else None,
            "days": len(self.times),
            "verdict": self.verdict.value,
            "plan": _plain(self.plan.to_dict()),
            "paper": _variant(self.paper, series=series),
            "tradable": _variant(self.tradable, series=series),
            "distribution": _plain(vars(self.distribution)),
            "correlations": None if self.correlations is None else _plain(vars(self.correlations)),
        }
        return made | ({"times": [str(day) for day in self.times]} if series else {})

    def to_json(self, *, series: bool = False) -> str:
        """Return `to_dict` as a JSON text."""
        return json.dumps(self.to_dict(series=series), ensure_ascii=False, allow_nan=False, indent=1)


_SERIES = ("rank_ic", "ic", "coverage", "portfolios")


def _variant(variant: Variant, *, series: bool) -> dict[str, Any]:
    book = variant.portfolios
    made = {name: _plain(value) for name, value in vars(variant).items() if name not in _SERIES}
    made |= {
        "coverage_mean": _plain(mean_of(variant.coverage)),
        "long_short": _plain(book.gross),
        "long_short_net": _plain(book.net),
        "excess_net": _plain(book.excess),
        "break_even_cost": _plain(book.break_even),
    }
    if series:
        daily = {"rank_ic": variant.rank_ic, "ic": variant.ic, "coverage": variant.coverage} | vars(book)
        made["series"] = {name: _plain(values) for name, values in daily.items()}
    return made


def mean_of(values: np.ndarray) -> float:
    """Return the mean of the numbers in an array; NaN of none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _plain(value: Any) -> Any:
    made = value
    if isinstance(value, Mapping):
        made = {str(key): _plain(inner) for key, inner in value.items()}
    elif isinstance(value, np.ndarray | list | tuple):
        made = [_plain(inner) for inner in (value.tolist() if isinstance(value, np.ndarray) else value)]
    elif isinstance(value, Record | YearResult | IndustryResult):
        made = {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    elif isinstance(value, float) and not math.isfinite(value):
        made = None if math.isnan(value) else str(value)
    return made
