"""What every family promises, on a market with a planted signal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.metrics import ndcg_score

from quantflux.core.errors import Cancelled, InvalidRequest, Unsupported
from quantflux.learning.models import Pruned, load
from tests.learning.models.cells import daily_ic
from tests.learning.models.fits import CLASSES, LEARNT, SMALL, fit, fitted, samples

# The linear half of the signal alone has a correlation of 0.6 / sqrt(0.36 + 1 + 0.25) = 0.47 with the label, all of it
# sqrt(1.36 / 1.61) = 0.92; a twentieth of each feature is missing.
BARS = {
    **dict.fromkeys(("ridge", "lasso", "elastic_net"), 0.42),
    **dict.fromkeys(("lightgbm", "xgboost", "catboost", "random_forest", "mlp", "ensemble"), 0.6),
}


def fresh() -> np.ndarray:
    """Features of some cells that no model learnt from."""
    return samples("regression")[2].features(slice(0, 120))


@pytest.mark.parametrize(("kind", "task"), LEARNT)
def test_the_planted_signal_is_found_out_of_sample(kind: str, task: str) -> None:
    test = samples(task)[2]

    predictions = fitted(kind, task).predict(test.features())

    assert daily_ic(predictions, test) > BARS[kind] * (0.85 if task == "ranking" else 1.0)


@pytest.mark.parametrize("kind", [kind for kind, task in LEARNT if task == "ranking"])
def test_a_ranking_puts_the_best_names_of_a_day_first(kind: str) -> None:
    test = samples("ranking")[2]
    found, chance = [], []
    random = np.random.default_rng(0)
    predictions = fitted(kind, "ranking").predict(test.features())
    for day in np.unique(test.row):
        of_day = test.row == day
        gain = test.label[of_day] - test.label[of_day].min()
        found.append(ndcg_score([gain], [predictions[of_day]], k=10))
        chance.append(ndcg_score([gain], [random.random(of_day.sum())], k=10))

    assert np.mean(found) > np.mean(chance) + 0.15


@pytest.mark.parametrize(("kind", "task"), LEARNT)
def test_the_same_seed_gives_the_same_bits(kind: str, task: str) -> None:
    again = fit(kind, task)

    np.testing.assert_array_equal(again.predict(fresh()), fitted(kind, task).predict(fresh()))
    assert again.rounds == fitted(kind, task).rounds


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost", "catboost", "random_forest", "mlp", "ensemble"])
def test_another_seed_gives_another_model(kind: str) -> None:
    other = fit(kind, "regression", seed=2)

    assert not np.array_equal(other.predict(fresh()), fitted(kind, "regression").predict(fresh()))


@pytest.mark.parametrize(("kind", "task"), LEARNT)
def test_a_model_is_the_same_after_it_was_kept(kind: str, task: str, tmp_path: Path) -> None:
    before = fitted(kind, task)
    before.save(tmp_path)

    after = load(kind, tmp_path, threads=1)

    np.testing.assert_array_equal(after.predict(fresh()), before.predict(fresh()))
    np.testing.assert_array_equal(after.contributions(fresh()), before.contributions(fresh()))
    np.testing.assert_array_equal(after.importance(), before.importance())
    for name in ("kind", "task", "features", "classes", "rounds"):
        assert getattr(after, name) == getattr(before, name)


@pytest.mark.parametrize(("kind", "task"), LEARNT)
def test_what_features_add_sums_to_the_prediction(kind: str, task: str) -> None:
    added = fitted(kind, task).contributions(fresh())

    assert added.shape == (len(fresh()), 7)
    np.testing.assert_allclose(added.sum(axis=1), fitted(kind, task).predict(fresh()), rtol=0, atol=1e-6)
    # The base is what is predicted of nothing: the same for all cells.
    assert np.ptp(added[:, -1]) < 1e-9


@pytest.mark.parametrize(("kind", "task"), LEARNT)
def test_the_features_of_the_signal_are_the_important_ones(kind: str, task: str) -> None:
    importance = fitted(kind, task).importance()
    planted = 1 if kind in ("ridge", "lasso", "elastic_net") else 3

    assert importance.sum() == pytest.approx(1.0)
    assert importance[:planted].min() > importance[planted:].max()


@pytest.mark.parametrize("kind", [kind for kind, task in LEARNT if task == "classification"])
def test_probabilities_sum_to_one_and_the_prediction_is_the_expected_class(kind: str) -> None:
    model = fitted(kind, "classification")

    probabilities = model.probabilities(fresh())

    assert probabilities.shape == (len(fresh()), CLASSES) and (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(model.predict(fresh()), probabilities @ [0, 1, 2], atol=1e-12)


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost", "catboost", "random_forest", "mlp"])
def test_two_classes_are_a_classification_too(kind: str) -> None:
    from quantflux.learning.models import learner
    from tests.learning.models.cells import Unscaled, in_classes, market, parts

    train, valid, test = parts(in_classes(market(), 2))
    made = learner(kind, "classification", SMALL[kind], 1, threads=1, classes=2)

    model = made.fit(
        train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
    )

    x = test.features()
    assert daily_ic(model.predict(x), test) > 0.55
    np.testing.assert_allclose(model.contributions(x).sum(axis=1), model.probabilities(x)[:, 1], atol=1e-6)


@pytest.mark.parametrize(("kind", "task"), LEARNT)
def test_cells_without_any_feature_have_no_prediction(kind: str, task: str) -> None:
    features = fresh()[:5].copy()
    features[[1, 4]] = np.nan
    features[2, :5] = np.nan

    predictions = fitted(kind, task).predict(features)

    assert np.isnan(predictions).tolist() == [False, True, False, False, True]
    assert np.isnan(fitted(kind, task).contributions(features)[[1, 4]]).all()


@pytest.mark.parametrize(("kind", "task"), LEARNT)
def test_a_cell_has_the_same_prediction_alone_as_among_others(kind: str, task: str) -> None:
    together = fitted(kind, task).predict(fresh())[:16]

    alone = np.concatenate([fitted(kind, task).predict(cell[None]) for cell in fresh()[:16]])

    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["lightgbm", "ridge"])
def test_other_features_than_those_fitted_are_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=r"shape \(4, 5\).*fitted on 6 features"):
        fitted(kind, "regression").predict(fresh()[:4, :5])


def test_only_classes_have_probabilities() -> None:
    with pytest.raises(Unsupported, match="learnt regression; probabilities are those of classification"):
        fitted("ridge", "regression").probabilities(fresh())


@pytest.mark.parametrize(
    ("library", "error"), [(lightgbm, lightgbm.basic.LightGBMError), (xgboost, xgboost.core.XGBoostError)]
)
def test_what_a_library_cannot_learn_is_told_in_one_line(
    library: Any, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*asked: Any, **more: Any) -> None:
        raise error("\nThe labels are odd.\nStack trace:\n  [bt] (0)")

    monkeypatch.setattr(library, "train", refused)

    with pytest.raises(InvalidRequest) as told:
        fit(library.__name__, "regression")

    assert str(told.value) == f"{library.__name__} cannot learn from this train sample: The labels are odd."
    assert isinstance(told.value.__cause__, error)


def test_features_that_xgboost_refuses_are_told_in_one_line() -> None:
    from quantflux.learning.models import learner
    from tests.learning.models.cells import Unscaled, market, parts

    dataset = market()
    dataset.features.values[3, 3, 3] = np.inf  # type: ignore[attr-defined]
    train, valid, _ = parts(dataset)
    made = learner("xgboost", "regression", SMALL["xgboost"], 1, threads=1)

    with pytest.raises(InvalidRequest, match=r"xgboost cannot learn from this train sample: .*inf") as told:
        made.fit(train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False)

    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
def test_those_who_stop_a_fit_hear_so(kind: str) -> None:
    rounds: list[int] = []

    with pytest.raises(Cancelled):
        fit(
            kind,
            "regression",
            hooks={"progress": lambda done, total: rounds.append(done), "cancelled": lambda: len(rounds) > 3},
        )
    with pytest.raises(Pruned):
        fit(kind, "regression", hooks={"report": lambda number, score: number == 3})
