"""What a model scores that knows nothing: as scikit-learn's dummies do, and as each library's own start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, root_mean_squared_error

from quantflux.learning.models.baseline import score_of_nothing
from quantflux.learning.samples import Sample
from tests.learning.models.fits import CLASSES, fit, samples

MEASURES = {"l2": mean_squared_error, "rmse": root_mean_squared_error, "l1": mean_absolute_error}


def dummy(loss: str, train: Sample, valid: Sample) -> float:
    """The score of scikit-learn's model without features."""
    nothing = np.zeros((len(train), 1)), np.zeros((len(valid), 1))
    if loss == "log":
        model = DummyClassifier(strategy="prior").fit(nothing[0], train.label, train.weight)
        found = model.predict_proba(nothing[1])
        return -log_loss(valid.label, found, sample_weight=valid.weight, labels=np.arange(CLASSES))
    strategy = "median" if loss == "l1" else "mean"
    model = DummyRegressor(strategy=strategy).fit(nothing[0], train.label, train.weight)
    return -float(MEASURES[loss](valid.label, model.predict(nothing[1]), sample_weight=valid.weight))


@pytest.mark.parametrize(
    ("theirs", "loss"),
    [("l2", "l2"), ("l1", "l1"), ("rmse", "rmse"), ("RMSE", "rmse"), ("MAE", "l1")]
    + [(theirs, "log") for theirs in ("multi_logloss", "mlogloss", "MultiClass")],
)
def test_scores_are_those_of_scikit_learns_dummies(theirs: str, loss: str) -> None:
    train, valid, _ = samples("classification" if loss == "log" else "regression")

    assert score_of_nothing(theirs, train, valid) == pytest.approx(dummy(loss, train, valid), rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "task", "loss", "more"),
    [
        ("lightgbm", "regression", "l2", {}),
        ("lightgbm", "regression", "l1", {"objective": "regression_l1"}),
        ("lightgbm", "classification", "multi_logloss", {}),
        ("xgboost", "regression", "rmse", {}),
        ("catboost", "regression", "RMSE", {}),
        ("catboost", "regression", "MAE", {"objective": "MAE"}),
    ],
)
def test_a_library_that_has_hardly_begun_scores_the_same(
    kind: str, task: str, loss: str, more: dict[str, str]
) -> None:
    """A first round that changes next to nothing leaves the library's own measure of its start, weights included."""
    told: list[float] = []

    fit(
        kind,
        task,
        n_estimators=1,
        **{**more, "learning_rate": 1e-6},
        hooks={"report": lambda number, score: bool(told.append(score))},
    )

    train, valid, _ = samples(task)
    assert told == [pytest.approx(score_of_nothing(loss, train, valid), rel=1e-4)]


def test_nothing_is_said_of_rankings_or_without_a_valid_sample() -> None:
    train, valid, _ = samples("regression")

    assert score_of_nothing("ndcg", train, valid) == float("-inf")
    assert score_of_nothing("l2", train, None) == float("-inf")


def test_a_class_that_was_not_there_to_learn_from_costs_everything() -> None:
    train, valid, _ = samples("classification")
    label = np.where(train.dataset.row < train.row[-1] + 1, 0, train.dataset.label).astype(np.float32)
    dataset = replace(train.dataset, label=label)

    found = score_of_nothing("mlogloss", Sample(dataset, train.places), Sample(dataset, valid.places))

    assert found == float("-inf")
