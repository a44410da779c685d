"""Operators that look at the last rows of one symbol, the row itself included.

A window of `window` rows ends with the row itself. Missing values are skipped, and the result is missing unless the
window holds at least `least` numbers (the whole window, unless given). Rows before the data begin count as missing.

What adds numbers up takes those below 1e70 in magnitude and counts larger ones as missing, so that no fourth power
overflows. Extremes, ranks and quantiles take any number, but only those that could be added up count towards `least`
of an extreme.
"""

from __future__ import annotations

from typing import ClassVar

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import LEAST, WINDOW, Argument, Input, Parameter, Scalar
from quantflux.expressions.nodes import Constant, Family, Node

_X, _Y = Input("x"), Input("y")


class Windowed(Node):
    """An operator of this family."""

    __slots__ = ()
    family = Family.ROLLING
    arguments: ClassVar[tuple[Argument, ...]] = (_X, WINDOW, LEAST)
    fewest: ClassVar[int] = 1
    """Numbers that the statistic needs to exist at all."""

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse what makes no sense: numbers that never change, a window that is too short."""
        if all(isinstance(i, Constant) for i in inputs):
            raise InvalidRequest(f"{cls.name} needs something that changes over time, was given numbers only")
        if parameters[0] < cls.fewest:
            raise InvalidRequest(
                f"{cls.name} needs a window of at least {cls.fewest} rows, was {parameters[0]}"
            )
        return None

    @property
    def window(self) -> int:
        """Rows of the window."""
        return int(self.parameters[0])

    def own_lookback(self) -> int | None:
        return self.window - 1


class Delay(Node):
    """The value `rows` rows before. A future value cannot be asked for."""

    __slots__ = ()
    name = "delay"
    family = Family.ROLLING
    arguments = (_X, Parameter("rows", low=0))

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Delays of delays add up; a number has no past."""
        (x,), (rows,) = inputs, parameters
        if isinstance(x, Constant):
            raise InvalidRequest("delay needs something that changes over time, was given a number")
        if rows == 0:
            return x
        if isinstance(x, Delay):
            return Delay(x.inputs[0], x.parameters[0] + rows)
        return None

    def own_lookback(self) -> int | None:
        return int(self.parameters[0])


class Sum(Windowed):
    """Sum of the numbers in the window."""

    __slots__ = ()
    name = "ts_sum"


class Mean(Windowed):
    """Mean of the numbers in the window."""

    __slots__ = ()
    name = "ts_mean"


class Count(Windowed):
    """How many numbers the window holds; missing where it holds none."""

    __slots__ = ()
    name = "ts_count"
    arguments = (_X, WINDOW)


class Variance(Windowed):
    """Sample variance (ddof=1)."""

    __slots__ = ()
    name, fewest = "ts_var", 2


class StandardDeviation(Windowed):
    """Sample standard deviation (ddof=1)."""

    __slots__ = ()
    name, fewest = "ts_std", 2


class Skewness(Windowed):
    """Sample skewness, bias-corrected as in pandas; missing where the window does not vary."""

    __slots__ = ()
    name, fewest = "ts_skew", 3


class Kurtosis(Windowed):
    """Sample excess kurtosis, bias-corrected as in pandas; missing where the window does not vary."""

    __slots__ = ()
    name, fewest = "ts_kurt", 4


class MeanAbsoluteDeviation(Windowed):
    """Mean distance of the numbers from their mean."""

    __slots__ = ()
    name = "ts_mad"


class Product(Windowed):
    """Product of the numbers in the window."""

    __slots__ = ()
    name = "ts_product"


class Maximum(Windowed):
    """Largest number of the window."""

    __slots__ = ()
    name = "ts_max"


class Minimum(Windowed):
    """Smallest number of the window."""

    __slots__ = ()
    name = "ts_min"


