"""What a text means where people name a factor or write an expression: in run files, in portfolio files."""

from __future__ import annotations

from dataclasses import dataclass

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.expressions.labels import horizon_of
from quantflux.expressions.nodes import Node
from quantflux.expressions.text import to_text
from quantflux.factors.fields import catalogue
from quantflux.factors.registry import FactorRegistry


@dataclass(frozen=True)
class Formula:
    """What a text means that a file or a request holds.

    Attributes
    ----------
    text : str
        As it was written: a factor's name or an expression.
    node : Node
    orientation : {1, -1}
        -1 if it names a factor of which less is better.
    """

    text: str
    node: Node
    orientation: int = 1

    @property
    def told(self) -> dict[str, str]:
        """The canonical text, in which no name is left, and the digest of the expression."""
        return {"text": to_text(self.node), "digest": self.node.digest}


def formula(registry: FactorRegistry, text: str, key: str) -> Formula:
    """Return what a text means; `key` is where it stands, for messages.

    Raises
    ------
    NotFound
        If it is a name, but of no factor or field.
    InvalidRequest
        If it is no expression, reads no field, or looks into the future.
    """
    try:
        found = meaning(registry, text)
    except NotFound as error:
        raise NotFound(f"{key}: {error}") from error
    except InvalidRequest as error:
        raise InvalidRequest(f"{key}: {error}") from error
    if ahead := horizon_of(found.node):
        raise InvalidRequest(
            f"{key}: looks {ahead} rows ahead; what is known only later can be neither forecast nor traded on"
        )
    return found


def meaning(registry: FactorRegistry, text: str) -> Formula:
    """Return what a text means that may also be a label: it may look ahead.

    Raises
    ------
    NotFound
        If it is a name, but of no factor or field.
    InvalidRequest
        If it is no expression.
    """
    if text not in catalogue():
        try:
            factor = registry.get(text)
        except NotFound:
            if text.replace(".", "").isidentifier():
                raise
        else:
            return Formula(text, factor.node, factor.orientation or 1)
    return Formula(text, registry.parse(text))
