"""The rule-free account in ten lines of NumPy, which every rival has to equal before it is timed."""

from __future__ import annotations

import numpy as np

from benchmarks.backtest.rivals.scene import CAPITAL, Scene


def equity_of(scene: Scene) -> np.ndarray:
    """Return the account's value at each close after the first choice."""
    cash, shares = CAPITAL, np.zeros(scene.prices.shape[1])
    equity = []
    for row in range(scene.first + 1, len(scene.days)):
        price = scene.prices[row]
        worth = cash + shares @ price
        equity.append(worth)
        wanted = np.zeros_like(shares)
        wanted[scene.chosen[row - 1]] = scene.weight * worth / price[scene.chosen[row - 1]]
        cash -= (wanted - shares) @ price
        shares = wanted
    return np.array(equity)
