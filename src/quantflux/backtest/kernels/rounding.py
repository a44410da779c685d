"""How many shares of those wanted can be bought or sold, by the lots of a name."""

from __future__ import annotations

import math

from quantflux.backtest.kernels.contract import Record
from quantflux.expressions.kernels.contract import jit

_DUST = 1e-9  # relative: less than this is what rounding left


@jit
def bought_in_lots(lots: bool, name: Record, shares: float) -> float:
    """Return the most that can be bought of some shares; `name` has the `smallest` lot and the `step` above it."""
    if not lots:
        return shares
    whole: float = math.floor(shares / name.step + _DUST) * name.step
    return whole if whole >= name.smallest else 0.0


@jit
def sold_in_lots(lots: bool, name: Record, shares: float, held: float) -> float:
    """Return the most that can be sold of some shares: what is left of a lot goes only with all the rest."""
    if shares >= held * (1 - _DUST):
        return shares
    return bought_in_lots(lots, name, shares)
