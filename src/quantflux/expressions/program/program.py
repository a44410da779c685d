"""A program: some named expressions, compiled into a schedule that any panel with their fields can be run through."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.contract import Kernel
from quantflux.expressions.kernels.rows import RowKernel
from quantflux.expressions.nodes import Node, fields_of
from quantflux.expressions.program.lowering import lower
from quantflux.expressions.program.schedule import Schedule, scheduled
from quantflux.expressions.program.steps import Call, RowCall

ENGINE = 1
"""Raised when states saved by an earlier engine can no longer be gone on from."""


class Program:
    """Expressions ready to run.

    Parameters
    ----------
    expressions : mapping of str to Node
        By name. Parts that they share are computed once.

    Attributes
    ----------
    names : tuple of str
    expressions : mapping of str to Node
    schedule : Schedule
    fields : tuple of str
        What they read.
    digest : str
        Names the schedule; a saved state belongs to one digest.

    Raises
    ------
    InvalidRequest
        If there are none, one reads no field, or they are too many.
    """

    def __init__(self, expressions: Mapping[str, Node]) -> None:
        if not expressions:
            raise InvalidRequest("there is nothing to compute: name at least one expression")
        for name, node in expressions.items():
            if not fields_of(node):
                raise InvalidRequest(f"{name} reads no field, so it is the same everywhere")
        self.expressions = MappingProxyType(dict(expressions))
        self.names = tuple(expressions)
        graph, values = lower(expressions)
        self.schedule: Schedule = scheduled(graph, values)
        self.fields = self.schedule.fields
        self.digest = _digest(self.schedule)

    @property
    def kernels(self) -> list[Kernel | RowKernel]:
        """The kernels it uses, each once."""
        actions = [i.action for blocks, rows in self.schedule.phases for i in (*blocks, *rows)]
        return list(dict.fromkeys(a.kernel for a in actions if isinstance(a, Call | RowCall)))

    def compile(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Compile the kernels, or load them from the disk.

        Parameters
        ----------
        progress : callable
            Called with how many of how many are ready.
        """
        kernels = self.kernels
        for done, kernel in enumerate(kernels):
            progress(done, len(kernels))
            kernel.compile()
        progress(len(kernels), len(kernels))


def _digest(schedule: Schedule) -> str:
    lines = [f"engine {ENGINE}"]
    for blocks, rows in schedule.phases:
        for instruction in (*blocks, *rows):
            action = instruction.action
            what = (action.kernel.name, action.parameters) if isinstance(action, Call | RowCall) else action
            lines.append(
                f"{what} {instruction.operands} {instruction.targets} {instruction.wides} {instruction.state}"
            )
        lines.append("phase")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
