"""The text of an expression on several lines.

A part that does not fit on its line is broken at its loosest operators, each of which begins a line; a call without
such is broken at its arguments. White space has no meaning, so the text reads back as it was.
"""

from __future__ import annotations

from quantflux.expressions.text.grammar import INFIX, Binds
from quantflux.expressions.text.tokens import Kind, Token, tokenize

INDENT = 4


def laid_out(text: str, width: int) -> str:
    """Return the text in lines of `width` characters, or as near as its longest pieces allow.

    Examples
    --------
    >>> print(laid_out("rank(ts_corr(ts_mean(close, 20), volume, 10)) + delta(close, 5)", 36))
    rank(
        ts_corr(
            ts_mean(close, 20),
            volume, 10
        )
    )
    + delta(close, 5)
    """
    tokens = tokenize(text)[:-1]
    return "\n".join(_lines(text, tokens, 0, len(tokens), 0, width))


def _lines(text: str, tokens: list[Token], first: int, last: int, indent: int, width: int) -> list[str]:
    # Recursion is as deep as the brackets, which the parser and the printer bound.
    margin = " " * indent
    flat = text[tokens[first].start : tokens[last - 1].stop]
    if indent + len(flat) <= width:
        return [margin + flat]
    cuts = _cuts(tokens, first, last)
    if cuts:
        pieces = zip([first - 1, *cuts], [*cuts, last], strict=True)
        return [
            line for cut, stop in pieces for line in _piece(text, tokens, cut, stop, indent, width, first)
        ]
    opening = next((i for i in range(first, last) if tokens[i].text == "("), None)
    if opening is None:
        return [margin + flat]
    head = margin + text[tokens[first].start : tokens[opening].stop]
    arguments: list[str] = []
    begin = opening + 1
    for comma in [*_commas(tokens, begin, last), last - 1]:
        argument = _lines(text, tokens, begin, comma, indent + INDENT, width - 1)
        argument[-1] += "," if tokens[comma].text == "," else ""
        short = len(argument) == 1 and arguments and len(arguments[-1]) + len(argument[0]) - indent <= width
        if short and tokens[begin - 2].text != ")":
            arguments[-1] += " " + argument.pop().lstrip()
        arguments += argument
        begin = comma + 1
    return [head, *arguments, margin + ")"]


def _piece(
    text: str, tokens: list[Token], cut: int, stop: int, indent: int, width: int, first: int
) -> list[str]:
    # The lines of what follows the operator at `cut`, which stands before them; those of what binds tighter go deeper.
    begin = cut + 1
    symbol = f"{tokens[cut].text} " if begin > first else ""
    deeper = INDENT if _cuts(tokens, begin, stop) else 0
    head, *rest = _lines(text, tokens, begin, stop, indent + deeper, width - len(symbol))
    return [" " * indent + symbol + head.lstrip(), *rest]


def _cuts(tokens: list[Token], first: int, last: int) -> list[int]:
    # The operators outside brackets that bind loosest; a sign has no operand before it.
    found: list[tuple[Binds, int]] = []
    depth = 0
    for i in range(first, last):
        token = tokens[i]
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and i > first and token.text in INFIX and _ends_operand(tokens[i - 1]):
            found.append((INFIX[token.text].binds, i))
    loosest = min((binds for binds, _ in found), default=None)
    return [i for binds, i in found if binds is loosest]


def _ends_operand(token: Token) -> bool:
    return token.kind is not Kind.SYMBOL or token.text == ")"


def _commas(tokens: list[Token], first: int, last: int) -> list[int]:
    found, depth = [], 0
    for i in range(first, last - 1):
        depth += (tokens[i].text == "(") - (tokens[i].text == ")")
        if depth == 0 and tokens[i].text == ",":
            found.append(i)
    return found
