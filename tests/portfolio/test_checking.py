from __future__ import annotations

import numpy as np
import pytest

from quantflux.portfolio.checking import binding, box, breaches, cleaned, worst
from quantflux.portfolio.constraints import (
    Bounds,
    Budget,
    ExposureBounds,
    GroupBounds,
    Liquidity,
    MaxNames,
    MaxTurnover,
    NoTrade,
)
from quantflux.portfolio.problem import Problem

NAMES = ("A", "B", "C")


def problem(*constraints: object, **given: object) -> Problem:
    return Problem(NAMES, constraints=constraints, **given)  # type: ignore[arg-type]


def test_breaches_are_told_in_words() -> None:
    limits = (Bounds(0, 0.5), GroupBounds(["x", "x", "y"], upper=0.8), MaxNames(2))

    told = breaches(problem(*limits), np.array([0.6, 0.3, 0.2]))

    assert told == [
        "budget: sum of weights exactly 1, broken by 0.1",
        "bounds: weight of A at least 0 and at most 0.5, broken by 0.1",
        "industry bounds: industry x at most 0.8, broken by 0.1",
        "number of names: at most 2 names, broken by 1",
    ]


def test_the_tolerance_is_in_weight_whatever_the_unit_of_a_row() -> None:
    # An exposure of 100 a name: 1e-6 of weight moves it by 1e-4.
    limit = ExposureBounds(upper=50.0, factors=["z"], exposures=np.array([[100.0], [0.0], [0.0]]))
    given = problem(limit)

    assert breaches(given, np.array([0.5 + 9e-7, 0.5 - 9e-7, 0.0])) == []
    assert breaches(given, np.array([0.5 + 2e-6, 0.5 - 2e-6, 0.0])) != []


def test_binding_limits_are_told_but_not_those_of_single_names() -> None:
    limits = (Bounds(0, 0.5), GroupBounds(["x", "x", "y"], upper={"x": 0.8}), MaxTurnover(0.5))

    told = binding(problem(*limits, current=np.full(3, 1 / 3)), np.array([0.5, 0.3, 0.2]))

    assert told == ("industry bounds: industry x at most 0.8",)


def test_a_limit_against_the_benchmark_is_told_as_it_was_stated() -> None:
    given = problem(
        GroupBounds(["x", "x", "y"], -0.1, 0.1, relative=True), benchmark=np.array([0.3, 0.3, 0.4])
    )

    told = binding(given, np.array([0.4, 0.3, 0.3]))

    assert told == (
        "industry bounds: industry x against the benchmark at most 0.1",
        "industry bounds: industry y against the benchmark at least -0.1",
    )


def test_the_box_is_what_all_limits_of_single_names_leave() -> None:
    limits = (Bounds(0.1, 0.5), Liquidity(np.array([9.0, 4.0, 9.0]), 1.0), NoTrade(["C"]))

    lower, upper = box(problem(*limits, current=np.array([0.0, 0.0, 0.3])))

    assert lower.tolist() == [0.1, 0.1, 0.3]
    assert upper.tolist() == pytest.approx([0.5, 0.4, 0.3])


def test_dust_is_swept_into_the_other_positions() -> None:
    clean = cleaned(problem(), np.array([0.6, 0.4 - 3e-8, 3e-8]))

    assert clean[2] == 0.0
    assert clean.sum() == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(clean[:2], [0.6, 0.4], atol=1e-7)


def test_dust_that_must_be_held_stays() -> None:
    given = problem(NoTrade(["C"]), current=np.array([0.5, 0.5, 3e-8]))

    clean = cleaned(given, np.array([0.6, 0.4 - 3e-8, 3e-8]))

    assert clean[2] == 3e-8


def test_dust_stays_where_sweeping_would_break_a_constraint() -> None:
    # Without C the group y has nothing, and it must have something; a weight of 5e-7 counts 1000 in the exposure.
    limit = ExposureBounds(lower=5e-4, factors=["z"], exposures=np.array([[0.0], [0.0], [1000.0]]))

    clean = cleaned(problem(limit), np.array([0.6, 0.4 - 5e-7, 5e-7]))

    assert clean[2] == pytest.approx(5e-7)
    assert worst(problem(limit), clean) <= 1e-9


def test_weights_are_put_into_their_bounds() -> None:
    clean = cleaned(problem(Bounds(0, 0.5)), np.array([0.5 + 2e-9, 0.3, 0.2 - 2e-9]))

    assert clean.max() == 0.5
    assert clean.sum() == pytest.approx(1.0, abs=1e-15)


def test_cash_stays_cash() -> None:
    clean = cleaned(problem(Budget(0.0, 1.0)), np.array([0.3, 0.2, 1e-9]))

    assert clean.sum() == pytest.approx(0.5, abs=1e-8)
