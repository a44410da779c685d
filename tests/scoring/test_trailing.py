"""Weights from trailing RankICs: when each is known, what they are, and that the future is not in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.covariance import LedoitWolf

from quantflux.core.errors import InvalidRequest
from quantflux.factors.ranking import SortedRows
from quantflux.scoring.trailing import best_icir, marked_returns, rank_ics, trailing_weights
from tests.factors.markets import hand_panel, market_of, random_panel


def test_a_return_runs_from_the_next_open_to_the_open_a_horizon_later() -> None:
    opens = [[10.0], [11.0], [12.0], [15.0], [16.0]]
    market = market_of(hand_panel([[10.5], [11.5], [12.5], [15.5], [16.5]], opens))

    made = marked_returns(market, 2)

    # Signal at the close of row 0: in at 11, out at 15.
    np.testing.assert_allclose(made.ravel(), [15 / 11 - 1, 16 / 12 - 1, np.nan, np.nan, np.nan])


def test_a_stuck_name_is_marked_at_its_price_on_the_day() -> None:
    # It stops trading on row 3, where it would be sold, and falls to 2 when it trades again on row 4.
    closes = [[10.0], [10.0], [8.0], [np.nan], [2.0], [2.0]]
    market = market_of(hand_panel(closes))

    made = marked_returns(market, 2).ravel()

    assert made[0] == pytest.approx(8 / 10 - 1)  # its last close then, not the 2 of later


def test_what_cannot_be_bought_has_no_return() -> None:
    up = np.zeros((5, 1), dtype=bool)
    up[1] = True
    market = market_of(hand_panel([[1.0]] * 5), up=up)

    assert np.isnan(marked_returns(market, 1)[0, 0]) and marked_returns(market, 1)[1, 0] == 0


def test_returns_of_the_past_do_not_change_when_the_future_does() -> None:
    panel = random_panel(90, 14)
    later = {name: np.array(panel[name]) for name in panel}
    later["close"][60:] *= 1.7
    later["open"][60:] *= 0.4
    whole, changed = market_of(panel), market_of(type(panel)(panel.times, panel.symbols, later))

    # Rows up to 60 - horizon - 2 are known at the close of row 59.
    np.testing.assert_array_equal(marked_returns(whole, 5)[:54], marked_returns(changed, 5)[:54])
    assert not np.array_equal(marked_returns(whole, 5)[54], marked_returns(changed, 5)[54], equal_nan=True)


def test_rank_ics_are_spearmans() -> None:
    rng = np.random.default_rng(1)
    values, returns = rng.normal(size=(6, 30)), rng.normal(size=(6, 30))
    values[1, :5], returns[2, 3:9], values[3, 7] = np.nan, np.nan, np.inf
    chosen = rng.random((6, 30)) < 0.8
    chosen[5, 9:] = False  # nine names, too few

    made = rank_ics(values, chosen, SortedRows(returns))

    for row in range(5):
        among = chosen[row] & np.isfinite(values[row]) & np.isfinite(returns[row])
        assert made[row] == pytest.approx(spearmanr(values[row][among], returns[row][among]).statistic)
    assert np.isnan(made[5])


def slow_ic(ics: np.ndarray, row: int, horizon: int, window: int, least: int) -> np.ndarray:
    """The weights of one row, by the definition."""
    known = [s for s in range(len(ics)) if s + horizon + 1 <= row][-window:]
    means = []
    for factor in range(ics.shape[1]):
        found = [ics[s, factor] for s in known if np.isfinite(ics[s, factor])]
        if len(found) < least:
            return np.full(ics.shape[1], np.nan)
        means.append(sum(found) / len(found))
    return np.array(means) / sum(abs(mean) for mean in means)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(4, 12), st.integers(0, 1_000))
def test_ic_weights_are_the_mean_of_what_is_known(horizon: int, window: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ics = rng.normal(0.02, 0.1, (40, 3))
    ics[rng.random(ics.shape) < 0.1] = np.nan

    made = trailing_weights(ics, horizon, window, 3, "ic").weights

    expected = [slow_ic(ics, row, horizon, window, 3) for row in range(40)]
    np.testing.assert_allclose(made, expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["ic", "icir"])
def test_a_rank_ic_counts_from_the_row_at_which_it_is_known(method: str) -> None:
    rng = np.random.default_rng(2)
    ics, horizon, row = rng.normal(size=(60, 2)), 5, 40
    before = trailing_weights(ics, horizon, 20, 10, method).weights  # type: ignore[arg-type]

    def moved(changed: int) -> np.ndarray:
        other = ics.copy()
        other[changed] += 3.0
        return trailing_weights(other, horizon, 20, 10, method).weights  # type: ignore[arg-type]

    # The RankIC of row 34 is known at row 40, that of row 35 at row 41; that of row 14 has left the window.
    np.testing.assert_array_equal(moved(35)[: row + 1], before[: row + 1])
    assert not np.allclose(moved(35)[row + 1], before[row + 1])
    assert not np.allclose(moved(34)[row], before[row])
    np.testing.assert_array_equal(moved(14)[row], before[row])


def test_the_best_ratio_of_two_factors_is_the_closed_form() -> None:
    rng = np.random.default_rng(5)
    ics = rng.multivariate_normal([0.05, 0.02], [[0.010, 0.004], [0.004, 0.006]], size=80)

    made = best_icir(ics)

    (a, c), (_, b) = LedoitWolf().fit(ics).covariance_
    m, n = ics.mean(axis=0)
    inverse_times_mean = np.array([b * m - c * n, a * n - c * m]) / (a * b - c * c)
    np.testing.assert_allclose(made, inverse_times_mean / np.abs(inverse_times_mean).sum(), rtol=1e-9)


def test_no_other_weights_have_a_higher_ratio() -> None:
    rng = np.random.default_rng(6)
    ics = rng.normal(size=(120, 4)) @ rng.normal(size=(4, 4)) + [0.3, -0.2, 0.1, 0.05]
    mean, covariance = ics.mean(axis=0), LedoitWolf().fit(ics).covariance_

    def ratio(weights: np.ndarray) -> np.ndarray:
        return weights @ mean / np.sqrt(np.einsum("ij,jk,ik->i", weights, covariance, weights))

    free, bound = best_icir(ics), best_icir(ics, negative=False)
    tried = rng.normal(size=(20_000, 4))

    assert (ratio(tried) <= ratio(free[None])[0] + 1e-9).all()
    assert (ratio(np.abs(tried)) <= ratio(bound[None])[0] + 1e-9).all()
    assert (bound >= 0).all() and (free < 0).any()
    assert np.abs(free).sum() == pytest.approx(1) and bound.sum() == pytest.approx(1)


def test_factors_that_rank_the_wrong_way_round_may_be_left_out() -> None:
    ics = np.tile([[0.03, -0.06, 0.01]], (20, 1))

    kept = trailing_weights(ics, 1, 10, 5, "ic").weights[-1]
    left = trailing_weights(ics, 1, 10, 5, "ic", negative=False).weights[-1]

    np.testing.assert_allclose(kept, [0.3, -0.6, 0.1])
    np.testing.assert_allclose(left, [0.75, 0.0, 0.25])


def test_nothing_is_made_of_nothing() -> None:
    ics = np.full((20, 2), np.nan)
    ics[:, 0] = 0.1

    for method in ("ic", "icir"):
        assert np.isnan(trailing_weights(ics, 1, 10, 5, method).weights).all()  # type: ignore[arg-type]
    assert np.isnan(best_icir(np.full((20, 2), 0.0))).all()
    assert np.isnan(best_icir(np.tile([[-0.1, -0.2]], (20, 1)) + 1e-3 * np.eye(20, 2), negative=False)).all()
    with pytest.raises(InvalidRequest, match=r"least must lie in 2 .. window"):
        trailing_weights(ics, 1, 10, 11, "ic")
