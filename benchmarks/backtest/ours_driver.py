"""quantflux's simulator on the rivals' scene: nothing but prices and targets, no rule of the market."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import quantflux
from benchmarks.backtest.rivals.running import main
from benchmarks.backtest.rivals.scene import CAPITAL, Scene
from quantflux.backtest.execution import Execution, Fill
from quantflux.backtest.orders import Targets
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue
from quantflux.core.panel import Panel


def prepare(scene: Scene, files: Path) -> Callable[[], np.ndarray]:
    """Return the backtest; its code is compiled by a first small run."""
    del files
    symbols = np.array([f"{600000 + column}.SH" for column in range(scene.prices.shape[1])])
    prices = dict.fromkeys(("open", "high", "low", "close"), scene.prices)
    bars = Panel(scene.days, symbols, prices | {"volume": np.ones_like(scene.prices)})
    rows = np.arange(scene.first, len(scene.days) - 1)
    weights = scene.weights()[rows]

    def backtest(days: int | None = None) -> np.ndarray:
        venue = Venue.daily(bars)
        plan = Targets(rows[:days], weights[:days])
        return simulate(venue, plan, Execution.ideal(Fill.CLOSE), CAPITAL).equity[scene.first + 1 :]

    backtest(2)
    return backtest


if __name__ == "__main__":
    main(f"quantflux {quantflux.__version__}", prepare)
