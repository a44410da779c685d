"""What an operator takes: its inputs and its scalar parameters, and how a call is bound to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quantflux.core.errors import InvalidRequest

MAX_WINDOW = 5_000
"""Longest window or lag, in rows: twenty years of days, or a month of minutes."""

Scalar = int | float


@dataclass(frozen=True, slots=True)
class Input:
    """An operand that is itself an expression."""

    name: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that is fixed when the expression is built.

    Attributes
    ----------
    whole : bool
        Whether it must be a whole number.
    low, high : float
        The valid range, both inclusive.
    default : float, str or None
        Used when it is not given; text names an earlier parameter whose value it takes. None: it must be given.
    """

    name: str
    whole: bool = True
    low: float = 1
    high: float = MAX_WINDOW
    default: float | str | None = None

    def checked(self, operator: str, value: object) -> Scalar:
        """Return the value in canonical form: an int where it must be whole, else a float."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidRequest(f"{operator}: {self.name} must be a number, was {_shown(value)}")
        if self.whole and value != int(value):
            raise InvalidRequest(f"{operator}: {self.name} must be a whole number, was {value!r}")
        if not self.low <= value <= self.high:
            raise InvalidRequest(
                f"{operator}: {self.name} must be {self.low:g} to {self.high:g}, was {_shown(value)}"
            )
        return int(value) if self.whole else float(value) + 0.0  # -0.0 becomes 0.0


Argument = Input | Parameter

WINDOW = Parameter("window")
LEAST = Parameter("least", default="window")
"""How many numbers a window must hold; the whole window unless given."""


def signature(name: str, arguments: Sequence[Argument]) -> str:
    """Return how a call is written.

    Examples
    --------
    >>> signature("ts_mean", (Input("x"), WINDOW, LEAST))
    'ts_mean(x, window, least=window)'
    """
    shown = []
    for argument in arguments:
        default = argument.default if isinstance(argument, Parameter) else None
        if default is None:
            shown.append(argument.name)
        else:
            shown.append(f"{argument.name}={default if isinstance(default, str) else f'{default:g}'}")
    return f"{name}({', '.join(shown)})"


def bind(
    operator: str, arguments: Sequence[Argument], given: Sequence[object], named: Mapping[str, object]
) -> tuple[list[object], tuple[Scalar, ...]]:
    """Return the operands and the checked parameters of a call.

    Raises
    ------
    InvalidRequest
        If there are too many or too few, one has no such name or is given twice, or a parameter is out of range.
    """
    how = signature(operator, arguments)
    if len(given) > len(arguments):
        raise InvalidRequest(f"{how} takes {len(arguments)} arguments, was given {len(given)}")
    values = dict(zip((a.name for a in arguments), given, strict=False))
    known = {a.name for a in arguments}
    for name, value in named.items():
        if name not in known:
            raise InvalidRequest(f"{how} has no argument called {name!r}")
        if name in values:
            raise InvalidRequest(f"{how}: {name} was given twice")
        values[name] = value
    operands: list[object] = []
    numbers: dict[str, Scalar] = {}
    for argument in arguments:
        if isinstance(argument, Input):
            if argument.name not in values:
                raise InvalidRequest(f"{how}: {argument.name} is missing")
            operands.append(values[argument.name])
        else:
            numbers[argument.name] = _number(how, operator, argument, values, numbers)
    least, window = numbers.get("least"), numbers.get("window")
    if least is not None and window is not None and least > window:
        raise InvalidRequest(
            f"{operator}: least must not be more than the window of {window} rows, was {least}"
        )
    return operands, tuple(numbers.values())


def _number(
    how: str, operator: str, parameter: Parameter, values: Mapping[str, object], numbers: Mapping[str, Scalar]
) -> Scalar:
    if parameter.name in values:
        value = values[parameter.name]
        constant = getattr(value, "value", value)  # a number may arrive as the node that stands for it
        return parameter.checked(operator, constant)
    if parameter.default is None:
        raise InvalidRequest(f"{how}: {parameter.name} is missing")
    if isinstance(parameter.default, str):
        return max(numbers[parameter.default], int(parameter.low))
    return parameter.checked(operator, parameter.default)


def _shown(value: object) -> str:
    from_node = type(value).__name__ if hasattr(value, "inputs") else repr(value)
    return f"{from_node:.60}"


def is_operand(value: object) -> bool:
    """Whether a Python value may stand where an expression is wanted."""
    return hasattr(value, "inputs") or (isinstance(value, int | float) and not isinstance(value, bool))


def refuse_operand(operator: str, value: object) -> InvalidRequest:
    """Return the error for something that is neither an expression nor a number."""
    return InvalidRequest(f"{operator} takes expressions and numbers, was given {_shown(value)}")


__all__ = [
    "LEAST",
    "MAX_WINDOW",
    "WINDOW",
    "Argument",
    "Input",
    "Parameter",
    "Scalar",
    "bind",
    "is_operand",
    "refuse_operand",
    "signature",
]
