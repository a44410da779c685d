"""What a run will take, told before it starts, and how to cut it so that it keeps within a memory budget."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.run import Shape

_CHUNKS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
_BLOCKS = (256, 128, 64, 32, 16)
_MOST_ROWS = 1024
_CELL = 8
_OBJECT = 136
"""Bytes that an array takes beside its cells: it counts where blocks are narrow, and so many."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a run will take.

    Attributes
    ----------
    rows, symbols, expressions : int
    bytes : int
        The most that the run's own arrays take at once: scratch, pasts, states and the results it holds.
    seconds : float
        Estimated from the kernels' measured costs on one machine; within a factor of two on another.
    shape : Shape
        How it will be cut.
    """

    rows: int
    symbols: int
    expressions: int
    bytes: int
    seconds: float
    shape: Shape

    @property
    def values(self) -> int:
        """Numbers that come out."""
        return self.rows * self.symbols * self.expressions


def default_threads() -> int:
    """Return how many threads a run takes unless told: as many as this process may use processors."""
    return len(os.sched_getaffinity(0))


def left_of(max_memory: int | None) -> int | None:
    """Return how much of the memory that this process may hold is left; None if there is no bound."""
    if max_memory is None:
        return None
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return max_memory - pages * os.sysconf("SC_PAGESIZE")


def quote(
    program: Program,
    rows: int,
    symbols: int,
    *,
    threads: int | None = None,
    max_bytes: int | None = None,
    held_bytes: int = 0,
    row_bytes: int = 0,
) -> Quote:
    """Return what a run over so many rows and symbols takes, cut to fit.

    Parameters
    ----------
    threads : int, optional
        All processors unless given.
    max_bytes : int, optional
        The most that the run may take; no bound unless given.
    held_bytes : int
        What is held besides, whatever the cut: whole results in memory, the source's own arrays.
    row_bytes : int
        What a sink holds for each row of a chunk.

    Raises
    ------
    InvalidRequest
        If the smallest cut does not fit; says how much would do.
    """
    workers = default_threads() if threads is None else threads
    needed = 0
    for shape in _shapes(workers, rows, symbols):
        needed = held_bytes + run_bytes(program, symbols, shape) + row_bytes * shape.chunk
        if max_bytes is None or needed <= max_bytes:
            speedup = 1 + 0.9 * (min(shape.threads, -(-symbols // shape.block)) - 1)
            seconds = program.schedule.cost * rows * symbols * 1e-9 / speedup
            return Quote(rows, symbols, len(program.names), needed, seconds, shape)
    raise InvalidRequest(
        f"{len(program.names)} expressions over {symbols:,} symbols need at least {needed / 1e6:,.0f} MB of memory, "
        f"{(max_bytes or 0) / 1e6:,.0f} MB are left; allow more, or compute fewer expressions at once"
    )


def run_bytes(program: Program, symbols: int, shape: Shape) -> int:
    """Return the bytes of a run's own arrays."""
    schedule, chunk = program.schedule, shape.chunk
    block = min(shape.block, symbols)
    local = sum(history + chunk for history in schedule.local_slots) * block * shape.threads
    wide = sum(history + chunk for history in schedule.wide_slots) * symbols
    kept = (sum(schedule.local_tails) + sum(schedule.wide_tails) + sum(schedule.states)) * symbols
    objects = (len(schedule.local_tails) + len(schedule.states)) * math.ceil(symbols / shape.block)
    # The state a run starts from, its own copy, and the copy it hands back may all be alive at once.
    return _CELL * (local + wide + 3 * kept) + _OBJECT * objects


def _shapes(threads: int, rows: int, symbols: int) -> Iterator[Shape]:
    """Yield cuts from the fastest to the smallest."""
    # Blocks no wider than gives every thread one; the last halves of a chunk's work cost little then.
    widest = max(-(-symbols // threads), 1)
    tallest = max(rows, 1)
    if widest < _BLOCKS[0]:  # as many cells, so that an instruction is worth its call
        yield Shape(min(_CHUNKS[0] * _BLOCKS[0] // widest, _MOST_ROWS, tallest), widest, threads)
    for chunk, block in product(_CHUNKS, _BLOCKS):
        yield Shape(min(chunk, tallest), min(block, widest), threads)
