"""What indicators are made of."""

from __future__ import annotations

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import Input, Parameter, Scalar, signature
from quantflux.expressions.nodes import Constant, Node
from quantflux.expressions.operators.composite import Composite
from quantflux.expressions.operators.recursive import LastKnown
from quantflux.expressions.operators.rolling import Delay

X = Input("x")
OPEN, HIGH, LOW, CLOSE, VOLUME = (Input(name) for name in ("open", "high", "low", "close", "volume"))


class Indicator(Composite):
    """An indicator: a subclass gives `expansion`, its definition."""

    __slots__ = ()

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Refuse numbers for prices, as when one is forgotten, and what the definition refuses."""
        for argument, given in zip(cls.arguments, inputs, strict=False):
            if isinstance(given, Constant):
                how = signature(cls.name, cls.arguments)
                raise InvalidRequest(
                    f"{how}: {argument.name} must change over time, was the number {given.value:g}"
                )
        cls.interned(inputs, parameters).expansion()
        return None


def rows(default: int, name: str = "window") -> Parameter:
    """Return a parameter that counts rows and has a customary value."""
    return Parameter(name, default=default)


def previous(x: Node) -> Node:
    """Return the last number before this row: on traded days, that of the traded day before."""
    return Delay(LastKnown(x), 1)


def in_order(operator: str, **windows: Scalar) -> None:
    """Refuse windows of which a later one is not longer."""
    names, lengths = list(windows), list(windows.values())
    for place in range(1, len(names)):
        if lengths[place - 1] >= lengths[place]:
            raise InvalidRequest(
                f"{operator}: {names[place - 1]} must be less than {names[place]}, "
                f"were {lengths[place - 1]} and {lengths[place]}"
            )
