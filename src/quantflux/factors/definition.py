"""What a named factor is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import Node, parse

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True)
class FactorDefinition:
    """A named factor: its formula as text, and what people should know of it.

    Attributes
    ----------
    id : str
        Up to 64 letters, digits and underscores, a letter first.
    expression : str
        The formula; see `quantflux.expressions.text`. It stands by itself.
    description : str
        What it measures, in a line.
    source : str
        Where it comes from: a paper, a book, a program.
    library : str
        The library it belongs to; empty for a factor of somebody's own.
    orientation : {1, -1, 0}
        1 if more promises a higher return, -1 if less does, 0 if unknown or neither.
    version : int
        Raised whenever the formula changes.
    owner : str
        Who answers for it.

    Examples
    --------
    >>> reversal = FactorDefinition("reversal_5", "1 - close / delay(close, 5)", orientation=1)
    >>> reversal.node is parse("1 - close / delay(close, 5)")
    True
    """

    id: str
    expression: str
    description: str = ""
    source: str = ""
    library: str = ""
    orientation: int = 0
    version: int = 1
    owner: str = "quantflux"

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise InvalidRequest(
                f"a factor's id is up to 64 letters, digits and underscores, a letter first; was {self.id!r:.80}"
            )
        if self.orientation not in {1, 0, -1}:
            raise InvalidRequest(
                f"{self.id}: orientation is 1 (more is better), -1 or 0, was {self.orientation!r}"
            )
        if self.version < 1:
            raise InvalidRequest(f"{self.id}: versions start at 1, was {self.version!r}")

    @cached_property
    def node(self) -> Node:
        """The expression, read when first asked for.

        Raises
        ------
        ExpressionError
            If the text is none.
        """
        return parse(self.expression)
