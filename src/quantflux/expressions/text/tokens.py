"""Text to tokens: one pass over the characters, each looked at a bounded number of times, without regular expressions.

A token is a number (`20`, `.5`, `1e-12`), a name (`ts_mean`, `close`), a field in Qlib's spelling (`$close`) or a
symbol. White space separates tokens and has no other meaning. Everything else has no meaning at all: there are no
strings, attributes, subscripts or statements to be misused.
"""

from __future__ import annotations

import math
import unicodedata
from enum import StrEnum
from typing import NamedTuple, NoReturn

from quantflux.core.errors import ExpressionError
from quantflux.expressions.text.grammar import INFIX, PREFIX
from quantflux.expressions.text.limits import MAX_NAME, MAX_NUMBER


class Kind(StrEnum):
    """What a token is; the values are the words for it in messages."""

    NUMBER = "number"
    NAME = "name"
    FIELD = "field"
    SYMBOL = "symbol"
    END = "end"


class Token(NamedTuple):
    """A piece of the text."""

    kind: Kind
    text: str
    start: int

    @property
    def stop(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)

    def described(self) -> str:
        """Return how a message calls it."""
        return "the end" if self.kind is Kind.END else f"{self.text!r}"


SYMBOLS = frozenset([*"(),=?:", *(symbol for symbol in (*INFIX, *PREFIX) if not symbol.isalpha())])
_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_WORD = _DIGITS | _LETTERS
_SPACE = frozenset(" \t\r\n")

_NO_MEANING = {
    "'": "there is no quoted text; fields and functions are written bare, as in ts_mean(close, 20)",
    '"': "there is no quoted text; fields and functions are written bare, as in ts_mean(close, 20)",
    "`": "there is no quoted text; fields and functions are written bare, as in ts_mean(close, 20)",
    ".": "nothing has attributes or methods; functions are called, as in ts_mean(close, 20)",
    "[": "there are no subscripts or lists; an earlier value is delay(close, 1)",
    "]": "there are no subscripts or lists; an earlier value is delay(close, 1)",
    "{": "only round brackets group",
    "}": "only round brackets group",
    "%": "a percentage is written as a fraction: 5 % is 0.05",
    ";": "a text is one expression; arguments are separated by ','",
    "#": "there are no comments",
    "@": "a field has one frequency, that of its data",
    "\\": "a line may simply go on in the next",
}
_LOOKALIKES = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{NOT EQUAL TO}": "!=",
    "\N{IDEOGRAPHIC COMMA}": ",",
    "\N{LOGICAL AND}": "&",
    "\N{LOGICAL OR}": "|",
    "\N{NOT SIGN}": "!",
}


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a text, the last one of kind `END`.

    Raises
    ------
    ExpressionError
        At the first character that has no meaning, or the first number or name that is not well formed.

    Examples
    --------
    >>> [token.text for token in tokenize("2*$close >= 1e3")]
    ['2', '*', '$close', '>=', '1e3', '']
    """
    tokens: list[Token] = []
    at, end = 0, len(text)
    while at < end:
        character = text[at]
        if character in _SPACE:
            at += 1
            continue
        if character in _LETTERS:
            token = _name(text, at, Kind.NAME)
        elif character == "$":
            token = _name(text, at, Kind.FIELD)
        elif character in _DIGITS or (character == "." and text[at + 1 : at + 2] in _DIGITS):
            token = _number(text, at)
        elif (pair := text[at : at + 2]) in SYMBOLS:
            token = Token(Kind.SYMBOL, pair, at)
        elif character in SYMBOLS:
            token = Token(Kind.SYMBOL, character, at)
        else:
            _refuse(text, at)
        tokens.append(token)
        at = token.stop
    tokens.append(Token(Kind.END, "", end))
    return tokens


def _run(text: str, at: int, allowed: frozenset[str]) -> int:
    end = len(text)
    while at < end and text[at] in allowed:
        at += 1
    return at


def _name(text: str, start: int, kind: Kind) -> Token:
    first = start + (kind is Kind.FIELD)
    stop = _run(text, first, _WORD)
    if stop == first or text[first] in _DIGITS:
        hint = "$$ (point-in-time data) is not supported" if text[first : first + 1] == "$" else ""
        raise ExpressionError(
            "'$' must be followed by the name of a field, as in $close", text, start, stop - start, hint
        )
    if stop - first > MAX_NAME:
        raise ExpressionError(
            f"a name of {stop - first:,} characters; names have up to {MAX_NAME}", text, start, stop - start
        )
    return Token(kind, text[start:stop], start)


def _number(text: str, start: int) -> Token:
    stop = _run(text, start, _DIGITS)
    if text[stop : stop + 1] == ".":
        stop = _run(text, stop + 1, _DIGITS)
    if text[stop : stop + 1] in {"e", "E"}:
        sign = stop + 1 + (text[stop + 1 : stop + 2] in {"+", "-"})
        exponent = _run(text, sign, _DIGITS)
        stop = exponent if exponent > sign else stop
    whole = _run(text, stop, _WORD | {"."})
    if whole > stop:
        raise _bad_number(text, start, stop, whole)
    if stop - start > MAX_NUMBER:
        raise ExpressionError(
            f"a number of {stop - start:,} characters; numbers have up to {MAX_NUMBER}",
            text,
            start,
            stop - start,
        )
    written = text[start:stop]
    value = float(written)
    if not math.isfinite(value):
        raise ExpressionError(
            f"{written} is too large; the largest number is 1.797e308", text, start, stop - start
        )
    if value == 0 and any(c in "123456789" for c in written.lower().partition("e")[0]):
        raise ExpressionError(f"{written} is too small to differ from 0", text, start, stop - start)
    return Token(Kind.NUMBER, written, start)


def _bad_number(text: str, start: int, stop: int, whole: int) -> ExpressionError:
    shown = text[start:whole] if whole - start <= MAX_NUMBER else text[start : start + MAX_NUMBER] + "..."
    rest = text[stop:whole]
    hint = "a number is written as 20, 0.5 or 1e-12"
    if rest[0] in _LETTERS and rest[0] not in "eE_" and "." not in rest and text[start:stop] != "0":
        hint = "between a number and a name stands an operator"
        if whole - start <= MAX_NUMBER:
            hint += f", as in {text[start:stop]} * {rest}"
    return ExpressionError(f"{shown!r} is not a number", text, start, whole - start, hint)


def _refuse(text: str, at: int) -> NoReturn:
    character = text[at]
    if " " < character <= "~":
        raise ExpressionError(
            f"{character!r} has no meaning here", text, at, 1, _NO_MEANING.get(character, "")
        )
    fallback = "a control character" if character < "\x80" else "an unnamed character"
    named = f"U+{ord(character):04X} {unicodedata.name(character, fallback)}"
    meant = _LOOKALIKES.get(character) or unicodedata.normalize("NFKC", character)
    hint = (
        f"did you mean '{meant}'?" if meant != character and meant.isascii() and meant.isprintable() else ""
    )
    raise ExpressionError(f"{named} has no meaning here: expressions are plain ASCII", text, at, 1, hint)
