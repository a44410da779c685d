"""When each step runs, and where its values live.

1. **Phases** (`_phases`). Steps along time run over blocks of symbols, block by block in parallel; steps across
   symbols need whole rows, so they wait for all blocks. Block phase 0, row phase 0, block phase 1, row phase 1 ...:
   a step's phase follows from its inputs.
2. **Homes** (`_Homes`). A value read by its own phase's blocks is local: an array for one block of symbols, in one of
   a few slots that are used again as soon as the last reader is done, so that a chunk's work stays in the processor's
   cache. A value read across symbols, or by a later phase, is wide: it has an array of all symbols, too.
3. **Pasts**. A value that somebody reads `n` rows back keeps its last `n` rows between chunks: its tail. Tails and the
   states of kernels are all that is carried from chunk to chunk, and all that has to be saved to go on another day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quantflux.expressions.program.steps import Action, Fill, Graph, Load, RowCall, Value

Key = tuple[int, int]
"""A step and which of its outputs."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a value lives: a slot, the rows of past before the chunk, and the number of the tail that keeps them."""

    slot: int
    history: int
    tail: int | None


@dataclass(frozen=True, slots=True)
class Operand:
    """A value as an instruction reads it: so many rows back."""

    home: Home
    lag: int


@dataclass(frozen=True, slots=True)
class Store:
    """A result: which output of the instruction, and for which expressions, how many rows back."""

    output: int
    expression: int
    lag: int


@dataclass(frozen=True, slots=True)
class WideIn:
    """Copies a block's columns of a wide value into a slot."""

    wide: Home

    outputs, history, state_rows, cost = 1, 0, 0, 0.3


@dataclass(frozen=True, slots=True)
class Instruction:
    """An action with the homes of what it reads and fills.

    Attributes
    ----------
    wides : tuple of Home or None
        For each target of a block instruction, the wide array to copy it to.
    state : int or None
        Number of the kernel's state.
    """

    action: Action | WideIn
    operands: tuple[Operand, ...]
    targets: tuple[Home, ...]
    wides: tuple[Home | None, ...] = ()
    stores: tuple[Store, ...] = ()
    state: int | None = None


@dataclass
class Schedule:
    """Everything that runs, in order: for each phase the instructions over blocks, then those over rows.

    Attributes
    ----------
    local_slots, wide_slots : list of int
        The most rows of past that a slot must have room for.
    local_tails, wide_tails, states : list of int
        Rows of each.
    """

    phases: list[tuple[list[Instruction], list[Instruction]]] = field(default_factory=list)
    local_slots: list[int] = field(default_factory=list)
    wide_slots: list[int] = field(default_factory=list)
    local_tails: list[int] = field(default_factory=list)
    wide_tails: list[int] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    fields: tuple[str, ...] = ()
    cost: float = 0.0
    """Nanoseconds per row and symbol on one thread."""


def scheduled(graph: Graph, results: Mapping[str, Value]) -> Schedule:
    """Return the schedule of some expressions' steps."""
    return _Scheduler(graph, list(results.values())).schedule


def _phases(graph: Graph, needed: Iterable[int]) -> dict[int, int]:
    phases: dict[int, int] = {}
    for index in needed:
        step = graph.steps[index]
        across = isinstance(step.action, RowCall)
        found = 0
        for value in step.inputs:
            after_row = isinstance(graph.steps[value.step].action, RowCall) and not across
            found = max(found, phases[value.step] + after_row)
        phases[index] = found
    return phases


