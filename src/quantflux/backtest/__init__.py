"""Simulation of strategies under the rules of the market, and what is told of a run.

`simulate` follows a plan through a `Venue`; `study` adds benchmarks, metrics and the price of each rule. Plans and
policies are in `quantflux.backtest.policies`.
"""

from quantflux.backtest.benchmarks import cap_weighted, equal_weighted
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.orders import OrderLog, Reason, Targets
from quantflux.backtest.run import Holdings, Run
from quantflux.backtest.simulator import simulate
from quantflux.backtest.study import Study, Trials, study
from quantflux.backtest.venue import Venue

__all__ = [
    "Execution",
    "Fill",
    "Holdings",
    "OrderLog",
    "Reason",
    "Rule",
    "Run",
    "Study",
    "Targets",
    "Trials",
    "Venue",
    "cap_weighted",
    "equal_weighted",
    "simulate",
    "study",
]
