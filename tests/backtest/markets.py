"""A small synthetic market, and plans on it."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import pyarrow as pa

from quantflux.backtest.orders import Targets
from quantflux.backtest.venue import Venue
from quantflux.core.panel import Panel
from quantflux.data.corporate_actions import placed_actions
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.rules import special_treatment

NAMES = 40


@cache
def venue() -> Venue:
    """Two years of 40 names, with dividends and new shares."""
    source = SyntheticMarket(5, NAMES, date(2022, 1, 4), date(2023, 12, 29))
    raw = Panel.from_table(pa.concat_tables(source.daily_tables()))
    special = special_treatment(source.instruments(), raw.times, raw.symbols)
    actions = placed_actions(source.corporate_actions(), raw.times, raw.symbols)
    return Venue.daily(raw, special=special, actions=actions)


def weekly(seed: int, held: int = 8) -> Targets:
    """Some names at random in equal weights, others each week."""
    rng = np.random.default_rng(seed)
    rows = np.arange(20, len(venue()) - 1, 5)
    weights = np.zeros((len(rows), venue().shape[1]))
    for weight in weights:
        weight[rng.choice(venue().shape[1], held, replace=False)] = 1 / held
    return Targets(rows, weights)


def everything() -> Targets:
    """All names in equal weights, on the rows of `weekly`."""
    rows = weekly(0).rows
    return Targets(rows, np.full((len(rows), venue().shape[1]), 1 / venue().shape[1]))
