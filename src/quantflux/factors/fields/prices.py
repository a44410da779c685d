"""Prices adjusted backward, on the axes of a load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from quantflux.data.access import DataAccessLayer
from quantflux.data.adjustment import FACTOR
from quantflux.data.contract import Span
from quantflux.data.schema import DAILY
from quantflux.factors.fields.daily import Axes, DailyColumns, columns_with_values, symbols_with_values


@dataclass(frozen=True, slots=True)
class StandIns:
    """What was taken for data of which no day has any.

    That is asked of all days at once, whichever are loaded: the first row with such data, on whatever day, changes
    the values of every day.

    Attributes
    ----------
    unadjusted : tuple of str
        Of the symbols loaded, those without any `adj_factor`: their prices count as adjusted already.
    typical_price : bool
        Whether no bar has an amount, so that `vwap` is the typical price.
    """

    unadjusted: tuple[str, ...] = ()
    typical_price: bool = False


class Prices:
    """Adjusted prices of one load.

    Parameters
    ----------
    data : DataAccessLayer
    bars : DailyColumns
        With `close`, and what the prices asked for are made of.
    axes : Axes
    span : Span
        What `bars` covers.
    notes : list of str
        Takes what a reader of the prices should know.

    Attributes
    ----------
    stand_ins : StandIns
        Of the prices that were asked for so far.
    """

    def __init__(
        self, data: DataAccessLayer, bars: DailyColumns, axes: Axes, span: Span, notes: list[str]
    ) -> None:
        self._data, self._bars, self._axes, self._span, self._notes = data, bars, axes, span, notes
        self.stand_ins = StandIns()

    def _raw(self, column: str) -> np.ndarray:
        return self._bars.lay(column, self._axes)

    def adjusted(self, column: str) -> np.ndarray:
        """Return a price times the bar's factor, a new array of shape (T, N)."""
        price = self._raw(column)
        price *= self.multiplier
        return price

    def average(self) -> np.ndarray:
        """Return the adjusted amount / volume of each bar, a new array of shape (T, N); NaN without volume.

        If no bar of the dataset has an amount it is the typical price, the mean of high, low and close.
        """
        price = self._raw("amount")
        if np.isnan(price).all() and not columns_with_values(self._data, DAILY, ["amount"]):
            self.stand_ins = replace(self.stand_ins, typical_price=True)
            self._notes.append("the bars hold no amount: vwap is the typical price (high + low + close) / 3")
            price = self._raw("high")
            price += self._raw("low")
            price += self._raw("close")
            price /= 3
        else:
            volume = self._raw("volume")
            volume[volume == 0] = np.nan
            price /= volume
        price *= self.multiplier
        return price

    @cached_property
    def multiplier(self) -> np.ndarray:
        """The factor of each day and symbol, shape (T, N); 1 for symbols that have none on any day at all.

        A factor is never guessed: where it is missing on some days only, it is NaN on those. Whether a symbol has any
        is asked of all days, not only of those loaded, so that a value does not depend on the span.
        """
        factor = self._raw(FACTOR)
        symbols = self._axes.symbols
        bare = np.isnan(factor).all(axis=0)
        names = symbols[bare].tolist()
        elsewhere = symbols_with_values(self._data, DAILY, FACTOR, names, outside=self._span)
        never = bare & ~np.isin(symbols, sorted(elsewhere))
        factor[:, never] = 1.0
        if never.any():
            self.stand_ins = replace(self.stand_ins, unadjusted=tuple(symbols[never].tolist()))
            self._notes.append(f"{_some(symbols[never])}: no adj_factor, so prices count as adjusted already")
        gaps = np.isnan(factor)
        gaps &= ~np.isnan(self._raw("close"))
        if gaps.any():
            which = _some(symbols[gaps.any(axis=0)])
            self._notes.append(
                f"{which}: {int(gaps.sum())} bars without adj_factor, so without adjusted prices"
            )
        return factor


def _some(symbols: np.ndarray) -> str:
    shown = ", ".join(symbols[:3].tolist())
    return shown if len(symbols) <= 3 else f"{shown} and {len(symbols) - 3} more symbols"
