"""Runs at their edges: no rows, no symbols, odd cuts, checkpoints, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.expressions import Node, parse
from quantflux.expressions import functions as fn
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import Field
from quantflux.expressions.program.flow import ArraySink, PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.run import Shape as Cut
from quantflux.expressions.program.run import run
from quantflux.expressions.program.state import State
from tests.expressions.program.runs import assert_same_bits, columns_of, compute, fed, rows_of
from tests.expressions.reference.panels import panel_of, tame_panel

CLOSE, VOLUME = Field("close"), Field("volume")

EVERY_KIND: dict[str, Node] = {
    "field": CLOSE,
    "elementwise": fn.log(CLOSE) * 2,
    "delay": fn.delay(CLOSE, 2),
    "rolling": fn.ts_std(CLOSE, 4, least=2),
    "several kernels": fn.ts_argmax(CLOSE, 5, least=1),
    "recursive": fn.ema(CLOSE, 5),
    "row": fn.rank(CLOSE),
    "row sum": fn.zscore(CLOSE),
    "group": fn.group_rank(CLOSE, fn.bucket(VOLUME, 2)),
    "regression": fn.neutralize(CLOSE, VOLUME),
    "over a row": fn.ts_mean(fn.rank(CLOSE), 3, least=1),
    "filled": fn.where(CLOSE > 1, 1, 0),
}


def run_all(panel: Panel, cut: Cut | None = None) -> np.ndarray:
    return fed(Program(EVERY_KIND), panel, cut or Cut())[0]


def test_more_threads_than_blocks_and_rows() -> None:
    panel = tame_panel(1, 12, 3)

    assert_same_bits(run_all(panel, Cut(5, 100, 16)), run_all(panel), list(EVERY_KIND))


def test_a_chunk_longer_than_the_data() -> None:
    panel = tame_panel(1, 12, 3)

    assert_same_bits(run_all(panel, Cut(5000, 1, 1)), run_all(panel), list(EVERY_KIND))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_no_rows_or_no_symbols_give_no_values(shape: tuple[int, int], threads: int) -> None:
    whole = tame_panel(1, 12, 3)
    panel = columns_of(rows_of(whole, 0, shape[0]), range(shape[1]))

    assert run_all(panel, Cut(4, 2, threads)).shape == (len(EVERY_KIND), *shape)
    assert evaluate(EVERY_KIND, panel, threads=threads)["row"].shape == shape


def test_a_run_without_rows_leaves_the_state_as_it_was() -> None:
    panel = tame_panel(1, 30, 3)
    program = Program(EVERY_KIND)
    _, before = fed(program, rows_of(panel, 0, 20))

    values, after = fed(program, rows_of(panel, 20, 20), state=before)

    assert values.shape == (len(EVERY_KIND), 0, 3)
    assert after.encode() == before.encode()


def test_a_single_symbol_has_the_highest_rank_and_no_spread() -> None:
    panel = panel_of({"close": np.array([[3.0], [4.0], [np.nan], [5.0]]), "volume": np.ones((4, 1))})

    values = dict(zip(EVERY_KIND, run_all(panel, Cut(2, 4, 2)), strict=True))

    assert values["row"].ravel().tolist() == pytest.approx([1, 1, np.nan, 1], nan_ok=True)
    assert np.isnan(values["row sum"]).all()
    assert np.isnan(values["regression"]).all()
    assert values["over a row"].ravel().tolist() == [1, 1, 1, 1]


def test_a_symbol_that_never_trades_is_missing_everywhere() -> None:
    panel = tame_panel(1, 30, 4)
    fields = {name: array.copy() for name, array in panel.fields.items()}
    for array in fields.values():
        array[:, 2] = np.nan

    values = run_all(Panel(panel.times, panel.symbols, fields), Cut(7, 3, 2))

    assert np.isnan(values[:, :, 2]).all()


def test_float32_fields_are_taken_as_they_are() -> None:
    panel = tame_panel(1, 30, 4)
    single = {name: array.astype(np.float32) for name, array in panel.fields.items()}
    double = {name: array.astype(np.float64) for name, array in single.items()}

    found = run_all(Panel(panel.times, panel.symbols, single))

    assert_same_bits(found, run_all(Panel(panel.times, panel.symbols, double)), list(EVERY_KIND))


def test_a_float32_result_is_the_float64_result_rounded() -> None:
    panel = tame_panel(1, 30, 4)

    single = evaluate(EVERY_KIND, panel, dtype=np.float32)
    double = evaluate(EVERY_KIND, panel)

    for name in EVERY_KIND:
        assert single[name].dtype == np.float32
        assert np.array_equal(single[name], double[name].astype(np.float32), equal_nan=True)


def test_what_float32_cannot_hold_is_missing() -> None:
    panel = panel_of({"close": np.array([[1e300, -1e39, 3.5e38, 3.4e38, 1e-50, np.nan, 0.0]])})

    values = evaluate(CLOSE, panel, dtype=np.float32)["value"]

    assert values.ravel().tolist() == pytest.approx(
        [np.nan, np.nan, np.nan, np.float32(3.4e38), 0, np.nan, 0], nan_ok=True
    )


def test_results_of_rows_are_rounded_to_float32_likewise() -> None:
    panel = panel_of({"close": np.array([[1e200, 2e200, 1.0]])})

    values = evaluate(fn.row_max(CLOSE), panel, dtype=np.float32)["value"]

    assert np.isnan(values).all()


def test_progress_is_told_after_each_chunk() -> None:
    told: list[tuple[int, int]] = []

    evaluate(
        CLOSE,
        tame_panel(1, 10, 2),
        shape=Cut(4, 8, 1),
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(4, 10), (8, 10), (10, 10)]


def test_checkpoints_come_at_absolute_rows_and_can_be_gone_on_from() -> None:
    panel = tame_panel(1, 50, 4)
    program = Program(EVERY_KIND)
    whole, _ = fed(program, panel)
    _, begin = fed(program, rows_of(panel, 0, 3))
    kept: list[State] = []
    rest = rows_of(panel, 3, 50)
    sink = ArraySink(len(EVERY_KIND), rest.shape, np.float64)

    run(
        program,
        PanelSource(rest, program.fields),
        sink,
        shape=Cut(16, 3, 2),
        state=begin,
        checkpoint=kept.append,
        checkpoint_rows=10,
    )

    assert [state.rows for state in kept] == [10, 20, 30, 40, 50]
    assert_same_bits(sink.arrays, whole[:, 3:], list(EVERY_KIND))
    for state in kept[:-1]:
        found, _ = fed(program, rows_of(panel, state.rows, 50), state=state)
        assert_same_bits(found, whole[:, state.rows :], list(EVERY_KIND))


def test_the_state_that_a_run_begins_with_is_not_changed() -> None:
    panel = tame_panel(1, 40, 4)
    program = Program(EVERY_KIND)
    _, state = fed(program, rows_of(panel, 0, 20))
    before = state.encode()

    fed(program, rows_of(panel, 20, 40), Cut(8, 2, 2), state)

    assert state.encode() == before


def test_a_state_is_no_view_of_the_run_that_goes_on() -> None:
    panel = tame_panel(1, 40, 4)
    program = Program(EVERY_KIND)
    kept: list[tuple[State, bytes]] = []
    run(
        program,
        PanelSource(panel, program.fields),
        ArraySink(len(EVERY_KIND), panel.shape),
        checkpoint=lambda state: kept.append((state, state.encode())),
        checkpoint_rows=10,
    )

    assert all(state.encode() == encoded for state, encoded in kept)


def test_a_field_that_the_panel_lacks_is_named() -> None:
    with pytest.raises(NotFound, match=r"no field vwap; it has: close, volume"):
        evaluate(parse("vwap / close"), panel_of({"close": np.ones((2, 2)), "volume": np.ones((2, 2))}))


def test_an_expression_without_a_field_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="value reads no field"):
        evaluate(parse("1 + 1"), tame_panel(1, 5, 2))


def test_the_state_of_another_program_is_refused() -> None:
    panel = tame_panel(1, 10, 2)
    _, state = fed(Program({"a": fn.ema(CLOSE, 5)}), panel)

    with pytest.raises(InvalidRequest, match="belongs to another program"):
        fed(Program({"a": fn.ema(CLOSE, 6)}), panel, state=state)


@pytest.mark.parametrize("before", [0, 2, 5])
def test_the_state_of_another_number_of_symbols_is_refused(before: int) -> None:
    panel = tame_panel(1, 10, 5)
    program = Program({"a": fn.ema(CLOSE, 5)})
    _, state = fed(program, columns_of(panel, range(before)))

    with pytest.raises(InvalidRequest, match=f"of {before} symbols, the source of 4"):
        fed(program, columns_of(panel, range(4)), state=state)


def test_a_state_that_carries_nothing_goes_with_any_number_of_symbols() -> None:
    panel = tame_panel(1, 10, 5)
    program = Program({"a": fn.rank(CLOSE * 2)})
    _, state = fed(program, columns_of(panel, [0, 1]))

    values, after = fed(program, panel, state=State.decode(state.encode()))

    assert (after.rows, after.columns, after.nbytes) == (20, 0, 0)
    assert_same_bits(values, compute([fn.rank(CLOSE * 2)], panel), ["a"])


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_a_cut_into_nothing_is_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidRequest, match="must be at least 1"):
        Cut(*sizes)
