"""Labels: expressions that look ahead on purpose, such as the return of the next five days.

`Lead` is the only operator that sees the future. A program refuses it, so no factor can contain it by mistake; a label
is computed by `evaluate_label`, which turns it into an expression of the past (`shifted`) and moves the result back.

So leading and looking back may change places: ``ts_mean(lead(x, 5), 20)`` is ``lead(ts_mean(x, 20), 5)`` in every row,
the first ones included, whose windows reach behind the first value that is led.
"""

from __future__ import annotations

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions.arguments import MAX_WINDOW, Input, Parameter, Scalar
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import Constant, Family, Field, Node, rebuilt, topological
from quantflux.expressions.operators.rolling import Delay
from quantflux.expressions.program.lowering import expanded_all


class Lead(Node):
    """The value `rows` rows later. For labels alone."""

    __slots__ = ()
    name = "lead"
    family = Family.ROLLING
    arguments = (Input("x"), Parameter("rows"))

    @classmethod
    def simplified(cls, inputs: tuple[Node, ...], parameters: tuple[Scalar, ...]) -> Node | None:
        """A number has no future."""
        if isinstance(inputs[0], Constant):
            raise InvalidRequest("lead needs something that changes over time, was given a number")
        return None


def horizon_of(label: Node) -> int:
    """Return how many rows ahead a label looks; 0 for a factor.

    Examples
    --------
    >>> close = Field("close")
    >>> horizon_of(Lead(close, 5) / Lead(close, 1) - 1)
    5
    """
    ahead: dict[Node, int] = {}
    for node in topological(expanded_all([label])):
        most = max((ahead[i] for i in node.inputs), default=0)
        ahead[node] = most + int(node.parameters[0]) if isinstance(node, Lead) else most
    return max(ahead.values())


def shifted(label: Node) -> tuple[Node, int]:
    """Return an expression of the past, and how many rows later than the label's row it has the label's value."""
    (root,) = expanded_all([label])
    horizon = horizon_of(root)
    if horizon > MAX_WINDOW:
        raise InvalidRequest(f"a label may look at most {MAX_WINDOW} rows ahead, was {horizon}")
    # Each node is wanted some rows before the row it is computed at; a lead wants its input fewer rows before.
    made: dict[tuple[Node, int], Node] = {}
    stack: list[tuple[Node, int, bool]] = [(root, horizon, False)]
    while stack:
        node, back, ready = stack.pop()
        wanted = back - int(node.parameters[0]) if isinstance(node, Lead) else back
        if (node, back) in made:
            continue
        if not ready:
            stack.append((node, back, True))
            stack += [(i, wanted, False) for i in node.inputs]
            continue
        inputs = tuple(made[i, wanted] for i in node.inputs)
        if isinstance(node, Field):
            made[node, back] = Delay(node, back)
        elif isinstance(node, Lead):
            made[node, back] = inputs[0]
        else:
            made[node, back] = rebuilt(node, inputs)
    return made[root, horizon], horizon


def evaluate_label(label: Node, panel: Panel, *, threads: int | None = None) -> np.ndarray:
    """Return a label's values, shape (T, N); the last rows, whose future is not there yet, are NaN.

    Examples
    --------
    >>> days = np.arange("2024-01-02", "2024-01-05", dtype="datetime64[D]")
    >>> panel = Panel(days, ["A"], {"close": np.array([[1.0], [2.0], [3.0]])})
    >>> evaluate_label(Lead(Field("close"), 1) / Field("close") - 1, panel).ravel().tolist()
    [1.0, 0.5, nan]
    """
    node, horizon = shifted(label)
    values = evaluate(node, panel, threads=threads)["value"]
    out = np.full(values.shape, np.nan)
    out[: max(len(values) - horizon, 0)] = values[horizon:]
    return out
