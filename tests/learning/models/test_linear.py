"""Linear regressions, against scikit-learn on the whole matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Ridge

from quantflux.learning.models import learner
from quantflux.learning.models import stretches as stretching
from quantflux.learning.models.moments import standard_of
from quantflux.learning.samples import Sample
from tests.learning.models.cells import Unscaled, market, parts

ALPHA = 0.05


def fit(kind: str, train: Sample, valid: Sample | None = None, **parameters: Any) -> Any:
    return learner(kind, "regression", parameters, 1, threads=1).fit(
        train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
    )


def standardised(train: Sample) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Features and label in weighted deviations, by NumPy's masked arrays."""
    x = np.ma.masked_invalid(train.features().astype(np.float64))
    mean = np.ma.average(x, axis=0, weights=np.broadcast_to(train.weight[:, None], x.shape))
    squares = np.ma.average((x - mean) ** 2, axis=0, weights=np.broadcast_to(train.weight[:, None], x.shape))
    y = train.label.astype(np.float64)
    middle = np.average(y, weights=train.weight)
    deviation = np.sqrt(np.average((y - middle) ** 2, weights=train.weight))
    return ((x - mean) / np.sqrt(squares)).filled(0.0), (y - middle) / deviation, middle, deviation


@pytest.mark.parametrize(
    ("kind", "more", "oracle"),
    [
        ("lasso", {}, ElasticNet(alpha=ALPHA, l1_ratio=1.0, fit_intercept=False, tol=1e-10, max_iter=10_000)),
        (
            "elastic_net",
            {"l1_ratio": 0.3},
            ElasticNet(alpha=ALPHA, l1_ratio=0.3, fit_intercept=False, tol=1e-10, max_iter=10_000),
        ),
        ("ridge", {}, None),
    ],
)
def test_predictions_are_those_of_scikit_learn(kind: str, more: dict[str, Any], oracle: Any) -> None:
    train, _, test = parts(market(features=9))
    z, y, middle, deviation = standardised(train)
    # scikit-learn's ridge penalises sums where its elastic net penalises means.
    oracle = oracle or Ridge(alpha=ALPHA * float(train.weight.sum()), fit_intercept=False)
    oracle.fit(z, y, sample_weight=train.weight)

    model = fit(kind, train, alpha=ALPHA, **more)

    np.testing.assert_allclose(
        model.predict(train.features()), oracle.predict(z) * deviation + middle, atol=1e-7
    )
    assert kind == "ridge" or (model.coefficients == 0).sum() == (oracle.coef_ == 0).sum() > 0
    assert len(model.predict(test.features())) == len(test)


def test_sums_over_stretches_are_those_of_the_whole(monkeypatch: Any) -> None:
    train, valid, test = parts(market())
    whole = fit("ridge", train, valid)
    monkeypatch.setattr(stretching, "STRETCH_BYTES", 0)  # 1,024 cells

    in_stretches = fit("ridge", train, valid)

    np.testing.assert_allclose(
        in_stretches.predict(test.features()), whole.predict(test.features()), rtol=1e-10, atol=1e-14
    )


def test_the_best_penalty_on_the_valid_sample_is_kept() -> None:
    # Many features of noise: without a penalty they are all believed.
    train, valid, _ = parts(market(days=30, names=30, features=200))
    features, label, weight = valid.features(), valid.label, valid.weight

    def error(model: Any) -> float:
        return float(np.average((model.predict(features) - label) ** 2, weights=weight))

    chosen, everything = fit("lasso", train, valid), fit("lasso", train, alpha=1e-6)

    assert error(chosen) < 0.9 * error(everything)
    assert 1 < chosen.rounds < 30 and 0 < (chosen.coefficients != 0).sum() < 100


@pytest.mark.parametrize("kind", ["ridge", "lasso", "elastic_net"])
def test_features_that_never_vary_or_stand_twice_do_no_harm(kind: str) -> None:
    dataset = market(features=5)
    values = dataset.features.values  # type: ignore[attr-defined]
    values[..., 3] = 1e6
    values[..., 4] = values[..., 0]
    train, _, test = parts(dataset)

    model = fit(kind, train, alpha=0.0)

    found = model.predict(test.features())
    assert np.isfinite(found).all() and model.coefficients[3] == 0
    assert np.corrcoef(found, test.label)[0, 1] > 0.4


def test_moments_are_exact_far_from_zero() -> None:
    dataset = market(features=3, missing=0.0)
    values = dataset.features.values  # type: ignore[attr-defined]
    values[..., 0] = 4e6 + np.round(values[..., 0])
    train = dataset.on(np.arange(90))

    standard = standard_of(train, Unscaled(), lambda: None)

    x = train.features()[:, 0].astype(np.float64)
    mean = np.average(x, weights=train.weight)
    assert standard.mean[0] == pytest.approx(mean, rel=1e-12)
    assert standard.deviation[0] == pytest.approx(
        np.sqrt(np.average((x - mean) ** 2, weights=train.weight)), rel=1e-6
    )
