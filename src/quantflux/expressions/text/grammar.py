"""The operators between operands: how tightly they bind, and what they build.

From the loosest to the tightest; those of one line are taken from left to right unless it says otherwise::

    c ? a : b              from right to left; the same as where(c, a, b)
    or  ||
    and  &&
    not a
    >  >=  <  <=  ==  !=   one at a time: a < b < c is refused
    |
    &
    +  -
    *  /
    -a  +a  !a  ~a
    **  ^                  power, from right to left; the exponent may have a sign

These are Python's rules. Where Python and C read the same text differently, as in `a > b & c`, brackets are asked for,
so that a text means the same to every reader; so they are in
`!a > b`, which hardly ever means what it says. `and`, `&` and `&&` are one operation, as are `or`, `|`, `||` and
`not`, `!`, `~`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Binds(IntEnum):
    """How tightly an operator binds."""

    CHOICE = 1
    OR = 2
    AND = 3
    NOT = 4
    COMPARISON = 5
    BIT_OR = 6
    BIT_AND = 7
    SUM = 8
    PRODUCT = 9
    SIGN = 10
    POWER = 11
    OPERAND = 12
    """Numbers, names, calls and what stands in brackets."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An operator as it is written.

    Attributes
    ----------
    binds : Binds
    operator : str
        The name of what it builds; empty if it builds nothing, as the sign in +a.
    operands : int
    swapped : bool
        Whether the operands change places: a < b is b > a.
    """

    binds: Binds
    operator: str
    operands: int = 2
    swapped: bool = False

    @property
    def rightward(self) -> bool:
        """Whether of two in a row the right one is taken first."""
        return self.binds in {Binds.POWER, Binds.CHOICE}

    @property
    def nests(self) -> bool:
        """Whether any number of them can wait for their right operand at once."""
        return self.operands == 1 or self.rightward


INFIX = {
    "or": Rule(Binds.OR, "or_"),
    "||": Rule(Binds.OR, "or_"),
    "and": Rule(Binds.AND, "and_"),
    "&&": Rule(Binds.AND, "and_"),
    ">": Rule(Binds.COMPARISON, "gt"),
    ">=": Rule(Binds.COMPARISON, "ge"),
    "<": Rule(Binds.COMPARISON, "gt", swapped=True),
    "<=": Rule(Binds.COMPARISON, "ge", swapped=True),
    "==": Rule(Binds.COMPARISON, "eq"),
    "!=": Rule(Binds.COMPARISON, "ne"),
    "|": Rule(Binds.BIT_OR, "or_"),
    "&": Rule(Binds.BIT_AND, "and_"),
    "+": Rule(Binds.SUM, "add"),
    "-": Rule(Binds.SUM, "sub"),
    "*": Rule(Binds.PRODUCT, "mul"),
    "/": Rule(Binds.PRODUCT, "div"),
    "**": Rule(Binds.POWER, "power"),
    "^": Rule(Binds.POWER, "power"),
}
PREFIX = {
    "not": Rule(Binds.NOT, "not_", 1),
    "-": Rule(Binds.SIGN, "neg", 1),
    "+": Rule(Binds.SIGN, "", 1),
    "!": Rule(Binds.SIGN, "not_", 1),
    "~": Rule(Binds.SIGN, "not_", 1),
}
CHOICE = Rule(Binds.CHOICE, "where", 3)
