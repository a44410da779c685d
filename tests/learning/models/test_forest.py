"""Forests, against scikit-learn's own predictions and an explanation by another library."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from quantflux.learning.models import learner
from quantflux.learning.models.forest_text import forest_text
from tests.learning.models.cells import Unscaled
from tests.learning.models.fits import SMALL, samples


def grown(outputs: int, missing: float) -> tuple[list[DecisionTreeRegressor], np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 5)).astype(np.float32)
    y = np.column_stack([x[:, 0] + x[:, 1] * x[:, 2], x[:, 3] > 0, random.normal(size=600)])[:, :outputs]
    gone = random.random(x.shape) < missing
    y[:, 0] += gone[:, 0]  # being missing says something too
    x[gone] = np.nan
    shapes: list[dict[str, Any]] = [
        {"max_depth": 1},
        {"max_depth": 5},
        {"max_depth": None},
        {"min_samples_leaf": 400},  # one leaf
    ]
    weight = random.uniform(0.5, 2.0, len(x))
    return [DecisionTreeRegressor(random_state=3, **s).fit(x, y, sample_weight=weight) for s in shapes], x


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_lightgbm_walks_the_trees_as_scikit_learn_does(outputs: int, missing: float) -> None:
    trees, x = grown(outputs, missing)
    assert trees[-1].tree_.node_count == 1
    assert bool(missing) == any(np.isinf(tree.tree_.threshold).any() for tree in trees)

    model = lightgbm.Booster(model_str=forest_text([tree.tree_ for tree in trees], 5))

    wanted = np.mean([tree.predict(x) for tree in trees], axis=0)
    np.testing.assert_allclose(model.predict(x, raw_score=True), wanted, rtol=0, atol=1e-13)


def test_contributions_are_those_of_the_shap_library() -> None:
    shap = pytest.importorskip("shap")
    trees, x = grown(1, missing=0.0)
    tree = trees[1]
    model = lightgbm.Booster(model_str=forest_text([tree.tree_], 5))
    plain = DecisionTreeRegressor(random_state=3, max_depth=5).fit(x, tree.predict(x))
    unweighted = lightgbm.Booster(model_str=forest_text([plain.tree_], 5))

    np.testing.assert_allclose(
        unweighted.predict(x[:50], pred_contrib=True)[:, :-1],
        shap.TreeExplainer(plain).shap_values(x[:50]),
        atol=1e-6,
    )
    np.testing.assert_allclose(model.predict(x, pred_contrib=True).sum(axis=1), tree.predict(x), atol=1e-12)


def test_importance_is_that_of_scikit_learn() -> None:
    trees, _ = grown(1, missing=0.1)
    tree = trees[1]
    gain = lightgbm.Booster(model_str=forest_text([tree.tree_], 5)).feature_importance("gain")

    np.testing.assert_allclose(gain / gain.sum(), tree.feature_importances_, rtol=1e-5)


def test_a_forest_of_classes_is_one_by_gini() -> None:
    """Trees on indicators split where classification trees do: both give a leaf its share of each class."""
    from sklearn.tree import DecisionTreeClassifier

    random = np.random.default_rng(1)
    x = random.normal(size=(400, 4)).astype(np.float32)
    label = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)

    ours = DecisionTreeRegressor(max_depth=4, random_state=0).fit(x, np.eye(3)[label])
    theirs = DecisionTreeClassifier(max_depth=4, random_state=0).fit(x, label)

    np.testing.assert_allclose(ours.predict(x), theirs.predict_proba(x), atol=1e-12)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_number_of_threads_changes_nothing(task: str) -> None:
    train, valid, test = samples(task)
    asked = SMALL["random_forest"] | {"n_estimators": 5}

    one, two = (
        learner("random_forest", task, asked, 1, threads=threads, classes=3)
        .fit(train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False)
        .predict(test.features())
        for threads in (1, 2)
    )

    np.testing.assert_array_equal(one, two)


def test_a_tree_gathers_no_more_cells_than_it_draws() -> None:
    train, valid, _ = samples("regression")
    asked = train.dataset.features.asked  # type: ignore[attr-defined]
    asked.clear()

    learner("random_forest", "regression", {"n_estimators": 3, "max_samples": 500}, 1, threads=1).fit(
        train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
    )

    assert len(asked) == 3 and 400 < max(asked) <= 500
