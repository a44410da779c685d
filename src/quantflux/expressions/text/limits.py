"""How much text an expression may have, checked before and while it is read: a hostile text costs next to nothing."""

from __future__ import annotations

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.nodes import Node

MAX_LENGTH = 4_096
"""Characters of the text."""

MAX_NESTING = 32
"""Brackets, signs, powers and choices that are open at once."""

MAX_NUMBER = 32
"""Characters of a number."""

MAX_NAME = 64
"""Characters of a name, as in `Field`."""

MAX_NODES = 10_000
"""Different nodes of the result, those of named expressions included."""


def check_size(root: Node, most: int = MAX_NODES) -> None:
    """Refuse an expression of more than `most` different nodes, without counting on.

    Raises
    ------
    InvalidRequest
        If it has more.
    """
    seen = {root}
    waiting = [root]
    while waiting:
        for node in waiting.pop().inputs:
            if node not in seen:
                seen.add(node)
                waiting.append(node)
        if len(seen) > most:
            raise InvalidRequest(
                f"the expression has more than {most:,} nodes, counting what its names stand for"
            )
