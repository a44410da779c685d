"""The risk model: both forms say the same, and what is no covariance is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest, UnknownSymbol
from quantflux.portfolio.risk import RiskModel
from tests.portfolio.risk.histories import names


def factored(assets: int = 6, factors: int = 2, seed: int = 3) -> RiskModel:
    rng = np.random.default_rng(seed)
    half = rng.normal(0, 0.01, (factors, factors))
    return RiskModel(
        tuple(names(assets)),
        exposures=rng.normal(1, 0.5, (assets, factors)),
        factor_covariance=half @ half.T,
        specific=rng.uniform(1e-4, 4e-4, assets),
        factors=tuple(f"f{k}" for k in range(factors)),
    )


def spelled_out(model: RiskModel) -> np.ndarray:
    assert model.exposures is not None and model.factor_covariance is not None and model.specific is not None
    return model.exposures @ model.factor_covariance @ model.exposures.T + np.diag(model.specific)


def test_both_forms_agree_with_the_covariance_spelled_out() -> None:
    model = factored()
    whole = spelled_out(model)
    dense = RiskModel(model.symbols, dense=whole)
    w = np.array([0.4, -0.1, 0.3, 0.0, 0.2, 0.2])

    for each in (model, dense):
        np.testing.assert_allclose(each.covariance(), whole, rtol=1e-12)
        np.testing.assert_allclose(each.times(w), whole @ w, rtol=1e-12)
        np.testing.assert_allclose(each.variance(w), w @ whole @ w, rtol=1e-12)
        np.testing.assert_allclose(each.volatility(w) ** 2, w @ whole @ w, rtol=1e-12)
        np.testing.assert_allclose(each.volatilities, np.sqrt(np.diag(whole)), rtol=1e-12)
        np.testing.assert_allclose(each.root().T @ each.root() + np.diag(each.diagonal), whole, rtol=1e-12)
        np.testing.assert_allclose(each.variances(np.array([w, 2 * w])), [w @ whole @ w, 4 * w @ whole @ w])
    assert model.root().shape == (2, 6) and dense.root().shape == (6, 6)
    assert model.is_factored and not dense.is_factored


def test_factor_and_specific_parts_add_up_to_the_variance() -> None:
    model = factored()
    w = np.array([0.4, -0.1, 0.3, 0.0, 0.2, 0.2])

    parts = model.factor_contributions(w)

    assert parts.shape == (2,)
    np.testing.assert_allclose(parts.sum() + (w**2) @ model.diagonal, model.variance(w), rtol=1e-12)


def test_a_portfolio_of_one_factor_by_hand() -> None:
    model = RiskModel(
        ("A", "B"),
        exposures=np.array([[1.0], [2.0]]),
        factor_covariance=np.array([[4e-4]]),
        specific=np.array([1e-4, 3e-4]),
        factors=("market",),
    )

    # exposure 0.5 + 1 = 1.5: 2.25 * 4e-4 = 9e-4; specific 0.25 * (1e-4 + 3e-4) = 1e-4
    assert model.variance(np.array([0.5, 0.5])) == pytest.approx(1e-3, rel=1e-12)
    assert model.factor_contributions(np.array([0.5, 0.5])) == pytest.approx([9e-4], rel=1e-12)


@pytest.mark.parametrize("form", ["factored", "dense"])
def test_restricting_takes_the_block_in_the_order_asked_for(form: str) -> None:
    model = factored()
    whole = spelled_out(model)
    if form == "dense":
        model = RiskModel(model.symbols, dense=whole, notes=("kept",))
    wanted = [model.symbols[4], model.symbols[1]]

    part = model.restricted(wanted)

    assert part.symbols == tuple(wanted) and part.notes == model.notes
    np.testing.assert_allclose(part.covariance(), whole[np.ix_([4, 1], [4, 1])], rtol=1e-12)
    with pytest.raises(UnknownSymbol, match=r"000001\.SZ"):
        model.restricted(["000001.SZ"])


def test_a_singular_covariance_has_a_root() -> None:
    one = np.array([1.0, 2.0, 3.0])
    whole = np.outer(one, one) * 1e-4

    root = RiskModel(("A", "B", "C"), dense=whole).root()

    np.testing.assert_allclose(root.T @ root, whole, atol=1e-18)


def test_an_indefinite_matrix_is_refused_when_its_root_is_wanted() -> None:
    model = RiskModel(("A", "B"), dense=np.array([[1.0, 1.5], [1.5, 1.0]]))

    with pytest.raises(InvalidRequest, match=r"eigenvalue -0\.5 beside a largest of 2\.5"):
        model.root()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dense": np.eye(2)}, "either"),
        ({"specific": None}, "either"),
        ({"exposures": np.ones((3, 1))}, r"must have shape \(2, 1\), had \(3, 1\)"),
        ({"exposures": np.array([[1.0], [np.nan]])}, "1 entries were not"),
        ({"specific": np.array([1.0, -1.0])}, "must not be negative"),
        ({"factor_covariance": np.array([[-1.0]])}, "no negative variance"),
        ({"symbols": ("A", "A")}, "different symbols"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    parts: dict[str, Any] = {
        "symbols": ("A", "B"),
        "exposures": np.ones((2, 1)),
        "factor_covariance": np.eye(1),
        "specific": np.ones(2),
        "factors": ("market",),
    }

    with pytest.raises(InvalidRequest, match=words):
        RiskModel(**(parts | changes))


def test_a_lopsided_matrix_and_wrong_weights_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="symmetric"):
        RiskModel(("A", "B"), dense=np.array([[1.0, 0.1], [0.2, 1.0]]))
    with pytest.raises(InvalidRequest, match=r"shape \(6,\), had \(5,\)"):
        factored().variance(np.ones(5))
    with pytest.raises(InvalidRequest, match="no factors"):
        RiskModel(("A",), dense=np.eye(1)).factor_contributions(np.ones(1))


def test_a_model_without_factors_is_its_specific_variances() -> None:
    model = RiskModel(
        ("A", "B"),
        exposures=np.ones((2, 0)),
        factor_covariance=np.ones((0, 0)),
        specific=np.array([1.0, 4.0]),
    )

    assert model.covariance().tolist() == [[1.0, 0.0], [0.0, 4.0]] and model.root().shape == (0, 2)
    assert model.volatility(np.array([0.0, 1.0])) == 2.0


def test_portfolios_of_another_width_are_refused_and_the_same_names_are_the_same_model() -> None:
    model = factored()

    with pytest.raises(InvalidRequest, match=r"shape \(portfolios, 6\), had \(2, 5\)"):
        model.variances(np.ones((2, 5)))
    assert model.restricted(model.symbols) is model
