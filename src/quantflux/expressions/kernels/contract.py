"""What every time-series kernel is: one function that is fed chunks of rows and keeps a state between them.

A kernel is called as ::

    kernel(x, hx, [y, hy, ...] out, ho, [out2, ho2, ...] state, rows, t, *parameters)

* `x` is a C-contiguous float64 array of shape (hx + rows or more, B), time-major, the symbols innermost. Rows
  `hx .. hx+rows-1` are the chunk; the rows before it are the past, of which at least `history(*parameters)` are
  there, NaN where there was nothing. `out` likewise: the kernel fills rows `ho .. ho+rows-1`.
* `state` is a C-contiguous float64 array of shape (state_rows, B), which starts as zeros and is carried from chunk
  to chunk.
* `t` is the absolute number of the chunk's first row, counted from the first row of the data.

The promises, tested for every kernel:

1. **Any chunking gives the same bits.** Sums are rebuilt from the past at absolute row numbers that are multiples of
   `anchor_period`, or where the symbol's own numbers ask for it, never at the start of a chunk, and each symbol's
   arithmetic does not depend on its neighbours.
2. **Nothing comes from nothing.** As long as all its inputs have been NaN, a symbol's outputs are NaN and its state is
   as it started, so that a symbol that is listed later needs no history.
3. NaN is skipped. A window with fewer than `least` numbers gives NaN. No output is infinite unless an input is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import float64, int64, njit
from numba.extending import register_jitable

jit = njit(nogil=True, cache=True, error_model="numpy", fastmath=False)
"""How kernels are compiled: on first use, kept on disk, without the interpreter's lock, in plain IEEE arithmetic.

Contracted or reciprocal arithmetic may differ between LLVM's vector loop and its scalar remainder, and so would the
bits of a symbol when the width of its block changes; and n * (1 / n) is not always 1. It was also no faster: the loops
wait for memory. `fastmath` is said, as a function that is silent about it inherits that of its caller.
"""

ARRAY = float64[:, ::1]


def _none(*_: float) -> int:
    return 0


def compile_once(function: Any, inputs: Sequence[Any], parameters: Sequence[type]) -> None:
    """Compile a kernel for these inputs and scalar parameters, or load it; nothing if that was done before."""
    signature = (*inputs, *(int64 if kind is int else float64 for kind in parameters))
    if signature not in function.signatures:
        function.compile(signature)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel and what the plan must know of it.

    Attributes
    ----------
    name : str
    function : numba dispatcher
        See the module's text for its arguments.
    inputs, outputs : int
        Number of arrays it reads and fills.
    parameters : tuple of type
        `int` or `float` for each scalar behind `t`.
    history, state_rows : callable
        From the parameters to the rows of past it needs of each input, and to the rows of its state.
    cost : callable
        From the parameters to nanoseconds per row and symbol on one thread, for the quote before a run.
    """

    name: str
    function: Any
    inputs: int
    outputs: int
    parameters: tuple[type, ...] = ()
    history: Callable[..., int] = field(default=_none)
    state_rows: Callable[..., int] = field(default=_none)
    cost: Callable[..., float] = field(default=lambda *_: 1.0)

    def compile(self) -> None:
        """Compile it, or load it from the disk; nothing if that was done before."""
        arrays = [ARRAY, int64] * (self.inputs + self.outputs)
        compile_once(self.function, (*arrays, ARRAY, int64, int64), self.parameters)


@register_jitable
def anchor_period(window: int) -> int:
    """Return after how many rows running sums over a window are rebuilt: 128, more for long windows.

    Compiled code may call it.

    Examples
    --------
    >>> anchor_period(20), anchor_period(250)
    (128, 512)
    """
    period = 128
    while period < 2 * window:
        period *= 2
    return period


def run_whole(
    kernel: Kernel, *inputs: np.ndarray, parameters: tuple[float, ...] = (), chunk: int = 0
) -> list[np.ndarray]:
    """Return the outputs of a kernel over whole arrays of shape (T, N), fed in chunks; for tests and trials.

    Parameters
    ----------
    chunk : int
        Rows in a chunk; 0 means all at once.
    """
    total, width = inputs[0].shape
    past = kernel.history(*parameters)
    padded = [np.vstack([np.full((past, width), np.nan), x]) for x in inputs]
    state = np.zeros((kernel.state_rows(*parameters), width))
    outputs = [np.empty((total, width)) for _ in range(kernel.outputs)]
    step = chunk or max(total, 1)
    for first in range(0, total, step):
        rows = min(step, total - first)
        pieces = [np.ascontiguousarray(x[first : first + past + rows]) for x in padded]
        arguments: list[Any] = []
        for piece in pieces:
            arguments += [piece, past]
        for output in outputs:
            arguments += [output, first]
        kernel.function(*arguments, state, rows, first, *parameters)
    return outputs
