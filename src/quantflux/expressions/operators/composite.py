"""Operators that are defined by other operators, and computed as those."""

from __future__ import annotations

from typing import ClassVar

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import WINDOW, Argument, Input, Scalar
from quantflux.expressions.nodes import Family, Node, lookback_of
from quantflux.expressions.operators.rolling import Delay

_X = Input("x")


class Composite(Node):
    """An operator of this family: a subclass gives `expansion`."""

    __slots__ = ()
    family = Family.COMPOSITE

    def expansion(self) -> Node:
        """Return the expression that it stands for."""
        raise NotImplementedError

    def own_lookback(self) -> int | None:
        # Counted from the inputs: what the expansion adds to the deepest of them.
        whole = lookback_of(self.expansion())
        below = [lookback_of(i) for i in self.inputs]
        if whole is None:
            return None
        return whole - max((b for b in below if b is not None), default=0)


class AgainstPast(Composite):
    """x beside its value `window` rows before."""

    __slots__ = ()
    arguments: ClassVar[tuple[Argument, ...]] = (_X, WINDOW)

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse what the expansion would."""
        Delay(inputs[0], parameters[0])
        return None

    @property
    def past(self) -> Node:
        """The value `window` rows before."""
        return Delay(self.inputs[0], self.parameters[0])


class Delta(AgainstPast):
    """x minus its value `window` rows before."""

    __slots__ = ()
    name = "delta"

    def expansion(self) -> Node:
        return self.inputs[0] - self.past


class Change(AgainstPast):
    """x over its value `window` rows before, minus 1."""

    __slots__ = ()
    name = "pct_change"

    def expansion(self) -> Node:
        return self.inputs[0] / self.past - 1


def expanded(node: Node) -> Node:
    """Return what a composite operator stands for, itself for any other; `InvalidRequest` if that never ends."""
    for _ in range(64):
        if not isinstance(node, Composite):
            return node
        node = node.expansion()
    raise InvalidRequest(f"the definition of {node.name} does not end")
