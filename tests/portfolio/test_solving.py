from __future__ import annotations

import json
from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from quantflux.core.errors import OptimisationError
from quantflux.portfolio.constraints import Bounds, MaxTurnover
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.solving import CHAINS, finish
from tests.portfolio.problems import market

_solve = cp.Problem.solve


def break_solvers(monkeypatch: pytest.MonkeyPatch, *broken: str, error: Exception | None = None) -> None:
    """Make some solvers fail, with a solver's error unless another is given."""

    def solve(self: Any, solver: str, **options: Any) -> Any:
        if solver in broken:
            raise error or cp.error.SolverError(f"{solver} is broken.\nTry another.")
        return _solve(self, solver=solver, **options)

    monkeypatch.setattr(cp.Problem, "solve", solve)


def test_another_solver_runs_when_one_fails_and_the_result_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    right = optimise(market(), "minimum_variance")
    break_solvers(monkeypatch, "CLARABEL")

    found = optimise(market(), "minimum_variance")

    assert found.solver == "SCS"
    assert found.fallback == "SCS ran, since CLARABEL ended with an error (CLARABEL is broken.)"
    np.testing.assert_allclose(found.weights, right.weights, atol=1e-4)


def test_linear_problems_fall_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    break_solvers(monkeypatch, "HIGHS")

    found = optimise(market(constraints=(Bounds(0, 0.5),)), "mean_variance", risk_aversion=0.0)

    assert found.solver == "CLARABEL" and found.fallback is not None and "HIGHS" in found.fallback
    assert sorted(found.weights)[-2:] == pytest.approx([0.5, 0.5], abs=1e-6)


def test_when_all_fail_there_is_no_portfolio(monkeypatch: pytest.MonkeyPatch) -> None:
    break_solvers(monkeypatch, *CHAINS["convex"])

    with pytest.raises(OptimisationError, match=r"CLARABEL ended with .*, SCS ended with") as caught:
        optimise(market(), "minimum_variance")

    assert "broken" in caught.value.status


def test_errors_that_are_not_a_solvers_are_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    break_solvers(monkeypatch, "CLARABEL", error=MemoryError("full"))

    with pytest.raises(MemoryError):
        optimise(market(), "minimum_variance")


def test_weights_that_break_a_constraint_are_never_returned() -> None:
    problem = market(constraints=(MaxTurnover(0.1),), current=np.full(12, 1 / 12))

    with pytest.raises(OptimisationError, match=r"turnover at most 0\.1, broken by 0\.81"):
        finish(problem, np.eye(12)[0], method="made up", status="optimal", solver="NONE")


def test_a_solver_that_lies_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def solve(self: Any, solver: str, **options: Any) -> Any:
        value = _solve(self, solver=solver, **options)
        for variable in self.variables():
            variable.value = variable.value + 0.01
        return value

    monkeypatch.setattr(cp.Problem, "solve", solve)

    with pytest.raises(OptimisationError, match=r"\(CLARABEL: optimal\) break .* sum of weights exactly 1"):
        optimise(market(), "minimum_variance")


def test_the_same_problem_gives_the_same_bits() -> None:
    first, second = (optimise(market(30), "mean_variance", risk_aversion=5.0) for _ in range(2))

    np.testing.assert_array_equal(first.weights, second.weights)


def test_a_result_is_plain_values() -> None:
    found = optimise(market(), "risk_parity", budgets=np.ones(12))

    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))

    assert told["parameters"] == {"budgets": [1.0] * 12}
    assert list(told["weights"].values()) == sorted(told["weights"].values(), reverse=True)
    assert told["statistics"]["names"] == 12
