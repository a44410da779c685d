"""Qlib's spelling: its functions and its rules for gaps, built from our operators.

The definitions follow `qlib/data/ops.py` of pyqlib 0.9.7:

* Rolling functions use what numbers a window holds (`min_periods=1`), so ours get `least=1`.
* A comparison with a missing value is false (`!=`: true), from the first row on in which the leftmost field of the
  comparison had a value: before it, the symbol does not exist.
* `Rank` is a rank over time; `Greater` and `Less` are the larger and the smaller of two values; `Max` and `Min` look
  back over N rows.

Some things differ on purpose. Where Qlib has infinity (division by zero, the logarithm of zero) ours is missing, and
so are the skewness and kurtosis of a window that does not vary, which Qlib takes for 0 and -3. Qlib's `Corr` asks of
each series by itself whether it varies, ours of the rows in which both are known. And windows over all rows since the
beginning (N = 0), fractions as N outside `EMA`, and values from the future (N < 0) are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import MAX_WINDOW
from quantflux.expressions.nodes import OPERATORS, Constant, Field, Node, as_node
from quantflux.expressions.operators.elementwise import (
    And,
    Equal,
    Greater,
    GreaterEqual,
    Mask,
    Not,
    Or,
    Unequal,
    Where,
)
from quantflux.expressions.operators.recursive import ExponentialMean, FillAfter
from quantflux.expressions.operators.rolling import Correlation, Count, DecayLinear, Delay, Quantile, Sum
from quantflux.expressions.text.operands import Given, Operand, Source, leftmost
from quantflux.expressions.text.tokens import Token

CONSTANT_BELOW = 2e-5
"""The standard deviation at or below which Qlib's `Corr` takes a series for constant."""

MISSING = 1e300
"""Stands for a missing value where that must be larger than any number."""

_TRUTHS = (Greater, GreaterEqual, Equal, Unequal, And, Or, Not)


def truth(node: Node, since: Node | None) -> Node:
    """Return a comparison with Qlib's rule for gaps: false, or true for `!=`, wherever a value is missing."""
    if since is None or isinstance(node, Constant):
        return node
    return FillAfter(node, 1 if isinstance(node, Unequal) else 0, since)


@dataclass(frozen=True, slots=True)
class QlibFunction:
    """A function of Qlib.

    Attributes
    ----------
    arguments : tuple of str
        What it takes; "N" is a number of rows, "q" a share, anything else an expression.
    build : callable
        From the leftmost field and the arguments to the node.
    """

    arguments: tuple[str, ...]
    build: Callable[..., Node]


def _plain(operator: str, *arguments: str) -> QlibFunction:
    return QlibFunction(arguments, lambda since, *given: OPERATORS[operator](*given))


def _rolling(operator: str, **parameters: float) -> QlibFunction:
    return QlibFunction(("x", "N"), lambda since, x, n: OPERATORS[operator](x, n, least=1, **parameters))


def _comparison(operator: str, swapped: bool = False) -> QlibFunction:
    def build(since: Node | None, x: Node, y: Node) -> Node:
        return truth(OPERATORS[operator](*((y, x) if swapped else (x, y))), since)

    return QlibFunction(("x", "y"), build)


def _extreme(operator: str, missing: float) -> QlibFunction:
    # NumPy takes the first missing value for the extreme. `gaps` does so from the first number of x on, which is right
    # for a field; anything else may begin later than the symbol, as Ref does, and then its gaps are made extreme.
    def build(since: Node | None, x: Node, n: int) -> Node:
        if since is None or isinstance(x, Field):
            return OPERATORS[operator](x, n, least=1, gaps=1)
        return Mask(OPERATORS[operator](FillAfter(x, missing, since), n, least=1), Count(x, n))

    return QlibFunction(("x", "N"), build)


def _count(since: Node | None, x: Node, n: int) -> Node:
    # Qlib counts 0 in a window without numbers, where ours is missing.
    counted = Count(x, n)
    return counted if since is None else FillAfter(counted, 0, since)


def _weighted(since: Node | None, x: Node, n: int) -> Node:
    # Qlib: nanmean(w * x), w = 1 .. rows over their sum; that is, sum(i * x) / (rows * (rows + 1) / 2) / numbers.
    # A window at the beginning has fewer rows, and its weights begin at 1. Ours begin at n - rows + 1 there, so the
    # surplus, n - rows for each, is taken off the weighted sum; with gaps as zeros, its weights add up to `weights`.
    known = x if since is None else FillAfter(x, 0, since)
    rows = Count(known, n)
    weights = n * rows - rows * (rows - 1) / 2
    total = DecayLinear(known, n, least=1) * weights - (n - rows) * Sum(known, n, least=1)
    return total / (rows * (rows + 1) / 2) / Count(x, n)


def _choice(since: Node | None, condition: Node, x: Node, y: Node) -> Node:
    # NumPy takes a missing condition for true; comparisons are never missing.
    inner = condition.inputs[0] if isinstance(condition, FillAfter) else condition
    if since is not None and not isinstance(inner, (*_TRUTHS, Constant)):
        condition = FillAfter(condition, 1, since)
    return Where(condition, x, y)


