"""Exposures against pandas and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.factor_model.exposures import exposures_of


def slowly(raw: np.ndarray, universe: np.ndarray, cap: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The four steps in pandas, for one style."""
    frame = pd.DataFrame({"x": raw, "cap": cap, "code": codes})
    members = frame[universe]

    def standard(values: pd.Series) -> pd.Series:
        known = values[universe].dropna()
        weight = members["cap"].loc[known.index]
        return (values - (known * weight).sum() / weight.sum()) / known.std()

    cut = standard(frame["x"]).clip(-3, 3)
    means = {
        code: np.average(cut[group.index], weights=group["cap"])
        for code, group in members[cut[universe].notna()].groupby("code")
        if code >= 0
    }
    return standard(cut.fillna(frame["code"].map(means)).fillna(0.0)).to_numpy()


@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_pandas(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.standard_t(3, (2, 80))
    raw[rng.random(raw.shape) < 0.2] = np.nan
    universe, cap = rng.random(80) < 0.7, np.exp(rng.normal(20, 1, 80))
    codes = rng.integers(-1, 4, 80)

    day = exposures_of(raw, universe, cap, codes, 4)

    for s in range(2):
        np.testing.assert_allclose(
            day.styles[:, s], slowly(raw[s], universe, cap, codes), rtol=1e-9, atol=1e-12
        )
        assert day.filled[s] == np.count_nonzero(np.isnan(raw[s]) & universe)


def test_the_market_portfolio_has_no_style_and_each_style_one_scale() -> None:
    rng = np.random.default_rng(1)
    universe, cap = rng.random(60) < 0.8, np.exp(rng.normal(20, 1, 60))

    day = exposures_of(rng.normal(5, 9, (3, 60)), universe, cap, np.zeros(60, np.int64), 1)

    np.testing.assert_allclose(cap[universe] @ day.styles[universe], 0, atol=1e-3 * 1e-9 * cap.sum())
    np.testing.assert_allclose(day.styles[universe].std(axis=0, ddof=1), 1, rtol=1e-12)


def test_an_outlier_counts_for_three_deviations() -> None:
    raw = np.array([[*np.tile([-1.0, 1.0], 100), 8.0]])

    styles = exposures_of(raw, np.ones(201, bool), np.ones(201), np.zeros(201, np.int64), 1).styles[:, 0]

    # mean 8 / 201 = 0.0398 and deviation 1.147 put it at 6.9: cut to 3, which is 3.481 on the raw scale
    cut = np.array([*np.tile([-1.0, 1.0], 100), 8 / 201 + 3 * raw.std(ddof=1)])
    assert styles[-1] == pytest.approx((cut[-1] - cut.mean()) / cut.std(ddof=1), rel=1e-12)
    assert styles[-1] == pytest.approx(3.37, abs=0.01)


def test_a_missing_value_takes_the_mean_of_its_industry_or_of_the_market() -> None:
    raw = np.array([[*[-1.0] * 10, *[1.0] * 10, np.nan, np.nan]])
    codes = np.array([0] * 10 + [1] * 10 + [1, -1])

    day = exposures_of(raw, np.ones(22, bool), np.ones(22), codes, 2)

    assert day.styles[20, 0] == pytest.approx(day.styles[19, 0], rel=1e-12)
    assert day.styles[0, 0] < day.styles[21, 0] < day.styles[19, 0]
    assert day.styles[21, 0] == pytest.approx((day.styles[0, 0] + day.styles[19, 0]) / 2)
    assert day.filled.tolist() == [2]


def test_names_outside_the_universe_are_measured_by_its_standards() -> None:
    raw = np.array([[*np.linspace(-1, 1, 20), 0.5]])
    inside = np.append(np.ones(20, bool), False)
    cap = np.append(np.ones(20), 1e12)

    day = exposures_of(raw, inside, cap, np.zeros(21, np.int64), 1)

    assert day.styles[20, 0] == pytest.approx(0.5 / np.std(np.linspace(-1, 1, 20), ddof=1))


@pytest.mark.parametrize("values", [np.full(20, 3.0), np.append(np.arange(9.0), [np.nan] * 11)])
def test_a_style_that_is_the_same_for_all_or_hardly_known_is_absent(values: np.ndarray) -> None:
    day = exposures_of(values[None], np.ones(20, bool), np.ones(20), np.zeros(20, np.int64), 1)

    assert day.filled.tolist() == [-1] and np.isnan(day.styles).all()


def test_the_matrix_has_market_industries_and_styles() -> None:
    raw = np.linspace(-1, 1, 12)[None]
    codes = np.array([0, 1, -1] * 4)

    matrix = exposures_of(raw, np.ones(12, bool), np.ones(12), codes, 2).matrix()

    assert matrix.shape == (12, 4)
    assert matrix[:3, :3].tolist() == [[1, 1, 0], [1, 0, 1], [1, 0, 0]]


def test_a_member_without_capitalisation_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="positive capitalisation"):
        exposures_of(np.zeros((1, 2)), np.ones(2, bool), np.array([1.0, np.nan]), np.zeros(2, np.int64), 1)
