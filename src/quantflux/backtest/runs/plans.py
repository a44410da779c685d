"""From a prepared run to what the simulator follows: its execution, its decisions, or the policy that takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.orders import Targets
from quantflux.backtest.policies import (
    Calendar,
    EveryDays,
    OrderList,
    Plan,
    Schedule,
    Signals,
    TopRanked,
    Weighting,
    decision_rows,
)
from quantflux.backtest.runs.optimised import optimised_weights
from quantflux.backtest.runs.own_policy import OwnPolicy, load_class
from quantflux.backtest.runs.preparation import Prepared
from quantflux.backtest.runs.run_file import (
    ExecutionTerms,
    OrdersPolicy,
    PythonPolicy,
    RankedPolicy,
    SignalsPolicy,
    WeightsPolicy,
)
from quantflux.backtest.runs.scores import weighted
from quantflux.core.errors import InvalidRequest, UnknownSymbol
from quantflux.core.lists import a_day, a_number, a_symbol, a_weight, read_list
from quantflux.rules import Commission


def execution_of(terms: ExecutionTerms) -> Execution:
    """Return an execution from what a run file says of it."""
    return Execution(
        fill=Fill(terms.fill),
        participation=terms.participation,
        slippage=terms.slippage,
        impact=terms.impact,
        commission=Commission(terms.commission.rate, terms.commission.minimum),
        recovery=terms.recovery,
    ).without(*(Rule(name) for name in terms.without))


def calendar_of(schedule: str | int | None) -> Calendar:
    """Return when a run decides: monthly unless it says something else."""
    return EveryDays(schedule) if isinstance(schedule, int) else Schedule(schedule or Schedule.MONTHLY)


def plan_of(prepared: Prepared) -> Plan:
    """Return what a run wants.

    Raises
    ------
    InvalidRequest
        If there is nothing that it could want: no score on any day of decision, no line of a file within the span.
    """
    return _PLANS[type(prepared.run.policy)](prepared)


def score_of(prepared: Prepared, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return the score of each day and name, shape (T, N); NaN where there is none, and on other rows than asked for.

    Sets of a sweep differ in their weights, so this is done anew for each: only where somebody looks.
    """
    score = prepared.run.score
    if score is None or len(prepared.parts) == 1:
        return prepared.parts[0]
    made = np.full(prepared.arena.venue.shape, np.nan)
    made[rows] = weighted(
        [part[rows] for part in prepared.parts], [each.weight for each in score.factors], score.least
    )
    return made


def _rows(prepared: Prepared) -> np.ndarray:
    """Return the rows at whose close is decided, none of them before the span."""
    begin = prepared.arena.begin
    return begin + decision_rows(prepared.arena.venue.times[begin:], calendar_of(prepared.run.schedule))


def _ranked(prepared: Prepared) -> Plan:
    policy, venue = prepared.run.policy, prepared.arena.venue
    assert isinstance(policy, RankedPolicy)  # noqa: S101 - chosen by its type
    rows = _rows(prepared)
    score = score_of(prepared, rows)
    enough = np.count_nonzero(~np.isnan(score[rows]), axis=1) >= policy.least
    if not enough.any():
        raise InvalidRequest(
            f"no decision of {len(rows)} has {policy.least} names with a score, the least that policy.least asks for"
        )
    sizes: Mapping[str, Any] = {}
    if policy.weighting == "cap":
        if venue.capitalisation is None:
            raise InvalidRequest(
                'weighting "cap" needs market values, and stock_daily_basic holds no rows here; use "equal"'
            )
        sizes = {"sizes": venue.capitalisation}
    ranked = TopRanked(
        score,
        rows,
        top=policy.top,
        share=policy.share,
        buffer=policy.buffer,
        weighting=_WEIGHTINGS.get(policy.weighting, Weighting.EQUAL),
        least=policy.least,
        **sizes,
    )
    if prepared.prices is None:
        return ranked
    rows, columns, counts = ranked.picked()
    weights = optimised_weights(rows, columns, counts, prepared.prices, venue.times, venue.symbols, policy)
    return Decisions.of(rows, Kind.REPLACE, counts, columns, weights)


_WEIGHTINGS = MappingProxyType({"equal": Weighting.EQUAL, "score": Weighting.SCORE, "cap": Weighting.SIZE})


