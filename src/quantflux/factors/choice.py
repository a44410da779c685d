"""Which of the six classic factors, and which of their variants, a data set allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.expressions.nodes import fields_of, lookback_of
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.fields import available_fields, load_fields
from quantflux.factors.libraries import load_library

LIBRARY = "classic"

_SLOTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reversal": ("reversal_20",),
        "momentum": ("momentum_12_1", "momentum_6_1"),
        "volatility": ("volatility_20",),
        "liquidity": ("low_turnover", "illiquidity_20", "price_volume_20"),
        "size": ("size", "small_value_traded_20"),
        "value": ("value",),
    }
)
"""What each of the six may be, the best first."""

_MARGIN = 20  # days beyond its look-back that there must be at least, for something to judge


@dataclass(frozen=True)
class Choice:
    """Which factors the data allow.

    Attributes
    ----------
    factors : tuple of FactorDefinition
    replaced : mapping of str to str
        By the id of each factor that stands in for a better one: why.
    omitted : mapping of str to str
        By the id of each factor left out: why.
    """

    factors: tuple[FactorDefinition, ...]
    replaced: Mapping[str, str]
    omitted: Mapping[str, str]


def fields_for_choice(data: DataAccessLayer) -> Panel:
    """Return the fields of all variants that have data here."""
    wanted = {name for factor in load_library(LIBRARY) for name in fields_of(factor.node)}
    there = {field.name for field in available_fields(data)}
    return load_fields(data, sorted(wanted & there)).panel


def choose_factors(panel: Panel) -> Choice:
    """Return the best variant of each classic factor that the panel's fields and length allow.

    A variant needs each of its fields on at least half of the traded days and names, and rows for one and a half
    times its look-back (and for 20 days beyond it), so that there is something to evaluate.
    """
    library = load_library(LIBRARY)
    chosen: list[FactorDefinition] = []
    replaced: dict[str, str] = {}
    omitted: dict[str, str] = {}
    for names in _SLOTS.values():
        variants = [library[name] for name in names]
        lacks = [_lack(factor, panel) for factor in variants]
        best = next((i for i, lack in enumerate(lacks) if not lack), None)
        if best is None:
            omitted[names[0]] = lacks[-1]
            continue
        chosen.append(variants[best])
        if best > 0:
            replaced[names[best]] = f"stands in for {names[0]}: {lacks[0]}"
    return Choice(tuple(chosen), MappingProxyType(replaced), MappingProxyType(omitted))


def _lack(factor: FactorDefinition, panel: Panel) -> str:
    """Return what the panel lacks for a factor; empty if nothing."""
    traded = int(np.count_nonzero(~np.isnan(panel["close"])))
    for name in fields_of(factor.node):
        found = int(np.count_nonzero(~np.isnan(panel[name]))) if name in panel else 0
        if 2 * found < traded or not traded:
            return f"the data have {name} on {found / max(traded, 1):.0%} of the bars, half is needed"
    lookback = lookback_of(factor.node) or 0
    needed = lookback + max(lookback // 2, _MARGIN)
    if len(panel) < needed:
        return f"the data have {len(panel)} trading days, {needed} are needed"
    return ""