class Extreme(Windowed):
    """Where an extreme stands, counted from the oldest row of the window, which is 1; the oldest of equals.

    With `gaps` = 1, a missing value counts as the extreme, the oldest of several, once the symbol has had a number:
    what NumPy's argmax does with NaN, and Qlib with it.
    """

    __slots__ = ()
    arguments: ClassVar[tuple[Argument, ...]] = (
        _X,
        WINDOW,
        LEAST,
        Parameter("gaps", low=0, high=1, default=0),
    )


class ArgMaximum(Extreme):
    """Which row of the window holds its largest number, the oldest row being 1; the oldest of equals.

    Until the symbol has traded for a whole window, the oldest row is its first one. With `gaps` = 1 a missing
    value, once the symbol has had a number, counts as the largest: the rule of NumPy's argmax and of Qlib.
    """

    __slots__ = ()
    name = "ts_argmax"


class ArgMinimum(Extreme):
    """Which row of the window holds its smallest number; otherwise as `ts_argmax`."""

    __slots__ = ()
    name = "ts_argmin"


class Rank(Windowed):
    """Rank of the newest number among the window's, from 1 / count to 1; equal ones share the mean of their ranks."""

    __slots__ = ()
    name = "ts_rank"


class Quantile(Windowed):
    """Quantile `q` of the window's numbers, by linear interpolation."""

    __slots__ = ()
    name = "ts_quantile"
    arguments = (_X, WINDOW, Parameter("q", whole=False, low=0, high=1), LEAST)


class Median(Windowed):
    """Median of the window's numbers."""

    __slots__ = ()
    name = "ts_median"


class Paired(Windowed):
    """Of two series; rows in which both are numbers count.

    `floor` is the standard deviation at or below which a series counts as constant; with 0 it is what rounding leaves.
    """

    __slots__ = ()
    fewest = 2
    arguments: ClassVar[tuple[Argument, ...]] = (
        _X,
        _Y,
        WINDOW,
        LEAST,
        Parameter("floor", whole=False, low=0, high=1e300, default=0),
    )


class Correlation(Paired):
    """Pearson's correlation; missing where either does not vary: its deviation is at or below `floor`, or rounding."""

    __slots__ = ()
    name = "ts_corr"

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Put the operands in one order."""
        super().simplified(inputs, parameters)
        swapped = (inputs[1], inputs[0])
        return cls.interned(swapped, parameters) if inputs[0].digest > inputs[1].digest else None


class Covariance(Paired):
    """Sample covariance (ddof=1)."""

    __slots__ = ()
    name = "ts_cov"
    arguments = (_X, _Y, WINDOW, LEAST)

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Put the operands in one order."""
        super().simplified(inputs, parameters)
        swapped = (inputs[1], inputs[0])
        return cls.interned(swapped, parameters) if inputs[0].digest > inputs[1].digest else None


class Beta(Paired):
    """Slope of x on y, with intercept: how x moves when y moves by 1. Missing where y does not vary."""

    __slots__ = ()
    name = "ts_beta"
    arguments = (_X, _Y, WINDOW, LEAST)


class BetaResidual(Paired):
    """What the regression of x on y leaves of the newest x. Missing where y does not vary."""

    __slots__ = ()
    name = "ts_beta_resid"
    arguments = (_X, _Y, WINDOW, LEAST)


class Trend(Windowed):
    """A regression of the window on time."""

    __slots__ = ()
    fewest = 2


class Slope(Trend):
    """Slope of the regression on time: the change a row."""

    __slots__ = ()
    name = "ts_slope"


class RSquare(Trend):
    """R squared of the regression on time; missing where the window does not vary by more than 2e-5."""

    __slots__ = ()
    name = "ts_rsquare"


class Residual(Trend):
    """What the regression on time leaves of the newest value."""

    __slots__ = ()
    name = "ts_resid"


class DecayLinear(Windowed):
    """Mean with weights falling linearly from `window` for the newest row to 1 for the oldest, over the numbers."""

    __slots__ = ()
    name = "decay_linear"