FUNCTIONS = MappingProxyType(
    {
        "Ref": QlibFunction(("x", "N"), lambda since, x, n: Delay(x, n)),
        "Delta": QlibFunction(("x", "N"), lambda since, x, n: OPERATORS["delta"](x, n)),
        "Mean": _rolling("ts_mean"),
        "Sum": _rolling("ts_sum"),
        "Std": _rolling("ts_std"),
        "Var": _rolling("ts_var"),
        "Skew": _rolling("ts_skew"),
        "Kurt": _rolling("ts_kurt"),
        "Max": _rolling("ts_max"),
        "Min": _rolling("ts_min"),
        "IdxMax": _extreme("ts_argmax", MISSING),
        "IdxMin": _extreme("ts_argmin", -MISSING),
        "Med": _rolling("ts_median"),
        "Mad": _rolling("ts_mad"),
        "Rank": _rolling("ts_rank"),
        "Slope": _rolling("ts_slope"),
        "Rsquare": _rolling("ts_rsquare"),
        "Resi": _rolling("ts_resid"),
        "Count": QlibFunction(("x", "N"), _count),
        "WMA": QlibFunction(("x", "N"), _weighted),
        "EMA": QlibFunction(("x", "span"), lambda since, x, n: ExponentialMean(x, n, adjust=1)),
        "Quantile": QlibFunction(("x", "N", "q"), lambda since, x, n, q: Quantile(x, n, q, least=1)),
        "Corr": QlibFunction(
            ("x", "y", "N"), lambda since, x, y, n: Correlation(x, y, n, least=1, floor=CONSTANT_BELOW)
        ),
        "Cov": QlibFunction(("x", "y", "N"), lambda since, x, y, n: OPERATORS["ts_cov"](x, y, n, least=1)),
        "Abs": _plain("abs", "x"),
        "Sign": _plain("sign", "x"),
        "Log": _plain("log", "x"),
        "Not": _plain("not_", "x"),
        "Power": _plain("power", "x", "y"),
        "Add": _plain("add", "x", "y"),
        "Sub": _plain("sub", "x", "y"),
        "Mul": _plain("mul", "x", "y"),
        "Div": _plain("div", "x", "y"),
        "Greater": _plain("max", "x", "y"),
        "Less": _plain("min", "x", "y"),
        "And": _plain("and_", "x", "y"),
        "Or": _plain("or_", "x", "y"),
        "Gt": _comparison("gt"),
        "Ge": _comparison("ge"),
        "Lt": _comparison("gt", swapped=True),
        "Le": _comparison("ge", swapped=True),
        "Eq": _comparison("eq"),
        "Ne": _comparison("ne"),
        "If": QlibFunction(("condition", "x", "y"), _choice),
    }
)
"""Qlib's functions by name."""

UNSUPPORTED = MappingProxyType(
    {
        "Mask": "Mask reads another instrument; put its series into a field of its own",
        "ChangeInstrument": "ChangeInstrument reads another instrument; put its series into a field of its own",
        "TResample": "TResample changes the frequency; put the resampled series into a field of its own",
        "P": "point-in-time data are fields here, already as known on each day",
        "PRef": "point-in-time data are fields here, already as known on each day",
        "Feature": "a field is written $close",
        "PFeature": "a field is written $close",
        "Rolling": "Rolling is the base of Qlib's functions; name one, as in Mean($close, 20)",
    }
)
"""Functions of Qlib that have no counterpart, and what to do instead."""


def call(source: Source, name: Token, given: list[Given]) -> Node:
    """Return the node that a call in Qlib's spelling stands for.

    Raises
    ------
    ExpressionError
        If the function has no counterpart or the arguments do not fit.
    """
    if name.text in UNSUPPORTED:
        raise source.error(f"Qlib's {name.text} is not supported", name, UNSUPPORTED[name.text])
    function = FUNCTIONS[name.text]
    how = f"{name.text}({', '.join(function.arguments)})"
    named = next((g.keyword for g in given if g.keyword is not None), None)
    if named is not None:
        raise source.error(f"{how} takes its arguments by position, {named.text!r} was given by name", named)
    if len(given) != len(function.arguments):
        raise source.error(f"{how} takes {len(function.arguments)} arguments, was given {len(given)}", name)
    operands = [g.value for g in given]
    values = [_argument(source, name.text, *pair) for pair in zip(function.arguments, operands, strict=True)]
    try:
        return as_node(function.build(leftmost(operands), *values))
    except InvalidRequest as exc:
        raise source.error(str(exc), name) from exc


def _argument(source: Source, function: str, argument: str, operand: Operand) -> Node | float:
    if argument not in {"N", "span", "q"}:
        return operand.node
    if not isinstance(operand.node, Constant):
        raise source.error(f"{function}: {argument} must be a plain number, not an expression", operand)
    value = operand.node.value
    if argument == "q":
        return value
    if argument == "span" and 0 < value < 1:
        return _span_of(source, operand, value)
    problem = _refused_rows(function, value)
    if problem:
        raise source.error(problem, operand)
    return int(value)


def _refused_rows(function: str, value: float) -> str:
    if value < 0:
        return f"{function} with {value:g} rows would look into the future; rows count back from the present"
    if value == 0 and function == "Ref":
        return "Ref(x, 0) is the first value there is, which depends on where the data begin; today's value is x itself"
    if value == 0:
        return f"{function} with 0 rows depends on where the data begin; give 1 to {MAX_WINDOW:,} rows"
    if 0 < value < 1:
        return f"Qlib takes a fraction for an exponential mean even in {function}; write EMA(x, {2 / value - 1:.0f})"
    if value != int(value) or value > MAX_WINDOW:
        return f"{function}: N must be a whole number from 1 to {MAX_WINDOW:,}, was {value:g}"
    return ""


def _span_of(source: Source, operand: Operand, alpha: float) -> int:
    span = 2 / alpha - 1
    if abs(span - round(span)) > 1e-9 * span or span > MAX_WINDOW:
        raise source.error(
            f"EMA with alpha = {alpha:g} has a span of 2 / alpha - 1 = {span:g}, which must be a whole number "
            f"up to {MAX_WINDOW:,}",
            operand,
        )
    return round(span)
