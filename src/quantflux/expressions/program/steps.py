"""The physical form of expressions: steps that fill arrays, and values that later steps read.

One step may fill several arrays (a kernel's outputs). Equal steps are one step, whatever expressions need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quantflux.expressions.kernels.contract import Kernel
from quantflux.expressions.kernels.rows import RowKernel


@dataclass(frozen=True, slots=True)
class Value:
    """An output of a step, read `lag` rows back."""

    step: int
    output: int = 0
    lag: int = 0

    def delayed(self, rows: int) -> Value:
        """Return it so many rows further back."""
        return Value(self.step, self.output, self.lag + rows)


@dataclass(frozen=True, slots=True)
class Load:
    """Takes a field of the panel."""

    field: str

    outputs, history, state_rows, cost = 1, 0, 0, 0.4


@dataclass(frozen=True, slots=True)
class Fill:
    """Fills an array with a number, for kernels that take arrays alone."""

    number: float

    outputs, history, state_rows, cost = 1, 0, 0, 0.15


@dataclass(frozen=True, slots=True)
class Ufunc:
    """Applies a NumPy function of one or two operands."""

    function: Callable[..., Any]

    outputs, history, state_rows, cost = 1, 0, 0, 3.0


@dataclass(frozen=True, slots=True)
class Call:
    """Runs a kernel along time."""

    kernel: Kernel
    parameters: tuple[float, ...] = ()

    @property
    def outputs(self) -> int:
        """How many arrays it fills."""
        return self.kernel.outputs

    @property
    def history(self) -> int:
        """Rows of past it needs of its inputs."""
        return self.kernel.history(*self.parameters)

    @property
    def state_rows(self) -> int:
        """Rows of its state."""
        return self.kernel.state_rows(*self.parameters)

    @property
    def cost(self) -> float:
        """Nanoseconds per row and symbol."""
        return self.kernel.cost(*self.parameters)


@dataclass(frozen=True, slots=True)
class RowCall:
    """Runs a kernel across the symbols of each row."""

    kernel: RowKernel
    parameters: tuple[float, ...] = ()

    outputs, history, state_rows = 1, 0, 0

    @property
    def cost(self) -> float:
        """Nanoseconds per row and symbol."""
        return self.kernel.cost(*self.parameters)


Action = Load | Fill | Ufunc | Call | RowCall


@dataclass(frozen=True, slots=True)
class Step:
    """One action on some values."""

    action: Action
    inputs: tuple[Value, ...] = ()

    def reach(self) -> Iterator[tuple[Value, int]]:
        """Yield each value read, and how many rows before its own it is read."""
        for value in self.inputs:
            yield value, value.lag + self.action.history


class Graph:
    """Steps in an order in which each stands behind those it reads. Equal steps are added once."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._index: dict[Step, int] = {}

    def add(self, action: Action, *inputs: Value, output: int = 0) -> Value:
        """Add a step and return one of its outputs."""
        step = Step(action, inputs)
        index = self._index.get(step)
        if index is None:
            index = self._index[step] = len(self.steps)
            self.steps.append(step)
        return Value(index, output)

    def needed(self, outputs: Sequence[Value]) -> list[int]:
        """Return which steps the outputs need, in order."""
        wanted = {value.step for value in outputs}
        for index in range(len(self.steps) - 1, -1, -1):
            if index in wanted:
                wanted |= {value.step for value in self.steps[index].inputs}
        return sorted(wanted)
