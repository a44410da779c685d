"""Calls of our own functions: their arguments are checked here too, so that an error marks the one at fault."""

from __future__ import annotations

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import Argument, Parameter
from quantflux.expressions.nodes import Constant, Node
from quantflux.expressions.text.names import how_to_call, similar, takes_any_number
from quantflux.expressions.text.operands import Given, Operand, Source
from quantflux.expressions.text.tokens import Token

_BACK = "rows count back from the present; a negative number would look into the future"


def call(source: Source, name: Token, operator: type[Node], given: list[Given]) -> Node:
    """Return the node of a call.

    Raises
    ------
    ExpressionError
        If the arguments do not fit the operator.
    """
    expected: dict[str, Argument] = {a.name: a for a in operator.arguments}
    if takes_any_number(operator):
        expected = {}
    taken: set[str] = set()
    for place, argument in enumerate(given):
        called = _called(source, operator, argument, place, list(expected))
        if called in taken:
            raise source.error(f"{how_to_call(operator)}: {called} was given twice", argument.keyword or name)
        if called in expected:
            taken.add(called)
            _check(source, operator, expected[called], argument.value)
    positional = [g.value.node for g in given if g.keyword is None]
    named = {g.keyword.text: g.value.node for g in given if g.keyword is not None}
    try:
        return operator(*positional, **named)
    except InvalidRequest as exc:
        raise source.error(str(exc), name) from exc


def _called(source: Source, operator: type[Node], argument: Given, place: int, names: list[str]) -> str:
    word = argument.keyword
    if word is None:
        return names[place] if place < len(names) else ""
    if word.text not in names:
        problem = f"{how_to_call(operator)} has no argument called {word.text!r}"
        raise source.error(problem, word, similar(word.text, names))
    return word.text


def _check(source: Source, operator: type[Node], expected: Argument, operand: Operand) -> None:
    if not isinstance(expected, Parameter):
        return
    if not isinstance(operand.node, Constant):
        problem = f"{operator.name}: {expected.name} must be a plain number, not an expression"
        raise source.error(problem, operand)
    value = operand.node.value
    shown = int(value) if value.is_integer() and abs(value) < 1e15 else value
    try:
        expected.checked(operator.name, shown)
    except InvalidRequest as exc:
        back = value < 0 and expected.name in {"rows", "window"}
        raise source.error(str(exc), operand, _BACK if back else "") from exc
