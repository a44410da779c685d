"""Compiles what simulations run before the first one needs it."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.policies.ranked import TopRanked
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue
from quantflux.core.panel import Panel


def compile_kernels() -> None:
    """Compile the kernels of simulations and of `TopRanked`, or load them from the disk.

    That takes some 20 s of a processor once, and half a second when they are kept from before. Without this call it
    happens in the first simulation.
    """
    # Types are told by an example, so that they are those that a venue really hands over.
    days = np.array(["2024-03-04", "2024-03-05"], dtype="datetime64[D]")
    bars = dict.fromkeys(("open", "high", "low", "close", "volume"), np.full((2, 1), 10.0))
    venue = Venue.daily(Panel(days, np.array(["600519.SH"]), bars))
    simulate(venue, TopRanked(np.ones((2, 1)), np.array([0]), top=1))
