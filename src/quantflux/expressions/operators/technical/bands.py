"""Ranges and bands: how far prices move."""

from __future__ import annotations

from quantflux.expressions.arguments import Parameter
from quantflux.expressions.nodes import Node
from quantflux.expressions.operators.elementwise import Larger, Smaller
from quantflux.expressions.operators.recursive import SeededMean
from quantflux.expressions.operators.rolling import Mean, StandardDeviation
from quantflux.expressions.operators.technical.indicator import CLOSE, HIGH, LOW, Indicator, X, previous, rows

_DEVIATIONS = Parameter("k", whole=False, low=0, high=1000, default=2)


class BollingerMiddle(Indicator):
    """Mean over the window: the middle of Bollinger's bands."""

    __slots__ = ()
    name = "boll_middle"
    arguments = (X, rows(20))

    def expansion(self) -> Node:
        return Mean(self.inputs[0], self.parameters[0])


class BollingerUpper(Indicator):
    """Mean plus `k` sample standard deviations (ddof=1, as in Chinese charting software; TA-Lib divides by n)."""

    __slots__ = ()
    name = "boll_upper"
    arguments = (X, rows(20), _DEVIATIONS)

    def expansion(self) -> Node:
        window, k = self.parameters
        return Mean(self.inputs[0], window) + k * StandardDeviation(self.inputs[0], window)


class BollingerLower(Indicator):
    """Mean minus `k` sample standard deviations; see `boll_upper`."""

    __slots__ = ()
    name = "boll_lower"
    arguments = BollingerUpper.arguments

    def expansion(self) -> Node:
        window, k = self.parameters
        return Mean(self.inputs[0], window) - k * StandardDeviation(self.inputs[0], window)


class BollingerWidth(Indicator):
    """Width of the bands over their middle: 2 k standard deviations / mean."""

    __slots__ = ()
    name = "boll_width"
    arguments = BollingerUpper.arguments

    def expansion(self) -> Node:
        window, k = self.parameters
        return 2 * k * StandardDeviation(self.inputs[0], window) / Mean(self.inputs[0], window)


class PercentB(Indicator):
    """Where x stands between the bands: 0 at the lower, 1 at the upper; missing where they meet."""

    __slots__ = ()
    name = "percent_b"
    arguments = BollingerUpper.arguments

    def expansion(self) -> Node:
        lower, upper = (
            BollingerLower(self.inputs[0], *self.parameters),
            BollingerUpper(self.inputs[0], *self.parameters),
        )
        return (self.inputs[0] - lower) / (upper - lower)


class TrueRange(Indicator):
    """The day's range, stretched to the previous close if that lies outside (Wilder 1978)."""

    __slots__ = ()
    name = "true_range"
    arguments = (HIGH, LOW, CLOSE)

    def expansion(self) -> Node:
        high, low, close = self.inputs
        before = previous(close)
        return Larger(high, before) - Smaller(low, before)


class AverageTrueRange(Indicator):
    """Wilder's mean of the true range, in units of the price."""

    __slots__ = ()
    name = "atr"
    arguments = (HIGH, LOW, CLOSE, rows(14))

    def expansion(self) -> Node:
        return SeededMean(TrueRange(*self.inputs), self.parameters[0])


class NormalizedAverageTrueRange(Indicator):
    """`atr` in percent of the close, so that it compares between symbols."""

    __slots__ = ()
    name = "natr"
    arguments = AverageTrueRange.arguments

    def expansion(self) -> Node:
        return 100 * AverageTrueRange(*self.inputs, *self.parameters) / self.inputs[2]