class _Slots:
    """Slots that are taken and given back."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = sizes
        self._free = list(range(len(sizes)))  # what earlier phases used is free again

    def take(self, history: int) -> int:
        fitting = [slot for slot in self._free if self._sizes[slot] >= history]
        if fitting:
            slot = min(fitting, key=lambda s: self._sizes[s])
        elif self._free:
            slot = max(self._free, key=lambda s: self._sizes[s])
            self._sizes[slot] = history
        else:
            self._sizes.append(history)
            return len(self._sizes) - 1
        self._free.remove(slot)
        return slot

    def give_back(self, slot: int) -> None:
        self._free.append(slot)


class _Scheduler:
    def __init__(self, graph: Graph, results: list[Value]) -> None:
        self._graph = graph
        self._results = results
        self._needed = graph.needed(results)
        self._phase = _phases(graph, self._needed)
        self.schedule = Schedule()
        self._wide_slots = _Slots(self.schedule.wide_slots)
        self._stores: dict[Key, list[tuple[int, int]]] = defaultdict(list)
        for number, value in enumerate(results):
            self._stores[value.step, value.output].append((number, value.lag))
        self._local_past: dict[tuple[Key, int], int] = defaultdict(int)  # by value and phase
        self._wide_past: dict[Key, int] = {}
        self._wide_last: dict[Key, tuple[int, int]] = {}  # the last moment a wide value is read
        self._note_uses()
        self._wide_homes: dict[Key, Home] = {}
        self._dying: dict[tuple[int, int], list[Key]] = defaultdict(list)
        for key, moment in self._wide_last.items():
            self._dying[moment].append(key)
        self._build()

    def _is_row(self, index: int) -> bool:
        return isinstance(self._graph.steps[index].action, RowCall)

    def _is_cheap(self, index: int) -> bool:
        return isinstance(self._graph.steps[index].action, Load | Fill)

    def _note_uses(self) -> None:
        """Find how far back each value is read, where, and until when."""
        for index in self._needed:
            phase = self._phase[index]
            for value, reach in self._graph.steps[index].reach():
                key = (value.step, value.output)
                own = self._phase[value.step]
                if self._is_row(index):
                    self._note_wide(key, reach, (phase, index + 1))
                    if not self._is_row(value.step):
                        self._local_past[key, own] += 0
                    continue
                self._local_past[key, phase] = max(self._local_past[key, phase], reach)
                if self._is_row(value.step) or (own != phase and not self._is_cheap(value.step)):
                    self._note_wide(key, reach, (phase, 0))
        for key, stores in self._stores.items():
            for _, lag in stores:
                if self._is_row(key[0]):
                    self._note_wide(key, lag, (self._phase[key[0]], key[0] + 1))
                else:
                    place = (key, self._phase[key[0]])
                    self._local_past[place] = max(self._local_past[place], lag)

    def _note_wide(self, key: Key, reach: int, moment: tuple[int, int]) -> None:
        self._wide_past[key] = max(self._wide_past.get(key, 0), reach)
        self._wide_last[key] = max(self._wide_last.get(key, (-1, -1)), moment)

    def _build(self) -> None:
        by_phase: dict[int, list[int]] = defaultdict(list)
        for index in self._needed:
            by_phase[self._phase[index]].append(index)
        fields = {
            s.action.field
            for s in map(self._graph.steps.__getitem__, self._needed)
            if isinstance(s.action, Load)
        }
        self.schedule.fields = tuple(sorted(fields))
        for phase in range(max(by_phase, default=0) + 1):
            blocks = self._block_instructions(phase, [i for i in by_phase[phase] if not self._is_row(i)])
            self._free_wides((phase, 0))
            rows = []
            for index in by_phase[phase]:
                if self._is_row(index):
                    rows.append(self._row_instruction(index))
                    self._free_wides((phase, index + 1))
            self.schedule.phases.append((blocks, rows))
        self.schedule.cost = sum(
            i.action.cost + 0.6 * len(i.stores)
            for blocks, rows in self.schedule.phases
            for i in (*blocks, *rows)
        )

    def _free_wides(self, moment: tuple[int, int]) -> None:
        for key in self._dying.get(moment, []):
            self._wide_slots.give_back(self._wide_homes[key].slot)

    def _wide_home(self, key: Key) -> Home:
        home = self._wide_homes.get(key)
        if home is None:
            history = self._wide_past[key]
            home = Home(self._wide_slots.take(history), history, _new(self.schedule.wide_tails, history))
            self._wide_homes[key] = home
        return home

    def _row_instruction(self, index: int) -> Instruction:
        step = self._graph.steps[index]
        operands = tuple(Operand(self._wide_homes[v.step, v.output], v.lag) for v in step.inputs)
        self._wide_past.setdefault((index, 0), 0)
        home = self._wide_home((index, 0))
        stores = tuple(Store(0, number, lag) for number, lag in self._stores.get((index, 0), ()))
        return Instruction(step.action, operands, (home,), stores=stores)

    def _block_instructions(self, phase: int, own: list[int]) -> list[Instruction]:
        builder = _BlockBuilder(self.schedule, self._local_past, phase)
        for index in self._order(phase, own):
            step = self._graph.steps[index]
            keys = [(index, output) for output in range(step.action.outputs)]
            if self._phase[index] == phase and not self._is_row(index):
                wides = tuple(self._wide_home(key) if key in self._wide_past else None for key in keys)
                stores = tuple(
                    Store(output, number, lag)
                    for output, key in enumerate(keys)
                    for number, lag in self._stores.get(key, ())
                )
                builder.add(step.action, step.inputs, keys, wides, stores)
            elif self._is_cheap(index):
                builder.add(step.action, (), keys)
            else:
                for key in keys:
                    if (key, phase) in self._local_past:
                        builder.add(WideIn(self._wide_homes[key]), (), [key])
        return builder.finished()

    def _order(self, phase: int, own: list[int]) -> list[int]:
        """Return the steps of a phase in order, with what comes from elsewhere right ahead of its first reader."""
        order: dict[int, None] = {}
        for index in own:
            if self._is_cheap(index) and ((index, 0), phase) not in self._local_past:
                continue  # only later phases read it
            for value in self._graph.steps[index].inputs:
                if self._phase[value.step] != phase or self._is_row(value.step):
                    order.setdefault(value.step)
            order.setdefault(index)
        return list(order)


def _new(rows_of: list[int], rows: int) -> int | None:
    """Number a new tail or state; None if it would have no rows."""
    if rows == 0:
        return None
    rows_of.append(rows)
    return len(rows_of) - 1


@dataclass(frozen=True, slots=True)
class _Pending:
    action: Action | WideIn
    inputs: tuple[Value, ...]
    keys: list[Key]
    wides: tuple[Home | None, ...]
    stores: tuple[Store, ...]


class _BlockBuilder:
    """Collects the instructions of one block phase, then gives them slots by when they are read last."""

    def __init__(self, schedule: Schedule, past: Mapping[tuple[Key, int], int], phase: int) -> None:
        self._schedule = schedule
        self._past = past
        self._phase = phase
        self._pending: list[_Pending] = []

    def add(
        self,
        action: Action | WideIn,
        inputs: tuple[Value, ...],
        keys: list[Key],
        wides: tuple[Home | None, ...] = (),
        stores: tuple[Store, ...] = (),
    ) -> None:
        """Add an action that fills the values of these keys."""
        self._pending.append(_Pending(action, inputs, keys, wides or (None,) * len(keys), stores))

    def finished(self) -> list[Instruction]:
        """Return the instructions."""
        last: dict[Key, int] = {}
        for position, pending in enumerate(self._pending):
            for key in [*pending.keys, *((v.step, v.output) for v in pending.inputs)]:
                last[key] = position
        dying: dict[int, list[Key]] = defaultdict(list)
        for key, position in last.items():
            dying[position].append(key)
        slots = _Slots(self._schedule.local_slots)
        homes: dict[Key, Home] = {}
        instructions = []
        for position, pending in enumerate(self._pending):
            for key in pending.keys:
                homes[key] = self._home(key, slots, brought=isinstance(pending.action, WideIn))
            instructions.append(
                Instruction(
                    pending.action,
                    tuple(Operand(homes[v.step, v.output], v.lag) for v in pending.inputs),
                    tuple(homes[key] for key in pending.keys),
                    pending.wides,
                    pending.stores,
                    _new(self._schedule.states, pending.action.state_rows),
                )
            )
            for key in dying[position]:
                slots.give_back(homes[key].slot)
        return instructions

    def _home(self, key: Key, slots: _Slots, *, brought: bool) -> Home:
        history = self._past.get((key, self._phase), 0)
        # What is brought in comes with its past; its tail is kept where it was made.
        tail = None if brought else _new(self._schedule.local_tails, history)
        return Home(slots.take(history), history, tail)
