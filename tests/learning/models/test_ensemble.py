"""Ensembles, against their members fitted alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from quantflux.learning.models import Predictor, learner
from tests.learning.models.cells import Unscaled
from tests.learning.models.fits import samples

MEMBERS = [
    {"kind": "lightgbm", "parameters": {"n_estimators": 20, "min_data_in_leaf": 20}, "weight": 3.0},
    {"kind": "xgboost", "parameters": {"n_estimators": 20, "min_child_weight": 5}, "seed": 9},
]


def fit(kind: str, task: str, parameters: dict[str, Any], seed: int) -> Predictor:
    train, valid, _ = samples(task)
    return learner(kind, task, parameters, seed, threads=1, classes=3).fit(
        train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
    )


def alone(task: str) -> list[Predictor]:
    """The members as models of their own: the first has the ensemble's seed plus its place."""
    return [
        fit("lightgbm", task, MEMBERS[0]["parameters"], 4),  # type: ignore[arg-type]
        fit("xgboost", task, MEMBERS[1]["parameters"], 9),  # type: ignore[arg-type]
    ]


def test_a_mean_is_that_of_the_members_by_weight() -> None:
    x = samples("regression")[2].features()
    one, other = (each.predict(x) for each in alone("regression"))

    together = fit("ensemble", "regression", {"members": MEMBERS, "combine": "mean"}, 4)

    np.testing.assert_allclose(together.predict(x), 0.75 * one + 0.25 * other, atol=1e-12)
    assert together.rounds == 40


def test_classes_have_the_mean_of_probabilities() -> None:
    x = samples("classification")[2].features()
    one, other = (each.probabilities(x) for each in alone("classification"))

    together = fit("ensemble", "classification", {"members": MEMBERS}, 4)

    np.testing.assert_allclose(together.probabilities(x), 0.75 * one + 0.25 * other, atol=1e-12)


@pytest.mark.parametrize("task", ["regression", "ranking"])
def test_ranks_are_those_among_the_train_sample(task: str) -> None:
    train, _, test = samples(task)
    x = test.features()
    ranks = []
    for each in alone(task):
        usual, new = each.predict(train.features()), each.predict(x)
        ranks.append(np.searchsorted(np.sort(usual), new, side="left") / len(usual))
    wanted = 0.75 * ranks[0] + 0.25 * ranks[1]

    found = fit("ensemble", task, {"members": MEMBERS, "combine": "rank"}, 4).predict(x)

    # Quantiles at 257 levels stand for all of the train sample.
    assert np.corrcoef(rankdata(found), rankdata(wanted))[0, 1] > 0.999
    if task == "ranking":
        np.testing.assert_allclose(found, wanted, atol=0.02)


def test_days_unlike_any_that_were_learnt_from_keep_their_order() -> None:
    """Features far outside the train sample's move all predictions beyond those that ranks are taken among."""
    x = samples("regression")[2].features() + np.float32(40.0)
    members = [{"kind": "ridge"}, {"kind": "lasso"}]

    found = fit("ensemble", "regression", {"members": members, "combine": "rank"}, 4).predict(x)

    wanted = sum(fit(each["kind"], "regression", {}, 4).predict(x) for each in members)
    assert len(np.unique(found)) > 0.99 * len(found)
    assert np.corrcoef(rankdata(found), rankdata(wanted))[0, 1] > 0.99


def test_a_mean_rank_of_a_regression_is_a_number_in_the_labels_unit() -> None:
    x = samples("regression")[2].features()
    members = [each.predict(x) for each in alone("regression")]

    found = fit("ensemble", "regression", {"members": MEMBERS, "combine": "rank"}, 4).predict(x)

    assert found.std() == pytest.approx(np.mean([each.std() for each in members]), rel=0.15)


def test_scores_without_a_unit_are_made_comparable_before_their_mean() -> None:
    train, _, test = samples("ranking")
    x = test.features()
    scaled = []
    for each in alone("ranking"):
        usual = each.predict(train.features())
        scaled.append((each.predict(x) - usual.mean()) / usual.std())

    found = fit("ensemble", "ranking", {"members": MEMBERS, "combine": "mean"}, 4).predict(x)

    np.testing.assert_allclose(found, 0.75 * scaled[0] + 0.25 * scaled[1], atol=0.05)
