"""Text to expression, with two stacks instead of recursion, so that no text can exhaust the interpreter's.

1. Tokens are read from left to right; the parser expects an operand or something that follows one.
2. Operands go on one stack. Operators and open brackets that still lack an operand wait on the other.
3. Before an operator waits, those waiting that bind tighter take their operands (`_settle`); a comma, a closing
   bracket or the end settles all up to the open bracket.
4. Nodes are built as soon as an operator or call has its operands. What a node refuses is shown at its place.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from quantflux.core.errors import ExpressionError, InvalidRequest
from quantflux.expressions.nodes import OPERATOR_WORDS, Constant, Node
from quantflux.expressions.text import limits
from quantflux.expressions.text.grammar import (
    CHOICE,
    INFIX,
    PREFIX,
    Binds,
    Rule,
)
from quantflux.expressions.text.names import function, similar
from quantflux.expressions.text.operands import Given, Operand, Source
from quantflux.expressions.text.tokens import Kind, Token, tokenize
from quantflux.expressions.text.vocabulary import Names, Vocabulary, python_hint

Dialect = Literal["auto", "native", "qlib"]
"""Whose spelling a text is in; `auto` takes a text with a `$` for Qlib's."""


def parse(
    text: str, *, dialect: Dialect = "auto", names: Names | None = None, fields: Collection[str] | None = None
) -> Node:
    """Return the expression that a text stands for. See `quantflux.expressions.text` for the language.

    Parameters
    ----------
    text : str
        At most 4,096 characters of plain ASCII.
    dialect : "auto", "native" or "qlib"
        In Qlib's spelling, which `auto` assumes when there is a `$`, fields may be written `$close`, Qlib's functions
        (`Mean`, `Ref`, ...) are known, and a comparison with a missing value is false. Our own functions keep
        their names and meanings.
    names : mapping or callable, optional
        Named expressions that the text may use, from names to nodes; a callable returns None for an unknown name.
    fields : collection of str, optional
        The fields that there are. Any name is taken for a field if it is not given.

    Returns
    -------
    Node

    Raises
    ------
    ExpressionError
        If the text is not an expression; the message shows where and what would be right.

    Examples
    --------
    >>> from quantflux.expressions import Field
    >>> parse("close / delay(close, 1) - 1") is Field("close") / parse("delay(close, 1)") - 1
    True
    >>> parse("Mean($close, 20)") is parse("ts_mean(close, 20, least=1)")
    True
    >>> parse("ts_men(close, 20)")
    Traceback (most recent call last):
        ...
    quantflux.core.errors.ExpressionError: unknown function 'ts_men' (column 1); did you mean ts_mean?
      ts_men(close, 20)
      ^~~~~~
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"the text of an expression is a str, was {type(text).__name__}")
    if dialect not in {"auto", "native", "qlib"}:
        raise InvalidRequest(f"dialect must be 'auto', 'native' or 'qlib', was {dialect!r}")
    if len(text) > limits.MAX_LENGTH:
        raise ExpressionError(
            f"a text of {len(text):,} characters; an expression has up to {limits.MAX_LENGTH:,}",
            text,
            limits.MAX_LENGTH,
        )
    source = Source(text)
    tokens = tokenize(text)
    dollar = next((t for t in tokens if t.kind is Kind.FIELD), None)
    if dialect == "native" and dollar is not None:
        raise source.error(
            "a field is written without '$'", dollar, f"write {dollar.text[1:]}, or choose Qlib's dialect"
        )
    spelling = dialect == "qlib" or dollar is not None
    return _Parser(source, tokens, Vocabulary(source, spelling, names, fields)).expression()


_DOUBLED = {
    "//": "a whole quotient is floor(x / y)",
    "<>": "unequal is written !=",
    "===": "equality is written ==",
    "!==": "unequal is written !=",
}
"""What two symbols without an operand between them were meant to be."""


@dataclass(slots=True)
class _Bracket:
    """An open bracket; with a name it opens the arguments of a call."""

    token: Token
    name: Token | None = None
    given: list[Given] = field(default_factory=list)
    keyword: Token | None = None


@dataclass(slots=True)
class _Waiting:
    """An operator that lacks its right operand."""

    token: Token
    rule: Rule
    open: bool = False
    """Whether it is a `?` whose `:` has not come."""


class _Parser:
    def __init__(self, source: Source, tokens: list[Token], vocabulary: Vocabulary) -> None:
        self._source = source
        self._tokens = tokens
        self._vocabulary = vocabulary
        self._operands: list[Operand] = []
        self._waiting: list[_Waiting | _Bracket] = []
        self._nesting = 0
        self._at = 0

    def expression(self) -> Node:
        wants_operand = True
        while True:
            token = self._tokens[self._at]
            if not wants_operand and token.kind is Kind.END:
                return self._finished()
            self._at += 1
            wants_operand = self._operand(token) if wants_operand else self._continuation(token)

    def _finished(self) -> Node:
        bracket = self._settle_all()
        if bracket is not None:
            raise self._source.error("this bracket is never closed", bracket.token, "')' is missing")
        root = self._operands.pop()
        try:
            limits.check_size(root.node)
        except InvalidRequest as exc:
            raise self._source.error(str(exc), root) from exc
        return root.node

    # What begins an operand. Both return whether an operand is wanted next.

    def _operand(self, token: Token) -> bool:
        following = self._tokens[min(self._at, len(self._tokens) - 1)]
        if token.kind is Kind.NUMBER:
            self._operands.append(Operand(Constant(float(token.text)), token.start, token.stop))
            return False
        if token.text in PREFIX:
            self._push_prefix(token)
            return True
        if token.kind in {Kind.NAME, Kind.FIELD} and token.text not in OPERATOR_WORDS:
            return self._name(token, following)
        if token.text == "(":
            self._push(_Bracket(token))
            return True
        top = self._waiting[-1] if self._waiting else None
        if token.text == ")" and isinstance(top, _Bracket) and top.name and not top.given and not top.keyword:
            return self._shut(top, token)
        raise self._missing_operand(token)

    def _name(self, token: Token, following: Token) -> bool:
        if following.text == "(" and token.kind is Kind.NAME:
            self._at += 1
            self._push(_Bracket(following, token))
            return True
        top = self._waiting[-1] if self._waiting else None
        if following.text == "=" and isinstance(top, _Bracket) and top.name is not None:
            if top.keyword is not None:
                raise self._source.error("an argument has one name", token)
            self._at += 1
            top.keyword = token
            return True
        if (
            following.kind in {Kind.NAME, Kind.FIELD}
            and following.text not in OPERATOR_WORDS
            and python_hint(token.text)
        ):
            raise self._source.error(f"{token.text!r} has no meaning here", token, python_hint(token.text))
        self._operands.append(self._vocabulary.operand(token))
        return False

    def _push_prefix(self, token: Token) -> None:
        rule = PREFIX[token.text]
        top = self._waiting[-1] if self._waiting else None
        if (
            isinstance(top, _Waiting)
            and not top.open
            and rule.binds < top.rule.binds
            and rule.binds is Binds.NOT
        ):
            raise self._source.error(
                f"{token.text!r} after {top.token.text!r} needs brackets",
                token,
                f"write {top.token.text} (not ...)",
            )
        self._push(_Waiting(token, rule))

    def _push(self, entry: _Waiting | _Bracket) -> None:
        if isinstance(entry, _Bracket) or entry.rule.nests:
            self._nesting += 1
            if self._nesting > limits.MAX_NESTING:
                raise self._source.error(
                    f"nested more than {limits.MAX_NESTING} deep",
                    entry.token,
                    "name a part of it and use the name",
                )
        self._waiting.append(entry)

    def _missing_operand(self, token: Token) -> ExpressionError:
        before = self._tokens[self._at - 2] if self._at > 1 else None
        if before is None:
            what = (
                "the expression is empty"
                if token.kind is Kind.END
                else f"an expression cannot begin with {token.text!r}"
            )
            return self._source.error(what, token)
        adjacent = before.stop == token.start
        hint = _DOUBLED.get(before.text + token.text, "") if adjacent else ""
        if before.text == "(" and token.text == ")":
            return self._source.error("there is nothing in these brackets", token)
        return self._source.error(
            f"an operand is missing between {before.described()} and {token.described()}", token, hint
        )

    # What follows an operand.

    def _continuation(self, token: Token) -> bool:
        if token.text in INFIX:
            rule = INFIX[token.text]
            self._settle(rule.binds, keeps_equal=rule.rightward)
            self._push(_Waiting(token, rule))
            return True
        if token.text == "?":
            self._settle(Binds.CHOICE, keeps_equal=True)
            self._push(_Waiting(token, CHOICE, open=True))
            return True
        if token.text == ":":
            return self._otherwise(token)
        if token.text == ",":
            return self._next_argument(token)
        if token.text == ")":
            return self._close(token)
        raise self._missing_operator(token)

    def _otherwise(self, token: Token) -> bool:
        self._settle(Binds.CHOICE, keeps_equal=False)
        top = self._waiting[-1] if self._waiting else None
        if not isinstance(top, _Waiting):
            raise self._source.error("this ':' has no '?' before it", token, "a choice is written c ? a : b")
        top.open = False
        return True

    def _next_argument(self, token: Token) -> bool:
        bracket = self._settle_all()
        if bracket is None or bracket.name is None:
            raise self._source.error(
                "this ',' stands in no call",
                token,
                "several values have no meaning outside a function's brackets",
            )
        self._take_argument(bracket)
        return True

    def _close(self, token: Token) -> bool:
        bracket = self._settle_all()
        if bracket is None:
            raise self._source.error("this bracket was never opened", token, "'(' is missing")
        if bracket.name is not None:
            self._take_argument(bracket)
        return self._shut(bracket, token)

    def _shut(self, bracket: _Bracket, token: Token) -> bool:
        self._waiting.pop()
        self._nesting -= 1
        if bracket.name is None:
            inner = self._operands[-1]
            inner.start, inner.stop, inner.bare = bracket.token.start, token.stop, ""
        else:
            call = self._vocabulary.call(bracket.name, bracket.given)
            call.stop = token.stop
            self._operands.append(call)
        return False

    def _take_argument(self, bracket: _Bracket) -> None:
        value = self._operands.pop()
        if bracket.keyword is None and bracket.given and bracket.given[-1].keyword is not None:
            raise self._source.error("arguments by position come before those by name", value)
        bracket.given.append(Given(value, bracket.keyword))
        bracket.keyword = None

    def _missing_operator(self, token: Token) -> ExpressionError:
        before = self._tokens[self._at - 2]
        if token.text == "=":
            following = self._tokens[self._at].text
            hint = f"write {following}=" if following in {"<", ">"} else "equality is written =="
            return self._source.error("'=' gives an argument a name inside a call", token, hint)
        hint = python_hint(token.text) if token.kind is Kind.NAME else ""
        if not hint and token.kind is Kind.NAME and token.text not in OPERATOR_WORDS:
            hint = similar(token.text, OPERATOR_WORDS)
        if not hint and token.text == "(" and before.kind is Kind.FIELD:
            hint = (
                f"functions are written without '$': {before.text[1:]}(...)"
                if function(before.text[1:])
                else ""
            )
        return self._source.error(
            f"an operator is missing between {before.described()} and {token.described()}", token, hint
        )

    # Giving operators their operands.

    def _settle_all(self) -> _Bracket | None:
        self._settle(Binds.CHOICE, keeps_equal=False)
        top = self._waiting[-1] if self._waiting else None
        if isinstance(top, _Waiting):
            raise self._source.error(
                "this '?' has no ':' after it", top.token, "a choice is written c ? a : b"
            )
        return top

    def _settle(self, binds: Binds, *, keeps_equal: bool) -> None:
        while self._waiting:
            top = self._waiting[-1]
            if isinstance(top, _Bracket) or top.open or top.rule.binds < binds:
                return
            if keeps_equal and top.rule.binds is binds:
                return
            self._waiting.pop()
            self._apply(top)

    def _apply(self, waiting: _Waiting) -> None:
        rule, token = waiting.rule, waiting.token
        self._nesting -= rule.nests
        operands = self._operands[-rule.operands :]
        del self._operands[-rule.operands :]
        if rule.binds is Binds.COMPARISON:
            self._check_sides(token, operands)
        node = self._vocabulary.apply(rule, token, operands)
        start = min(token.start, operands[0].start)
        since = next((o.since for o in operands if o.since is not None), None)
        self._operands.append(Operand(node, start, operands[-1].stop, since, token.text))

    def _check_sides(self, token: Token, operands: list[Operand]) -> None:
        left = operands[0]
        if left.bare in INFIX and INFIX[left.bare].binds is Binds.COMPARISON:
            raise self._source.error(
                "comparisons cannot be chained", token, f"write a {left.bare} b and b {token.text} c"
            )
        problem = "{!r} beside {!r} needs brackets".format
        for side in operands:
            if side.bare in {"&", "|"}:
                example = f"such as (a {token.text} b) {side.bare} c"
                raise self._source.error(problem(side.bare, token.text), token, example)
        if left.bare in {"!", "~"}:
            example = f"such as {left.bare}(a {token.text} b)"
            raise self._source.error(problem(left.bare, token.text), token, example)
