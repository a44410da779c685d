"""What became of a model's predictions, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from quantflux.factors.evaluation import FactorReport
from quantflux.factors.evaluation.results import mean_of
from quantflux.learning.evaluation.calibration import Calibration, Groups, Reliability
from quantflux.learning.evaluation.significance import Significance
from quantflux.learning.evaluation.top import TopHeld


class Verdict(StrEnum):
    """What the figures say; see `quantflux.learning.evaluation.verdict` for the rules."""

    FOUND = "found"
    COSTS = "found, but trading it costs more"
    REVERSED = "found the wrong way round"
    NOISE = "noise"
    UNKNOWN = "too little to tell"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What became of predictions of days that the model had not seen.

    Attributes
    ----------
    name : str
    task : str
        "regression", "ranking" or "classification".
    horizon : int
        Days over which a prediction looks ahead.
    factor : FactorReport
        The predictions judged as any factor is, on paper and as one can trade: RankIC and IC by day, quantiles,
        turnover, years. Its days begin with the first prediction, and end where the outcome of the last one is known.
    significance : Significance
        Of the mean tradable RankIC.
    label_ic : array of float64, shape (T,)
        RankIC of each day with the label that was learnt, NaN without enough names.
    label : Significance
        Of its mean.
    top : TopHeld or None
        The best names held under all rules; None if that was not asked for.
    calibration : Calibration or None
        None for rankings, whose scores have no unit, and for classes.
    reliability : Reliability or None
        None for anything but classes with their probabilities.
    level : float
        Probability with which a model that knows nothing is called found.
    verdict : Verdict
    """

    name: str
    task: str
    horizon: int
    factor: FactorReport
    significance: Significance
    label_ic: np.ndarray
    label: Significance
    top: TopHeld | None
    calibration: Calibration | None
    reliability: Reliability | None
    level: float
    verdict: Verdict

    @property
    def times(self) -> np.ndarray:
        """Days from the first prediction to the outcome of the last one, datetime64[D], shape (T,)."""
        return self.factor.times

    @property
    def rank_ic(self) -> np.ndarray:
        """Tradable RankIC by day, shape (T,); NaN where it is unknown."""
        return self.factor.tradable.rank_ic

    @property
    def figures(self) -> dict[str, float]:
        """The key figures by name, NaN where one is unknown: what a registry keeps of a model."""
        real, paper = self.factor.tradable, self.factor.paper
        found = {
            "days": float(self.significance.count),
            "rank_ic": real.rank_ic_mean,
            "rank_ic_std": real.rank_ic_std,
            "icir": real.icir,
            "t_value": self.significance.t_value,
            "t_needed": self.significance.needed(self.level),
            "hit_rate": real.hit_rate,
            "ic": real.ic_mean,
            "paper_rank_ic": paper.rank_ic_mean,
            "label_rank_ic": mean_of(self.label_ic),
            "monotonicity": real.monotonicity,
            "quantile_turnover": float(real.turnover[-1]),
            "long_short": real.portfolios.gross.annual,
            "long_short_net": real.portfolios.net.annual,
        }
        return found | self._top_figures() | self._calibration_figures()

    def _top_figures(self) -> dict[str, float]:
        if self.top is None:
            return {}
        held, beside = self.top.study, self.top.beside.comparison
        return {
            "top_return": held.performance.annual_return,
            "top_excess": beside.excess_return,
            "top_information_ratio": beside.information_ratio,
            "top_sharpe": held.performance.sharpe,
            "top_drawdown": held.performance.max_drawdown,
            "top_turnover": held.turnover,
            "top_cost_drag": held.cost_drag,
        }

    def _calibration_figures(self) -> dict[str, float]:
        if self.calibration is not None:
            made = self.calibration
            return {"slope": made.slope, "slope_error": made.slope_error, "intercept": made.intercept}
        if self.reliability is not None:
            told = self.reliability
            return {
                "brier": told.brier,
                "brier_of_shares": told.brier_of_shares,
                "log_loss": told.log_loss,
                "log_loss_of_shares": told.log_loss_of_shares,
            }
        return {}

    def to_dict(self, *, series: bool = False) -> dict[str, Any]:
        """Return everything but the account's days as lists, texts and numbers for JSON; None is unknown.

        Parameters
        ----------
        series : bool
            With the daily series of the judged signal as well.
        """
        told: dict[str, Any] = {
            "name": self.name,
            "task": self.task,
            "horizon": self.horizon,
            "verdict": self.verdict.value,
            "level": self.level,
            "figures": {key: _plain(value) for key, value in self.figures.items()},
            "significance": _plain(asdict(self.significance)),
            "label": _plain(asdict(self.label)),
            "signal": self.factor.to_dict(series=series),
        }
        if self.top is not None:
            told["top"] = {"top": self.top.top, "buffer": self.top.buffer, "every": self.top.every}
        if self.calibration is not None:
            told["calibration"] = _plain(vars(self.calibration))
        if self.reliability is not None:
            told["reliability"] = _plain(vars(self.reliability))
        return told


def _plain(value: Any) -> Any:
    if isinstance(value, Groups):
        return _plain(vars(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
