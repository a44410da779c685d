"""When steps run and where their values live: few phases, few slots, and the right values in every place."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions import Constant, Node, parse
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import Field
from quantflux.expressions.program.lowering import lower
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.run import Shape as Cut
from quantflux.expressions.program.schedule import Schedule, WideIn
from quantflux.expressions.program.steps import Load, RowCall
from tests.expressions.program.runs import assert_same_bits, compute, fed, in_pieces, named
from tests.expressions.reference.evaluator import evaluate_slowly
from tests.expressions.reference.panels import tame_panel, whole_panel

CLOSE, OPEN, VOLUME, INDUSTRY = Field("close"), Field("open"), Field("volume"), Field("industry")


def schedule_of(*roots: Node) -> Schedule:
    return Program(named(roots)).schedule


def steps_of(*roots: Node) -> int:
    return len(lower(named(roots))[0].steps)


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("close", 1),
        ("ts_mean(close + open, 5)", 1),
        ("rank(close)", 1),
        ("rank(ts_mean(close, 5))", 1),
        ("rank(rank(close))", 1),
        ("ts_mean(rank(close), 5)", 2),
        ("rank(ts_mean(rank(close), 5))", 2),
        ("ts_mean(rank(close), 5) + ts_mean(rank(open), 3)", 2),
        ("rank(ts_corr(rank(ts_mean(rank(close), 5)), rank(volume), 5)) * ts_sum(close, 3)", 4),
        ("rank(close) + close", 2),
    ],
)
def test_a_new_phase_begins_where_time_follows_on_a_cross_section(text: str, phases: int) -> None:
    assert len(schedule_of(parse(text)).phases) == phases


def test_each_phase_runs_over_blocks_first_and_then_over_rows() -> None:
    schedule = schedule_of(parse("rank(ts_mean(rank(close), 5))"))

    for blocks, rows in schedule.phases:
        assert not any(isinstance(i.action, RowCall) for i in blocks)
        assert all(isinstance(i.action, RowCall) for i in rows)
    assert [len(rows) for _, rows in schedule.phases] == [1, 1]


def test_a_chain_of_a_hundred_additions_needs_two_slots_beside_the_fields() -> None:
    x: Node = CLOSE
    for _ in range(100):
        x = x * OPEN + CLOSE

    schedule = schedule_of(x)

    assert len(schedule.local_slots) == 4
    assert schedule.local_tails == schedule.wide_slots == schedule.wide_tails == schedule.states == []


def test_slots_of_one_phase_serve_the_next() -> None:
    def chain(x: Node) -> Node:
        for _ in range(20):
            x = x * OPEN + CLOSE
        return x

    one, two = schedule_of(chain(CLOSE)), schedule_of(chain(fn.rank(chain(CLOSE))))

    assert len(two.local_slots) <= len(one.local_slots) + 1


def test_wide_values_give_their_slots_back() -> None:
    x: Node = CLOSE
    for _ in range(12):
        x = fn.ts_mean(fn.rank(x), 3)

    schedule = schedule_of(x)

    assert len(schedule.phases) == 13
    assert len(schedule.wide_slots) <= 3


def test_a_value_keeps_only_as_much_past_as_is_read() -> None:
    short, long = schedule_of(fn.delay(CLOSE, 3)), schedule_of(fn.delay(CLOSE, 3), fn.delay(CLOSE, 40))

    assert short.local_tails == [3]
    assert long.local_tails == [40]


def test_equal_parts_of_several_expressions_are_one_step() -> None:
    mean = fn.ts_mean(CLOSE, 20)

    assert steps_of(mean) == 2
    assert steps_of(mean, fn.ts_sum(CLOSE, 20)) == 2
    assert steps_of(mean, CLOSE / mean, fn.delay(mean, 3)) == 3
    assert steps_of(fn.ts_slope(CLOSE, 9), fn.ts_rsquare(CLOSE, 9), fn.ts_resid(CLOSE, 9)) == 2
    assert steps_of(fn.ts_quantile(CLOSE, 9, 0.2), fn.ts_quantile(CLOSE, 9, 0.8)) == 2


def test_a_field_that_is_read_in_two_phases_is_loaded_twice_rather_than_kept() -> None:
    schedule = schedule_of(fn.ts_mean(fn.rank(CLOSE), 5) + OPEN)

    loads = [[i.action.field for i in blocks if isinstance(i.action, Load)] for blocks, _ in schedule.phases]
    assert loads == [["close"], ["open"]]
    assert schedule.fields == ("close", "open")


def test_a_computed_value_that_a_later_phase_reads_is_kept_wide() -> None:
    mean = fn.ts_mean(CLOSE, 5)
    schedule = schedule_of(fn.rank(mean) - mean)

    second, _ = schedule.phases[1]
    assert sum(isinstance(i.action, WideIn) for i in second) == 2


PLACES = {
    "a field": CLOSE,
    "a delayed field": fn.delay(CLOSE, 7),
    "a kernel's output": fn.ts_mean(CLOSE, 4, least=1),
    "a delayed kernel's output": fn.delay(fn.ts_mean(CLOSE, 4, least=1), 3),
    "a second output": fn.ts_rsquare(CLOSE, 6, least=3),
    "a delayed second output": fn.delay(fn.ts_rsquare(CLOSE, 6, least=3), 2),
    "a row": fn.rank(CLOSE),
    "a delayed row": fn.delay(fn.rank(CLOSE), 5),
    "a row of a delayed field": fn.rank(fn.delay(CLOSE, 2)),
    "a row of a delayed row": fn.demean(fn.delay(fn.row_max(CLOSE), 2)),
    "a row of a delayed kernel's output": fn.rank(fn.delay(fn.ts_max(CLOSE, 3, least=1), 2)),
    "a field beside a row": CLOSE - fn.row_median(CLOSE),
    "a delayed field beside a delayed row": fn.delay(CLOSE, 4) - fn.delay(fn.row_median(CLOSE), 1),
    "a kernel over a row": fn.ts_max(fn.rank(CLOSE), 6, least=1),
    "a kernel over a row and a field": fn.ts_corr(fn.rank(CLOSE), VOLUME, 6, least=2),
    "a row over a kernel over a row": fn.rank(fn.ts_sum(fn.rank(CLOSE), 3, least=1)),
    "a value of the first phase in the third": fn.ts_sum(CLOSE, 3, least=1)
    + fn.ts_max(fn.rank(fn.ts_max(fn.rank(CLOSE), 3, least=1)), 2, least=1),
    "a value of the first phase, delayed, in the second": fn.delay(fn.ts_max(CLOSE, 5, least=1), 6)
    * fn.rank(CLOSE),
    "a number beside a row": fn.where(fn.rank(CLOSE) > 0.5, 1, -1),
    "a group": fn.group_rank(CLOSE, INDUSTRY),
    "a group that was delayed": fn.group_count(CLOSE, fn.delay(INDUSTRY, 3)),
    "a recursion over a row": fn.last_known(fn.rank(CLOSE), 4),
    "a delay of a delay": fn.delay(fn.delay(CLOSE, 3) + 0, 2),
    "a regression within a row": fn.neutralize(CLOSE, fn.log(VOLUME)),
}
"""One expression for each place a result can come from."""


@pytest.mark.parametrize("place", PLACES)
def test_a_result_may_come_from_anywhere(place: str) -> None:
    panel = tame_panel(1, 60, 9)

    for cut in (Cut(256, 256, 1), Cut(7, 4, 2), Cut(1, 2, 1)):
        (found,) = compute([PLACES[place]], panel, cut)
        np.testing.assert_allclose(found, evaluate_slowly(PLACES[place], panel.fields), rtol=1e-9, atol=1e-9)


def test_results_from_everywhere_do_not_disturb_each_other() -> None:
    panel = tame_panel(2, 60, 9)
    program = Program(PLACES)

    for found in (
        fed(program, panel, Cut(11, 4, 2))[0],
        in_pieces(program, panel, [20, 21, 50], Cut(11, 4, 1)),
    ):
        for values, node in zip(found, PLACES.values(), strict=True):
            np.testing.assert_allclose(values, evaluate_slowly(node, panel.fields), rtol=1e-9, atol=1e-9)


def test_one_expression_may_have_several_names() -> None:
    panel = whole_panel(3)
    node = fn.delay(fn.rank(CLOSE), 2)
    program = Program({"a": node, "b": CLOSE, "c": node, "d": CLOSE, "e": fn.delay(CLOSE, 1)})

    values, _ = fed(program, panel, Cut(10, 4, 1))

    assert program.names == ("a", "b", "c", "d", "e")
    assert_same_bits(values[0], values[2], ["a"] * len(values[0]))
    assert_same_bits(values[1], panel["close"], ["close"] * len(values[1]))
    assert_same_bits(values[3], panel["close"], ["close"] * len(values[1]))
    assert np.array_equal(values[4][1:], panel["close"][:-1], equal_nan=True)
    assert np.isnan(values[4][0]).all()


def test_a_program_names_its_fields_kernels_and_schedule() -> None:
    program = Program({"x": parse("ts_mean(close, 5) + rank(volume)")})

    assert program.fields == ("close", "volume")
    assert [kernel.name for kernel in program.kernels] == ["rolling_sum", "row_rank", "binary"]
    assert program.digest == Program({"other": parse("ts_mean(close, 5) + rank(volume)")}).digest
    assert program.digest != Program({"x": parse("ts_mean(close, 6) + rank(volume)")}).digest
    assert program.digest != Program({"x": parse("ts_mean(open, 5) + rank(volume)")}).digest
    assert program.digest != Program({"x": parse("ts_mean(close, 5) + log(volume)")}).digest


def test_compiling_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []

    Program({"x": parse("ts_mean(close, 5) + rank(volume)")}).compile(
        lambda done, total: told.append((done, total))
    )

    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_nothing_to_compute_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="name at least one expression"):
        Program({})


def test_an_expression_without_a_field_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="five reads no field"):
        Program({"close": CLOSE, "five": Constant(5)})


def test_more_parts_than_a_program_may_have_are_refused() -> None:
    roots = [fn.clip(CLOSE, 0, 1 + i) for i in range(20_000)]

    with pytest.raises(InvalidRequest, match="20,001 parts, more than 20,000"):
        Program(named(roots))
