"""Runs a program over the rows of a source, a chunk at a time.

For each chunk of rows: for each phase, every block of symbols goes through the phase's instructions in one of some
sets of scratch arrays (`_Scratch`), as many at once as there are threads; then the instructions across symbols run, one
after the other, their rows dealt out to the threads (`_Run._rows`). Results leave as soon as they are there.
"""

from __future__ import annotations

import math
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from quantflux.core.errors import Cancelled, InvalidRequest
from quantflux.expressions.kernels.finite import drop_infinite
from quantflux.expressions.kernels.store import store
from quantflux.expressions.program.flow import Sink, Source
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.schedule import Home, Instruction, Schedule, WideIn
from quantflux.expressions.program.state import State
from quantflux.expressions.program.steps import Call, Fill, Load, RowCall, Ufunc


@dataclass(frozen=True, slots=True)
class Shape:
    """How a run is cut: rows a chunk, symbols a block, threads."""

    chunk: int = 256
    block: int = 256
    threads: int = 1

    def __post_init__(self) -> None:
        if min(self.chunk, self.block, self.threads) < 1:
            raise InvalidRequest(f"chunk, block and threads must be at least 1, were {self}")


def run(
    program: Program,
    source: Source,
    sink: Sink,
    *,
    shape: Shape | None = None,
    state: State | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
    checkpoint: Callable[[State], None] | None = None,
    checkpoint_rows: int = 0,
) -> State:
    """Run a program over all rows of a source.

    Parameters
    ----------
    state : State, optional
        After the rows before the source's first one. Not changed.
    progress : callable
        Called with rows done and rows in all.
    cancelled : callable
        Asked often; once it says yes, the run ends with `Cancelled`.
    checkpoint, checkpoint_rows : callable and int
        Called with the state whenever a multiple of so many rows, counted from the first row of the data, is done.

    Returns
    -------
    State
        After the last row.

    Raises
    ------
    InvalidRequest
        If the state is another program's or of another number of symbols.
    Cancelled
    """
    cut = shape or Shape()
    begin = state or State.fresh(program.digest, program.schedule, source.shape[1])
    if begin.digest != program.digest:
        raise InvalidRequest("the saved state belongs to another program")
    if begin.arrays and begin.columns != source.shape[1]:
        raise InvalidRequest(
            f"the saved state is of {begin.columns} symbols, the source of {source.shape[1]}"
        )
    with _Run(program, source, sink, cut, begin, cancelled) as running:
        first = 0
        while first < source.shape[0]:
            rows = min(cut.chunk, source.shape[0] - first)
            if checkpoint_rows:
                rows = min(rows, checkpoint_rows - (begin.rows + first) % checkpoint_rows)
            running.chunk(first, rows)
            sink.written(first, rows)
            first += rows
            progress(first, source.shape[0])
            if checkpoint and checkpoint_rows and (begin.rows + first) % checkpoint_rows == 0:
                checkpoint(running.state(begin.rows + first))
        return running.state(begin.rows + first)


