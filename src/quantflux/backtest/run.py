"""What a simulation did: the account row by row, its holdings, and every order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest.execution import Execution
from quantflux.backtest.orders import OrderLog


@dataclass(frozen=True, eq=False)
class Holdings:
    """Shares held after each row, sparse: those of row t are `offsets[t]:offsets[t + 1]` of the other arrays.

    Attributes
    ----------
    offsets : array of int64, shape (T + 1,)
    columns : array of int32
    shares, value : array of float64
        What is held, and the yuan it is worth at the last price.
    """

    offsets: np.ndarray
    columns: np.ndarray
    shares: np.ndarray
    value: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How many names are held after each row, int64 of shape (T,)."""
        return np.diff(self.offsets)

    def at(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns held after a row, and the shares of each; -1 is the last row."""
        row = range(len(self.offsets) - 1)[row]
        part = slice(self.offsets[row], self.offsets[row + 1])
        return self.columns[part], self.shares[part]


@dataclass(frozen=True, eq=False)
class Run:
    """What a simulation did.

    Attributes
    ----------
    times : array of datetime64, shape (T,)
    symbols : array of str, shape (N,)
    capital : float
        Cash at the beginning, yuan.
    cash, positions : array of float64, shape (T,)
        Yuan after each row, names at their last price; they add up to `equity`.
    dividends, dividend_tax : array of float64, shape (T,)
        Yuan credited, and charged when shares were sold.
    holdings : Holdings
    log : OrderLog
    first : int
        Row of the first decision.
    execution : Execution
    """

    times: np.ndarray
    symbols: np.ndarray
    capital: float
    cash: np.ndarray
    positions: np.ndarray
    dividends: np.ndarray
    dividend_tax: np.ndarray
    holdings: Holdings
    log: OrderLog
    first: int
    execution: Execution

    @property
    def equity(self) -> np.ndarray:
        """What the account was worth after each row, yuan, shape (T,)."""
        return np.asarray(self.cash + self.positions)

    @property
    def returns(self) -> np.ndarray:
        """Each row's return on the row before, shape (T - 1,)."""
        equity = self.equity
        return np.asarray(equity[1:] / equity[:-1] - 1)

    @property
    def fees(self) -> np.ndarray:
        """Commission, stamp duty and transfer fee of each row, yuan, shape (T,)."""
        return np.bincount(self.log.row, weights=self.log.fees, minlength=len(self.times))

    @property
    def traded(self) -> np.ndarray:
        """Yuan bought and sold on each row, shape (T,)."""
        return np.bincount(self.log.row, weights=self.log.amount, minlength=len(self.times))

    def weights_at(self, row: int) -> np.ndarray:
        """Return what part of the account each name was after a row, shape (N,); the rest was cash."""
        weights = np.zeros(len(self.symbols))
        held = slice(self.holdings.offsets[row], self.holdings.offsets[row + 1])
        weights[self.holdings.columns[held]] = self.holdings.value[held] / self.equity[row]
        return weights
