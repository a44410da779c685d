"""However a run is cut, in rows, symbols, threads or days, every value has the same bits."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import pytest

from quantflux.core.panel import Panel
from quantflux.expressions import Node, parse
from quantflux.expressions import functions as fn
from quantflux.expressions.nodes import OPERATORS, Family, Field
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.run import Shape as Cut
from quantflux.factors.libraries.loading import load_library
from tests.expressions.program.runs import (
    Array,
    assert_same_bits,
    columns_of,
    compute,
    fed,
    in_pieces,
    named,
    rows_of,
)
from tests.expressions.reference.panels import hard_panel, tame_panel
from tests.expressions.strategies import Shape, random_expression
from tests.factors.libraries.market import market

ROWS, COLUMNS = 150, 11

CUTS = (
    Cut(1, 4, 1), Cut(2, 1, 3), Cut(3, 5, 2), Cut(17, 3, 4), Cut(64, 8, 1), Cut(128, 16, 2), Cut(150, 2, 2),
    Cut(1000, 7, 1),
)  # fmt: skip

MIXED = Shape(excluded=("lead",), groups=("industry",))
OWN_PAST = Shape(families=set(Family) - {Family.CROSS_SECTION}, excluded=("lead", "standardize"))


def random_roots(seed: int, shape: Shape, count: int) -> list[Node]:
    rng = random.Random(seed)
    found: list[Node] = []
    while len(found) < count:
        root = random_expression(rng, shape)
        found += [root] if root.family is not Family.INPUT else []
    return found


def alpha158() -> dict[str, Node]:
    return {factor.id: factor.node for factor in load_library("alpha158")}


def alpha101() -> dict[str, Node]:
    factors = list(load_library("alpha101"))
    return {factor.id: factor.node for factor in factors[:: len(factors) // 12][:13]}


@pytest.fixture(scope="module")
def bars() -> Panel:
    return market(ROWS, COLUMNS, seed=3)


@pytest.fixture(scope="module", params=["alpha158", "alpha101"])
def library(request: pytest.FixtureRequest, bars: Panel) -> tuple[dict[str, Node], Program, Array]:
    """The expressions of a library, their program, and what it gives in one piece."""
    expressions = {"alpha158": alpha158, "alpha101": alpha101}[request.param]()
    program = Program(expressions)
    whole, _ = fed(program, bars)
    assert np.isfinite(whole).any(axis=(1, 2)).mean() > 0.9
    return expressions, program, whole


Library = tuple[Mapping[str, Node], Program, Array]


@pytest.mark.parametrize("cut", [Cut(1, 4, 1), Cut(37, 3, 2), Cut(128, 2, 3)], ids=str)
def test_a_library_has_the_same_bits_however_it_is_cut(library: Library, bars: Panel, cut: Cut) -> None:
    expressions, program, whole = library

    assert_same_bits(fed(program, bars, cut)[0], whole, list(expressions))


def test_a_library_has_the_same_bits_in_consecutive_runs(library: Library, bars: Panel) -> None:
    expressions, program, whole = library

    found = in_pieces(program, bars, [1, 2, 63, 127, 128, 129, 149], Cut(32, 6, 2))

    assert_same_bits(found, whole, list(expressions))


def test_a_library_has_the_same_bits_one_row_at_a_time(library: Library, bars: Panel) -> None:
    expressions, program, whole = library

    found = in_pieces(program, bars, range(1, ROWS), Cut(1, 64, 1))

    assert_same_bits(found, whole, list(expressions))


@pytest.mark.parametrize("seed", range(3))
def test_random_expressions_have_the_same_bits_however_they_are_cut(seed: int) -> None:
    panel = hard_panel(seed, ROWS, COLUMNS)
    roots = random_roots(seed, MIXED, 25)
    program = Program(named(roots))
    whole, _ = fed(program, panel)

    for cut in CUTS:
        assert_same_bits(fed(program, panel, cut)[0], whole, list(map(repr, roots)))


@pytest.mark.parametrize("seed", range(3))
def test_random_expressions_have_the_same_bits_in_consecutive_runs(seed: int) -> None:
    panel = hard_panel(seed + 50, ROWS, COLUMNS)
    roots = random_roots(seed + 50, MIXED, 25)
    program = Program(named(roots))
    whole, _ = fed(program, panel)

    for cuts in ([75], [1, 2, 3, 64, 128, 131], [149]):
        assert_same_bits(in_pieces(program, panel, cuts, Cut(20, 4, 2)), whole, list(map(repr, roots)))
    assert_same_bits(in_pieces(program, panel, range(1, ROWS)), whole, list(map(repr, roots)))


def test_every_operator_has_the_same_bits_however_it_is_cut() -> None:
    panel = hard_panel(7, ROWS, COLUMNS)
    rng = random.Random(7)
    shape = Shape(depth=1, excluded=("lead",), groups=("industry",), windows=(2, 25))
    roots = [
        random_expression(rng, Shape(**{**vars(shape), "excluded": _all_but(name)})) for name in _names(shape)
    ]
    program = Program(named(roots))
    whole, _ = fed(program, panel)

    assert_same_bits(fed(program, panel, Cut(5, 3, 2))[0], whole, _names(shape))
    assert_same_bits(in_pieces(program, panel, range(1, ROWS)), whole, _names(shape))


def _names(shape: Shape) -> list[str]:
    return [operator.name for operator in shape.operators()]


def _all_but(name: str) -> list[str]:
    return [other for other in OPERATORS if other != name]


def test_a_program_has_the_same_bits_twice() -> None:
    panel = hard_panel(11, ROWS, COLUMNS)
    roots = random_roots(11, MIXED, 60)

    assert_same_bits(compute(roots, panel), compute(roots, panel), list(map(repr, roots)))


@pytest.mark.parametrize("seed", range(3))
def test_expressions_have_the_same_bits_in_any_company(seed: int) -> None:
    panel = hard_panel(seed + 90, 80, 6)
    roots = random_roots(seed + 90, MIXED, 25)
    together = compute(roots, panel, Cut(30, 4, 1))

    for root, values in zip(roots, together, strict=True):
        assert_same_bits(compute([root], panel), values[None], [repr(root)])


@pytest.mark.parametrize("seed", range(3))
def test_symbols_do_not_know_each_other_without_a_cross_section(seed: int) -> None:
    panel = hard_panel(seed + 20, ROWS, COLUMNS)
    roots = random_roots(seed + 20, OWN_PAST, 40)
    whole = compute(roots, panel)

    for chosen in ([0], [3, 10], [1, 2, 4, 5, 7, 8, 9]):
        found = compute(roots, columns_of(panel, chosen), Cut(33, 2, 1))
        assert_same_bits(found, whole[:, :, chosen], list(map(repr, roots)))


@pytest.mark.parametrize("seed", range(3))
def test_a_symbol_that_is_added_later_is_as_if_it_had_been_missing_from_the_start(seed: int) -> None:
    panel = hard_panel(seed + 30, ROWS, COLUMNS)
    listed = np.array([0, 2, 3, 6, 7, 10])
    later = [j for j in range(COLUMNS) if j not in listed]
    split = 70
    fields = {name: array.copy() for name, array in panel.fields.items()}
    for array in fields.values():
        array[:split, later] = np.nan
    known = Panel(panel.times, panel.symbols, fields)
    roots = random_roots(seed + 30, OWN_PAST, 40)
    program = Program(named(roots))
    whole, _ = fed(program, known)

    _, before = fed(program, rows_of(columns_of(known, listed.tolist()), 0, split))
    moved = before.on_columns(listed, COLUMNS)
    found, _ = fed(program, rows_of(known, split, ROWS), Cut(16, 4, 2), moved)

    assert_same_bits(found, whole[:, split:], list(map(repr, roots)))


def test_a_symbol_that_is_added_later_changes_ranks_as_if_it_had_been_missing() -> None:
    panel = tame_panel(4, 60, 8)
    split, listed = 30, np.array([0, 1, 3, 4, 6])
    fields = {name: array.copy() for name, array in panel.fields.items()}
    for array in fields.values():
        array[:split, [2, 5, 7]] = np.nan
    known = Panel(panel.times, panel.symbols, fields)
    close, volume = Field("close"), Field("volume")
    roots = [
        fn.ts_corr(fn.rank(close), fn.rank(volume), 8, least=2),
        fn.delay(fn.rank(fn.delta(close, 3)), 4),
    ]
    program = Program(named(roots))
    whole, _ = fed(program, known)

    _, before = fed(program, rows_of(columns_of(known, listed.tolist()), 0, split))
    found, _ = fed(program, rows_of(known, split, 60), state=before.on_columns(listed, 8))

    assert_same_bits(found, whole[:, split:], ["corr", "rank"])


def test_sums_across_symbols_agree_up_to_rounding_when_symbols_are_added() -> None:
    """A row is added up in several lanes, and a new symbol moves others from one lane to the next."""
    panel = tame_panel(4, 60, 40)
    split, listed = 30, np.array([j for j in range(40) if j % 3])
    fields = {name: array.copy() for name, array in panel.fields.items()}
    for array in fields.values():
        array[:split, ::3] = np.nan
    known = Panel(panel.times, panel.symbols, fields)
    roots = [parse("ts_mean(zscore(close), 10)"), parse("ema(close - row_mean(close), 5)")]
    program = Program(named(roots))
    whole, _ = fed(program, known)

    _, before = fed(program, rows_of(columns_of(known, listed.tolist()), 0, split))
    found, _ = fed(program, rows_of(known, split, 60), state=before.on_columns(listed, 40))

    np.testing.assert_allclose(found, whole[:, split:], rtol=1e-12, atol=1e-12)


def test_symbols_may_be_added_to_none() -> None:
    panel = tame_panel(4, 40, 5)
    roots = [
        fn.ts_mean(fn.rank(Field("close")), 5, least=1),
        parse("delay(close, 2)"),
        parse("ema(volume, 5)"),
    ]
    program = Program(named(roots))
    fields = {
        name: np.where(np.arange(40)[:, None] < 15, np.nan, array) for name, array in panel.fields.items()
    }
    known = Panel(panel.times, panel.symbols, fields)
    whole, _ = fed(program, known)

    _, before = fed(program, rows_of(columns_of(known, []), 0, 15))
    found, _ = fed(program, rows_of(known, 15, 40), state=before.on_columns(np.array([], dtype=int), 5))

    assert_same_bits(found, whole[:, 15:], ["mean of ranks", "delay", "ema"])