class _Run:
    """The arrays and threads of one run."""

    def __init__(
        self,
        program: Program,
        source: Source,
        sink: Sink,
        cut: Shape,
        begin: State,
        cancelled: Callable[[], bool],
    ) -> None:
        self._program, self._schedule = program, program.schedule
        self._source, self._sink, self._cut = source, sink, cut
        self._begin, self._cancelled = begin, cancelled
        self._columns = source.shape[1]
        self._blocks = list(_blocks(self._columns, cut.block))
        self._block_states = [_BlockState(begin, columns) for columns in self._blocks]
        self._wide_tails = [a.copy() for a in begin.wide_tails]
        self._wides = _Arrays(self._schedule.wide_slots, cut.chunk, self._columns)
        workers = min(cut.threads, max(len(self._blocks), 1))
        self._scratch: queue.SimpleQueue[_Scratch] = queue.SimpleQueue()
        widest = max((b.stop - b.start for b in self._blocks), default=0)
        for _ in range(workers):
            self._scratch.put(_Scratch(self._schedule, cut.chunk, widest))
        self._pool = ThreadPoolExecutor(cut.threads) if cut.threads > 1 else None

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def chunk(self, first: int, rows: int) -> None:
        """Run all phases over some rows of the source."""
        moment = _Moment(first, rows, self._begin.rows + first)
        for phase, (blocks, across) in enumerate(self._schedule.phases):
            if blocks:
                self._each(partial(self._block, phase, moment), range(len(self._blocks)))
            for instruction in across:
                self._across(instruction, moment)

    def state(self, rows: int) -> State:
        """Return a copy of what is carried on."""

        def joined(arrays: list[list[np.ndarray]], empty: list[np.ndarray]) -> list[np.ndarray]:
            if not arrays:  # no symbols, so no blocks
                return empty
            return [np.concatenate(parts, axis=1) for parts in zip(*arrays, strict=True)]

        return State(
            self._program.digest,
            rows,
            joined([b.tails for b in self._block_states], self._begin.local_tails),
            [a.copy() for a in self._wide_tails],
            joined([b.states for b in self._block_states], self._begin.states),
        )

    def _each(self, task: Callable[[int], None], numbers: range) -> None:
        if self._pool is None:
            for number in numbers:
                task(number)
        else:
            for _ in self._pool.map(task, numbers):
                pass

    def _check(self) -> None:
        if self._cancelled():
            raise Cancelled("the computation was cancelled")

    def _block(self, phase: int, moment: _Moment, number: int) -> None:
        self._check()
        columns = self._blocks[number]
        scratch = self._scratch.get()
        try:
            with np.errstate(all="ignore"):
                for bound in scratch.bound(phase, columns.stop - columns.start):
                    self._one(bound, columns, self._block_states[number], moment)
        finally:
            self._scratch.put(scratch)

    def _one(self, bound: _Bound, columns: slice, kept: _BlockState, moment: _Moment) -> None:
        rows = moment.rows
        for view, history, tail in bound.tailed:
            view[:history] = kept.tails[tail]
        self._act(bound, columns, kept, moment)
        for view, history, tail in bound.tailed:
            kept.tails[tail][:] = view[rows : rows + history]
        for view, home, wide in bound.wides:
            array = self._wides.view(wide)
            if wide.tail is not None:
                array[: wide.history, columns] = self._wide_tails[wide.tail][:, columns]
            array[wide.history : wide.history + rows, columns] = view[home.history : home.history + rows]
            if wide.tail is not None:
                self._wide_tails[wide.tail][:, columns] = array[rows : rows + wide.history, columns]
        for view, start, expression in bound.stores:
            target, row = self._sink.target(expression, moment.first, rows)
            store(view, start, target, row, columns.start, rows)

    def _act(self, bound: _Bound, columns: slice, kept: _BlockState, moment: _Moment) -> None:
        action, rows = bound.action, moment.rows
        if isinstance(action, Call):
            state = kept.none if bound.state is None else kept.states[bound.state]
            action.kernel.function(*bound.arrays, state, rows, moment.absolute, *action.parameters)
            return
        out, start = bound.arrays[-2:]
        if isinstance(action, Load):
            piece = slice(moment.first, moment.first + rows)
            self._source.read(action.field, piece, columns, out[start : start + rows])
            drop_infinite(out, start, start + rows)
        elif isinstance(action, Fill):
            out[:] = action.number
        elif isinstance(action, Ufunc):
            pairs = zip(bound.arrays[:-2:2], bound.arrays[1:-2:2], strict=True)
            action.function(*(x[h : h + rows] for x, h in pairs), out=out[start : start + rows])
        elif isinstance(action, WideIn):
            wide = action.wide
            source = self._wides.view(wide)
            out[: start + rows] = source[wide.history - start : wide.history + rows, columns]

    def _across(self, instruction: Instruction, moment: _Moment) -> None:
        self._check()
        action, (home,), rows = instruction.action, instruction.targets, moment.rows
        assert isinstance(action, RowCall)  # noqa: S101 - the schedule says so
        target = self._wides.view(home)
        if home.tail is not None:
            target[: home.history] = self._wide_tails[home.tail]
        inputs = [(self._wides.view(o.home), o.home.history - o.lag) for o in instruction.operands]

        def task(part: int) -> None:
            low, high = part * rows // parts, (part + 1) * rows // parts
            action.kernel.fill(inputs, target, home.history, low, high, *action.parameters)
            drop_infinite(target, home.history + low, home.history + high)

        parts = min(self._cut.threads, rows)
        self._each(task, range(parts))
        if home.tail is not None:
            self._wide_tails[home.tail][:] = target[rows : rows + home.history]
        for stored in instruction.stores:
            into, row = self._sink.target(stored.expression, moment.first, rows)
            store(target, home.history - stored.lag, into, row, 0, rows)


