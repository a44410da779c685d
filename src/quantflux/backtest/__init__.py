"""Day-by-day simulation of a strategy and its report."""

from quantflux.backtest.fills import Fills, Refusal
from quantflux.backtest.metrics import (
    Comparison,
    Performance,
    compare,
    drawdown,
    monthly_returns,
    performance,
)
from quantflux.backtest.policy import Schedule, Targets, best_share, combined_score, decision_rows, everything
from quantflux.backtest.simulator import Run, simulate
from quantflux.backtest.study import Study, study
from quantflux.backtest.venue import Venue

__all__ = [
    "Comparison",
    "Fills",
    "Performance",
    "Refusal",
    "Run",
    "Schedule",
    "Study",
    "Targets",
    "Venue",
    "best_share",
    "combined_score",
    "compare",
    "decision_rows",
    "drawdown",
    "everything",
    "monthly_returns",
    "performance",
    "simulate",
    "study",
]
