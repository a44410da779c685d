"""What decides: calendars, ranked names, signals, lists of orders, and the contract for policies of one's own."""

from quantflux.backtest.policies.calendar import Calendar, EveryDays, OnDates, Schedule, decision_rows
from quantflux.backtest.policies.contract import Orders, Plan, Planned, Policy, View, Weights
from quantflux.backtest.policies.order_list import OrderList
from quantflux.backtest.policies.ranked import TopRanked, Weighting
from quantflux.backtest.policies.signals import Signals

__all__ = [
    "Calendar",
    "EveryDays",
    "OnDates",
    "OrderList",
    "Orders",
    "Plan",
    "Planned",
    "Policy",
    "Schedule",
    "Signals",
    "TopRanked",
    "View",
    "Weighting",
    "Weights",
    "decision_rows",
]
