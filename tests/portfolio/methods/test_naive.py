from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.constraints import Bounds, Budget, GroupBounds
from quantflux.portfolio.methods import METHODS, optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel
from tests.portfolio.problems import groups, market


def test_inverse_volatility_is_as_worked_by_hand() -> None:
    risk = RiskModel(("A", "B"), dense=np.array([[1e-4, 1e-4], [1e-4, 9e-4]]))

    found = optimise(Problem(("A", "B"), risk=risk), "inverse_volatility")

    np.testing.assert_allclose(found.weights, [0.75, 0.25])
    assert (found.status, found.solver) == ("closed form", None)


def test_the_budget_is_used() -> None:
    found = optimise(market(4, constraints=(Budget(0.0, 0.9),)), "equal")

    np.testing.assert_allclose(found.weights, 0.225)


def test_a_formula_that_breaks_a_constraint_says_which() -> None:
    problem = market(constraints=(GroupBounds(groups(12), upper={"chip": 0.25}),))

    with pytest.raises(InvalidRequest, match=r"industry chip at most 0.25, broken by 0.0833"):
        optimise(problem, "equal")


def test_the_way_out_that_the_message_names_works() -> None:
    limits = (GroupBounds(groups(12), upper={"chip": 0.25}),)

    found = optimise(market(constraints=limits, benchmark=np.full(12, 1 / 12)), "tracking")

    assert found.weights[np.array(groups(12)) == "chip"].sum() == pytest.approx(0.25, abs=1e-6)


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="budget above 0"):
        optimise(market(constraints=(Budget(0.0, 0.0), Bounds(-1, 1))), "equal")


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [
        ("best", {}, "no method is called 'best'; there are equal, "),
        (
            "equal",
            {"risk_aversion": 1.0},
            "unexpected keyword argument 'risk_aversion'; its parameters are none",
        ),
        ("factor_neutral", {}, "its parameters are factors, risk_aversion, relative"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(method: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        optimise(market(), method, **parameters)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_every_promise(method: str) -> None:
    parameters: dict[str, object] = {
        "mean_variance": {"risk_aversion": 5.0},
        "factor_neutral": {"factors": ["size"], "risk_aversion": 5.0},
    }.get(method, {})
    problem = market(9, expected_returns=None) if method == "black_litterman" else market(9)

    found = optimise(problem, method, **parameters)

    assert found.method == method
    assert found.weights.shape == (9,) and found.weights.min() >= 0
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert found.fallback is None
    assert sum(found.held().values()) == pytest.approx(1.0)
    assert found.to_dict()["weights"] == found.held()
