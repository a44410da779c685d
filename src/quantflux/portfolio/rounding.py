"""Turns weights into whole lots of shares, as near to the weights as the money allows.

What is made small is the variance of the difference to the weights, a'Sa with a = shares x price / value - weight: the
squared tracking error that rounding costs. Without a risk model it is the sum of the squares of a.

1. A name may have the most lots that its weight allows, or one lot more; never further above, and not above the
   largest weight that it may have (`_Search`).
2. From all of these up, and from all down, in turn: what costs more than there is, fees included, is given back where
   it matters least (`_afford`).
3. One name after another moves to the lots that lower the objective most, as long as one can (`_improve`).
4. Of small portfolios, pairs are tried: one name gives lots back so that another can have some (`_swap`).

The better of the two results is a local optimum. Beside the exact one, for six names that are independent of each
other, the tracking error was at most 1.6 % larger in 60 trials, and equal in five of six.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.lot_sizes import Reachable
from quantflux.portfolio.order_fees import order_fees
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.year import ROOT_OF_YEAR
from quantflux.rules import FeeRates, LotRule, lots_of

_MOST_SWAPPED = 400  # names for which all pairs are tried
_NOISE = 1e-12  # of the objective at the start: gains below it are rounding
_ROUNDING = 1e-6  # yuan: what sums of yuan may lose


@dataclass(frozen=True, eq=False)
class LotPortfolio:
    """Whole lots; arrays have shape (N,).

    Attributes
    ----------
    symbols : tuple of str
    shares : array of float64
        To be held, whole numbers.
    held : array of float64
        Before.
    prices : array of float64
        Yuan a share.
    wanted : array of float64
        The weights that were to be met.
    cash : float
        Left after all orders and their fees, yuan; never below 0.
    fees : float
        Of all orders, yuan.
    tracking_error : float or None
        Standard deviation of the daily return of the difference to the weights, what rounding costs; None without a
        risk model.
    """

    symbols: tuple[str, ...]
    shares: np.ndarray
    held: np.ndarray
    prices: np.ndarray
    wanted: np.ndarray
    cash: float
    fees: float
    tracking_error: float | None

    @property
    def amounts(self) -> np.ndarray:
        """Worth of each holding, yuan."""
        return np.where(self.shares > 0, self.shares * np.nan_to_num(self.prices), 0.0)

    @property
    def value(self) -> float:
        """What everything was worth before the orders, cash included: the base of all weights."""
        return float(self.amounts.sum()) + self.cash + self.fees

    @property
    def weights(self) -> np.ndarray:
        """Fractions of the value."""
        return self.amounts / self.value

    @property
    def drift(self) -> float:
        """Half the sum of the absolute differences to the weights, cash counted as a holding: 0.01 is 1 % misplaced."""
        apart = self.weights - self.wanted
        return float(np.abs(apart).sum() + abs(apart.sum())) / 2

    @property
    def annual_tracking_error(self) -> float | None:
        """The tracking error in a year of 244 days."""
        return None if self.tracking_error is None else self.tracking_error * ROOT_OF_YEAR


def to_lots(
    symbols: Sequence[str],
    weights: np.ndarray,
    prices: np.ndarray,
    cash: float,
    *,
    fees: FeeRates | None = None,
    held: np.ndarray | None = None,
    lots: LotRule | None = None,
    risk: RiskModel | None = None,
    most: np.ndarray | None = None,
    buyable: np.ndarray | None = None,
    sellable: np.ndarray | None = None,
) -> LotPortfolio:
    """Return whole lots near the weights that cash and holdings can pay for, fees included.

    Parameters
    ----------
    symbols : sequence of str, length N
    weights : array of shape (N,)
        Fractions of all that there is, not below 0, at most 1 together; what is missing to 1 stays cash.
    prices : array of shape (N,)
        Yuan a share; NaN is allowed where there is neither a weight nor a holding.
    cash : float
        Yuan, not below 0. With the holdings' worth it is the capital.
    fees : FeeRates, optional
        Of one day; orders are free unless given.
    held : array of shape (N,), optional
        Shares held before, odd lots included; none unless given. Such a lot can be sold with all the others only.
    lots : LotRule, optional
        By the boards of the symbols unless given.
    risk : RiskModel, optional
        Knows every symbol; see the head of this module for what is done without one.
    most : array of shape (N,), optional
        The largest weight of each name, which no lot may overstep unless it is held already and cannot be sold.
    buyable, sellable : array of bool, shape (N,), optional
        What may be bought, may be sold today; all unless given.

    Raises
    ------
    InvalidRequest
        If weights, prices, cash or holdings are impossible.

    Examples
    --------
    >>> made = to_lots(["600519.SH", "688001.SH"], np.array([0.5, 0.5]), np.array([1500.0, 33.0]), 1_000_000.0)
    >>> made.shares.tolist(), made.cash, round(made.drift, 4)
    ([300.0, 15152.0], 49984.0, 0.05)
    """
    count = len(symbols)
    held = np.zeros(count) if held is None else np.asarray(held, dtype=np.float64)
    weights, prices = np.asarray(weights, dtype=np.float64), np.asarray(prices, dtype=np.float64)
    _check(symbols, weights, prices, cash, held)
    everything = np.ones(count, dtype=bool)
    live = (weights > 0) | (held > 0)  # the rest stays at nothing
    names = tuple(str(symbol) for symbol in np.array(symbols)[live])
    reachable = Reachable(
        held[live],
        lots_of(names) if lots is None else LotRule(lots.smallest[live], lots.step[live]),
        (everything if buyable is None else buyable)[live],
        (everything if sellable is None else sellable)[live],
    )
    rates = FeeRates.free(1) if fees is None else fees
    part = None if risk is None or not names else risk.restricted(names)
    caps = np.full(len(names), np.inf) if most is None else np.asarray(most, dtype=np.float64)[live]
    search = _Search(reachable, weights[live], prices[live], cash, rates, part, caps)
    search.run()
    shares = np.zeros(count)
    shares[live] = search.shares
    return LotPortfolio(
        tuple(symbols),
        shares,
        held,
        prices,
        weights,
        max(search.cash, 0.0),
        float(search.fees.sum()),
        None if risk is None else (0.0 if part is None else part.volatility(search.apart)),
    )


class _Search:
    """Looks for lots; arrays have shape (N,), of names with a weight or a holding."""

    def __init__(
        self,
        reachable: Reachable,
        weights: np.ndarray,
        prices: np.ndarray,
        cash: float,
        rates: FeeRates,
        risk: RiskModel | None,
        caps: np.ndarray,
    ) -> None:
        self._reachable, self._weights, self._prices, self._rates = reachable, weights, prices, rates
        self._held, self._cash = reachable.held, cash
        self._value = cash + float(self._held @ prices)
        # S = root'root + diag(diagonal); without a risk model every name is its own, all alike.
        self._root = np.zeros((0, len(weights))) if risk is None else risk.root()
        self._diagonal = np.ones(len(weights)) if risk is None else risk.diagonal
        self._curvature = (self._root**2).sum(axis=0) + self._diagonal
        ideal = weights * self._value / prices
        self._least = reachable.at_most(ideal)
        allowed = reachable.at_most(np.maximum(np.minimum(caps * self._value / prices, 1e15), ideal))
        self._most = np.maximum(np.minimum(reachable.at_least(ideal), allowed), self._least)
        self._noise = _NOISE * float(self._curvature.max(initial=0.0)) * 1e-6
        self._move_to(self._least)

    def run(self) -> None:
        """Search from below and from above, each until nothing gets better, and keep the better of the two."""
        if not len(self._held):
            return
        found = []
        for start in (self._most, self._least):
            self._move_to(start)
            self._afford()
            while self._improve() or self._swap():
                pass
            found.append((float(self.apart @ self._slope), self.shares))
        self._move_to(min(found, key=lambda each: each[0])[1])

    @property
    def apart(self) -> np.ndarray:
        """The difference to the weights."""
        return np.asarray(self.shares * self._prices / self._value - self._weights)

    def _move_to(self, shares: np.ndarray) -> None:
        self.shares = shares.copy()
        amounts = (shares - self._held) * self._prices
        self.fees = order_fees(amounts, self._rates).total
        self.cash = self._cash - float(amounts.sum() + self.fees.sum())
        apart = self.apart
        self._slope = self._root.T @ (self._root @ apart) + self._diagonal * apart

    def _change(self, shares: np.ndarray) -> np.ndarray:
        """Return by how much the objective rises if one name alone moves to these shares."""
        step = (shares - self.shares) * self._prices / self._value
        return np.asarray(step * (2 * self._slope + self._curvature * step))

    def _spent(self, shares: np.ndarray) -> np.ndarray:
        """Return the cash that it takes to move one name alone to these shares."""
        fees = order_fees((shares - self._held) * self._prices, self._rates).total
        return np.asarray((shares - self.shares) * self._prices + fees - self.fees)

    def _afford(self) -> None:
        while self.cash < -_ROUNDING:
            lacking = -self.cash / self._prices
            step = self._reachable.lots.step
            fewer = self._reachable.at_most(self.shares - np.maximum(np.minimum(lacking, 100.0), step))
            freed = -self._spent(fewer)
            useful = (fewer < self.shares) & (freed > 0)
            if not useful.any():
                raise InvalidRequest(
                    f"what may be sold today cannot bring the {-self.cash:,.2f} yuan that are missing; cash is "
                    f"{self._cash:,.2f} yuan before the orders"
                )
            harm = np.where(
                useful, self._change(fewer) / np.maximum(np.minimum(freed, -self.cash), 1e-9), np.inf
            )
            self._move_one(int(harm.argmin()), fewer)

    def _improve(self) -> bool:
        moved = False
        while True:
            best, gain = self.shares, np.zeros(len(self.shares))
            for choice in self._choices():
                better = np.where(
                    self._spent(choice) <= self.cash + _ROUNDING, -self._change(choice), -np.inf
                )
                best, gain = np.where(better > gain, choice, best), np.maximum(gain, better)
            if not gain.max() > self._noise:
                return moved
            self._move_one(int(gain.argmax()), best)
            moved = True

    def _choices(self) -> tuple[np.ndarray, ...]:
        """Return where each name would like to be: the lots around its own best, and the most it can pay for."""
        curved = np.maximum(self._curvature, 1e-300)
        free = np.clip(self.shares - self._slope / curved * self._value / self._prices, 0.0, self._most)
        low, high = self._reachable.at_most(free), np.minimum(self._reachable.at_least(free), self._most)
        payable = np.minimum(free, self.shares + self._bought_for(self.cash))
        return low, high, np.minimum(self._reachable.at_most(payable), self._most)

    def _bought_for(self, yuan: np.ndarray | float) -> np.ndarray:
        """Return how many shares of each name that many yuan buy, fees included."""
        rate = float(self._rates.stamp_buy[0] + self._rates.transfer_buy[0]) + self._rates.commission.rate
        spare = np.maximum(yuan - self._rates.commission.minimum, 0.0)
        return np.asarray(spare / (self._prices * (1 + rate)))

    def _sold_for(self, yuan: np.ndarray) -> np.ndarray:
        """Return how many shares of each name must go to bring that many yuan, fees paid."""
        rate = float(self._rates.stamp_sell[0] + self._rates.transfer_sell[0]) + self._rates.commission.rate
        needed = np.maximum(yuan, 0.0) + self._rates.commission.minimum * (yuan > 0)
        return np.asarray(needed / (self._prices * (1 - rate)))

    def _swap(self) -> bool:
        """Let one name have fewer so that another can have more, in the best of all pairs; False if none is good.

        Either one takes its next lot and the other pays just enough for it, or one gives a lot back and the other
        buys what that allows. In the arrays below rows are the name that is first to move.
        """
        if len(self.shares) > _MOST_SWAPPED:
            return False
        more = np.minimum(self._reachable.at_least(self.shares + 1), self._most)
        price = self._spent(more) - self.cash
        pays = self._reachable.at_most(self.shares - np.maximum(self._sold_for(price[:, None]), 1.0))
        fewer = self._reachable.at_most(self.shares - 1)
        budget = self.cash - self._spent(fewer)
        gets = self._reachable.at_most(
            np.minimum(self.shares + self._bought_for(budget[:, None]), self._most)
        )
        found = [(self._pair_changes(one, two), one, two) for one, two in ((more, pays), (fewer, gets))]
        changes, first, second = min(found, key=lambda each: float(each[0].min()))
        one, other = np.unravel_index(int(changes.argmin()), changes.shape)
        if not changes[one, other] < -self._noise:
            return False
        shares = self.shares.copy()
        shares[one], shares[other] = first[one], second[one, other]
        self._move_to(shares)
        return True

    def _pair_changes(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the change of the objective if row's name moves to `first` (N,) and column's to `second` (N, N)."""
        step = (first - self.shares) * self._prices / self._value
        other = (second - self.shares) * self._prices / self._value
        joint = 2 * step[:, None] * other * (self._root.T @ self._root)
        changes = self._change(first)[:, None] + self._change(second) + joint
        paid = self._spent(first)[:, None] + self._spent(second) <= self.cash + _ROUNDING
        changes = np.where(paid & (step[:, None] * other < 0), changes, np.inf)
        changes[np.diag_indices(len(step))] = np.inf
        return np.asarray(changes)

    def _move_one(self, name: int, shares: np.ndarray) -> None:
        changed = self.shares.copy()
        changed[name] = shares[name]
        self._move_to(changed)


