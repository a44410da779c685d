"""Follows a plan through a venue: decided at a close, traded on the next row, valued at every close.

A plan that is known beforehand runs whole in compiled code. A `Policy` is called on the rows it asks for, after the
next day has begun and its dividends are paid, and compiled code runs the rows between.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quantflux.backtest.account import Simulation
from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.execution import Execution, Fill
from quantflux.backtest.orders import Targets
from quantflux.backtest.policies.contract import Past, Plan, Planned, Policy, View, decision_of
from quantflux.backtest.run import Run
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest

_SHOWN = ("open", "high", "low", "close", "volume", "amount")


def simulate(
    venue: Venue,
    plan: Plan,
    execution: Execution | None = None,
    capital: float = 10_000_000.0,
    *,
    fields: Mapping[str, np.ndarray] | None = None,
) -> Run:
    """Return what following a plan through a venue did.

    Parameters
    ----------
    venue : Venue
    plan : Targets, Decisions, or a policy
    execution : Execution, optional
        `Execution()` unless given.
    capital : float
        Yuan at the beginning.
    fields : mapping of str to array, shape (T, N), optional
        What a `Policy` is shown beside the venue's prices, row t being known at the close of t.

    Raises
    ------
    InvalidRequest
        If there is no decision to follow, no capital, or no VWAP to fill at.

    Examples
    --------
    >>> from quantflux.core.panel import Panel
    >>> days = np.array(["2024-03-04", "2024-03-05", "2024-03-06"], dtype="datetime64[D]")
    >>> price = np.array([[10.0], [10.0], [10.5]])
    >>> bars = Panel(days, ["600519.SH"], {n: price for n in ("open", "high", "low", "close")}
    ...              | {"volume": np.full((3, 1), 1e6)})
    >>> run = simulate(Venue.daily(bars), Targets(np.array([0]), np.array([[0.5]])), Execution.ideal(), 1000.0)
    >>> run.equity.tolist()
    [1000.0, 1000.0, 1025.0]
    """
    execution = execution or Execution()
    if not 0 < capital < np.inf:
        raise InvalidRequest(f"capital must be positive, was {capital}")
    if execution.fill is Fill.VWAP and venue.amount is None:
        raise InvalidRequest(
            "the bars have no amounts in the money of their prices, so nothing is filled at a VWAP"
        )
    simulation = Simulation(venue, execution, capital)
    if isinstance(plan, Policy):
        first = _follow(simulation, plan, fields or {})
    else:
        decisions = _decisions(plan, venue)
        first = int(decisions.rows[0]) if len(decisions) else None
        if first is not None:
            simulation.run(len(venue), decisions)
    if first is None:
        raise InvalidRequest("there is no decision to simulate: the plan wants nothing on any row")
    return simulation.result(max(first, 0))


def _decisions(plan: Planned | Targets | Decisions, venue: Venue) -> Decisions:
    if isinstance(plan, Targets):
        if plan.weights.shape[1] != venue.shape[1]:
            raise InvalidRequest(
                f"the venue has {venue.shape[1]} names, the targets have {plan.weights.shape[1]}"
            )
        plan = Decisions.of_targets(plan)
    found = plan if isinstance(plan, Decisions) else plan.decisions(venue)
    if len(found) and found.rows[-1] >= len(venue):
        raise InvalidRequest(f"the venue has {len(venue)} rows, a decision is for row {found.rows[-1]}")
    return found


def _follow(simulation: Simulation, policy: Policy, fields: Mapping[str, np.ndarray]) -> int | None:
    """Run a policy to the end and return the row of its first decision, None if it took none."""
    venue = simulation.venue
    rows = _rows_of(policy, venue)
    past = Past(_shown(venue, fields))
    first = None
    for row in rows[rows < len(venue) - 1].tolist():
        simulation.run(row + 1, _NOTHING)
        simulation.open_next()
        try:
            wanted = policy.decide(_view(simulation, row, past))
        except Exception as error:
            error.add_note(f"while {_name_of(policy)} decided at the close of {venue.times[row]}")
            raise
        try:
            decision = decision_of(wanted, row, venue.shape[1])
        except InvalidRequest as error:
            raise InvalidRequest(
                f"{_name_of(policy)}, at the close of {venue.times[row]}: {error}"
            ) from error
        if decision is not None:
            first = row if first is None else first
            simulation.run(row + 2, decision)
    simulation.run(len(venue), _NOTHING)
    return first


def _rows_of(policy: Policy, venue: Venue) -> np.ndarray:
    rows = np.asarray(policy.rows(venue.times))
    whole = rows.ndim == 1 and (rows.dtype.kind in "iu" or not len(rows))
    if not whole or np.any(np.diff(rows) <= 0) or np.any(rows < 0) or np.any(rows >= len(venue)):
        raise InvalidRequest(
            f"{_name_of(policy)} may ask for whole rows from 0 to {len(venue) - 1}, increasing; "
            f"asked for {np.array2string(rows, threshold=6)} of {rows.dtype}"
        )
    return rows.astype(np.int64)


def _name_of(policy: Policy) -> str:
    """Return what messages call a policy: a name that it gives itself, or its class's."""
    return str(getattr(policy, "name", type(policy).__name__))


def _shown(venue: Venue, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    for name, values in fields.items():
        if values.shape != venue.shape:
            raise InvalidRequest(
                f"the field {name!r} needs the venue's shape {venue.shape}, had {values.shape}"
            )
    prices = {name: getattr(venue, name) for name in _SHOWN}
    return {name: values for name, values in prices.items() if values is not None} | dict(fields)


def _view(simulation: Simulation, row: int, past: Past) -> View:
    venue = simulation.venue
    opens, shares = venue.open[row + 1].copy(), simulation.shares
    value = shares * np.where(np.isnan(opens), simulation.prices, opens)
    worth = simulation.cash + float(value.sum())
    weights = value / worth if worth > 0 else np.zeros_like(value)
    for array in (opens, shares, weights):
        array.flags.writeable = False
    times = venue.times[: row + 1].view()
    times.flags.writeable = False
    return View(row, times, venue.symbols, opens, simulation.cash, shares, weights, worth, past)


_NOTHING = Decisions.of(np.zeros(0, np.int64), Kind.REPLACE, [], np.zeros(0, np.int64), np.zeros(0))
