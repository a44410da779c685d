"""The factor model of a known market: what it recovers, who is in it, and that it sees no future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol
from quantflux.factors.universe import Industries
from quantflux.portfolio.risk.factor_model import CovarianceRule, FactorModel, SpecificRule, StyleArrays
from tests.portfolio.risk.markets import SimulatedMarket, simulated_market

LONG = CovarianceRule(
    volatility_half_life=1000,
    correlation_half_life=1000,
    volatility_lags=0,
    correlation_lags=0,
    simulations=0,
    regime_half_life=None,
)
LONG_SPECIFIC = SpecificRule(half_life=1000, lags=0, shrinkage=0.0, regime_half_life=None)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulated_market(900, 300, seed=11)


@pytest.fixture(scope="module")
def fitted(market: SimulatedMarket) -> FactorModel:
    return FactorModel.fit(market.inputs, LONG, LONG_SPECIFIC)


def test_the_covariance_of_a_known_market_is_recovered_within_sampling_error(
    market: SimulatedMarket, fitted: FactorModel
) -> None:
    model = fitted.at_row(899)

    assert model.exposures is not None and model.factor_covariance is not None and model.specific is not None
    truth = model.exposures @ market.factor_covariance @ model.exposures.T + np.diag(market.specific**2)
    rng = np.random.default_rng(0)
    portfolios = np.vstack([rng.dirichlet(np.ones(300), 10), rng.normal(size=(10, 300))])
    expected = np.sqrt(((portfolios @ truth) * portfolios).sum(axis=1))
    # a deviation from about 850 effective days is off by 1 / sqrt(2 x 850) = 2.4 %
    np.testing.assert_allclose(np.sqrt(model.variances(portfolios)), expected, rtol=0.08)
    np.testing.assert_allclose(np.sqrt(model.specific), market.specific, rtol=0.12)
    assert (np.sqrt(model.specific) / market.specific).mean() == pytest.approx(1, abs=0.02)


def test_a_small_market_is_not_given_the_errors_of_its_regressions_as_risk() -> None:
    market = simulated_market(1500, 120, seed=21)

    right, naive = (
        FactorModel.fit(market.inputs, replace(LONG, corrects_errors=corrects), LONG_SPECIFIC).at_row(1499)
        for corrects in (True, False)
    )

    assert right.factor_covariance is not None and naive.factor_covariance is not None
    truth = np.diag(market.factor_covariance)
    # the deviation of a variance of 1200 effective days is 4 %, and of an error that was taken out as much
    assert (np.diag(right.factor_covariance) / truth).mean() == pytest.approx(1, abs=0.1)
    assert (np.diag(naive.factor_covariance) / truth).mean() > 1.2


def test_the_model_of_a_row_is_put_together_as_described(
    market: SimulatedMarket, fitted: FactorModel
) -> None:
    model = fitted.at(market.inputs.times[500])

    assert model.symbols == tuple(market.inputs.symbols) and model.factors == fitted.history.factors
    assert model.exposures is not None
    cap = market.inputs.capitalisation[500]
    np.testing.assert_allclose(cap @ model.exposures[:, 5:] / cap.sum(), 0, atol=1e-12)
    assert (model.exposures[:, 0] == 1).all() and (model.exposures[:, 1:5].sum(axis=1) == 1).all()
    assert model.notes == ()


def test_nothing_after_the_close_is_seen(market: SimulatedMarket) -> None:
    small = simulated_market(260, 80, seed=3, gaps=0.02).inputs
    returns, styles = small.returns.copy(), {k: v.copy() for k, v in small.styles.arrays.items()}  # type: ignore[attr-defined]
    returns[201:] *= 4
    for values in styles.values():
        values[201:] += np.arange(80)
    cap = small.capitalisation.copy()
    cap[201:] = cap[201:, ::-1]
    later = replace(small, returns=returns, styles=StyleArrays(styles), capitalisation=cap)
    rule = CovarianceRule(simulations=5)

    one, two = (FactorModel.fit(inputs, rule).at_row(200) for inputs in (small, later))

    np.testing.assert_array_equal(one.covariance(), two.covariance())


def test_shorter_data_give_the_same_model() -> None:
    whole = simulated_market(260, 80, seed=3).inputs
    cut = replace(
        whole,
        times=whole.times[:201],
        returns=whole.returns[:201],
        traded=whole.traded[:201],
        universe=whole.universe[:201],
        capitalisation=whole.capitalisation[:201],
        styles=StyleArrays({k: v[:201] for k, v in whole.styles.arrays.items()}),  # type: ignore[attr-defined]
    )
    rule = CovarianceRule(simulations=5)

    one, two = (FactorModel.fit(inputs, rule).at_row(200) for inputs in (whole, cut))

    np.testing.assert_array_equal(one.covariance(), two.covariance())


def test_a_wilder_market_raises_the_regime() -> None:
    wild = np.ones(400)
    wild[370:] = 3.0
    inputs = simulated_market(400, 150, seed=5, calm=wild).inputs

    adjusted = FactorModel.fit(inputs)

    assert adjusted.factor_regime[360] == pytest.approx(1, abs=0.25)
    assert adjusted.specific_regime[360] == pytest.approx(1, abs=0.1)
    assert adjusted.factor_regime[399] > 1.6 and adjusted.specific_regime[399] > 1.6
    plain = replace(adjusted, factor_regime=np.ones(400), specific_regime=np.ones(400))
    w = np.full(150, 1 / 150)
    with_it, without = adjusted.at_row(399).variance(w), plain.at_row(399).variance(w)
    assert without * 1.5 < with_it < 9 * 1.6 * without


def test_suspended_and_new_names_get_a_risk_and_are_counted() -> None:
    market = simulated_market(300, 120, seed=6)
    inputs = market.inputs
    traded = inputs.traded.copy()
    traded[280:, 5] = False  # suspended for 20 days
    traded[200:, 6] = False  # for longer than styles are carried
    traded[:270, 7] = False  # new
    styles = {
        name: np.where(traded, values, np.nan)
        for name, values in inputs.styles.arrays.items()  # type: ignore[attr-defined]
    }
    styles["style_0"][:, 7] = np.nan
    codes = inputs.industries.codes.copy()
    codes[8] = -1
    inputs = replace(
        inputs,
        traded=traded,
        universe=traded,
        returns=np.where(traded, inputs.returns, np.nan),
        styles=StyleArrays(styles),
        industries=Industries(codes, inputs.industries.names),
        notes=("made up",),
    )
    fitted = FactorModel.fit(inputs, CovarianceRule(simulations=5))
    symbols = inputs.symbols.tolist()

    usual = fitted.at_row(299)
    asked = fitted.at_row(299, [symbols[6], symbols[7], symbols[5]])

    assert len(usual.symbols) == 119 and symbols[6] not in usual.symbols
    assert asked.symbols == (symbols[6], symbols[7], symbols[5])
    assert asked.specific is not None and usual.specific is not None
    assert asked.specific[1:] == pytest.approx(usual.restricted(asked.symbols[1:]).specific, rel=0.03)
    assert (asked.specific > 0.3 * usual.specific.mean()).all()
    assert usual.notes == (
        "made up",
        "style_0: 1 of 118 names have none and got their industry's mean",
        "1 names are in no known industry",
        "1 names have a short history; their specific risk comes from their exposures",
    )
    assert usual.exposures is not None and not usual.exposures[usual.symbols.index(symbols[8]), 1:5].any()


def test_a_style_and_an_industry_without_enough_history_are_left_out_and_named() -> None:
    inputs = simulated_market(200, 120, seed=8).inputs
    late = {name: values.copy() for name, values in inputs.styles.arrays.items()}  # type: ignore[attr-defined]
    late["style_1"][:180] = np.nan
    codes = np.broadcast_to(inputs.industries.codes, (200, 120)).copy()
    codes[:180][codes[:180] == 3] = 2
    inputs = replace(inputs, styles=StyleArrays(late), industries=Industries(codes, inputs.industries.names))

    model = FactorModel.fit(inputs, CovarianceRule(simulations=0)).at_row(199)

    assert model.factors == ("market", "industry:i0", "industry:i1", "industry:i2", "style_0", "style_2")
    assert model.notes[0] == "without factors that have too little history: industry:i3, style_1"


def test_what_cannot_be_asked_is_refused(fitted: FactorModel) -> None:
    with pytest.raises(NotFound, match="nearest: 2017"):
        fitted.at("2040-01-01")
    with pytest.raises(UnknownSymbol, match="999999"):
        fitted.at_row(500, ["999999.SH"])
    with pytest.raises(InvalidRequest, match="there are 30 days of factor returns, needed are 60"):
        fitted.at_row(30)
