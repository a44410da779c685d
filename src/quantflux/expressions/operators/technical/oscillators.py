"""Oscillators: where the price stands in its recent range, and how fast it moves."""

from __future__ import annotations

from quantflux.expressions.nodes import Node
from quantflux.expressions.operators.elementwise import Larger, Smaller
from quantflux.expressions.operators.recursive import SeededMean, SmoothedMean
from quantflux.expressions.operators.rolling import Delay, Maximum, Mean, MeanAbsoluteDeviation, Minimum, Sum
from quantflux.expressions.operators.technical.bands import TrueRange
from quantflux.expressions.operators.technical.indicator import (
    CLOSE,
    HIGH,
    LOW,
    Indicator,
    X,
    in_order,
    previous,
    rows,
)

_BAR = (HIGH, LOW, CLOSE)


class Momentum(Indicator):
    """x minus its value `window` rows before: TA-Lib's MOM, MTM of Chinese charting software."""

    __slots__ = ()
    name = "momentum"
    arguments = (X, rows(10))

    def expansion(self) -> Node:
        return self.inputs[0] - Delay(self.inputs[0], self.parameters[0])


class RateOfChange(Indicator):
    """x over its value `window` rows before, minus 1, in percent."""

    __slots__ = ()
    name = "roc"
    arguments = (X, rows(10))

    def expansion(self) -> Node:
        return 100 * (self.inputs[0] / Delay(self.inputs[0], self.parameters[0]) - 1)


class RelativeStrengthIndex(Indicator):
    """100 gains / (gains + losses), each Wilder's mean of the changes of that sign; missing if nothing moved."""

    __slots__ = ()
    name = "rsi"
    arguments = (X, rows(14))

    def expansion(self) -> Node:
        gains, losses = _gains_and_losses(self.inputs[0], int(self.parameters[0]))
        return 100 * gains / (gains + losses)


class ChandeMomentum(Indicator):
    """100 (gains - losses) / (gains + losses), each Wilder's mean, as in TA-Lib's CMO; Chande takes plain sums."""

    __slots__ = ()
    name = "cmo"
    arguments = (X, rows(14))

    def expansion(self) -> Node:
        gains, losses = _gains_and_losses(self.inputs[0], int(self.parameters[0]))
        return 100 * (gains - losses) / (gains + losses)


class StochasticFastK(Indicator):
    """Where the close stands in the range of the window, from 0 to 100: %K of Lane, RSV of KDJ.

    Missing where the range is zero.
    """

    __slots__ = ()
    name = "stoch_fast_k"
    arguments = (*_BAR, rows(5))

    def expansion(self) -> Node:
        high, low, close = self.inputs
        lowest = Minimum(low, self.parameters[0])
        return 100 * (close - lowest) / (Maximum(high, self.parameters[0]) - lowest)


class StochasticFastD(Indicator):
    """Mean of `stoch_fast_k` over `d` rows."""

    __slots__ = ()
    name = "stoch_fast_d"
    arguments = (*_BAR, rows(5), rows(3, "d"))

    def expansion(self) -> Node:
        window, d = self.parameters
        return Mean(StochasticFastK(*self.inputs, window), d)


class StochasticSlowK(Indicator):
    """Mean of `stoch_fast_k` over `k` rows."""

    __slots__ = ()
    name = "stoch_slow_k"
    arguments = (*_BAR, rows(5), rows(3, "k"))

    def expansion(self) -> Node:
        window, k = self.parameters
        return Mean(StochasticFastK(*self.inputs, window), k)


class StochasticSlowD(Indicator):
    """Mean of `stoch_slow_k` over `d` rows."""

    __slots__ = ()
    name = "stoch_slow_d"
    arguments = (*_BAR, rows(5), rows(3, "k"), rows(3, "d"))

    def expansion(self) -> Node:
        window, k, d = self.parameters
        return Mean(StochasticSlowK(*self.inputs, window, k), d)


class KdjK(Indicator):
    """K of KDJ: sma(RSV, k, 1), RSV being where the close stands in the range of the window, from 0 to 100."""

    __slots__ = ()
    name = "kdj_k"
    arguments = (*_BAR, rows(9), rows(3, "k"))

    def expansion(self) -> Node:
        window, k = self.parameters
        return SmoothedMean(StochasticFastK(*self.inputs, window), k, 1)


class KdjD(Indicator):
    """D of KDJ: sma(K, d, 1)."""

    __slots__ = ()
    name = "kdj_d"
    arguments = (*KdjK.arguments, rows(3, "d"))

    def expansion(self) -> Node:
        window, k, d = self.parameters
        return SmoothedMean(KdjK(*self.inputs, window, k), d, 1)


class KdjJ(Indicator):
    """J of KDJ: 3 K - 2 D, which leaves 0 .. 100."""

    __slots__ = ()
    name = "kdj_j"
    arguments = KdjD.arguments

    def expansion(self) -> Node:
        window, k, d = self.parameters
        return 3 * KdjK(*self.inputs, window, k) - 2 * KdjD(*self.inputs, window, k, d)


class WilliamsR(Indicator):
    """-100 (highest - close) / (highest - lowest), from -100 to 0: Williams' %R; Chinese software omits the sign."""

    __slots__ = ()
    name = "wr"
    arguments = (*_BAR, rows(14))

    def expansion(self) -> Node:
        high, low, close = self.inputs
        highest = Maximum(high, self.parameters[0])
        return -100 * (highest - close) / (highest - Minimum(low, self.parameters[0]))


class CommodityChannelIndex(Indicator):
    """Distance of the typical price from its mean, in units of 0.015 mean absolute deviations (Lambert 1980)."""

    __slots__ = ()
    name = "cci"
    arguments = (*_BAR, rows(14))

    def expansion(self) -> Node:
        typical, window = sum(self.inputs[1:], self.inputs[0]) / 3, self.parameters[0]
        return (typical - Mean(typical, window)) / (0.015 * MeanAbsoluteDeviation(typical, window))


class UltimateOscillator(Indicator):
    """Buying pressure over true range, of three windows with weights 4, 2 and 1, from 0 to 100 (Williams 1985).

    Buying pressure is the close minus the lower of the day's low and the previous close.
    """

    __slots__ = ()
    name = "ultimate_osc"
    arguments = (*_BAR, rows(7, "short"), rows(14, "medium"), rows(28, "long"))

    def expansion(self) -> Node:
        high, low, close = self.inputs
        short, medium, long = self.parameters
        in_order(self.name, short=short, medium=medium, long=long)
        pressure, span = close - Smaller(low, previous(close)), TrueRange(high, low, close)
        shares = [Sum(pressure, window) / Sum(span, window) for window in (short, medium, long)]
        return 100 / 7 * (4 * shares[0] + 2 * shares[1] + shares[2])


def _gains_and_losses(x: Node, window: int) -> tuple[Node, Node]:
    """Return Wilder's means of the rises and of the falls of x."""
    change = x - previous(x)
    return SeededMean(Larger(change, 0), window), SeededMean(Larger(-change, 0), window)
