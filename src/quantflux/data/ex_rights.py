"""What corporate actions explain of the steps of `adj_factor`, and what is left over.

On an ex-date the exchange publishes a reference price, to the cent, that leaves a holder neither richer nor poorer:

    reference = (previous close - cash + rights price x rights shares) / (1 + shares + rights shares)

and the cumulative factor of a vendor grows by previous close / reference. A backtest that credits the cash and the
new shares has that part of the growth already; for the rest it must still let holdings grow by the factor.

1. Events of suspended names move to the row on which they trade again, where factor and price show them
   (`CorporateActions.on_traded_rows`).
2. Of each event the reference is computed, and compared with the one that the step implies (`_judged`). They agree if
   they differ by no more than rounding: half a cent, and the third decimal of the factor. A company that holds some of
   its own shares, at most a tenth by law, pays nothing on those, and the exchange thins the reference out accordingly;
   a step between the full and the so thinned event agrees too.
3. Growth is 1 where an event explains the step, step / explained where it explains another one, and the step itself
   where there is no event.
4. An event that should be seen where the factor does not move at all is left out: the factor decides, as it does in
   every adjusted price. So an ex-date that is wrong by a day cannot pay a holder twice.

Factors are gone through some rows at a time, and only cells where something happens are kept: a market of 5,000 names
over ten years has some ten thousand of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from quantflux.core.corporate_actions import CorporateActions
from quantflux.core.gaps import carried_forward
from quantflux.core.panel import Panel

_HALF_CENT = 0.005 + 1e-9
_FACTOR_DECIMALS = 0.001  # two factors of three decimals, each off by half of the last
_MOST_OWN_SHARES = 0.1  # Company Law, article 162
_CELLS = 500_000  # gone through at a time
_SAME = 1e-6  # relative: factors that differ by less are one factor, written twice


@dataclass(frozen=True)
class FactorSteps:
    """Places where `adj_factor` moved otherwise than known actions say; arrays of shape (K,), sorted by place.

    Attributes
    ----------
    row, column : int64
    step : float64
        What the factor was multiplied by.
    explained : float64
        What known actions would have multiplied it by; 1 where there is none.
    """

    row: np.ndarray
    column: np.ndarray
    step: np.ndarray
    explained: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class Growth:
    """Cells where shares become more or fewer; arrays of shape (K,), sorted by row and column.

    Attributes
    ----------
    row, column : int64
    shares : float64
        What one share of the row before became; 1 in all other cells.
    """

    row: np.ndarray
    column: np.ndarray
    shares: np.ndarray

    @classmethod
    def none(cls) -> Self:
        """Return no growth at all."""
        places = np.zeros(0, np.int64)
        return cls(places, places, np.zeros(0))


@dataclass(frozen=True)
class ShareGrowth:
    """Corporate actions beside the factor: what to credit, and what else holdings grow by.

    Attributes
    ----------
    actions : CorporateActions
        What a holder is credited, on rows on which the names trade.
    growth : Growth
        What shares grow by beside what `actions` give.
    unexplained : FactorSteps
        Where that is not 1 because no action, or another one, is known.
    unshown : CorporateActions
        Events that `actions` leave out because the factor does not show them.
    """

    actions: CorporateActions
    growth: Growth
    unexplained: FactorSteps
    unshown: CorporateActions


def share_growth(bars: Panel, actions: CorporateActions, *, rights_taken_up: bool = False) -> ShareGrowth:
    """Return what holders are credited, and the growth of their shares that it does not explain.

    Parameters
    ----------
    bars : Panel
        Raw `close`, and `adj_factor` where known. Where no factor is known nothing contradicts an action.
    actions : CorporateActions
        Laid on the panel's axes.
    rights_taken_up : bool
        What holders do with a rights issue. By default they let it lapse and bear the fall of the price: growth is 1.
        If taken up, it is paid for by selling shares at the reference price, which leaves holders as rich as before:
        growth is what remains of the new shares.

    Examples
    --------
    Ten shares give three new ones and 5 yuan: 13.00 yuan become (13.00 - 0.50) / 1.3 = 9.62.

    >>> days = np.array(["2024-06-06", "2024-06-07"], dtype="datetime64[D]")
    >>> factor = np.array([[1.0], [13.00 / 9.62]])
    >>> bars = Panel(days, ["A"], {"close": np.array([[13.00], [9.70]]), "adj_factor": factor})
    >>> at, zero = np.array([[1], [0]]), np.zeros(1)
    >>> event = CorporateActions(at[0], at[1], np.array([0.5]), np.array([0.3]), zero, zero)
    >>> share_growth(bars, event).growth.shares.tolist()
    []
    >>> unknown = share_growth(bars, CorporateActions.none()).growth
    >>> unknown.row.tolist(), unknown.shares.round(3).tolist()
    ([1], [1.351])
    """
    close = bars["close"]
    placed = actions.on_traded_rows(~np.isnan(close))
    steps = _Steps.of(bars, placed)

    width = bars.shape[1]
    moved, of_event = steps.row * width + steps.column, placed.row * width + placed.column
    cells = np.union1d(moved, of_event)
    step, explained = np.ones((2, len(cells)))
    step[np.searchsorted(cells, moved)] = steps.moved
    at = np.searchsorted(cells, of_event)
    judged = _judged(
        placed,
        _before(close, (placed.row, placed.column)),
        step[at],
        steps.before,
        ~np.isnan(steps.at_events),
    )
    growth, named = step.copy(), step != 1.0
    growth[at] = judged.left_over * judged.rights if rights_taken_up else judged.left_over
    explained[at] = judged.explained
    named[at] = ~judged.agrees & (named[at] | ~judged.unshown)

    row, column, grown = cells // width, cells % width, growth != 1.0
    return ShareGrowth(
        placed.where(~judged.unshown),
        Growth(row[grown], column[grown], growth[grown]),
        FactorSteps(row[named], column[named], step[named], explained[named]),
        placed.where(judged.unshown),
    )


@dataclass(frozen=True)
class _Steps:
    """What the factor did.

    Attributes
    ----------
    row, column, moved : arrays of shape (M,)
        Cells where it moved, sorted, and what it was multiplied by.
    before, at_events : float64, shape (K,)
        At the cells of events: the last factor before, and what it was multiplied by; NaN where not known.
    """

    row: np.ndarray
    column: np.ndarray
    moved: np.ndarray
    before: np.ndarray
    at_events: np.ndarray

    @classmethod
    def of(cls, bars: Panel, events: CorporateActions) -> _Steps:
        """Carry the factor over gaps, some rows at a time, and keep what happens."""
        before, at_events = np.full((2, len(events)), np.nan)
        moves = [np.zeros((2, 0), np.int64)]
        steps = [np.zeros(0)]
        if "adj_factor" in bars:
            last = np.full((1, bars.shape[1]), np.nan)
            height = max(_CELLS // max(bars.shape[1], 1), 1)
            for first in range(0, len(bars), height):
                factor = carried_forward(np.concatenate([last, bars["adj_factor"][first : first + height]]))
                step = factor[1:] / factor[:-1]
                moved = np.nonzero(np.abs(step - 1) > _SAME)  # false where the step is not known
                moves.append(np.array([moved[0] + first, moved[1]]))
                steps.append(step[moved])
                here = slice(*np.searchsorted(events.row, (first, first + height)))
                cells = (events.row[here] - first, events.column[here])
                before[here], at_events[here] = factor[cells], step[cells]
                last = factor[-1:]
        row, column = np.concatenate(moves, axis=1)
        return cls(row, column, np.concatenate(steps), before, at_events)


@dataclass(frozen=True)
class _Judged:
    """What was found of each event, shape (K,)."""

    explained: np.ndarray
    left_over: np.ndarray
    rights: np.ndarray
    agrees: np.ndarray
    unshown: np.ndarray


def _judged(
    actions: CorporateActions, close: np.ndarray, step: np.ndarray, factor: np.ndarray, known: np.ndarray
) -> _Judged:
    """Compare events with the steps of their cells; `close` and `factor` are those of the row before."""
    known = known & ~np.isnan(close)
    full, thinned = _reference(actions, close, 1.0), _reference(actions, close, 1 - _MOST_OWN_SHARES)
    low, high = np.minimum(full, thinned), np.maximum(full, thinned)
    seen = close / step
    with np.errstate(invalid="ignore"):
        slack = _HALF_CENT + seen * _FACTOR_DECIMALS / np.maximum(factor, 1.0)
        possible = full > 0
        agrees = ~known | (possible & (seen >= low - slack) & (seen <= high + slack))
        unshown = ~agrees & (~possible | (np.abs(seen - close) <= slack))
    divisor = np.where(possible, full, 1.0)
    explained = np.where(known & ~unshown, close / divisor, 1.0)
    left_over = np.where(agrees, 1.0, step / explained)
    worth = (close - actions.cash) / (divisor * (1 + actions.shares))
    offered = (actions.rights_shares > 0) & known & ~unshown
    return _Judged(explained, left_over, np.where(offered, worth, 1.0), agrees, unshown)


def _reference(actions: CorporateActions, close: np.ndarray, part: float) -> np.ndarray:
    """Return the ex-rights reference price before rounding, if that part of the shares takes part."""
    offered = actions.rights_shares
    value = close - part * actions.cash + offered * actions.rights_price
    return np.asarray(value / (1 + part * actions.shares + offered))


def _before(values: np.ndarray, at: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the last known value before each of these cells; NaN where there is none."""
    row, column = at
    found = np.where(row > 0, values[row - 1, column], np.nan)
    gaps = np.flatnonzero(np.isnan(found) & (row > 0))
    if len(gaps):
        wanted, where = np.unique(column[gaps], return_inverse=True)
        found[gaps] = carried_forward(values[:, wanted])[row[gaps] - 1, where]
    return found
