"""Values of factors turned so that more is better, as definitions say how."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from quantflux.core.panel import Panel
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.universe import Market


def oriented(panel: Panel, factors: Sequence[FactorDefinition], market: Market) -> dict[str, np.ndarray]:
    """Return values on the market's axes, turned so that more is better where a definition says how.

    Parameters
    ----------
    panel : Panel
        Values by the names of factors, all of which are among `factors`.

    Returns
    -------
    dict of str to array of float64, shape (T, N) of the market
        NaN where the panel has none.
    """
    laid = panel.reindex(times=market.panel.times, symbols=market.panel.symbols)
    signs = {factor.id: factor.orientation or 1 for factor in factors}
    return {name: signs[name] * laid[name].astype(np.float64) for name in laid}


def turned_round(factors: Sequence[FactorDefinition], values: Container[str]) -> list[str]:
    """Return the names, among those that have values, of factors of which less is better."""
    return [factor.id for factor in factors if factor.orientation < 0 and factor.id in values]
