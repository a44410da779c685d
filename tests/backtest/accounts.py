"""Runs written down by hand, for tests of what is told from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantflux.backtest.execution import Execution
from quantflux.backtest.orders import OrderLog, Reason
from quantflux.backtest.run import Holdings, Run

Order = tuple[int, int, float, float, float, Reason, float]
"""Row, column, shares wanted, shares filled, price (NaN without a fill), reason, fee in yuan."""

NAN = float("nan")


def log_of(orders: Sequence[Order]) -> OrderLog:
    """The log of some orders; fees count as commission, slippage is 1 yuan a filled order."""
    row, column, wanted, filled, price, reason, fee = (
        np.array(values) for values in (zip(*orders, strict=True) if orders else [[]] * 7)
    )
    zero = np.zeros(len(orders))
    return OrderLog(
        row=row.astype(np.int32),
        column=column.astype(np.int32),
        wanted=wanted.astype(np.float64),
        filled=filled.astype(np.float64),
        price=price.astype(np.float64),
        reason=reason.astype(np.int8),
        commission=fee.astype(np.float64),
        stamp_duty=zero + 2.0,
        transfer_fee=zero + 0.5,
        slippage=(filled != 0).astype(np.float64),
    )


def holdings_of(value: np.ndarray) -> Holdings:
    """Holdings worth so many yuan, shape (T, N), of shares at 10 yuan."""
    row, column = np.nonzero(value)
    offsets = np.searchsorted(row, np.arange(len(value) + 1)).astype(np.int64)
    held = value[row, column]
    return Holdings(offsets, column.astype(np.int32), held / 10, held)


def run_of(
    times: np.ndarray,
    cash: np.ndarray,
    value: np.ndarray,
    orders: Sequence[Order] = (),
    first: int = 0,
    dividend_tax: np.ndarray | None = None,
) -> Run:
    """A run with this cash, shape (T,), and these holdings in yuan, shape (T, N)."""
    return Run(
        times=times,
        symbols=np.array([f"{600000 + i}.SH" for i in range(value.shape[1])]),
        capital=float(cash[0]),
        cash=cash,
        positions=value.sum(axis=1),
        dividends=np.zeros(len(times)),
        dividend_tax=np.zeros(len(times)) if dividend_tax is None else dividend_tax,
        holdings=holdings_of(value),
        log=log_of(orders),
        first=first,
        execution=Execution(),
    )
