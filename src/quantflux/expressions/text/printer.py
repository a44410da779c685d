"""Expressions to text: the shortest spelling that reads back as the same node.

Brackets stand only where reading needs them, a parameter only where it differs from its default, and by name if it has
one. The operands of `+`, `*` and their like, which nodes keep in an order of their own, are written numbers last.
"""

from __future__ import annotations

from dataclasses import dataclass

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import Input, Scalar
from quantflux.expressions.nodes import Constant, Field, Node, topological
from quantflux.expressions.operators.elementwise import Elementwise
from quantflux.expressions.text import limits
from quantflux.expressions.text.grammar import INFIX, Binds
from quantflux.expressions.text.layout import laid_out
from quantflux.expressions.text.names import takes_any_number

_INFIX = {"power": "**", "and_": "&", "or_": "|", "add": "+", "sub": "-", "mul": "*", "div": "/"}
_INFIX |= {"gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_PREFIX = {"neg": "-", "not_": "!"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """The text of a node, how tightly its outermost operator binds, and how deeply it nests as the parser counts."""

    text: str
    binds: Binds = Binds.OPERAND
    nesting: int = 0

    def in_brackets(self) -> _Piece:
        return _Piece(f"({self.text})", Binds.OPERAND, self.nesting + 1)

    def at_least(self, binds: Binds) -> _Piece:
        return self if self.binds >= binds else self.in_brackets()


def to_text(node: Node, *, width: int | None = None) -> str:
    """Return the text of an expression, which `parse` reads back as the same node.

    Parameters
    ----------
    node : Node
    width : int, optional
        Break the text into lines of about so many characters where it is longer. On one line if it is not given, or
        if the indents would make the text too long to be read.

    Returns
    -------
    str

    Raises
    ------
    InvalidRequest
        If the text would be longer or deeper than `parse` accepts. What an expression shares is written out each
        time, so a small expression can have a long text: name its parts.

    Examples
    --------
    >>> from quantflux.expressions import Field, functions as fn
    >>> close = Field("close")
    >>> to_text(1 - close / fn.ts_mean(close, 20, least=15))
    '1 - close / ts_mean(close, 20, least=15)'
    """
    pieces: dict[Node, _Piece] = {}
    for part in topological([node]):
        piece = _piece(part, [pieces[i] for i in part.inputs])
        if len(piece.text) > limits.MAX_LENGTH:
            raise InvalidRequest(
                f"the text of this expression is longer than {limits.MAX_LENGTH:,} characters, because what it shares "
                "is written out each time; name its parts and write those"
            )
        if piece.nesting > limits.MAX_NESTING:
            raise InvalidRequest(
                f"the text of this expression is nested more than {limits.MAX_NESTING} deep; name its parts and write "
                "those"
            )
        pieces[part] = piece
    text = pieces[node].text
    if width is None or len(text) <= width:
        return text
    lines = laid_out(text, width)
    return lines if len(lines) <= limits.MAX_LENGTH else text


def _piece(node: Node, inputs: list[_Piece]) -> _Piece:
    if isinstance(node, Field):
        return _Piece(node.field)
    if isinstance(node, Constant):
        text = _number(node.value)
        return _Piece(text, Binds.SIGN, 1) if text.startswith("-") else _Piece(text)
    if node.name in _PREFIX:
        inner = inputs[0].at_least(Binds.SIGN)
        return _Piece(_PREFIX[node.name] + inner.text, Binds.SIGN, inner.nesting + 1)
    if isinstance(node, Elementwise) and node.commutes:
        inputs = _readable(node, inputs)
    return _infix(_INFIX[node.name], inputs) if node.name in _INFIX else _call(node, inputs)


def _infix(symbol: str, inputs: list[_Piece]) -> _Piece:
    left, right = inputs
    rule = INFIX[symbol]
    if rule.binds is Binds.COMPARISON:
        left, right = (p.in_brackets() if p.binds in _UNCLEAR else p.at_least(Binds.SUM) for p in inputs)
        if left.text.startswith("!") and left.binds is Binds.SIGN:
            left = left.in_brackets()
    elif rule.binds is Binds.POWER:
        # A sign may stand in an exponent, and a power there needs no brackets, but both wait while they are read.
        left, right = left.at_least(Binds.OPERAND), right.at_least(Binds.SIGN)
        return _Piece(f"{left.text} {symbol} {right.text}", rule.binds, max(left.nesting, right.nesting + 1))
    else:
        left, right = left.at_least(rule.binds), right.at_least(Binds(rule.binds + 1))
    return _Piece(f"{left.text} {symbol} {right.text}", rule.binds, max(left.nesting, right.nesting))


_UNCLEAR = {Binds.BIT_AND, Binds.BIT_OR}


def _readable(node: Node, inputs: list[_Piece]) -> list[_Piece]:
    # Numbers last; otherwise what needs brackets on the right goes to the left.
    number_first = isinstance(node.inputs[0], Constant)
    number_last = isinstance(node.inputs[1], Constant)
    binds = INFIX[_INFIX[node.name]].binds if node.name in _INFIX else Binds.OPERAND
    chain_last = inputs[1].binds is binds and inputs[0].binds > binds
    return [inputs[1], inputs[0]] if number_first or (chain_last and not number_last) else inputs


def _call(node: Node, inputs: list[_Piece]) -> _Piece:
    unnamed = takes_any_number(type(node))
    given = [piece.text for piece in inputs] if unnamed else _arguments(node, inputs)
    nesting = 1 + max((piece.nesting for piece in inputs), default=0)
    return _Piece(f"{node.name}({', '.join(given)})", Binds.OPERAND, nesting)


def _arguments(node: Node, inputs: list[_Piece]) -> list[str]:
    # What must be given comes first in every operator, so it is written by position and the rest by name.
    operands, numbers = iter(inputs), iter(node.parameters)
    values: dict[str, Scalar] = {}
    shown: list[str] = []
    for argument in node.arguments:
        if isinstance(argument, Input):
            shown.append(next(operands).text)
            continue
        value = values[argument.name] = next(numbers)
        default = argument.default
        if default is None:
            shown.append(_number(value))
        elif value != (max(values[default], argument.low) if isinstance(default, str) else default):
            shown.append(f"{argument.name}={_number(value)}")
    return shown


def _number(value: Scalar) -> str:
    text = repr(value)
    return text.removesuffix(".0")
