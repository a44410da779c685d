"""Parts of risk add up, and are what a small change of a weight does."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.portfolio.decomposition import split_risk
from quantflux.portfolio.risk.model import RiskModel

RNG = np.random.default_rng(4)
SYMBOLS = tuple("ABCDE")
FACTORED = RiskModel(
    SYMBOLS,
    exposures=RNG.normal(1, 0.5, (5, 3)),
    factor_covariance=np.diag([2e-4, 5e-5, 1e-5]),
    specific=RNG.uniform(1e-4, 4e-4, 5),
    factors=("market", "size", "value"),
)
WEIGHTS = np.array([0.3, 0.3, 0.2, 0.2, 0.0])


def test_all_parts_together_are_the_variance() -> None:
    made = split_risk(FACTORED, WEIGHTS)

    assert made.deviation == pytest.approx(np.sqrt(WEIGHTS @ FACTORED.covariance() @ WEIGHTS))
    assert sum(made.factors.values()) + made.specific == pytest.approx(1)
    assert made.names.sum() == pytest.approx(1) and made.names[4] == 0
    assert made.specific == pytest.approx((WEIGHTS**2 @ FACTORED.diagonal) / FACTORED.variance(WEIGHTS))
    assert list(made.factors.values()) == sorted(made.factors.values(), key=abs, reverse=True)


def test_a_name_contributes_what_a_little_more_of_it_adds() -> None:
    made, step = split_risk(FACTORED, WEIGHTS), 1e-6

    for name in range(4):
        more = WEIGHTS.copy()
        more[name] += step
        slope = (FACTORED.volatility(more) - FACTORED.volatility(WEIGHTS)) / step
        assert made.names[name] == pytest.approx(WEIGHTS[name] * slope / made.deviation, rel=1e-3)


def test_a_dense_model_has_no_factors() -> None:
    made = split_risk(RiskModel(SYMBOLS, dense=FACTORED.covariance()), WEIGHTS)

    assert made.factors == {} and made.specific == 1.0
    assert made.names == pytest.approx(split_risk(FACTORED, WEIGHTS).names)


def test_nothing_held_has_no_risk() -> None:
    assert split_risk(FACTORED, np.zeros(5)).deviation == 0.0
