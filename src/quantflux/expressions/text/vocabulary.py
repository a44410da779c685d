"""What names and calls mean: fields, named expressions, our functions and Qlib's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from quantflux.core.errors import ExpressionError, InvalidRequest, QuantfluxError
from quantflux.expressions.nodes import OPERATORS, Field, Node, walk
from quantflux.expressions.text import calls, qlib
from quantflux.expressions.text.grammar import Binds, Rule
from quantflux.expressions.text.names import function, function_names, how_to_call, similar
from quantflux.expressions.text.operands import Given, Operand, Source, leftmost
from quantflux.expressions.text.tokens import Kind, Token

Names = Mapping[str, Node] | Callable[[str], Node | None]
"""Named expressions: by name, or a function that returns None for a name it does not know."""

_PYTHON = {
    "if": "a choice is written c ? a : b or where(c, a, b)",
    "else": "a choice is written c ? a : b or where(c, a, b)",
    "lambda": "there are no definitions in an expression",
    "import": "there are no statements in an expression",
    "for": "there are no loops in an expression; functions work on whole series",
    "in": "there are no lists; compare with each value and join by or",
    "is": "equality is written ==",
}


def python_hint(word: str) -> str:
    """Return what to write instead of a word of Python's."""
    return _PYTHON.get(word, "")


class Vocabulary:
    """The meaning of the names of one text.

    Parameters
    ----------
    source : Source
    qlib_spelling : bool
        Whether Qlib's functions are known and its rule for comparisons holds.
    names : mapping, callable or None
        See `Names`.
    fields : collection of str or None
        The fields there are; None: any.
    """

    def __init__(
        self, source: Source, qlib_spelling: bool, names: Names | None, fields: Collection[str] | None
    ) -> None:
        self._source = source
        self._qlib = qlib_spelling
        self._names = names
        self._fields = None if fields is None else frozenset(fields)

    def operand(self, token: Token) -> Operand:
        """Return what a name or a `$name` stands for."""
        if token.kind is Kind.FIELD:
            node: Node = self._field(token, token.text[1:])
            return Operand(node, token.start, token.stop, node)
        named = self._named(token)
        if named is None:
            node = self._field(token, token.text)
            return Operand(node, token.start, token.stop, node)
        if self._fields is not None and token.text in self._fields:
            raise self._source.error(
                f"{token.text!r} is both a field and a named expression", token, "one of them must be renamed"
            )
        since = next((node for node in walk(named) if isinstance(node, Field)), None)
        return Operand(named, token.start, token.stop, since)

    def _named(self, token: Token) -> Node | None:
        if self._names is None:
            return None
        try:
            named = (
                self._names.get(token.text) if isinstance(self._names, Mapping) else self._names(token.text)
            )
        except QuantfluxError as exc:
            raise self._source.error(f"{token.text}: {exc}", token) from exc
        if named is not None and not isinstance(named, Node):
            raise InvalidRequest(
                f"names must map to expressions, {token.text!r} was a {type(named).__name__}"
            )
        return named

    def _field(self, token: Token, field: str) -> Field:
        if self._fields is None or field in self._fields:
            try:
                return Field(field)
            except InvalidRequest as exc:
                raise self._source.error(str(exc), token) from exc
        called = function(field)
        if called is not None and token.kind is Kind.NAME:
            hint = f"it is called as {how_to_call(called)}"
            raise self._source.error(f"{field} is a function", token, hint)
        if called is not None:
            hint = f"functions are written without '$': {field}(...)"
            raise self._source.error(f"unknown field {field!r}", token, hint)
        known: Iterable[str] = self._fields
        if token.kind is Kind.NAME and isinstance(self._names, Mapping):
            known = [*known, *self._names]
        hint = python_hint(field) or similar(field, known) or _listed(self._fields)
        raise self._source.error(f"unknown field {field!r}", token, hint)

    def call(self, name: Token, given: list[Given]) -> Operand:
        """Return what a call stands for."""
        if self._qlib and (name.text in qlib.FUNCTIONS or name.text in qlib.UNSUPPORTED):
            node = qlib.call(self._source, name, given)
        else:
            operator = function(name.text)
            if operator is None:
                raise self._unknown_function(name)
            node = calls.call(self._source, name, operator, given)
        return Operand(node, name.start, name.stop, leftmost([g.value for g in given]))

    def _unknown_function(self, name: Token) -> ExpressionError:
        if name.text in qlib.FUNCTIONS or name.text in qlib.UNSUPPORTED:
            hint = "it is Qlib's; write fields as $close to have the text read in Qlib's spelling"
        elif self._fields is not None and name.text in self._fields:
            hint = f"it is a field, whose value n rows ago is delay({name.text}, n)"
        else:
            known = [*function_names(), *(qlib.FUNCTIONS if self._qlib else ())]
            hint = python_hint(name.text) or similar(name.text, known)
        return self._source.error(f"unknown function {name.text!r}", name, hint)

    def apply(self, rule: Rule, symbol: Token, operands: list[Operand]) -> Node:
        """Return what an operator makes of its operands."""
        if not rule.operator:
            return operands[0].node
        nodes = [o.node for o in operands]
        try:
            node = OPERATORS[rule.operator](*(reversed(nodes) if rule.swapped else nodes))
        except InvalidRequest as exc:
            raise self._source.error(str(exc), symbol) from exc
        return qlib.truth(node, leftmost(operands)) if self._qlib and rule.binds is Binds.COMPARISON else node


def _listed(fields: Collection[str], most: int = 8) -> str:
    if not fields:
        return "there are no fields"
    return f"the fields are {', '.join(sorted(fields)[:most])}{' ...' if len(fields) > most else ''}"
