"""What an account did, in figures: pure functions of its values, its returns or its run.

1. `series.py` turns values into returns and returns into totals; `periods.py` sums them up by month and year.
2. `ratios.py`, `tails.py` and `drawdowns.py` measure one account, `performance.py` all at once; `rolling.py` over time.
3. `relative.py` sets it beside a benchmark.
4. `trips.py`, `costs.py` and `exposure.py` tell from a run what was bought and sold, what that cost, and what was held.
5. `luck.py` asks how much of the Sharpe ratio chance can explain, given the number of strategies tried.

A year has 244 trading days, the mean of the Chinese exchanges.
"""

from quantflux.backtest.metrics.costs import Costs, costs_of, turnover, yearly_costs, yearly_rate
from quantflux.backtest.metrics.drawdowns import Drawdown, drawdown, drawdowns, max_drawdown
from quantflux.backtest.metrics.exposure import Exposure, exposure
from quantflux.backtest.metrics.luck import (
    Luck,
    deflated_sharpe,
    expected_best_sharpe,
    luck,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_error,
)
from quantflux.backtest.metrics.performance import Performance, performance
from quantflux.backtest.metrics.periods import account_rows, last_rows, monthly_returns, yearly_returns
from quantflux.backtest.metrics.ratios import calmar, downside_deviation, omega, sharpe, sortino
from quantflux.backtest.metrics.relative import (
    Comparison,
    alpha,
    beta,
    compare,
    correlation,
    down_capture,
    information_ratio,
    tracking_error,
    up_capture,
)
from quantflux.backtest.metrics.rolling import rolling_beta, rolling_sharpe, rolling_volatility
from quantflux.backtest.metrics.series import annual_return, daily_returns, total_return, volatility
from quantflux.backtest.metrics.tails import (
    expected_shortfall,
    kurtosis,
    skewness,
    tail_ratio,
    value_at_risk,
)
from quantflux.backtest.metrics.trips import RoundTrips, round_trips

__all__ = [
    "Comparison",
    "Costs",
    "Drawdown",
    "Exposure",
    "Luck",
    "Performance",
    "RoundTrips",
    "account_rows",
    "alpha",
    "annual_return",
    "beta",
    "calmar",
    "compare",
    "correlation",
    "costs_of",
    "daily_returns",
    "deflated_sharpe",
    "down_capture",
    "downside_deviation",
    "drawdown",
    "drawdowns",
    "expected_best_sharpe",
    "expected_shortfall",
    "exposure",
    "information_ratio",
    "kurtosis",
    "last_rows",
    "luck",
    "max_drawdown",
    "minimum_track_record",
    "monthly_returns",
    "omega",
    "performance",
    "probabilistic_sharpe",
    "rolling_beta",
    "rolling_sharpe",
    "rolling_volatility",
    "round_trips",
    "sharpe",
    "sharpe_error",
    "skewness",
    "sortino",
    "tail_ratio",
    "total_return",
    "tracking_error",
    "turnover",
    "up_capture",
    "value_at_risk",
    "volatility",
    "yearly_costs",
    "yearly_rate",
    "yearly_returns",
]
