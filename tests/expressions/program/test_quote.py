"""Quotes: what a run takes fits what it was told it may take, and the arrays of a run fit the quote."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import Node
from quantflux.expressions.program.flow import PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import default_threads, left_of, quote, run_bytes
from quantflux.expressions.program.run import Shape as Cut
from quantflux.expressions.program.run import run
from quantflux.factors.libraries.loading import load_library
from tests.expressions.program.runs import fed
from tests.expressions.reference.panels import tame_panel
from tests.factors.libraries.market import market

MB = 1_000_000

OBJECTS = 2 * MB
"""What Python itself takes for a run: the instructions bound to arrays, threads, slices; it does not grow with data."""

SYMBOLS = 1_000


def program_of(*texts: str) -> Program:
    return Program({f"v{i}": parse(text) for i, text in enumerate(texts)})


def library(name: str, take: int = 1000) -> Program:
    expressions: dict[str, Node] = {f.id: f.node for f in list(load_library(name))[:take]}
    return Program(expressions)


LARGE = library("alpha158")


@pytest.mark.parametrize("budget", [30, 60, 120, 500, 5000])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_quote_fits_the_budget(budget: int, threads: int) -> None:
    found = quote(LARGE, 2_500, 400, threads=threads, max_bytes=budget * MB)

    assert found.bytes == run_bytes(LARGE, 400, found.shape) <= budget * MB
    assert found.shape.threads == threads
    assert found.values == 2_500 * 400 * 158


def test_less_memory_means_smaller_pieces_and_no_bound_the_largest() -> None:
    free = quote(LARGE, 2_500, 1_000, threads=2)
    tight = quote(LARGE, 2_500, 1_000, threads=2, max_bytes=int(0.7 * free.bytes))

    assert free.shape == Cut(256, 256, 2)
    assert tight.shape.chunk * tight.shape.block < 256 * 256


def test_pieces_are_no_larger_than_the_data() -> None:
    assert quote(LARGE, 3, 10, threads=1).shape == Cut(3, 10, 1)
    assert quote(LARGE, 300, 10, threads=4).shape == Cut(300, 3, 4)
    assert quote(LARGE, 0, 0, threads=2).shape == Cut(1, 1, 2)


def test_of_few_symbols_more_rows_are_taken_at_once() -> None:
    assert quote(LARGE, 5_000, 200, threads=2).shape == Cut(655, 100, 2)
    assert quote(LARGE, 5_000, 10, threads=1).shape == Cut(1024, 10, 1)


def test_what_is_held_besides_counts() -> None:
    bare = quote(LARGE, 2_500, 400, threads=1)
    held = quote(LARGE, 2_500, 400, threads=1, held_bytes=7 * MB, row_bytes=1_000)

    assert held.bytes == bare.bytes + 7 * MB + 1_000 * held.shape.chunk


def test_a_budget_that_is_too_small_is_refused_with_the_size_that_would_do() -> None:
    with pytest.raises(
        InvalidRequest, match=r"158 expressions over 5,000 symbols need at least [\d,]+ MB"
    ) as refused:
        quote(LARGE, 2_500, 5_000, threads=2, max_bytes=20 * MB)

    needed = int(str(refused.value).split("at least ")[1].split(" MB")[0].replace(",", ""))
    assert quote(LARGE, 2_500, 5_000, threads=2, max_bytes=(needed + 1) * MB).bytes <= (needed + 1) * MB


def test_evaluating_keeps_to_the_budget_or_refuses() -> None:
    panel = tame_panel(1, 300, 40)
    expressions = dict(LARGE.expressions)
    expressions = {name: expressions[name] for name in list(expressions)[:20] if "vwap" not in name.lower()}

    with pytest.raises(InvalidRequest, match="allow more, or compute fewer"):
        evaluate(expressions, panel, max_bytes=1 * MB)


def test_a_longer_run_costs_more_and_threads_make_it_shorter() -> None:
    one, twice = (quote(LARGE, rows, 1_000, threads=1).seconds for rows in (1_000, 2_000))

    assert twice == pytest.approx(2 * one)
    assert quote(LARGE, 1_000, 1_000, threads=2).seconds < 0.6 * one
    assert (
        quote(LARGE, 1_000, 1_000, threads=1).seconds
        > 10 * quote(program_of("close"), 1_000, 1_000, threads=1).seconds
    )


def test_threads_are_the_processors_unless_told() -> None:
    assert quote(LARGE, 10, 5_000).shape.threads == default_threads() >= 1


def test_what_is_left_of_the_memory_is_less_than_all() -> None:
    assert left_of(None) is None
    left = left_of(10**12)
    assert left is not None
    assert 0 < left < 10**12


PROGRAMS = {
    "elementwise": program_of("close * open + volume"),
    "long windows": program_of("ts_mean(close, 240)", "ts_corr(close, volume, 120)", "delay(close, 500)"),
    "across symbols": program_of(
        "rank(close)", "ts_mean(rank(ts_std(close, 20)), 60)", "zscore(delay(close, 1000))"
    ),
    "recursions": program_of("ema(close, 20)", "rsi(close, 14)", "adx(high, low, close)"),
    "alpha158": LARGE,
    "alpha101": library("alpha101", 25),
}


@pytest.mark.parametrize("cut", [Cut(64, 256, 1), Cut(32, 16, 2)], ids=str)
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_arrays_of_a_run_fit_the_quote(name: str, cut: Cut) -> None:
    """What `tracemalloc` sees are NumPy's arrays and Python's objects, all that grows with the data."""
    program, panel = PROGRAMS[name], market(66, SYMBOLS, seed=1)
    quoted = run_bytes(program, SYMBOLS, cut)
    _, state = fed(program, market(4, SYMBOLS, seed=2))
    source, sink = PanelSource(panel, program.fields), _Nothing(panel.shape)

    tracemalloc.start()
    try:
        run(program, source, sink, shape=cut, state=state)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The state that the run began from is quoted, but was made before.
    assert peak - OBJECTS <= quoted - state.nbytes
    assert peak > 0.5 * (quoted - state.nbytes) or quoted < 2 * OBJECTS


class _Nothing:
    """A sink that keeps one chunk of one expression."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._chunk: np.ndarray = np.empty((256, shape[1]), dtype=np.float32)

    def target(self, expression: int, first: int, rows: int) -> tuple[np.ndarray, int]:
        return self._chunk, 0

    def written(self, first: int, rows: int) -> None:
        pass
