"""Holds the engine against the references, one operator at a time.

All parts of some expressions are computed by the engine in one program. Each part is then worked out from the
engine's own values of its inputs, so that a difference shows where it arises and rounding does not pile up: an
operator that jumps, such as a rank, gets the very numbers that the engine gave to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import Constant, Family, Field, Node
from quantflux.expressions.program.run import Shape
from quantflux.expressions.text import to_text
from tests.expressions.reference.evaluator import Plain, answer_of, parts_of

Array = np.ndarray


@dataclass
class Tally:
    """What was compared.

    Attributes
    ----------
    expressions, parts : int
        Expressions, and different operators on different inputs among them.
    cells, numbers, undecided : int
        Cells compared, those of them with a number, and those that only had to be finite.
    by_operator : dict of str to int
        Parts by operator.
    wrong : list of str
        What differed.
    """

    expressions: int = 0
    parts: int = 0
    cells: int = 0
    numbers: int = 0
    undecided: int = 0
    by_operator: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def compare(roots: Iterable[Node], panel: Panel, shape: Shape, tally: Tally) -> None:
    """Compute expressions by the engine, and every part of them by its reference; add to the tally."""
    plain = Plain()
    wanted = list(roots)
    nodes = parts_of(plain.of(root) for root in wanted)
    computed = [node for node in nodes if node.family is not Family.INPUT]
    if not computed:
        return
    panel_values = evaluate({f"v{i}": node for i, node in enumerate(computed)}, panel, shape=shape)
    values: dict[Node, Array] = {node: panel_values[f"v{i}"] for i, node in enumerate(computed)}
    for node in nodes:
        if isinstance(node, Field):
            values[node] = panel[node.field]
        elif isinstance(node, Constant):
            values[node] = np.full(panel.shape, node.value)
    tally.expressions += len(wanted)
    for node in computed:
        _compare_part(node, [values[i] for i in node.inputs], values[node], tally)
    _compare_company(wanted, [plain.of(root) for root in wanted], values, panel, shape, tally)


def _compare_part(node: Node, inputs: list[Array], found: Array, tally: Tally) -> None:
    answer = answer_of(node, inputs)
    tally.parts += 1
    tally.cells += found.size
    tally.numbers += int(np.isfinite(found).sum())
    tally.undecided += int((~answer.decided).sum())
    tally.by_operator[node.name] = tally.by_operator.get(node.name, 0) + 1
    wrong = answer.wrong(found)
    if wrong.any():
        t, j = np.argwhere(wrong)[0].tolist()
        tally.wrong.append(
            f"{_shown(node)} at row {t}, column {j}: {found[t, j]!r}, should be {answer.values[t, j]!r} "
            f"within {answer.floor[t, j]:.3g}; {int(wrong.sum())} of {wrong.size} cells"
        )


def _compare_company(
    roots: list[Node], plain: list[Node], values: dict[Node, Array], panel: Panel, shape: Shape, tally: Tally
) -> None:
    """An expression alone, cut in another way, has the bits that it has among all its parts."""
    other = Shape(max(shape.chunk // 3, 1), max(shape.block // 2, 1), 3 - min(shape.threads, 2))
    named = {f"v{i}": root for i, root in enumerate(roots) if root.family is not Family.INPUT}
    if not named:
        return
    alone = evaluate(named, panel, shape=other)
    for i, (root, part) in enumerate(zip(roots, plain, strict=True)):
        if f"v{i}" in alone and not same_bits(alone[f"v{i}"], values[part]):
            tally.wrong.append(f"{_shown(root)} has other bits without its parts")


def _shown(node: Node) -> str:
    try:
        return to_text(node)
    except InvalidRequest:  # its definition is longer than a text may be
        return f"{node!r} ({node.name})"


def same_bits(one: Array, two: Array) -> bool:
    """Whether arrays hold the same numbers to the last bit, and NaN in the same places."""
    return bool(np.array_equal(one, two, equal_nan=True))
