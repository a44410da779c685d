"""Cross-section regressions against statsmodels, and factor returns of a market that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from quantflux.core.errors import InvalidRequest
from quantflux.factors.universe import Industries
from quantflux.portfolio.risk.factor_model import StyleArrays, regress
from quantflux.portfolio.risk.factor_model.exposures import Exposures, exposures_of
from quantflux.portfolio.risk.factor_model.regression import cross_section
from tests.portfolio.risk.markets import simulated_market

EVERYONE = np.ones(200, dtype=bool)


def one_day(seed: int, industries: int = 4, names: int = 120) -> tuple[Exposures, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    raw, cap = rng.normal(size=(3, names)), np.exp(rng.normal(20, 1, names))
    codes = rng.integers(0, industries, names)
    day = exposures_of(raw, np.ones(names, bool), cap, codes, industries)
    returns = rng.normal(5e-4, 0.02, names) + 0.01 * day.styles[:, 0] + 0.005 * (codes == 1)
    returns[rng.random(names) < 0.1] = np.nan
    return day, returns, cap


def with_statsmodels(
    day: Exposures, returns: np.ndarray, cap: np.ndarray, present: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weighted least squares with the last present industry replaced by the restriction, whichever that is."""
    used = ~np.isnan(returns)
    matrix = day.matrix()[used][:, present]
    place = [k for k, column in enumerate(present) if 1 <= column <= day.industries]
    sizes = np.array([cap[used][matrix[:, k] == 1].sum() for k in place])
    restriction = np.delete(np.eye(len(present)), place[-1], axis=1)
    for k, size in zip(place[:-1], sizes[:-1], strict=True):
        restriction[place[-1], k] = -size / sizes[-1]
    fit = sm.WLS(returns[used], matrix @ restriction, weights=np.sqrt(cap[used])).fit()
    errors = np.sqrt(np.diag(restriction @ fit.cov_params() @ restriction.T))
    return restriction @ fit.params, restriction @ fit.params / errors, fit.rsquared


@pytest.mark.parametrize("seed", range(4))
def test_a_day_is_that_of_statsmodels(seed: int) -> None:
    day, returns, cap = one_day(seed)

    found = cross_section(day, returns, cap, EVERYONE[: len(cap)])

    expected, t, r_squared = with_statsmodels(day, returns, cap, np.arange(8))
    np.testing.assert_allclose(found.returns, expected, rtol=1e-9)
    np.testing.assert_allclose(found.t_statistics, t, rtol=1e-9)
    assert found.r_squared == pytest.approx(r_squared, rel=1e-9)
    assert found.names == np.count_nonzero(~np.isnan(returns))


def test_an_absent_industry_and_an_absent_style_have_no_return_and_disturb_nobody() -> None:
    day, returns, cap = one_day(7)
    returns[day.codes == 2] = np.nan
    styles, filled = day.styles.copy(), day.filled.copy()
    styles[:, 1], filled[1] = np.nan, -1
    day = replace(day, styles=styles, filled=filled)

    found = cross_section(day, returns, cap, EVERYONE[: len(cap)])

    present = np.array([0, 1, 2, 4, 5, 7])
    expected, t, _ = with_statsmodels(day, returns, cap, present)
    np.testing.assert_allclose(found.returns[present], expected, rtol=1e-9)
    np.testing.assert_allclose(found.t_statistics[present], t, rtol=1e-9)
    assert np.isnan(found.returns[[3, 6]]).all() and np.isnan(found.t_statistics[[3, 6]]).all()


def test_industries_returns_have_no_weighted_sum() -> None:
    day, returns, cap = one_day(3)

    found = cross_section(day, returns, cap, EVERYONE[: len(cap)])

    used = ~np.isnan(returns)
    sizes = [cap[used & (day.codes == p)].sum() for p in range(4)]
    assert np.dot(sizes, found.returns[1:5]) == pytest.approx(0, abs=1e-9 * sum(sizes) * 0.01)


def test_errors_are_those_of_a_robust_regression_of_statsmodels() -> None:
    day, returns, cap = one_day(2)

    found = cross_section(day, returns, cap, EVERYONE[: len(cap)])

    used = ~np.isnan(returns)
    sizes = np.bincount(day.codes[used], cap[used])
    restriction = np.delete(np.eye(8), 4, axis=1)
    restriction[4, 1:4] = -sizes[:3] / sizes[3]
    fit = sm.WLS(returns[used], day.matrix()[used] @ restriction, weights=np.sqrt(cap[used])).fit(
        cov_type="HC1"
    )
    np.testing.assert_allclose(
        found.errors, restriction @ fit.cov_params() @ restriction.T, rtol=1e-7, atol=1e-16
    )


def test_two_industries_by_hand() -> None:
    # equal sizes: the market is the mean of the two industry means, 2 % and 4 %
    styles = np.zeros((4, 0))
    day = Exposures(styles, np.array([0, 0, 1, 1]), 2, np.zeros(0, np.int64))

    found = cross_section(day, np.array([0.01, 0.03, 0.03, 0.05]), np.full(4, 9.0), EVERYONE[:4])

    np.testing.assert_allclose(found.returns, [0.03, -0.01, 0.01], rtol=1e-12)
    assert found.r_squared == pytest.approx(0.5)  # 4 x 1e-4 of 8 x 1e-4 is left
    np.testing.assert_allclose(found.residuals, [-0.01, 0.01, -0.01, 0.01], rtol=1e-12)
    # residual variance 4e-4 / (4 - 2), over 4 names: a standard error of sqrt(2e-4 / 4)
    np.testing.assert_allclose(found.t_statistics, np.array([3, -1, 1]) / np.sqrt(0.5), rtol=1e-12)


