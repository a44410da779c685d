"""A run that is stopped stops soon, raises what was raised, and leaves no thread behind."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from quantflux.core.errors import Cancelled
from quantflux.core.panel import Panel
from quantflux.expressions import functions as fn
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import Field, Node
from quantflux.expressions.program.flow import ArraySink, PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.run import Shape as Cut
from quantflux.expressions.program.run import run
from tests.expressions.reference.panels import tame_panel

CLOSE = Field("close")
MANY_PHASES = fn.rank(fn.ts_mean(fn.rank(fn.ts_mean(CLOSE, 3)), 3))


class CountingSource(PanelSource):
    """Counts the blocks that were read, and calls something at each of them."""

    def __init__(self, panel: Panel, at_read: Callable[[int], None] = lambda _: None) -> None:
        super().__init__(panel, ["close"])
        self.reads = 0
        self._at_read = at_read
        self._lock = threading.Lock()

    def read(self, field: str, rows: slice, columns: slice, out: np.ndarray) -> None:
        with self._lock:
            self.reads += 1
            number = self.reads
        self._at_read(number)
        super().read(field, rows, columns, out)


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.fixture
def panel() -> Panel:
    return tame_panel(1, 200, 20)


def start(
    source: CountingSource, cut: Cut, cancelled: Callable[[], bool] = lambda: False, node: Node = MANY_PHASES
) -> ArraySink:
    program = Program({"a": node})
    sink = ArraySink(1, source.shape, np.float64)
    run(program, source, sink, shape=cut, cancelled=cancelled)
    return sink


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_run_ends_within_the_blocks_that_are_under_way(panel: Panel, threads: int) -> None:
    stop = threading.Event()
    source = CountingSource(panel, lambda number: stop.set() if number == 7 else None)

    with pytest.raises(Cancelled, match="was cancelled"):
        start(source, Cut(10, 2, threads), stop.is_set)

    assert 7 <= source.reads < 7 + threads


def test_a_run_that_is_cancelled_from_the_start_reads_nothing(panel: Panel) -> None:
    source = CountingSource(panel)

    with pytest.raises(Cancelled):
        start(source, Cut(10, 2, 2), lambda: True)

    assert source.reads == 0


def test_a_run_across_symbols_can_be_cancelled_as_well(panel: Panel) -> None:
    """Behind the only blocks of the only chunk, the question is asked before each cross-section."""
    asked: list[int] = []
    blocks = 10

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > blocks + 1

    source = CountingSource(panel)
    with pytest.raises(Cancelled):
        start(source, Cut(200, 2, 1), cancelled, fn.rank(fn.rank(fn.rank(CLOSE))))

    assert (source.reads, len(asked)) == (blocks, blocks + 2)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError("disk"), SystemExit])
def test_what_a_block_raises_ends_the_run(panel: Panel, threads: int, error: BaseException) -> None:
    def fail(number: int) -> None:
        if number == 5:
            raise error

    source = CountingSource(panel, fail)

    with pytest.raises(error if isinstance(error, type) else type(error)):
        start(source, Cut(10, 2, threads))

    blocks_of_a_chunk = 10
    assert source.reads <= blocks_of_a_chunk


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Python's own handling of Ctrl-C, which it leaves out in processes that a shell put into the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("keyboard")
@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_from_the_keyboard_ends_the_run(panel: Panel, threads: int) -> None:
    """The signal reaches the main thread, which may be waiting for the others."""
    source = CountingSource(panel, lambda number: _thread.interrupt_main() if number == 25 else None)

    with pytest.raises(KeyboardInterrupt):
        start(source, Cut(10, 2, threads))

    assert source.reads < 200


def test_an_interrupt_between_chunks_ends_the_run(panel: Panel) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(MANY_PHASES, panel, shape=Cut(10, 2, 3), progress=interrupt)


def test_a_sink_that_fails_ends_the_run(panel: Panel) -> None:
    class FullSink(ArraySink):
        def written(self, first: int, rows: int) -> None:
            if first >= 20:
                raise OSError("no space left")

    program = Program({"a": MANY_PHASES})

    with pytest.raises(OSError, match="no space left"):
        run(program, CountingSource(panel), FullSink(1, panel.shape), shape=Cut(10, 2, 3))


def test_a_run_after_a_cancelled_one_is_right(panel: Panel) -> None:
    with pytest.raises(Cancelled):
        start(CountingSource(panel), Cut(10, 2, 2), lambda: True)

    found = start(CountingSource(panel), Cut(10, 2, 2)).arrays[0]

    assert np.array_equal(found, evaluate(MANY_PHASES, panel)["value"], equal_nan=True)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_end_with_a_run_that_succeeds(panel: Panel, threads: int) -> None:
    start(CountingSource(panel), Cut(10, 2, threads))
