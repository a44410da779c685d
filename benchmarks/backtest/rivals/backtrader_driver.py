"""backtrader: `order_target_percent` at each close, filled at that close."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import backtrader as bt
import numpy as np
import pandas as pd

from benchmarks.backtest.rivals.running import main
from benchmarks.backtest.rivals.scene import CAPITAL, Scene


class Fractional(bt.CommInfoBase):
    """Free trading in parts of shares, as the others do it."""

    params = (("stocklike", True), ("commission", 0.0), ("percabs", True))

    def getsize(self, price: float, cash: float) -> float:
        """Return how many shares the cash buys."""
        return cash / price


class Follow(bt.Strategy):
    """Holds what was chosen at the last close."""

    params = (("scene", None),)

    def __init__(self) -> None:
        self.equity: list[float] = []

    def next(self) -> None:
        """Sell what is no longer chosen, then bring the others to their weight, the sales first."""
        scene, row = self.p.scene, len(self) - 1
        self.equity.append(self.broker.getvalue())
        if row <= scene.first:
            return
        wanted = set(scene.chosen[row - 1].tolist())
        value = self.broker.getvalue()
        changes = []
        for column, data in enumerate(self.datas):
            held = self.getposition(data).size
            target = scene.weight if column in wanted else 0.0
            if held or target:
                changes.append((target * value - held * data.close[0], data, target))
        for _, data, target in sorted(changes, key=lambda change: change[0]):
            self.order_target_percent(data, target=target)


def prepare(scene: Scene, files: Path) -> Callable[[], np.ndarray]:
    """Return the backtest, data feeds made anew each time as backtrader consumes them."""
    del files
    days = pd.DatetimeIndex(scene.days)
    frames = [
        pd.DataFrame(
            {"open": p, "high": p, "low": p, "close": p, "volume": 1.0, "openinterest": 0.0}, index=days
        )
        for p in scene.prices.T
    ]

    def backtest() -> np.ndarray:
        cerebro = bt.Cerebro(stdstats=False)
        for number, frame in enumerate(frames):
            cerebro.adddata(bt.feeds.PandasData(dataname=frame), name=str(number))
        cerebro.broker.setcash(CAPITAL)
        cerebro.broker.set_coc(True)
        cerebro.broker.addcommissioninfo(Fractional())
        cerebro.addstrategy(Follow, scene=scene)
        (strategy,) = cerebro.run()
        return np.array(strategy.equity)[scene.first + 1 :]

    return backtest


if __name__ == "__main__":
    main(f"backtrader {bt.__version__}", prepare)