def _check(
    symbols: Sequence[str], weights: np.ndarray, prices: np.ndarray, cash: float, held: np.ndarray
) -> None:
    for name, array in (("weights", weights), ("prices", prices), ("held", held)):
        if array.shape != (len(symbols),):
            raise InvalidRequest(
                f"{name} of {len(symbols)} symbols must have shape ({len(symbols)},), had {array.shape}"
            )
    if not (np.isfinite(weights).all() and (weights >= -1e-9).all() and weights.sum() <= 1 + 1e-6):
        raise InvalidRequest(
            f"weights must be numbers from 0 that add up to at most 1; the least was {weights.min():.6g}, the sum "
            f"{weights.sum():.6g}. Shares cannot be sold short, nor bought on credit"
        )
    if not (np.isfinite(held).all() and (held >= 0).all()):
        raise InvalidRequest(f"holdings must be shares from 0, the least was {held.min():.6g}")
    if not (np.isfinite(cash) and cash >= 0):
        raise InvalidRequest(f"cash must be yuan from 0, was {cash:,.2f}")
    needed = (weights > 0) | (held > 0)
    without = np.array(symbols)[needed & ~(prices > 0)]
    if len(without):
        more = f" and {len(without) - 5} more" if len(without) > 5 else ""
        raise InvalidRequest(f"a price above 0 is needed for {', '.join(without[:5])}{more}")
    if cash + float(held[needed] @ prices[needed]) <= 0:
        raise InvalidRequest("there is neither cash nor a holding, so there is nothing to divide")
