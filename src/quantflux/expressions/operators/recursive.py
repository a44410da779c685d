"""Operators that carry something from row to row of one symbol, and so depend on all rows so far.

What adds numbers up takes those below 1e70 in magnitude and counts larger ones as missing.
"""

from __future__ import annotations

from typing import ClassVar

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import WINDOW, Argument, Input, Parameter, Scalar
from quantflux.expressions.nodes import Constant, Family, Node

_X = Input("x")


class Recursive(Node):
    """An operator of this family."""

    __slots__ = ()
    family = Family.RECURSIVE
    arguments: ClassVar[tuple[Argument, ...]] = (_X,)

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse numbers, which never change."""
        if any(isinstance(i, Constant) for i in inputs):
            raise InvalidRequest(f"{cls.name} needs something that changes over time, was given a number")
        return None

    def own_lookback(self) -> int | None:
        return None


class ExponentialMean(Recursive):
    """Exponentially weighted mean with a span of `span` rows (weight 2 / (span + 1) for the newest).

    With `adjust` = 0 the first number starts it (pandas' `ewm(adjust=False)`); with 1 the weights of a short past are
    scaled to add up to 1. A missing row lets the weights of older rows fall and carries the mean on. Missing until
    there were `least` numbers.
    """

    __slots__ = ()
    name = "ema"
    arguments = (
        _X,
        Parameter("span"),
        Parameter("adjust", low=0, high=1, default=0),
        Parameter("least", default=1),
    )


class SmoothedMean(Recursive):
    """(m * x + (n - m) * previous) / n, started by the first number: the SMA(X, N, M) of Chinese charting software.

    Missing rows are passed over, as charting software does, which shows traded days alone.
    """

    __slots__ = ()
    name = "sma"
    arguments = (_X, Parameter("n"), Parameter("m", default=1))

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse a weight above 1."""
        if parameters[1] > parameters[0]:
            raise InvalidRequest(f"sma: m must not be more than n, were {parameters[1]} and {parameters[0]}")
        return super().simplified(inputs, parameters)


class SeededMean(Recursive):
    """Exponential mean with weight 1 / `window`, started by the mean of the first `window` numbers.

    Wilder's smoothing, as RSI, ATR and DMI use it. Missing rows are passed over.
    """

    __slots__ = ()
    name = "wilder"
    arguments = (_X, WINDOW)


class SeededExponentialMean(Recursive):
    """Exponential mean with weight 2 / (window + 1), started by the mean of the first `window` numbers.

    The EMA of charting software and TA-Lib. Missing rows are passed over.
    """

    __slots__ = ()
    name = "seeded_ema"
    arguments = (_X, WINDOW)


class CumulativeSum(Recursive):
    """Sum of all numbers so far; missing where x is."""

    __slots__ = ()
    name = "cumsum"


class LastKnown(Recursive):
    """x, or its last number of at most `limit` rows ago where it is missing; 0 means any age."""

    __slots__ = ()
    name = "last_known"
    arguments = (_X, Parameter("limit", low=0, default=0))


class FillAfter(Recursive):
    """x, or `value` where x is missing although `since` has had a number before or now.

    So a name that was never listed stays missing, and one that does not trade gets the value.
    """

    __slots__ = ()
    name = "fill_after"
    arguments = (_X, Parameter("value", whole=False, low=-1e300, high=1e300), Input("since"))
