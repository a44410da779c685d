"""vectorbt: target percentages through `Portfolio.from_orders`, one account for all names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.backtest.rivals.running import main
from benchmarks.backtest.rivals.scene import CAPITAL, Scene


def prepare(scene: Scene, files: Path) -> Callable[[], np.ndarray]:
    """Return the backtest; its code is compiled by a first small run."""
    del files
    prices = pd.DataFrame(scene.prices, index=pd.DatetimeIndex(scene.days))
    wanted = np.full(scene.prices.shape, np.nan)
    wanted[scene.first + 1 :] = scene.weights()[scene.first : -1]
    targets = pd.DataFrame(wanted, index=prices.index)

    def backtest(width: int | None = None) -> np.ndarray:
        portfolio = vbt.Portfolio.from_orders(
            prices.iloc[:, :width],
            targets.iloc[:, :width],
            size_type="targetpercent",
            group_by=True,
            cash_sharing=True,
            call_seq="auto",
            init_cash=CAPITAL,
            freq="D",
        )
        return portfolio.value().to_numpy()[scene.first + 1 :]

    backtest(5)
    return backtest


if __name__ == "__main__":
    main(f"vectorbt {vbt.__version__}", prepare)
