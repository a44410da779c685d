"""Operators that look at one symbol in one row: arithmetic, comparison, logic.

One rule for gaps: a result is missing (NaN) where any operand is missing. And one for what is not a number: division
by zero, the logarithm of what is not positive, or an overflow is missing too, so nothing infinite ever enters a
window. Truth is 1, falsehood 0; any number but 0 counts as true.
"""

from __future__ import annotations

import math
from typing import ClassVar

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import Argument, Input, Parameter, Scalar
from quantflux.expressions.nodes import Constant, Family, Node

_X, _Y = Input("x"), Input("y")


class Elementwise(Node):
    """An operator of this family. With numbers alone as operands it is computed at once."""

    __slots__ = ()
    family = Family.ELEMENTWISE
    arguments: ClassVar[tuple[Argument, ...]] = (_X,)
    commutes: ClassVar[bool] = False

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Compute with numbers; put the operands of a commutative operator in one order."""
        if all(isinstance(i, Constant) for i in inputs):
            return Constant(cls._folded([i.value for i in inputs if isinstance(i, Constant)], parameters))
        if cls.commutes and inputs[0].digest > inputs[1].digest:
            return cls.interned((inputs[1], inputs[0]), parameters)
        return None

    @classmethod
    def _folded(cls, values: list[float], parameters: tuple[Scalar, ...]) -> float:
        try:
            result = cls.of_numbers(*values, *parameters)
        except (ValueError, OverflowError, ZeroDivisionError):
            result = math.nan
        if isinstance(result, complex) or not math.isfinite(result):
            shown = ", ".join(f"{v:g}" for v in (*values, *parameters))
            raise InvalidRequest(f"{cls.name} of {shown} is not a finite number")
        return float(result)

    @staticmethod
    def of_numbers(*values: float) -> float:
        """Return the result for plain numbers."""
        raise NotImplementedError


class Binary(Elementwise):
    """Two operands."""

    __slots__ = ()
    arguments: ClassVar[tuple[Argument, ...]] = (_X, _Y)


class Add(Binary):
    """x + y."""

    __slots__ = ()
    name, commutes = "add", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return values[0] + values[1]


class Subtract(Binary):
    """x - y."""

    __slots__ = ()
    name = "sub"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return values[0] - values[1]


class Multiply(Binary):
    """x * y."""

    __slots__ = ()
    name, commutes = "mul", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return values[0] * values[1]


class Divide(Binary):
    """x / y; missing where y is zero."""

    __slots__ = ()
    name = "div"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return values[0] / values[1]


class Power(Binary):
    """x to the power of y; missing where that is no real number."""

    __slots__ = ()
    name = "power"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(math.pow(*values))


class SignedPower(Binary):
    """sign(x) * |x| ** y."""

    __slots__ = ()
    name = "signed_power"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return math.copysign(math.pow(abs(values[0]), values[1]), values[0]) if values[0] else 0.0


class Larger(Binary):
    """The larger of x and y; missing where either is."""

    __slots__ = ()
    name, commutes = "max", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return max(values)


class Smaller(Binary):
    """The smaller of x and y; missing where either is."""

    __slots__ = ()
    name, commutes = "min", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return min(values)


class Greater(Binary):
    """1 where x > y, else 0."""

    __slots__ = ()
    name = "gt"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(values[0] > values[1])


class GreaterEqual(Binary):
    """1 where x >= y, else 0."""

    __slots__ = ()
    name = "ge"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(values[0] >= values[1])


class Equal(Binary):
    """1 where x equals y to the last bit, else 0."""

    __slots__ = ()
    name, commutes = "eq", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(values[0] == values[1])


class Unequal(Binary):
    """1 where x differs from y, else 0."""

    __slots__ = ()
    name, commutes = "ne", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(values[0] != values[1])


class And(Binary):
    """1 where both are true, else 0."""

    __slots__ = ()
    name, commutes = "and_", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(values[0] != 0 and values[1] != 0)


class Or(Binary):
    """1 where at least one is true, else 0."""

    __slots__ = ()
    name, commutes = "or_", True

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(values[0] != 0 or values[1] != 0)


class Not(Elementwise):
    """1 where x is 0, else 0."""

    __slots__ = ()
    name = "not_"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(values[0] == 0)


class Negative(Elementwise):
    """-x."""

    __slots__ = ()
    name = "neg"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return -values[0]


class Absolute(Elementwise):
    """|x|."""

    __slots__ = ()
    name = "abs"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return abs(values[0])


class Sign(Elementwise):
    """1, 0 or -1."""

    __slots__ = ()
    name = "sign"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float((values[0] > 0) - (values[0] < 0))


class Log(Elementwise):
    """Natural logarithm; missing where x is not positive."""

    __slots__ = ()
    name = "log"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return math.log(values[0])


class Exp(Elementwise):
    """e to the power of x; missing where it overflows."""

    __slots__ = ()
    name = "exp"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return math.exp(values[0])


class SquareRoot(Elementwise):
    """Square root; missing where x is negative."""

    __slots__ = ()
    name = "sqrt"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return math.sqrt(values[0])


class Tanh(Elementwise):
    """Hyperbolic tangent: squeezes x into -1 .. 1."""

    __slots__ = ()
    name = "tanh"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return math.tanh(values[0])


class Floor(Elementwise):
    """The largest whole number that is not above x."""

    __slots__ = ()
    name = "floor"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return float(math.floor(values[0]))


class Clip(Elementwise):
    """x, but not below `low` nor above `high`."""

    __slots__ = ()
    name = "clip"
    arguments = (
        _X,
        Parameter("low", whole=False, low=-1e300, high=1e300),
        Parameter("high", whole=False, low=-1e300, high=1e300),
    )

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse bounds that leave nothing."""
        if parameters[0] > parameters[1]:
            raise InvalidRequest(
                f"clip: low must not be above high, were {parameters[0]} and {parameters[1]}"
            )
        return super().simplified(inputs, parameters)

    @staticmethod
    def of_numbers(*values: float) -> float:
        return min(max(values[0], values[1]), values[2])


class Where(Elementwise):
    """`x` where the condition is true, `y` where it is false; missing where the condition or the one chosen is."""

    __slots__ = ()
    name = "where"
    arguments = (Input("condition"), _X, _Y)

    @staticmethod
    def of_numbers(*values: float) -> float:
        return values[1] if values[0] != 0 else values[2]


class Mask(Binary):
    """x where y is known, else missing."""

    __slots__ = ()
    name = "mask"

    @staticmethod
    def of_numbers(*values: float) -> float:
        return values[0]
