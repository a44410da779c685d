"""What the parser hands around: the text it reads, and the operands it has read so far."""

from __future__ import annotations

from dataclasses import dataclass

from quantflux.core.errors import ExpressionError
from quantflux.expressions.nodes import Node
from quantflux.expressions.text.tokens import Token


@dataclass(frozen=True, slots=True)
class Source:
    """A text, which knows how to point at a part of itself."""

    text: str

    def error(self, problem: str, at: Token | Operand, hint: str = "") -> ExpressionError:
        """Return the error that marks a token or an operand."""
        return ExpressionError(problem, self.text, at.start, at.stop - at.start, hint)


@dataclass(slots=True)
class Operand:
    """A part of the text that is an expression by itself.

    Attributes
    ----------
    node : Node
    start, stop : int
        The characters it covers.
    since : Node or None
        The leftmost field in it, None if it has none.
    bare : str
        The operator that was applied last, if no brackets stand around it; else empty.
    """

    node: Node
    start: int
    stop: int
    since: Node | None = None
    bare: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """An argument of a call, and the name it was given by, if any."""

    value: Operand
    keyword: Token | None = None


def leftmost(operands: list[Operand]) -> Node | None:
    """Return the leftmost field of several operands in the order of the text."""
    return next((o.since for o in operands if o.since is not None), None)
