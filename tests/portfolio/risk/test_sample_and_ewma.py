"""Plain and fading covariances against pandas, gaps included; and what too little history is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk import enough_history, ewma_risk, sample_risk
from quantflux.portfolio.risk.definite import semidefinite
from quantflux.portfolio.risk.history import history_of
from quantflux.portfolio.risk.moments import decay, weighted_covariance
from tests.portfolio.risk.histories import driven_returns, names


@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_the_sample_covariance_is_that_of_pandas(gaps: float) -> None:
    returns = driven_returns(200, 7, gaps=gaps)

    made = weighted_covariance(history_of(returns, names(7)), np.ones(200))

    np.testing.assert_allclose(made, pd.DataFrame(returns).cov().to_numpy(), rtol=1e-10)


@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_the_fading_covariance_is_that_of_pandas(gaps: float) -> None:
    returns = driven_returns(200, 5, gaps=gaps, seed=1)

    made = weighted_covariance(history_of(returns, names(5)), decay(200, 20.0))

    # pandas lets a gap pass time for a single series; of a pair it shifts what is missing in one only
    frame = pd.DataFrame(returns)
    for i in range(5):
        for j in range(5):
            both = frame[[i, j]].where(frame[[i, j]].notna().all(axis=1)) if i != j else frame[[i, i]]
            x, y = both.iloc[:, 0], both.iloc[:, 1]
            expected = x.ewm(halflife=20).cov(y).iloc[-1]
            # the last day of a pair may be a gap: pandas then shows the value of the last shared day, same weights
            assert made[i, j] == pytest.approx(expected, rel=1e-9)


def test_fading_by_hand() -> None:
    # weights 1/4, 1/2, 1 of 0, 0, 7: mean 4; squares 4 + 8 + 9 = 21; divisor (1.75^2 - 1.3125) / 1.75 = 1
    model = ewma_risk(np.array([[0.0], [0.0], [7.0]]), ["A"], half_life=1, least=3)

    assert model.covariance() == pytest.approx(np.array([[21.0]]), rel=1e-12)


def test_an_endless_half_life_is_the_sample() -> None:
    returns = driven_returns(150, 4, gaps=0.1)

    fading = ewma_risk(returns, names(4), half_life=1e12).covariance()

    np.testing.assert_allclose(fading, sample_risk(returns, names(4)).covariance(), rtol=1e-6)


def test_gaps_that_contradict_each_other_are_mended_and_said() -> None:
    # B goes with A, B goes with C, but A against C: each pair is measured on its own days
    rng = np.random.default_rng(5)
    a, b, c = rng.normal(0, 0.01, (3, 90))
    a[:30] = b[:30]
    c[30:60] = b[30:60]
    c[60:] = -a[60:]
    c[:30] = a[30:60] = b[60:] = np.nan
    returns = np.column_stack([a, b, c])

    model = sample_risk(returns, ["A", "B", "C"], least=30)

    raw = pd.DataFrame(returns).cov().to_numpy()
    made = model.covariance()
    assert np.linalg.eigvalsh(raw)[0] < -1e-6
    assert np.linalg.eigvalsh(made)[0] > -1e-12
    np.testing.assert_allclose(np.diag(made), np.diag(raw), rtol=1e-12)
    assert any("negative eigenvalue" in note for note in model.notes)
    assert any("33.33% of the returns are missing" in note for note in model.notes)


def test_a_covariance_in_order_is_left_alone() -> None:
    whole = np.array([[2.0, 0.3], [0.3, 1.0]])

    mended, amiss = semidefinite(whole)

    assert mended is whole and amiss == 0


def test_complete_histories_carry_no_notes() -> None:
    assert sample_risk(driven_returns(80, 3), names(3)).notes == ()


def test_short_histories_are_refused_by_name() -> None:
    returns = driven_returns(100, 3)
    returns[:70, 1] = np.nan

    with pytest.raises(InvalidRequest, match=r"600001\.SH have fewer than 60 daily returns, the fewest 30"):
        sample_risk(returns, names(3))
    assert enough_history(returns).tolist() == [True, False, True]


def test_pairs_that_hardly_met_are_refused_by_name() -> None:
    returns = driven_returns(200, 3)
    returns[:100, 0] = returns[110:, 2] = np.nan

    with pytest.raises(InvalidRequest, match=r"600000\.SH and 600002\.SH share 10 days"):
        sample_risk(returns, names(3))


def test_an_asset_that_never_moves_is_refused() -> None:
    returns = driven_returns(80, 3)
    returns[:, 2] = 0.0

    with pytest.raises(InvalidRequest, match=r"600002\.SH never changes"):
        ewma_risk(returns, names(3))


@pytest.mark.parametrize(
    ("returns", "words"),
    [
        (np.zeros((10, 2)), r"shape \(days, 3 symbols\)"),
        (np.full((80, 3), np.inf), "finite"),
    ],
)
def test_returns_of_another_shape_or_infinite_are_refused(returns: np.ndarray, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        sample_risk(returns, names(3))


def test_nonsense_parameters_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="half_life"):
        ewma_risk(driven_returns(80, 3), names(3), half_life=0)
    with pytest.raises(InvalidRequest, match="least must be 2"):
        sample_risk(driven_returns(80, 3), names(3), least=1)


def test_of_assets_that_share_too_few_days_those_go_that_clash_with_the_most() -> None:
    returns = np.random.default_rng(3).normal(0, 0.01, (120, 5))
    returns[:60, 1] = np.nan  # shares too few days with two others, and each of them with it alone
    returns[60:, 2] = np.nan
    returns[61:, 3] = np.nan

    kept = enough_history(returns)

    assert kept.tolist() == [True, False, True, True, True]
    sample_risk(returns[:, kept], ["A", "C", "D", "E"])