@dataclass(frozen=True, slots=True)
class _Moment:
    """Which rows of the source a chunk is, and the number of the first one since the data began."""

    first: int
    rows: int
    absolute: int


class _BlockState:
    """The tails and states of a block of symbols, in arrays of their own."""

    def __init__(self, begin: State, columns: slice) -> None:
        self.tails = [np.array(a[:, columns], order="C") for a in begin.local_tails]
        self.states = [np.array(a[:, columns], order="C") for a in begin.states]
        self.none = np.zeros((0, columns.stop - columns.start))


class _Arrays:
    """One flat array a slot, seen with as many rows of past as a value has and as wide as a block is."""

    def __init__(self, slots: list[int], chunk: int, widest: int) -> None:
        self._chunk, self._widest = chunk, widest
        self._flat = [np.empty((history + chunk) * widest) for history in slots]
        self._views: dict[tuple[int, int, int], np.ndarray] = {}

    def view(self, home: Home, width: int = 0) -> np.ndarray:
        """Return the array of a home, shape (history + chunk, width)."""
        width = width or self._widest
        key = (home.slot, home.history, width)
        found = self._views.get(key)
        if found is None:
            rows = home.history + self._chunk
            found = self._flat[home.slot][: rows * width].reshape(rows, width)
            self._views[key] = found
        return found


@dataclass(frozen=True, slots=True)
class _Bound:
    """An instruction with the arrays it works on."""

    action: Any
    arrays: tuple[Any, ...]
    state: int | None
    tailed: tuple[tuple[np.ndarray, int, int], ...]
    wides: tuple[tuple[np.ndarray, Home, Home], ...]
    stores: tuple[tuple[np.ndarray, int, int], ...]


class _Scratch:
    """Arrays for one block at a time, and the instructions bound to them."""

    def __init__(self, schedule: Schedule, chunk: int, widest: int) -> None:
        self._schedule = schedule
        self._arrays = _Arrays(schedule.local_slots, chunk, widest)
        self._bound: dict[tuple[int, int], list[_Bound]] = {}

    def bound(self, phase: int, width: int) -> list[_Bound]:
        """Return a phase's instructions bound to arrays of this width."""
        found = self._bound.get((phase, width))
        if found is None:
            found = [_bind(i, self._arrays, width) for i in self._schedule.phases[phase][0]]
            self._bound[phase, width] = found
        return found


def _bind(instruction: Instruction, arrays: _Arrays, width: int) -> _Bound:
    flat: list[Any] = []
    for operand in instruction.operands:
        flat += [arrays.view(operand.home, width), operand.home.history - operand.lag]
    views = [arrays.view(home, width) for home in instruction.targets]
    for view, home in zip(views, instruction.targets, strict=True):
        flat += [view, home.history]
    paired = list(zip(views, instruction.targets, strict=True))
    return _Bound(
        instruction.action,
        tuple(flat),
        instruction.state,
        tuple((view, home.history, home.tail) for view, home in paired if home.tail is not None),
        tuple((v, h, w) for (v, h), w in zip(paired, instruction.wides, strict=True) if w is not None),
        tuple(
            (views[s.output], instruction.targets[s.output].history - s.lag, s.expression)
            for s in instruction.stores
        ),
    )


def _blocks(columns: int, size: int) -> Iterator[slice]:
    """Yield blocks of nearly equal width, none wider than `size`."""
    count = max(math.ceil(columns / size), 1)
    for number in range(count):
        first, last = number * columns // count, (number + 1) * columns // count
        if last > first:
            yield slice(first, last)
