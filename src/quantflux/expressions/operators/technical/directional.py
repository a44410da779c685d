"""Direction: is there a trend, and which way (Wilder 1978; Chande 1995).

Wilder's directional movement, smoothed his way as in TA-Lib; the DMI of Chinese charting software uses plain sums.
"""

from __future__ import annotations

from quantflux.expressions.nodes import Node
from quantflux.expressions.operators.elementwise import Where
from quantflux.expressions.operators.recursive import SeededMean
from quantflux.expressions.operators.rolling import ArgMaximum, ArgMinimum, Delay
from quantflux.expressions.operators.technical.bands import AverageTrueRange
from quantflux.expressions.operators.technical.indicator import CLOSE, HIGH, LOW, Indicator, previous, rows


class PlusDirection(Indicator):
    """+DI: Wilder's mean of upward movement, in percent of that of the true range.

    Upward movement is the rise of the high from the row before if it is positive and more than the fall of the low,
    else 0.
    """

    __slots__ = ()
    name = "plus_di"
    arguments = (HIGH, LOW, CLOSE, rows(14))

    def expansion(self) -> Node:
        high, low, close = self.inputs
        up, down = _moves(high, low)
        movement = Where((up > down) & (up > 0), up, 0)
        return _share_of_range(movement, high, low, close, int(self.parameters[0]))


class MinusDirection(Indicator):
    """-DI: Wilder's mean of downward movement, in percent of that of the true range; see `plus_di`."""

    __slots__ = ()
    name = "minus_di"
    arguments = PlusDirection.arguments

    def expansion(self) -> Node:
        high, low, close = self.inputs
        up, down = _moves(high, low)
        movement = Where((down > up) & (down > 0), down, 0)
        return _share_of_range(movement, high, low, close, int(self.parameters[0]))


class DirectionalIndex(Indicator):
    """100 |+DI - -DI| / (+DI + -DI): how much one direction outweighs the other."""

    __slots__ = ()
    name = "dx"
    arguments = PlusDirection.arguments

    def expansion(self) -> Node:
        plus, minus = (
            PlusDirection(*self.inputs, *self.parameters),
            MinusDirection(*self.inputs, *self.parameters),
        )
        return 100 * abs(plus - minus) / (plus + minus)


class AverageDirectionalIndex(Indicator):
    """Wilder's mean of `dx`: the strength of the trend, whichever way it goes."""

    __slots__ = ()
    name = "adx"
    arguments = PlusDirection.arguments

    def expansion(self) -> Node:
        return SeededMean(DirectionalIndex(*self.inputs, *self.parameters), self.parameters[0])


class AverageDirectionalIndexRating(Indicator):
    """Mean of `adx` and its value `window` - 1 rows before (TA-Lib's ADXR; Wilder goes back `window` rows)."""

    __slots__ = ()
    name = "adxr"
    arguments = PlusDirection.arguments

    def expansion(self) -> Node:
        strength = AverageDirectionalIndex(*self.inputs, *self.parameters)
        return (strength + Delay(strength, int(self.parameters[0]) - 1)) / 2


class AroonUp(Indicator):
    """How recent the highest high of the last `window` + 1 rows is: 100 today, 0 the oldest; of equals the oldest."""

    __slots__ = ()
    name = "aroon_up"
    arguments = (HIGH, rows(14))

    def expansion(self) -> Node:
        window = int(self.parameters[0])
        return 100 / window * (ArgMaximum(self.inputs[0], window + 1) - 1)


class AroonDown(Indicator):
    """How recent the lowest low of the last `window` + 1 rows is: 100 today, 0 the oldest; of equals the oldest."""

    __slots__ = ()
    name = "aroon_down"
    arguments = (LOW, rows(14))

    def expansion(self) -> Node:
        window = int(self.parameters[0])
        return 100 / window * (ArgMinimum(self.inputs[0], window + 1) - 1)


class AroonOscillator(Indicator):
    """`aroon_up` minus `aroon_down`."""

    __slots__ = ()
    name = "aroon_osc"
    arguments = (HIGH, LOW, rows(14))

    def expansion(self) -> Node:
        high, low = self.inputs
        return AroonUp(high, self.parameters[0]) - AroonDown(low, self.parameters[0])


def _moves(high: Node, low: Node) -> tuple[Node, Node]:
    """Return how far the day reached above the high and below the low of the day before."""
    return high - previous(high), previous(low) - low


def _share_of_range(movement: Node, high: Node, low: Node, close: Node, window: int) -> Node:
    return 100 * SeededMean(movement, window) / AverageTrueRange(high, low, close, window)
