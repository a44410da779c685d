"""Puts the references together: from an expression and arrays of fields to an array, node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from quantflux.expressions.nodes import Constant, Field, Node
from quantflux.expressions.operators.composite import Composite
from tests.expressions.reference import elementwise, groups, paired, recursive, rolling, rows
from tests.expressions.reference.answers import Answer, Array

REFERENCES: Mapping[str, Callable[..., Answer]] = {
    **elementwise.REFERENCES,
    **rolling.REFERENCES,
    **paired.REFERENCES,
    **recursive.REFERENCES,
    **rows.REFERENCES,
    **groups.REFERENCES,
}
"""By operator: from its inputs and then its parameters, in order, to an answer."""


def answer_of(node: Node, inputs: Sequence[Array]) -> Answer:
    """Return what an operator should make of its inputs."""
    return REFERENCES[node.name](*inputs, *node.parameters)


class Plain:
    """Expressions with every operator that is defined by others replaced by its definition."""

    def __init__(self) -> None:
        self._made: dict[Node, Node] = {}

    def of(self, node: Node) -> Node:
        """Return the plain form of an expression."""
        found = self._made.get(node)
        if found is None:
            if isinstance(node, Composite):
                found = self.of(node.expansion())
            else:
                inputs = tuple(self.of(i) for i in node.inputs)
                found = node if inputs == node.inputs else type(node).interned(inputs, node.parameters)
            self._made[node] = found
        return found


def parts_of(roots: Iterable[Node]) -> list[Node]:
    """Return every node of plain expressions once, inputs before what uses them."""
    order: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node not in order:
            for i in node.inputs:
                visit(i)
            order[node] = None

    for root in roots:
        visit(root)
    return list(order)


def evaluate_slowly(root: Node, fields: Mapping[str, Array]) -> Array:
    """Return the values of an expression over fields of shape (T, N)."""
    plain = Plain().of(root)
    shape = next(iter(fields.values())).shape
    values: dict[Node, Array] = {}
    for node in parts_of([plain]):
        if isinstance(node, Field):
            values[node] = fields[node.field]
        elif isinstance(node, Constant):
            values[node] = np.full(shape, node.value)
        else:
            values[node] = answer_of(node, [values[i] for i in node.inputs]).values
    return values[plain]
