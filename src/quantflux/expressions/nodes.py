"""Expressions as values: immutable nodes, of which equal ones are one object.

A node is an operator with its inputs and parameters. It says *what* is meant; how it is computed is `program`'s
matter. Nodes are hash-consed: building the same expression twice gives the same object, so common parts of many
factors are found by identity, and comparing two expressions costs nothing.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, Self
from weakref import WeakValueDictionary

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.arguments import Argument, Input, Scalar, bind

MAX_DEPTH = 256
"""Most nodes on the way from a result to a field: far more than any factor has."""


class Family(StrEnum):
    """What an operator may see of its inputs."""

    INPUT = "input"
    """Nothing: it is a field or a number."""
    ELEMENTWISE = "elementwise"
    """The same symbol in the same row."""
    ROLLING = "rolling"
    """The same symbol in the last rows."""
    RECURSIVE = "recursive"
    """The same symbol in all rows so far."""
    CROSS_SECTION = "cross-section"
    """All symbols in the same row."""
    COMPOSITE = "composite"
    """What its definition by other operators sees."""


OPERATORS: dict[str, type[Node]] = {}
"""Every operator by its name; a class with a name of its own enters itself."""


class Node:
    """An expression. Subclasses are the operators; see `quantflux.expressions.operators`.

    Attributes
    ----------
    name : str
        How the operator is called in text.
    arguments : tuple of Argument
        What a call takes, inputs and parameters, in order.
    inputs : tuple of Node
    parameters : tuple of int or float
    digest : str
        Names the expression: 32 hexadecimal digits that depend on its operators, parameters and fields alone.
    depth : int
        Nodes on the longest way down to a field, itself included.
    """

    __slots__ = ("__weakref__", "depth", "digest", "inputs", "parameters")

    name: ClassVar[str] = ""
    family: ClassVar[Family] = Family.ELEMENTWISE
    arguments: ClassVar[tuple[Argument, ...]] = ()
    version: ClassVar[int] = 1
    """Raised when the definition changes, so that stored values are not taken for the new ones."""

    inputs: tuple[Node, ...]
    parameters: tuple[Scalar, ...]
    digest: str
    depth: int

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            if cls.name in OPERATORS:
                raise TypeError(f"two operators are called {cls.name}")
            OPERATORS[cls.name] = cls

    def __new__(cls, *given: object, **named: object) -> Self:
        """Return the one node of this operator, these inputs and these parameters."""
        operands, parameters = bind(cls.name, cls.arguments, given, named)
        inputs = tuple(as_node(operand, cls.name) for operand in operands)
        simpler = cls.simplified(inputs, parameters)
        return simpler if simpler is not None else cls.interned(inputs, parameters)  # type: ignore[return-value]

    @classmethod
    def interned(cls, inputs: tuple[Node, ...], parameters: tuple[Any, ...]) -> Self:
        """Return the node as it is, without simplifying it."""
        digest = _digest(cls, inputs, parameters)
        node = _TABLE.get(digest)
        if node is None:
            node = object.__new__(cls)
            depth = 1 + max((i.depth for i in inputs), default=0)
            if depth > MAX_DEPTH:
                raise InvalidRequest(f"the expression is more than {MAX_DEPTH} operators deep")
            for attribute, value in (
                ("inputs", inputs),
                ("parameters", parameters),
                ("digest", digest),
                ("depth", depth),
            ):
                object.__setattr__(node, attribute, value)
            with _LOCK:
                node = _TABLE.setdefault(digest, node)
        assert isinstance(node, cls)  # noqa: S101 - digests name the class
        return node

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """Return an equal, simpler node, or None. Only rewritings that change no bit are allowed."""
        return None

    def own_lookback(self) -> int | None:
        """Return how many rows before its own it reads of its inputs; None: all of them."""
        return 0

    def parameter(self, name: str) -> Scalar:
        """Return a parameter by name."""
        names = [a.name for a in self.arguments if not isinstance(a, Input)]
        return self.parameters[names.index(name)]

    def __add__(self, other: object) -> Node:
        return OPERATORS["add"](self, other)

    def __radd__(self, other: object) -> Node:
        return OPERATORS["add"](other, self)

    def __sub__(self, other: object) -> Node:
        return OPERATORS["sub"](self, other)

    def __rsub__(self, other: object) -> Node:
        return OPERATORS["sub"](other, self)

    def __mul__(self, other: object) -> Node:
        return OPERATORS["mul"](self, other)

    def __rmul__(self, other: object) -> Node:
        return OPERATORS["mul"](other, self)

    def __truediv__(self, other: object) -> Node:
        return OPERATORS["div"](self, other)

    def __rtruediv__(self, other: object) -> Node:
        return OPERATORS["div"](other, self)

    def __pow__(self, other: object) -> Node:
        return OPERATORS["power"](self, other)

    def __rpow__(self, other: object) -> Node:
        return OPERATORS["power"](other, self)

    def __neg__(self) -> Node:
        return OPERATORS["neg"](self)

    def __abs__(self) -> Node:
        return OPERATORS["abs"](self)

    def __gt__(self, other: object) -> Node:
        return OPERATORS["gt"](self, other)

    def __ge__(self, other: object) -> Node:
        return OPERATORS["ge"](self, other)

    def __lt__(self, other: object) -> Node:
        return OPERATORS["gt"](other, self)

    def __le__(self, other: object) -> Node:
        return OPERATORS["ge"](other, self)

    def __and__(self, other: object) -> Node:
        return OPERATORS["and_"](self, other)

    def __or__(self, other: object) -> Node:
        return OPERATORS["or_"](self, other)

    def __invert__(self) -> Node:
        return OPERATORS["not_"](self)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"expressions do not change: {name!r} cannot be set")

    def __bool__(self) -> NoReturn:
        raise InvalidRequest(
            "an expression has no truth value in Python: write a & b, a | b, ~a and where(condition, a, b)"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("expressions are stored as text: see quantflux.expressions.to_text")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.digest[:8]}, depth {self.depth}>"


_TABLE: WeakValueDictionary[str, Node] = WeakValueDictionary()
_LOCK = threading.Lock()


def _digest(cls: type[Node], inputs: tuple[Node, ...], parameters: tuple[Any, ...]) -> str:
    # The digests of the inputs stand for them, so the cost does not grow with what they share.
    parts = [
        cls.name,
        str(cls.version),
        *(f"{type(p).__name__}:{p!r}" for p in parameters),
        *(i.digest for i in inputs),
    ]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


OPERATOR_WORDS = frozenset({"and", "or", "not"})
"""Words that are operators in text, and so name no field."""


class Field(Node):
    """A field of the panel, such as `close`: the only way data come in."""

    __slots__ = ()
    name = "field"
    family = Family.INPUT

    def __new__(cls, field: str) -> Self:
        """Return the node of a field."""
        if not (field.isascii() and field.isidentifier() and len(field) <= 64):
            raise InvalidRequest(
                f"a field's name is up to 64 letters, digits and underscores, was {field!r:.80}"
            )
        if field in OPERATOR_WORDS:
            raise InvalidRequest(
                f"no field can be called {field!r}, because that word is an operator in text"
            )
        return cls.interned((), (field,))

    @property
    def field(self) -> str:
        """Its name."""
        return str(self.parameters[0])


class Constant(Node):
    """A finite number."""

    __slots__ = ()
    name = "constant"
    family = Family.INPUT

    def __new__(cls, value: float) -> Self:
        """Return the node of a number."""
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond the largest float
            number = math.inf
        if not math.isfinite(number):
            raise InvalidRequest(f"a number in an expression must be finite, was {value!r:.60}")
        return cls.interned((), (number + 0.0,))  # -0.0 becomes 0.0

    @property
    def value(self) -> float:
        """The number."""
        return float(self.parameters[0])


def as_node(value: object, wanted_by: str = "an operator") -> Node:
    """Return an expression, or the node of a number."""
    if isinstance(value, Node):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(value)
    raise InvalidRequest(f"{wanted_by} takes expressions and numbers, was given {value!r:.60}")


def topological(roots: Iterable[Node]) -> list[Node]:
    """Return every node that the roots need, each once, inputs before what uses them.

    Examples
    --------
    >>> close = Field("close")
    >>> [node.name for node in topological([close])]
    ['field']
    """
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(i, False) for i in reversed(node.inputs) if i not in seen]
    return order


def fields_of(*roots: Node) -> tuple[str, ...]:
    """Return the names of the fields that expressions read, sorted."""
    return tuple(sorted({node.field for node in topological(roots) if isinstance(node, Field)}))


def lookback_of(root: Node) -> int | None:
    """Return how many rows before its own a value may depend on; None: on all rows before it."""
    reach: dict[Node, int | None] = {}
    for node in topological([root]):
        own = node.own_lookback()
        below = [reach[i] for i in node.inputs]
        known = [b for b in below if b is not None]
        reach[node] = None if own is None or len(known) < len(below) else own + max(known, default=0)
    return reach[root]


def substituted(root: Node, replacements: Mapping[Node, Node]) -> Node:
    """Return the expression with some of its nodes replaced."""
    made: dict[Node, Node] = {}
    for node in topological([root]):
        if node in replacements:
            made[node] = replacements[node]
            continue
        inputs = tuple(made[i] for i in node.inputs)
        made[node] = node if inputs == node.inputs else rebuilt(node, inputs)
    return made[root]


def rebuilt(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return a node of the same operator and parameters on other inputs, simplified as if built anew."""
    simpler = type(node).simplified(inputs, node.parameters)
    return simpler if simpler is not None else type(node).interned(inputs, node.parameters)


def walk(root: Node) -> Iterator[Node]:
    """Yield the nodes of an expression, inputs before what uses them, each once."""
    yield from topological([root])
