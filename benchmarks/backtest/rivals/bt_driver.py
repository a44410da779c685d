"""bt: `WeighTarget` and `Rebalance` every day, in parts of shares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bt
import numpy as np
import pandas as pd

from benchmarks.backtest.rivals.running import main
from benchmarks.backtest.rivals.scene import CAPITAL, Scene


def prepare(scene: Scene, files: Path) -> Callable[[], np.ndarray]:
    """Return the backtest; a strategy is used once, so each run makes its own."""
    del files
    names = [f"n{number}" for number in range(scene.prices.shape[1])]
    prices = pd.DataFrame(scene.prices, index=pd.DatetimeIndex(scene.days), columns=names)
    wanted = pd.DataFrame(
        scene.weights()[scene.first : -1], index=prices.index[scene.first + 1 :], columns=names
    )

    def backtest() -> np.ndarray:
        follow = bt.Strategy("follow", [bt.algos.WeighTarget(wanted), bt.algos.Rebalance()])
        test = bt.Backtest(
            follow, prices, initial_capital=CAPITAL, integer_positions=False, progress_bar=False
        )
        bt.run(test)
        return test.strategy.values.to_numpy()[-(len(scene.days) - scene.first - 1) :]

    return backtest


if __name__ == "__main__":
    main(f"bt {bt.__version__}", prepare)