def _weights(prepared: Prepared) -> Plan:
    policy = prepared.run.policy
    assert isinstance(policy, WeightsPolicy)  # noqa: S101 - chosen by its type
    path = prepared.run.folder / policy.file
    listed = read_list(path, {"date": a_day, "symbol": a_symbol, "weight": a_weight})
    days, columns, inside = _placed(prepared, path, listed, decided=True)
    wanted, place = np.unique(days[inside], return_inverse=True)
    weights = np.zeros((len(wanted), len(prepared.arena.venue.symbols)))
    values = np.array(listed["weight"])[inside]
    np.add.at(weights, (place, columns[inside]), values)
    if (total := weights.sum(axis=1)).max() > 1 + 1e-6:
        worst = int(total.argmax())
        raise InvalidRequest(
            f"{path}: the weights decided at the close of {prepared.arena.venue.times[wanted[worst]]} add up to "
            f"{total[worst]:.6g}; valid is at most 1, the rest stays cash"
        )
    return Targets(wanted, weights)


def _orders(prepared: Prepared) -> Plan:
    policy = prepared.run.policy
    assert isinstance(policy, OrdersPolicy)  # noqa: S101 - chosen by its type
    path = prepared.run.folder / policy.file
    listed = read_list(path, {"date": a_day, "symbol": a_symbol, "shares": a_number}, {"limit": a_number})
    rows, columns, inside = _placed(prepared, path, listed, decided=False)
    limits = np.array([np.nan if limit is None else limit for limit in listed["limit"]])
    return OrderList(rows[inside], columns[inside], np.array(listed["shares"])[inside], limits[inside])


def _placed(
    prepared: Prepared, path: Path, listed: Mapping[str, list[Any]], *, decided: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the row and column of each line of a list, and which lines lie within the span.

    A day without trading stands for the last trading day before it where it is one of decision, for the next one where
    it is one of trading.
    """
    venue, begin = prepared.arena.venue, prepared.arena.begin
    days, symbols = np.array(listed["date"], dtype="datetime64[D]"), np.array(listed["symbol"], dtype=np.str_)
    rows = (
        np.searchsorted(venue.times, days, side="right") - 1
        if decided
        else np.searchsorted(venue.times, days)
    )
    inside = (days >= venue.times[begin]) & (days <= venue.times[-1])
    if not inside.any():
        raise InvalidRequest(
            f"{path}: no date of {len(days)} lies within {venue.times[begin]} .. {venue.times[-1]}; they reach from "
            f"{days.min()} to {days.max()}"
        )
    columns = np.minimum(np.searchsorted(venue.symbols, symbols), len(venue.symbols) - 1)
    unknown = inside & (venue.symbols[columns] != symbols)
    if unknown.any():
        raise UnknownSymbol(sorted(set(symbols[unknown].tolist())), f"the span of {path}")
    return rows, columns, inside


def _signals(prepared: Prepared) -> Plan:
    policy, (buy, sell) = prepared.run.policy, prepared.signals
    assert isinstance(policy, SignalsPolicy)  # noqa: S101 - chosen by its type
    wanted = buy & prepared.chosen
    wanted[: prepared.arena.begin] = False
    if not wanted.any():
        raise InvalidRequest(
            f"policy.buy is true for no name of the universe on any day: {policy.buy!r:.200}"
        )
    return Signals(wanted, sell, most=policy.most)


def _own(prepared: Prepared) -> Plan:
    policy, run = prepared.run.policy, prepared.run
    assert isinstance(policy, PythonPolicy)  # noqa: S101 - chosen by its type
    fields = {**prepared.fields, "chosen": prepared.chosen}
    if prepared.parts:
        fields["score"] = score_of(prepared)
    file, _, name = policy.of.rpartition(":")
    own = OwnPolicy(
        load_class(run.folder / file, name),
        policy,
        seed=run.seed,
        rows=_rows(prepared),
        begin=prepared.arena.begin,
        fields=fields,
    )
    if own.has_rows and run.schedule is not None:
        raise InvalidRequest(
            f"{policy.of} has rows of its own, so the schedule is not used; leave one of them out"
        )
    return own


_PLANS: Mapping[type, Callable[[Prepared], Plan]] = {
    RankedPolicy: _ranked,
    WeightsPolicy: _weights,
    OrdersPolicy: _orders,
    SignalsPolicy: _signals,
    PythonPolicy: _own,
}
