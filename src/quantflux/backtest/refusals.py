"""Which orders were not filled, why, and how many yuan they wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest.orders import OrderLog, Reason
from quantflux.backtest.run import Run
from quantflux.backtest.venue import Venue


@dataclass(frozen=True, slots=True)
class Refusals:
    """Orders that were stopped for one reason.

    Attributes
    ----------
    reason : Reason
    buys, sells : int
        Entries of the log. An order that waits for the same reason over many rows counts once.
    refused, cut : int
        Those of which nothing, and of which a part, was filled.
    bought_less, sold_less : float
        Yuan that were wanted and not had, at the price of the fill, or else at the last close.
    """

    reason: Reason
    buys: int
    sells: int
    refused: int
    cut: int
    bought_less: float
    sold_less: float

    @property
    def orders(self) -> int:
        """All of them."""
        return self.buys + self.sells


def refusals_of(run: Run, venue: Venue) -> tuple[Refusals, ...]:
    """Return what was refused or cut, by reason, the most yuan first; reasons that never applied are left out."""
    stopped = run.log.cut()
    missing = stopped.wanted - stopped.filled
    yuan = np.abs(missing) * _prices(stopped, venue.close)
    found = []
    for reason in sorted({Reason(code) for code in np.unique(stopped.reason).tolist()}):
        of = stopped.reason == reason
        buys = of & (stopped.wanted > 0)
        sells = of & (stopped.wanted < 0)
        nothing = of & (stopped.filled == 0)
        found.append(
            Refusals(
                reason=reason,
                buys=int(buys.sum()),
                sells=int(sells.sum()),
                refused=int(nothing.sum()),
                cut=int(of.sum() - nothing.sum()),
                bought_less=float(yuan[buys].sum()),
                sold_less=float(yuan[sells].sum()),
            )
        )
    return tuple(sorted(found, key=lambda one: -(one.bought_less + one.sold_less)))


def _prices(log: OrderLog, close: np.ndarray) -> np.ndarray:
    """Return the price of each entry: that of the fill, else the last close up to its row; 0 before the first."""
    price = log.price.copy()
    row = log.row.astype(np.int64).copy()
    unknown = np.flatnonzero(np.isnan(price))
    while len(unknown):
        price[unknown] = close[row[unknown], log.column[unknown]]
        row[unknown] -= 1
        unknown = unknown[np.isnan(price[unknown]) & (row[unknown] >= 0)]
    return np.asarray(np.nan_to_num(price))
