"""Buying and selling pressure by counts and ranges: the sentiment indicators of Chinese charting software."""

from __future__ import annotations

from quantflux.expressions.nodes import Node
from quantflux.expressions.operators.elementwise import Larger
from quantflux.expressions.operators.rolling import Mean, Sum
from quantflux.expressions.operators.technical.indicator import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    Indicator,
    X,
    previous,
    rows,
)


class PsychologicalLine(Indicator):
    """PSY: on how many percent of the rows x rose."""

    __slots__ = ()
    name = "psy"
    arguments = (X, rows(12))

    def expansion(self) -> Node:
        return 100 * Mean(self.inputs[0] > previous(self.inputs[0]), self.parameters[0])


class PopularityIndex(Indicator):
    """AR: sum of (high - open) over sum of (open - low), in percent."""

    __slots__ = ()
    name = "ar"
    arguments = (OPEN, HIGH, LOW, rows(26))

    def expansion(self) -> Node:
        opened, high, low = self.inputs
        window = self.parameters[0]
        return 100 * Sum(high - opened, window) / Sum(opened - low, window)


class WillingnessIndex(Indicator):
    """BR: sum of how far highs reach above the previous close over that of how far lows fall below it, in percent."""

    __slots__ = ()
    name = "br"
    arguments = (HIGH, LOW, CLOSE, rows(26))

    def expansion(self) -> Node:
        high, low, close = self.inputs
        return _above_over_below(high, low, previous(close), int(self.parameters[0]))


class EnergyIndex(Indicator):
    """CR: the same as `br`, measured from the middle between high and low of the day before."""

    __slots__ = ()
    name = "cr"
    arguments = (HIGH, LOW, rows(26))

    def expansion(self) -> Node:
        high, low = self.inputs
        return _above_over_below(high, low, previous((high + low) / 2), int(self.parameters[0]))


def _above_over_below(high: Node, low: Node, level: Node, window: int) -> Node:
    return 100 * Sum(Larger(high - level, 0), window) / Sum(Larger(level - low, 0), window)