def test_too_few_names_or_the_same_style_twice_give_no_regression() -> None:
    day, returns, cap = one_day(5, names=40)

    few = cross_section(day, returns, cap, np.arange(40) < 12)
    styles = day.styles.copy()
    styles[:, 2] = styles[:, 1]
    twice = cross_section(replace(day, styles=styles), returns, cap, EVERYONE[:40])

    flat = cross_section(replace(day, styles=0 * styles), returns, cap, EVERYONE[:40])

    for found in (few, twice, flat):
        assert np.isnan(found.returns).all() and np.isnan(found.r_squared)


def test_the_factor_returns_of_a_known_market_are_found() -> None:
    market = simulated_market(120, 600, seed=2)

    found = regress(market.inputs)

    assert found.factors == ("market", *(f"industry:i{p}" for p in range(4)), "style_0", "style_1", "style_2")
    assert np.isnan(found.returns[0]).all() and not np.isnan(found.returns[1:]).any()
    # a slope on a style over 600 names has an error of about 2 % / sqrt(600) = 0.08 %; weights make it larger
    error = (found.returns - market.factor_returns)[1:, 5:].std(axis=0)
    assert (error < 0.0015).all()
    for k in (0, 5, 6, 7):
        assert np.corrcoef(found.returns[1:, k], market.factor_returns[1:, k])[0, 1] > 0.85
    t = found.t_statistics[1:, 7]
    assert np.sqrt(np.mean(t**2)) > 3


def test_residuals_are_what_is_left_of_names_that_traded_on_both_days() -> None:
    market = simulated_market(40, 120, gaps=0.1)
    inputs = market.inputs

    found = regress(inputs)

    both = inputs.traded[1:] & inputs.traded[:-1]
    assert np.array_equal(np.isnan(found.residuals[1:]), ~both)
    row = 20
    raw = inputs.styles.read(slice(row, row + 1))[:, 0]
    day = exposures_of(raw, inputs.universe[row], inputs.capitalisation[row], inputs.industry_codes(row), 4)
    left = inputs.returns[row + 1] - day.matrix() @ found.returns[row + 1]
    np.testing.assert_allclose(found.residuals[row + 1][both[row]], left[both[row]], rtol=1e-4, atol=1e-7)


def test_unshrunk_residuals_have_the_variance_of_what_is_the_names_own() -> None:
    market = simulated_market(60, 60, seed=1)

    found = regress(market.inputs)

    assert np.isnan(found.unshrunk_residuals()[0]).all()
    ratio = np.nanmean(found.unshrunk_residuals() ** 2) / np.mean(market.specific**2)
    # 59 x 60 squares have an error of sqrt(2 / 3540) = 2.4 %; 7 of 60 parts were fitted away
    assert ratio == pytest.approx(1, abs=0.06)
    assert np.nanmean(found.residuals**2) / np.mean(market.specific**2) < 0.93


def test_who_comes_back_from_a_suspension_is_not_in_the_regression() -> None:
    market = simulated_market(30, 120)
    traded = market.inputs.traded.copy()
    traded[10:15, 3] = False
    returns = np.where(traded, market.inputs.returns, np.nan)
    returns[15, 3] = 5.0  # the whole move since
    inputs = replace(market.inputs, returns=returns, traded=traded, universe=traded)

    found = regress(inputs)

    assert found.names[15] == 119 and found.names[16] == 120
    assert abs(found.returns[15, 0]) < 0.1 and np.isnan(found.residuals[15, 3])


def test_factor_returns_do_not_change_when_the_future_does() -> None:
    market = simulated_market(100, 150, seed=4)
    inputs = market.inputs
    changed = inputs.returns.copy()
    changed[70:] *= -3

    one, two = regress(inputs), regress(replace(inputs, returns=changed))

    np.testing.assert_array_equal(one.returns[:70], two.returns[:70])
    np.testing.assert_array_equal(one.residuals[:70], two.residuals[:70])
    assert not np.array_equal(one.returns[70:], two.returns[70:])


def test_names_without_a_known_industry_are_left_out() -> None:
    market = simulated_market(20, 120)
    codes = market.inputs.industries.codes.copy()
    codes[:7] = -1
    inputs = replace(market.inputs, industries=Industries(codes, market.inputs.industries.names))

    assert regress(inputs).names[1:].tolist() == [113] * 19


def test_a_market_that_is_too_small_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="largest estimation universe has 12 names"):
        regress(simulated_market(20, 12).inputs)


def test_a_factor_has_a_column_or_the_error_names_them() -> None:
    found = regress(simulated_market(10, 60).inputs)

    assert found.column_of("style_1") == 6
    with pytest.raises(InvalidRequest, match="market, industry:i0"):
        found.column_of("size")


def test_inputs_that_do_not_fit_are_refused() -> None:
    inputs = simulated_market(10, 60).inputs

    with pytest.raises(InvalidRequest, match=r"capitalisation must have shape \(10, 60\)"):
        replace(inputs, capitalisation=np.ones((10, 59)))
    with pytest.raises(InvalidRequest, match="only names that traded"):
        replace(inputs, traded=np.zeros((10, 60), bool))
    assert StyleArrays({"a": np.ones((3, 2))}).read(slice(1, 3)).shape == (1, 2, 2)
