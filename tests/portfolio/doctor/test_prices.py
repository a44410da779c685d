"""Shadow prices: those of an independent formulation, and directions that must be right."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from quantflux.portfolio.constraints import Bounds, GroupBounds, MaxNames, MaxTrackingError, MaxTurnover
from quantflux.portfolio.doctor import prices
from quantflux.portfolio.methods import optimise
from tests.portfolio.doctor.test_diagnosis import BENCHMARK, CURRENT, EXPECTED, GROUPS, RISK, problem


def test_prices_are_the_dual_values_of_another_formulation() -> None:
    aversion = 4.0
    tried = problem(Bounds(0.0, 0.4), GroupBounds(GROUPS, upper={"steel": 0.3}), MaxTurnover(0.25))
    found = optimise(tried, "mean_variance", risk_aversion=aversion)

    told = {price.constraint: price for price in prices(tried, found)}

    w, steel = cp.Variable(8), np.array([group == "steel" for group in GROUPS], dtype=float)
    capped, traded = steel @ w <= 0.3, cp.sum(cp.pos(w - CURRENT)) <= 0.25
    covariance = cp.psd_wrap(RISK.covariance())
    utility = 1e4 * (EXPECTED @ w - aversion / 2 * cp.quad_form(w, covariance))
    cp.Problem(cp.Maximize(utility), [cp.sum(w) == 1, w >= 0, w <= 0.4, capped, traded]).solve(
        solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11
    )
    assert w.value == pytest.approx(found.weights, abs=1e-5)
    assert told["industry bounds"].words == "industry steel at most 30 %"
    assert told["industry bounds"].utility == pytest.approx(0.01 * capped.dual_value / 1e4, rel=0.03)
    assert told["turnover"].utility == pytest.approx(0.01 * traded.dual_value / 1e4, rel=0.03)


def test_looser_limits_never_make_it_worse() -> None:
    tried = problem(MaxTrackingError(0.06 / np.sqrt(244)), Bounds(0.0, 0.3))
    found = optimise(tried, "mean_variance", risk_aversion=0.0)

    told = {price.constraint: price for price in prices(tried, found)}

    limit = told["tracking error"]
    assert limit.words == "tracking error at most 6 % a year" and limit.step == "1 % a year"
    assert limit.expected_return is not None and limit.expected_return > 0
    assert limit.tracking_error == pytest.approx(0.01, abs=1e-4)


def test_caps_of_many_names_are_one_limit() -> None:
    tried = problem(Bounds(0.0, 0.3))
    found = optimise(tried, "mean_variance", risk_aversion=1.0)

    (price,) = prices(tried, found)

    assert price.constraint == "bounds" and price.words == "every weight at most 30 %"
    assert price.names == int((found.weights > 0.2999).sum()) > 1
    assert price.utility is not None and price.utility > 0
    assert price.risk is not None and price.expected_return is not None


def test_one_name_more() -> None:
    tried = problem(MaxNames(3), Bounds(0.0, 0.9))
    found = optimise(tried, "minimum_variance")

    (price,) = prices(tried, found)

    assert (price.words, price.step) == ("at most 3 names", "1 name")
    more = optimise(problem(MaxNames(4), Bounds(0.0, 0.9)), "minimum_variance")
    assert price.risk == pytest.approx(
        (RISK.volatility(more.weights) - RISK.volatility(found.weights)) * np.sqrt(244), rel=1e-6
    )


def test_nothing_binds_where_limits_are_far_away() -> None:
    tried = problem(Bounds(0.0, 1.0), MaxTrackingError(1.0))

    assert prices(tried, optimise(tried, "tracking")) == ()
    assert optimise(tried, "tracking").weights == pytest.approx(BENCHMARK, abs=1e-4)
