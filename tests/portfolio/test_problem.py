from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.constraints import Bounds, Budget, MaxNames
from quantflux.portfolio.costs import LinearCost
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import statistics
from quantflux.portfolio.risk.model import RiskModel

RISK = RiskModel(("A", "B"), dense=np.array([[1e-4, 0.0], [0.0, 3e-4]]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"symbols": ("A", "A")}, "without repeats"),
        ({"symbols": "AB"}, "list of names"),
        ({"symbols": ()}, "list of names"),
        ({"expected_returns": np.zeros(3)}, r"expected returns must have shape \(2,\)"),
        ({"expected_returns": np.array([0.0, np.nan])}, "not so for B"),
        ({"current": np.array([np.inf, 0.0])}, "current must be finite; not so for A"),
        ({"benchmark": np.zeros((2, 1))}, "benchmark must have shape"),
        ({"returns": np.zeros((5, 3))}, r"shape \(T, 2\)"),
        ({"returns": np.zeros((1, 2))}, "2 or more days"),
        ({"returns": np.array([[0.0, 0.0], [0.0, np.nan]])}, "1 are not; first day 1 of B"),
        ({"symbols": ("B", "A"), "risk": RISK}, "restricted"),
        ({"costs": (LinearCost(0.001, 0.001),), "holding_days": 5}, "no weights"),
        ({"costs": (LinearCost(0.001, 0.001),), "current": np.zeros(2)}, "holding_days"),
        ({"costs": (LinearCost(0.001, 0.001),), "current": np.zeros(2), "holding_days": 0}, "holding_days"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Problem(**{"symbols": ("A", "B"), **given})


def test_a_problem_is_long_only_and_invested_unless_it_says_otherwise() -> None:
    plain = Problem(("A", "B"), constraints=(MaxNames(1),))
    free = Problem(("A", "B"), constraints=(Budget(0.0, 0.0), Bounds(-1.0, 1.0)))

    budget, bounds, _ = plain.in_force
    assert isinstance(budget, Budget) and (budget.least, budget.most) == (1.0, 1.0)
    assert isinstance(bounds, Bounds) and (bounds.lower, bounds.upper) == (0.0, 1.0)
    assert free.in_force == free.constraints


def test_statistics_are_as_worked_by_hand() -> None:
    problem = Problem(
        ("A", "B"),
        expected_returns=np.array([0.001, 0.002]),
        risk=RISK,
        current=np.array([0.5, 0.5]),
        benchmark=np.array([0.0, 1.0]),
        costs=(LinearCost(0.001, 0.002),),
        holding_days=20,
    )

    found = statistics(problem, np.array([0.6, 0.3]))

    assert (found.names, found.largest) == (2, 0.6)
    assert found.effective_names == pytest.approx(0.9**2 / (0.36 + 0.09))
    assert (found.invested, found.cash) == (pytest.approx(0.9), pytest.approx(0.1))
    assert found.expected_return == pytest.approx(0.0012)
    assert found.risk == pytest.approx(np.sqrt(0.36 * 1e-4 + 0.09 * 3e-4))
    assert found.tracking_error == pytest.approx(np.sqrt(0.36 * 1e-4 + 0.49 * 3e-4))
    assert found.turnover == pytest.approx(0.2)
    assert found.cost == pytest.approx(0.1 * 0.001 + 0.2 * 0.002)


def test_statistics_say_nothing_of_what_is_not_known() -> None:
    found = statistics(Problem(("A", "B")), np.array([1.0, 0.0]))

    unknown = (found.expected_return, found.risk, found.tracking_error, found.turnover, found.cost)
    assert unknown == (None,) * 5
    assert found.names == 1
