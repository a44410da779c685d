"""Price together with volume."""

from __future__ import annotations

from quantflux.expressions.nodes import Node
from quantflux.expressions.operators.elementwise import Sign, Where
from quantflux.expressions.operators.recursive import CumulativeSum, SmoothedMean
from quantflux.expressions.operators.rolling import Mean, Sum
from quantflux.expressions.operators.technical.indicator import (
    CLOSE,
    HIGH,
    LOW,
    VOLUME,
    Indicator,
    in_order,
    previous,
    rows,
)

_BAR = (HIGH, LOW, CLOSE, VOLUME)


class OnBalanceVolume(Indicator):
    """Running sum of the volume of rising days minus that of falling days (Granville 1963).

    It starts at the second day; TA-Lib adds the volume of the first.
    """

    __slots__ = ()
    name = "obv"
    arguments = (CLOSE, VOLUME)

    def expansion(self) -> Node:
        close, volume = self.inputs
        return CumulativeSum(Sign(close - previous(close)) * volume)


class PriceVolumeTrend(Indicator):
    """Running sum of volume times the return of the day."""

    __slots__ = ()
    name = "pvt"
    arguments = (CLOSE, VOLUME)

    def expansion(self) -> Node:
        close, volume = self.inputs
        return CumulativeSum((close / previous(close) - 1) * volume)


class AccumulationDistribution(Indicator):
    """Running sum of volume times where the close stands in the day's range, from -1 to 1 (Chaikin; TA-Lib's AD).

    A day without a range adds nothing.
    """

    __slots__ = ()
    name = "ad_line"
    arguments = _BAR

    def expansion(self) -> Node:
        high, low, close, volume = self.inputs
        return CumulativeSum(_close_location(high, low, close) * volume)


class ChaikinOscillator(Indicator):
    """Exponential mean of `ad_line` over `fast` rows minus that over `slow`, both started by its first number."""

    __slots__ = ()
    name = "adosc"
    arguments = (*_BAR, rows(3, "fast"), rows(10, "slow"))

    def expansion(self) -> Node:
        fast, slow = (int(p) for p in self.parameters)
        in_order(self.name, fast=fast, slow=slow)
        line = AccumulationDistribution(*self.inputs)
        return SmoothedMean(line, fast + 1, 2) - SmoothedMean(line, slow + 1, 2)


class ChaikinMoneyFlow(Indicator):
    """Sum of volume times where the close stands in the day's range, over the sum of volume: from -1 to 1."""

    __slots__ = ()
    name = "cmf"
    arguments = (*_BAR, rows(20))

    def expansion(self) -> Node:
        high, low, close, volume = self.inputs
        window = self.parameters[0]
        return Sum(_close_location(high, low, close) * volume, window) / Sum(volume, window)


class MoneyFlowIndex(Indicator):
    """Typical price times volume of the days on which the typical price rose, in percent of rising and falling days."""

    __slots__ = ()
    name = "mfi"
    arguments = (*_BAR, rows(14))

    def expansion(self) -> Node:
        high, low, close, volume = self.inputs
        typical, window = (high + low + close) / 3, self.parameters[0]
        change, flow = typical - previous(typical), typical * volume
        inflow, outflow = Sum(Where(change > 0, flow, 0), window), Sum(Where(change < 0, flow, 0), window)
        return 100 * inflow / (inflow + outflow)


class VolumeRatio(Indicator):
    """VR of Chinese charting software: (2 rising + level) / (2 falling + level) of the days' volumes, in percent."""

    __slots__ = ()
    name = "vr"
    arguments = (CLOSE, VOLUME, rows(26))

    def expansion(self) -> Node:
        close, volume = self.inputs
        direction, window = Sign(close - previous(close)), self.parameters[0]
        # Twice those above plus once those level is volume x (1 + direction), and likewise below.
        return 100 * Sum(volume * (1 + direction), window) / Sum(volume * (1 - direction), window)


class EaseOfMovement(Indicator):
    """EMV of Chinese charting software: how easily the middle price moves for the volume it takes.

    The mean over the window of (relative move of high + low, in percent) x (mean volume / volume) x (range / mean
    range); missing on days without volume, and where the window holds one.
    """

    __slots__ = ()
    name = "emv"
    arguments = (HIGH, LOW, VOLUME, rows(14))

    def expansion(self) -> Node:
        high, low, volume = self.inputs
        window = self.parameters[0]
        both, span = high + low, high - low
        move = 100 * (both - previous(both)) / both
        return Mean(move * (Mean(volume, window) / volume) * (span / Mean(span, window)), window)


def _close_location(high: Node, low: Node, close: Node) -> Node:
    """Return where the close stands in the day's range, -1 at the low, 1 at the high; 0 without a range."""
    return Where(high > low, (2 * close - high - low) / (high - low), 0)
