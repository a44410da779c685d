"""What risk factors are made of: exponentially weighted moments of returns, and standard exposures."""

from __future__ import annotations

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import Input, Parameter, Scalar
from quantflux.expressions.nodes import Constant, Node
from quantflux.expressions.operators.composite import Composite
from quantflux.expressions.operators.cross_section import RowStd, RowWeightedMean, RowWinsorizeMad
from quantflux.expressions.operators.elementwise import Larger, Mask, SquareRoot
from quantflux.expressions.operators.recursive import ExponentialMean

_X, _Y, _WEIGHT = Input("x"), Input("y"), Input("weight")
_SPAN, _LEAST = Parameter("span", low=2), Parameter("least", low=2, default=2)


class RiskPart(Composite):
    """An operator of this module."""

    __slots__ = ()

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse numbers."""
        if any(isinstance(i, Constant) for i in inputs):
            raise InvalidRequest(f"{cls.name} needs something that changes, was given a number")
        return None


class ExponentialDeviation(RiskPart):
    """Standard deviation with weights that fall exponentially over all rows so far, as `ema` with `adjust` = 1.

    Of what varies about zero, such as returns: it is the root of a difference of mean squares. Missing until there were
    `least` numbers.
    """

    __slots__ = ()
    name = "ewm_std"
    arguments = (_X, _SPAN, _LEAST)

    def expansion(self) -> Node:
        return SquareRoot(_covariance(self.inputs[0], self.inputs[0], self.parameters))


class ExponentialBeta(RiskPart):
    """Slope of x on y, with intercept and weights as in `ewm_std`, over the rows in which both are numbers."""

    __slots__ = ()
    name = "ewm_beta"
    arguments = (_X, _Y, _SPAN, _LEAST)

    def expansion(self) -> Node:
        x, y = _paired(*self.inputs)
        return _covariance(x, y, self.parameters) / _covariance(y, y, self.parameters)


class ExponentialResidualDeviation(RiskPart):
    """Standard deviation of what the regression of `ewm_beta` leaves of x."""

    __slots__ = ()
    name = "ewm_resid_std"
    arguments = (_X, _Y, _SPAN, _LEAST)

    def expansion(self) -> Node:
        x, y = _paired(*self.inputs)
        joint = _covariance(x, y, self.parameters)
        explained = joint * joint / _covariance(y, y, self.parameters)
        return SquareRoot(Larger(_covariance(x, x, self.parameters) - explained, 0))


class Standardize(RiskPart):
    """x, cut off at `k` robust deviations from the row's median, less its weighted mean, over its deviation.

    So the market, weighted by capitalisation, has exposure 0, and the symbols a sample standard deviation of 1. A
    symbol without a weight takes no part, such as one that is delisted.
    """

    __slots__ = ()
    name = "standardize"
    arguments = (_X, _WEIGHT, Parameter("k", whole=False, low=0, high=1000, default=5))

    def expansion(self) -> Node:
        x, weight = self.inputs
        cut = RowWinsorizeMad(Mask(x, weight), self.parameters[0])
        return (cut - RowWeightedMean(cut, weight)) / RowStd(cut)


def _paired(x: Node, y: Node) -> tuple[Node, Node]:
    return Mask(x, y), Mask(y, x)


def _covariance(x: Node, y: Node, parameters: tuple[Scalar, ...]) -> Node:
    """Return the weighted covariance, not below 0 where it is a variance."""
    span, least = parameters
    mean = ExponentialMean(x * y, span, 1, least)
    product = ExponentialMean(x, span, 1, least) * ExponentialMean(y, span, 1, least)
    return Larger(mean - product, 0) if x is y else mean - product
