"""The text of an expression on several lines.

A part that does not fit on its line is broken at its loosest operators, each of which begins a line; a call without
such is broken at its arguments. White space has no meaning, so the text reads back as it was. Parts that wait to be
written are on a list, not in recursion, as in the parser.
"""

from __future__ import annotations

from dataclasses import dataclass

from quantflux.expressions.text.grammar import INFIX, Binds
from quantflux.expressions.text.tokens import Kind, Token, tokenize

INDENT = 4


@dataclass(frozen=True, slots=True)
class _Part:
    """Some tokens, `first` to `last`, that are to be written, and what stands before and behind them.

    The first line is indented by `indent`, those that follow it by `below`.
    """

    first: int
    last: int
    indent: int = 0
    below: int = 0
    before: str = ""
    behind: str = ""


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
    lines: list[str] = []
    waiting = [_Part(0, len(tokens))]
    while waiting:
        part = waiting.pop()
        flat = text[tokens[part.first].start : tokens[part.last - 1].stop] if part.last > part.first else ""
        line = " " * part.indent + part.before + flat + part.behind
        broken = _broken(text, tokens, part) if len(line) > width else []
        if broken:
            waiting += reversed(broken)
        else:
            lines.append(line)
    return "\n".join(lines)


def _broken(text: str, tokens: list[Token], part: _Part) -> list[_Part]:
    cuts = _cuts(tokens, part.first, part.last)
    if cuts:
        return _operands(tokens, part, cuts)
    opening = next((i for i in range(part.first, part.last) if tokens[i].text == "("), None)
    if opening is None:
        return []
    name = text[tokens[part.first].start : tokens[opening].stop]
    head = _Part(part.first, part.first, part.indent, part.indent, part.before + name)
    inner = part.below + INDENT
    arguments = [
        _Part(first, last, inner, inner, "", "," if last < part.last - 1 else "")
        for first, last in _groups(tokens, opening + 1, part.last - 1)
    ]
    return [head, *arguments, _Part(part.last, part.last, part.below, part.below, ")" + part.behind)]


def _operands(tokens: list[Token], part: _Part, cuts: list[int]) -> list[_Part]:
    # The operator stands before the operand on its right; the lines of an operand that is itself broken go deeper.
    parts = []
    for cut, last in zip([part.first - 1, *cuts], [*cuts, part.last], strict=True):
        begins = cut < part.first
        indent = part.indent if begins else part.below
        below = part.below + (INDENT if _cuts(tokens, cut + 1, last) else 0)
        before = part.before if begins else f"{tokens[cut].text} "
        parts.append(_Part(cut + 1, last, indent, below, before, part.behind if last == part.last else ""))
    return parts


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


def _groups(tokens: list[Token], first: int, last: int) -> list[tuple[int, int]]:
    # The arguments of a call; names and numbers that stand side by side share a line.
    ends, depth = [], 0
    for i in range(first, last):
        depth += (tokens[i].text == "(") - (tokens[i].text == ")")
        if depth == 0 and tokens[i].text == ",":
            ends.append(i)
    groups: list[tuple[int, int]] = []
    for begin, end in zip([first, *(i + 1 for i in ends)], [*ends, last], strict=True):
        plain = end - begin == 1 or (end - begin == 3 and tokens[begin + 1].text == "=")
        if plain and groups and _plain_end(tokens, groups[-1]):
            groups[-1] = (groups[-1][0], end)
        else:
            groups.append((begin, end))
    return groups


def _plain_end(tokens: list[Token], group: tuple[int, int]) -> bool:
    begin, end = group
    return end - begin == 1 or (end - begin > 2 and tokens[end - 2].text in {",", "="})
