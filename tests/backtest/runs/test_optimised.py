"""Weights by an optimiser: from the past alone, and from names with enough of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantflux.backtest.runs.optimised import optimised_weights
from quantflux.backtest.runs.run_file import RankedPolicy
from quantflux.core.errors import InvalidRequest

SYMBOLS = np.array(["A", "B", "C", "D"])
TIMES = np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]")


def policy(weighting: str = "inverse_volatility", **terms: Any) -> RankedPolicy:
    optimiser = {"window": 40, "risk": "sample", **terms}
    return RankedPolicy.model_validate({"top": 4, "weighting": weighting, "optimiser": optimiser})


@pytest.fixture
def prices() -> np.ndarray:
    rng = np.random.default_rng(2)
    steps = rng.normal(0, [0.01, 0.02, 0.03, 0.04], (100, 4))
    return np.asarray(10 * np.cumprod(1 + steps, axis=0))


def weights(prices: np.ndarray, how: RankedPolicy, row: int = 60) -> np.ndarray:
    return optimised_weights(np.array([row]), np.arange(4), np.array([4]), prices, TIMES, SYMBOLS, how)


def test_inverse_volatility_is_that_of_the_window(prices: np.ndarray) -> None:
    window = prices[20:61]
    deviation = (window[1:] / window[:-1] - 1).std(axis=0, ddof=1)

    np.testing.assert_allclose(weights(prices, policy()), (1 / deviation) / (1 / deviation).sum(), rtol=1e-9)


@pytest.mark.parametrize("method", ["minimum_variance", "risk_parity", "hrp", "cvar"])
def test_what_comes_later_changes_no_weight(prices: np.ndarray, method: str) -> None:
    changed = prices.copy()
    changed[61:] *= np.array([1.0, 5.0, 0.1, 2.0])

    before, after = weights(prices, policy(method)), weights(changed, policy(method))

    np.testing.assert_array_equal(before, after)
    assert before.sum() == pytest.approx(1.0)
    assert (before >= 0).all() and before[0] > before[3]  # the calm one weighs more than the wild one


def test_minimum_variance_beats_every_other_mix(prices: np.ndarray) -> None:
    window = prices[20:61]
    covariance = np.cov((window[1:] / window[:-1] - 1).T)
    found = weights(prices, policy("minimum_variance"))

    rng = np.random.default_rng(0)
    others = rng.dirichlet(np.ones(4), 500)
    least = min(float(w @ covariance @ w) for w in others)
    assert found @ covariance @ found <= least * (1 + 1e-6)


def test_names_without_enough_history_get_nothing(prices: np.ndarray) -> None:
    prices[:45, 1] = np.nan  # listed too late
    prices[:, 2] = 7.0  # never moved

    found = weights(prices, policy())

    assert found[[1, 2]].tolist() == [0.0, 0.0]
    assert found[[0, 3]].sum() == pytest.approx(1.0)


def test_where_nothing_can_be_measured_no_other_weights_stand_in(prices: np.ndarray) -> None:
    with pytest.raises(InvalidRequest, match=r"at the close of 2024-01-11, 0 of 4 picked names .* have 10, "):
        weights(prices, policy(), row=10)
    with pytest.raises(InvalidRequest, match="0 of 4"):
        weights(prices, policy(), row=0)
    prices[:, 1:] = np.nan
    with pytest.raises(InvalidRequest, match="at the close of 2024-03-01, 1 of 4 picked names"):
        weights(prices, policy())


def test_a_pick_that_is_alone_gets_all_that_it_may(prices: np.ndarray) -> None:
    for most in (1.0, 0.3):
        one = optimised_weights(
            np.array([60]), np.array([2]), np.array([1]), prices, TIMES, SYMBOLS, policy(most=most)
        )
        assert one.tolist() == [most]


def test_no_name_weighs_more_than_allowed(prices: np.ndarray) -> None:
    capped = weights(prices, policy("minimum_variance", most=0.3))

    assert capped.max() == pytest.approx(0.3, abs=1e-6)
    # what four such names cannot hold stays in cash
    assert weights(prices, policy("minimum_variance", most=0.1)).tolist() == [0.1] * 4


def test_decisions_do_not_mix(prices: np.ndarray) -> None:
    rows, columns, counts = np.array([60, 80]), np.array([0, 3, 1, 2, 3]), np.array([2, 3])

    found = optimised_weights(rows, columns, counts, prices, TIMES, SYMBOLS, policy())

    alone = optimised_weights(rows[1:], columns[2:], counts[1:], prices, TIMES, SYMBOLS, policy())
    np.testing.assert_array_equal(found[2:], alone)
    assert found[:2].sum() == pytest.approx(1.0)
