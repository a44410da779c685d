"""Day-by-day simulation of a strategy and its report."""

from quantflux.backtest.fills import Fills, Refusal
from quantflux.backtest.market_venue import Venue
from quantflux.backtest.metrics import (
    Performance,
    drawdown,
    monthly_returns,
    performance,
)
from quantflux.backtest.policy import Schedule, Targets, best_share, combined_score, decision_rows, everything
from quantflux.backtest.stock_loop import Run, simulate
from quantflux.backtest.stock_study import Comparison, Study, compare, study

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
