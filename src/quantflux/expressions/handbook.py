"""The reference page of the operators, written from the operators themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from quantflux.expressions import operators as _every_operator  # noqa: F401 - they enter themselves when imported
from quantflux.expressions.arguments import signature
from quantflux.expressions.nodes import OPERATORS, Family, Node

_FAMILIES = {
    Family.ELEMENTWISE: "Of one symbol in one row",
    Family.ROLLING: "Of the last rows of one symbol",
    Family.RECURSIVE: "Of all rows so far of one symbol",
    Family.CROSS_SECTION: "Across all symbols of one row",
    Family.COMPOSITE: "Defined by the others",
}

_HEAD = """\
# Operators

<!-- Written by `quantflux factor operators --markdown`; a test compares the two. -->

What each operator of the expression language means; [expressions.md](expressions.md) tells how they are written.
Where nothing else is said, a result is missing where an operand is. Windows end with the row itself, and hold the
number of rows given; `least` is how many numbers they must hold.
"""


def usage(operator: type[Node]) -> str:
    """Return how an operator is called.

    Examples
    --------
    >>> usage(OPERATORS["ts_mean"])
    'ts_mean(x, window, least=window)'
    """
    if operator.arguments:
        return signature(operator.name, operator.arguments)
    first = "x, group, exposure" if operator.name.startswith("group") else "x, exposure"
    return f"{operator.name}({first}, ...)"


def definition(operator: type[Node]) -> str:
    """Return what an operator means, in one paragraph."""
    return " ".join(inspect.getdoc(operator).split()) if operator.__doc__ else ""  # type: ignore[union-attr]


def by_family() -> Iterator[tuple[str, list[type[Node]]]]:
    """Yield each family's title and its operators, in the order of their definition."""
    for family, title in _FAMILIES.items():
        yield title, [o for o in OPERATORS.values() if o.family is family and o.name != "lead"]


def page() -> str:
    """Return the page as Markdown."""
    lines = [_HEAD]
    for title, found in by_family():
        lines += [f"## {title}", "", "| operator | what it is |", "|---|---|"]
        lines += [f"| `{usage(o)}` | {definition(o).replace('|', chr(92) + '|')} |" for o in found]
        lines.append("")
    return "\n".join(lines)
