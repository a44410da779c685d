"""What each rule of the market costs: the strategy is run in an ideal world, and then the rules set in one by one.

1. The ideal run knows no rule: everything can be had at the price of the fill, in any number, for nothing.
2. Each rule of the execution is switched on, in the order of `Rule`, and stays on.
3. A rule's cost is how much annual return the step took. The last step is the real run, so the costs add up to what
   lies between the two.

What a rule costs depends on those that hold already: fees are charged on what limits and lots left to be bought. A
cost below zero means that the rule helped, as a limit that keeps a strategy from chasing a rise may well do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.execution import Execution, Rule
from quantflux.backtest.metrics import account_rows, annual_return, daily_returns
from quantflux.backtest.policies.contract import Plan
from quantflux.backtest.run import Run
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder.

    Attributes
    ----------
    rule : Rule
    annual_return : float
        With this rule and those before it.
    cost : float
        Annual return that it took.
    """

    rule: Rule
    annual_return: float
    cost: float


@dataclass(frozen=True)
class RuleLadder:
    """From the ideal to the real annual return.

    Attributes
    ----------
    ideal, real : float
        Geometric annual returns without any rule, and with all of the execution.
    rungs : tuple of Rung
        In the order in which the rules were switched on; their costs add up to `ideal - real`.
    """

    ideal: float
    real: float
    rungs: tuple[Rung, ...]


def price_rules(
    venue: Venue,
    plan: Plan,
    execution: Execution | None = None,
    capital: float = 10_000_000.0,
    *,
    fields: Mapping[str, np.ndarray] | None = None,
    real: Run | None = None,
) -> RuleLadder:
    """Return what each rule costs a strategy.

    Parameters
    ----------
    venue : Venue
    plan : Targets, Decisions, or a policy
        Is run once for each rule, so a policy must do the same each time: what it remembers must start afresh.
    execution : Execution, optional
        The real one; `Execution()` unless given.
    capital : float
        Yuan.
    fields : mapping of str to array, shape (T, N), optional
        What a policy is shown; see `simulate`.
    real : Run, optional
        The run with this plan, execution and capital, if it is there already.
    """
    execution = execution or Execution()
    ideal = annual_return_of(simulate(venue, plan, execution.under(()), capital, fields=fields))
    rungs: list[Rung] = []
    on = [rule for rule in Rule if execution.has(rule)]
    for count, rule in enumerate(on, start=1):
        before = rungs[-1].annual_return if rungs else ideal
        last = real if count == len(on) else None
        run = last or simulate(venue, plan, execution.under(on[:count]), capital, fields=fields)
        after = annual_return_of(run)
        rungs.append(Rung(rule, after, before - after))
    return RuleLadder(ideal, rungs[-1].annual_return if rungs else ideal, tuple(rungs))


def annual_return_of(run: Run) -> float:
    """Return the geometric annual return of a run from its first decision on."""
    return annual_return(daily_returns(np.asarray(run.equity[account_rows(run.times, run.first)])))
