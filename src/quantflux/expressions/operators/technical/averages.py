"""Moving averages, and what is made of their distances."""

from __future__ import annotations

from quantflux.expressions.nodes import Node
from quantflux.expressions.operators.recursive import SeededExponentialMean
from quantflux.expressions.operators.rolling import Mean
from quantflux.expressions.operators.technical.indicator import Indicator, X, in_order, previous, rows


class DoubleExponentialMean(Indicator):
    """2 e - ema(e) with e the exponential mean: the lag is taken out once (Mulloy 1994; TA-Lib's DEMA)."""

    __slots__ = ()
    name = "dema"
    arguments = (X, rows(30))

    def expansion(self) -> Node:
        once = SeededExponentialMean(self.inputs[0], self.parameters[0])
        twice = SeededExponentialMean(once, self.parameters[0])
        return 2 * once - twice


class TripleExponentialMean(Indicator):
    """3 e - 3 ema(e) + ema(ema(e)) with e the exponential mean (Mulloy 1994; TA-Lib's TEMA)."""

    __slots__ = ()
    name = "tema"
    arguments = (X, rows(30))

    def expansion(self) -> Node:
        once = SeededExponentialMean(self.inputs[0], self.parameters[0])
        twice = SeededExponentialMean(once, self.parameters[0])
        thrice = SeededExponentialMean(twice, self.parameters[0])
        return 3 * once - 3 * twice + thrice


class Trix(Indicator):
    """Change of the threefold exponential mean from the row before, in percent (Hutson 1983; TA-Lib's TRIX)."""

    __slots__ = ()
    name = "trix"
    arguments = (X, rows(12))

    def expansion(self) -> Node:
        smooth = self.inputs[0]
        for _ in range(3):
            smooth = SeededExponentialMean(smooth, self.parameters[0])
        return 100 * (smooth / previous(smooth) - 1)


class Bias(Indicator):
    """Distance of x from its mean over the window, in percent of the mean: BIAS of Chinese charting software."""

    __slots__ = ()
    name = "bias"
    arguments = (X, rows(6))

    def expansion(self) -> Node:
        return 100 * (self.inputs[0] / Mean(self.inputs[0], self.parameters[0]) - 1)


class BullBearIndex(Indicator):
    """Mean of the means over 3, 6, 12 and 24 rows: BBI of Chinese charting software."""

    __slots__ = ()
    name = "bbi"
    arguments = (X,)

    def expansion(self) -> Node:
        x = self.inputs[0]
        return (Mean(x, 3) + Mean(x, 6) + Mean(x, 12) + Mean(x, 24)) / 4


class Macd(Indicator):
    """Exponential mean over `fast` rows minus that over `slow` rows (Appel): DIF, or TA-Lib's MACD line."""

    __slots__ = ()
    name = "macd"
    arguments = (X, rows(12, "fast"), rows(26, "slow"))

    def expansion(self) -> Node:
        fast, slow = self.parameters
        in_order(self.name, fast=fast, slow=slow)
        return SeededExponentialMean(self.inputs[0], fast) - SeededExponentialMean(self.inputs[0], slow)


class MacdSignal(Indicator):
    """Exponential mean of `macd` over `signal` rows: DEA."""

    __slots__ = ()
    name = "macd_signal"
    arguments = (*Macd.arguments, rows(9, "signal"))

    def expansion(self) -> Node:
        fast, slow, signal = self.parameters
        return SeededExponentialMean(Macd(self.inputs[0], fast, slow), signal)


class MacdHistogram(Indicator):
    """2 (macd - macd_signal): the bars of Chinese charting software, twice those of TA-Lib."""

    __slots__ = ()
    name = "macd_hist"
    arguments = MacdSignal.arguments

    def expansion(self) -> Node:
        fast, slow, signal = self.parameters
        return 2 * (Macd(self.inputs[0], fast, slow) - MacdSignal(self.inputs[0], fast, slow, signal))


class PercentagePriceOscillator(Indicator):
    """`macd` in percent of the slow mean, so that it compares between symbols (TA-Lib's PPO of exponential means)."""

    __slots__ = ()
    name = "ppo"
    arguments = Macd.arguments

    def expansion(self) -> Node:
        fast, slow = self.parameters
        return 100 * Macd(self.inputs[0], fast, slow) / SeededExponentialMean(self.inputs[0], slow)
