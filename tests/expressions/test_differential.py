"""The engine against the references, on random expressions over random panels."""

from __future__ import annotations

import os
import random
import sys

import pytest

from quantflux.expressions.nodes import OPERATORS, Family, Node
from quantflux.expressions.program.run import Shape as Cut
from tests.expressions.program.runs import compute
from tests.expressions.reference.comparison import Tally, compare, same_bits
from tests.expressions.reference.evaluator import REFERENCES, evaluate_slowly
from tests.expressions.reference.panels import hard_panel, tame_panel, whole_panel
from tests.expressions.strategies import Shape, random_call, random_expression

NOT_FACTORS = ("lead",)
"""Operators that no factor may have; entered once `labels` is imported."""

RANDOM = Shape(excluded=NOT_FACTORS)
GROUPED = Shape(excluded=NOT_FACTORS, groups=("industry",))

NAMES = sorted(o.name for o in Shape(excluded=NOT_FACTORS).operators())

OF_WHOLE_NUMBERS = (
    "add", "sub", "max", "min", "gt", "ge", "eq", "ne", "and_", "or_", "not_", "neg", "abs", "sign", "floor", "where",
    "mask", "delay", "ts_sum", "ts_count", "ts_max", "ts_min", "ts_argmax", "ts_argmin", "cumsum", "last_known",
    "bucket", "row_sum", "row_count", "row_max", "row_min", "group_sum", "group_count", "delta",
)  # fmt: skip
"""Operators that give whole numbers for whole numbers, without rounding."""


def random_cut(rng: random.Random) -> Cut:
    return Cut(rng.choice([1, 7, 64, 200]), rng.choice([1, 2, 3, 8]), rng.choice([1, 1, 2]))


def compare_many(count: int, seed: int, batch: int) -> Tally:
    """Hold the engine against the references on random expressions; a fifth of them on a market's panel."""
    rng = random.Random(seed)
    tally = Tally()
    while tally.expressions < count and len(tally.wrong) < 20:
        kind = tame_panel if rng.random() < 0.2 else hard_panel
        panel = kind(rng.randrange(2**32), rows=140, columns=5)
        shape = rng.choice([RANDOM, GROUPED])
        roots = [random_expression(rng, shape) for _ in range(min(batch, count - tally.expressions))]
        compare(roots, panel, random_cut(rng), tally)
    return tally


def test_every_operator_has_a_reference() -> None:
    plain = {n for n, o in OPERATORS.items() if o.family not in (Family.INPUT, Family.COMPOSITE)}

    assert plain - {"lead"} == set(REFERENCES) - {"lead"}


@pytest.mark.parametrize("name", NAMES)
def test_every_operator_equals_its_reference(name: str) -> None:
    rng = random.Random(name)
    shape = Shape(windows=(1, 12), groups=("industry",))
    tally = Tally()

    for panel in (tame_panel(rng.randrange(2**32), 40, 13), hard_panel(rng.randrange(2**32), 40, 5)):
        roots: list[Node] = [random_call(rng, OPERATORS[name], shape) for _ in range(2)]
        compare(roots, panel, Cut(16, 4, 1), tally)

    assert not tally.wrong
    assert tally.numbers > 0


def test_random_expressions_equal_their_references() -> None:
    tally = compare_many(300, seed=20240102, batch=100)

    assert not tally.wrong
    assert tally.expressions == 300
    assert tally.numbers > 0.3 * tally.cells
    assert tally.undecided < 0.01 * tally.cells


def test_whole_expressions_of_whole_numbers_have_the_references_bits() -> None:
    every = [name for name in NAMES if name not in OF_WHOLE_NUMBERS]
    shape = Shape(excluded=(*every, *NOT_FACTORS), depth=4, windows=(1, 12), numbers=(0.0, 1.0, -1.0, 3.0))
    rng = random.Random(5)

    for seed in range(4):
        panel = whole_panel(seed)
        roots = [random_expression(rng, shape) for _ in range(20)]
        found = compute(roots, panel, random_cut(rng))
        for root, values in zip(roots, found, strict=True):
            assert same_bits(values, evaluate_slowly(root, panel.fields)), root


@pytest.mark.slow
def test_very_many_random_expressions_equal_their_references() -> None:
    """Run by hand: DIFFERENTIAL_COUNT expressions (100,000) from DIFFERENTIAL_SEED on; prints what was compared."""
    count = int(os.environ.get("DIFFERENTIAL_COUNT", "100000"))
    seed = int(os.environ.get("DIFFERENTIAL_SEED", "1"))

    tally = compare_many(count, seed, batch=400)

    operators = ", ".join(f"{name} {parts:,}" for name, parts in sorted(tally.by_operator.items()))
    sys.stderr.write(
        f"\n{tally.expressions:,} expressions, {tally.parts:,} parts, {tally.cells:,} cells, "
        f"{tally.numbers:,} numbers, {tally.undecided:,} undecided, {len(tally.wrong)} wrong\n{operators}\n"
        + "\n".join(tally.wrong)
        + "\n"
    )
    assert not tally.wrong
