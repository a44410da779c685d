"""Sets the steps of daily adjustment factors beside the corporate actions that a store holds."""

from __future__ import annotations

import numpy as np
import polars as pl

from quantflux.core.corporate_actions import CorporateActions
from quantflux.core.panel import Panel
from quantflux.data.contract import MarketStore, Query, day_of
from quantflux.data.corporate_actions import load_corporate_actions
from quantflux.data.ex_rights import FactorSteps, share_growth
from quantflux.data.quality.checker import FINDING_SCHEMA
from quantflux.data.quality.reconcile import findings_of
from quantflux.data.quality.rules import Rule, Scope, Severity
from quantflux.data.schema import CORPORATE_ACTIONS, TimeKind

_TOGETHER = 200
"""Symbols whose whole histories are held at a time."""

_SHOWN = ("cash", "shares", "rights_shares", "rights_price")
EX_DATE_RULES: tuple[Rule, ...] = (
    Rule(
        "factor_step_unexplained",
        "has a step of the adjustment factor that its corporate actions do not explain",
        Severity.FLAG,
        lambda _: pl.lit(True),
        ("step", "explained"),
        Scope.EX_DATE,
        kinds=(TimeKind.DAY,),
        raw_only=True,
    ),
    Rule(
        "corporate_action_unshown",
        "has a corporate action that the adjustment factor does not show",
        Severity.FLAG,
        lambda _: pl.lit(True),
        _SHOWN,
        Scope.EX_DATE,
        kinds=(TimeKind.DAY,),
        raw_only=True,
    ),
)


def judge_ex_dates(store: MarketStore, query: Query) -> pl.DataFrame:
    """Return findings (in `FINDING_SCHEMA`) where factors and corporate actions disagree; none without actions.

    Steps before the first action that the store holds, of any symbol, are not judged: nobody has stored why they are.

    Parameters
    ----------
    store : MarketStore
    query : Query
        Daily bars, raw; which symbols and days to judge.
    """
    held = store.span(CORPORATE_ACTIONS)
    found = [pl.DataFrame(schema=FINDING_SCHEMA)]
    if held is None or (query.end is not None and day_of(query.end) < held.first):
        return found[0]
    symbols = query.symbols if query.symbols is not None else tuple(store.symbols(query.dataset))
    for at in range(0, len(symbols), _TOGETHER):
        group = symbols[at : at + _TOGETHER]
        table = store.read(Query(query.dataset, group, query.start, query.end, ("close", "adj_factor")))
        bars = Panel.from_table(table)
        actions = load_corporate_actions(store, bars.times, bars.symbols)
        found += _findings(bars, actions, np.datetime64(held.first))
    return pl.concat(found).sort("symbol", "day", "rule")


def _findings(bars: Panel, actions: CorporateActions, first: np.datetime64) -> list[pl.DataFrame]:
    grown = share_growth(bars, actions)
    unexplained, unshown = EX_DATE_RULES
    judged = [
        (unexplained, _rows(bars, grown.unexplained, ("step", "explained"))),
        (unshown, _rows(bars, grown.unshown, _SHOWN)),
    ]
    return [findings_of(r, rows.filter(pl.col("day") >= first.item())) for r, rows in judged]


def _rows(bars: Panel, events: FactorSteps | CorporateActions, names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": pl.Series(bars.symbols[events.column].tolist(), dtype=pl.String),
            "day": bars.times[events.row],
            **{name: getattr(events, name).round(6) for name in names},
        }
    )
