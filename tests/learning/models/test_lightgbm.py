"""LightGBM: bins of the past alone, memory by stretches, and explanations as another library gives them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.learning.models import Predictor, learner
from quantflux.learning.models import stretches as stretching
from quantflux.learning.models.bins import SharedBins
from quantflux.learning.models.contract import Scaling
from quantflux.learning.samples import Dataset, Sample
from tests.learning.models.cells import Doubled, HeldFeatures, Unscaled, market
from tests.learning.models.fits import SMALL, fit, fitted, samples

QUIET: dict[str, Any] = {"progress": lambda done, total: None, "cancelled": lambda: False}
PARAMETERS = {"seed": 1, "verbosity": -1, "num_threads": 1, "max_bin": 31, "feature_pre_filter": False}


def walked(dataset: Dataset, share: bool, scaler: Scaling | None = None) -> list[Predictor]:
    """Fit two folds of a walk forward with one learner."""
    made = learner("lightgbm", "regression", SMALL["lightgbm"], 1, threads=1)
    return [
        made.fit(
            dataset.on(np.arange(first, first + 40)),
            dataset.on(np.arange(first + 45, first + 55)),
            scaler=scaler or Unscaled(),
            share=share,
            **QUIET,
        )
        for first in (0, 20)
    ]


def changed(dataset: Dataset, from_row: int) -> Dataset:
    """The same market with other features from a row on."""
    values = dataset.features.values.copy()  # type: ignore[attr-defined]
    values[from_row:] = values[from_row:] * 1000 + 7
    return replace(dataset, features=HeldFeatures(dataset.features.names, values))


def bin_numbers(laid: lightgbm.Dataset, path: Any) -> list[str]:
    """What LightGBM says of a data set's bins: bounds and the bin of each value."""
    laid._dump_text(path)
    return path.read_text().splitlines()


def test_the_first_fold_is_the_same_with_shared_bins() -> None:
    dataset = market()
    fresh = dataset.on(np.arange(80, 90)).features()

    shared, alone = walked(dataset, share=True), walked(dataset, share=False)

    np.testing.assert_array_equal(shared[0].predict(fresh), alone[0].predict(fresh))


def test_later_folds_learn_as_much_from_shared_bins() -> None:
    dataset = market()
    test = dataset.on(np.arange(80, 90))

    shared, alone = (walked(dataset, share)[1].predict(test.features()) for share in (True, False))

    assert not np.array_equal(shared, alone)  # or nothing was shared
    assert np.corrcoef(shared, alone)[0, 1] > 0.95


def test_shared_bins_come_from_the_first_train_sample_alone(tmp_path: Any) -> None:
    dataset = market(days=60)
    train = np.arange(30)
    laid = []
    for number, each in enumerate((dataset, changed(dataset, from_row=30))):
        first, _ = SharedBins().binned(each.on(train), None, Unscaled(), PARAMETERS, lambda: None)
        laid.append(bin_numbers(first, tmp_path / str(number)))

    assert laid[0] == laid[1]


def test_bins_do_follow_the_features_of_the_train_sample(tmp_path: Any) -> None:
    dataset = market(days=60)
    laid = []
    for number, each in enumerate((dataset, changed(dataset, from_row=29))):
        first, _ = SharedBins().binned(each.on(np.arange(30)), None, Unscaled(), PARAMETERS, lambda: None)
        laid.append(bin_numbers(first, tmp_path / str(number)))

    assert laid[0] != laid[1]


def test_a_model_knows_nothing_of_cells_outside_its_samples() -> None:
    dataset = market()
    fresh = dataset.on(np.arange(0, 10)).features()

    for share in (True, False):
        as_it_was, with_others = walked(dataset, share)[0], walked(changed(dataset, 56), share)[0]

        np.testing.assert_array_equal(as_it_was.predict(fresh), with_others.predict(fresh))


def test_bins_of_another_scaling_or_another_market_are_not_taken() -> None:
    dataset, shared = market(days=40), SharedBins()

    def first_bin(of: Dataset, scaler: Scaling) -> lightgbm.Dataset:
        shared.binned(of.on(np.arange(20)), None, scaler, PARAMETERS, lambda: None)
        return shared._whole

    begun = first_bin(dataset, Unscaled())

    assert first_bin(dataset, Unscaled()) is begun
    assert first_bin(dataset, Doubled()) is not begun
    assert first_bin(market(days=40, seed=3), Doubled()) is not begun


def held(dataset: Dataset, feature: int, rows: slice, value: float) -> Dataset:
    """The same market with a single value of a feature on some rows."""
    values = dataset.features.values.copy()  # type: ignore[attr-defined]
    values[rows, :, feature] = value
    return replace(dataset, features=HeldFeatures(dataset.features.names, values))


@pytest.mark.parametrize("before", [np.nan, 0.0, 5.0])
def test_a_feature_that_begins_after_the_first_fold_is_learnt_from(before: float) -> None:
    dataset = held(market(days=120), 0, slice(0, 45), before)
    made = learner("lightgbm", "regression", SMALL["lightgbm"], 1, threads=1)

    found = [
        made.fit(dataset.on(np.arange(first, first + 40)), None, scaler=Unscaled(), share=True, **QUIET)
        for first in (0, 50)
    ]

    assert found[0].importance()[0] == 0.0
    assert found[1].importance()[0] > 0.2


def test_a_feature_of_two_values_that_begins_after_the_first_fold_is_learnt_from() -> None:
    dataset = market(days=120)
    np.sign(dataset.features.values[..., 0], out=dataset.features.values[..., 0])  # type: ignore[attr-defined]
    dataset.features.values[np.isnan(dataset.features.values)] = 1.0  # type: ignore[attr-defined]
    dataset = held(dataset, 0, slice(0, 45), np.nan)
    made = learner("lightgbm", "regression", SMALL["lightgbm"], 1, threads=1)

    for first in (0, 50):
        found = made.fit(
            dataset.on(np.arange(first, first + 40)), None, scaler=Unscaled(), share=True, **QUIET
        )

    assert found.importance()[0] > 0.1


def test_a_feature_that_stays_away_or_is_too_rare_for_a_bin_does_not_cost_the_shared_bins() -> None:
    dataset = held(market(days=60), 0, slice(None), np.nan)
    dataset.features.values[30, 0, 0] = 1.0  # type: ignore[attr-defined]
    shared = SharedBins()

    laid = []
    for first in (0, 20):
        sample = dataset.on(np.arange(first, first + 20))
        shared.binned(sample, None, Unscaled(), PARAMETERS, lambda: None)
        laid.append(shared._whole)

    assert laid[0] is laid[1]


def test_shared_bins_begin_with_the_train_sample_that_was_asked_for() -> None:
    dataset, shared = market(days=90), SharedBins()
    train, valid = dataset.on(np.arange(50, 70)), dataset.on(np.arange(75, 80))
    later = dataset.on(np.arange(50, 90))
    asked = dataset.features.asked  # type: ignore[attr-defined]

    shared.binned(train, valid, Unscaled(), PARAMETERS, lambda: None)

    # The cells that bounds are taken from, here all of the train sample, and those that are laid.
    assert sum(asked) == len(train) + len(later)

    asked.clear()
    laid, checked = shared.binned(
        dataset.on(np.arange(60, 80)), dataset.on(np.arange(85, 90)), Unscaled(), PARAMETERS, lambda: None
    )

    assert not asked
    assert laid.num_data() == len(dataset.on(np.arange(60, 80)))
    assert checked is not None and checked.num_data() == len(dataset.on(np.arange(85, 90)))


def test_the_cells_taken_out_of_shared_bins_are_the_right_ones() -> None:
    dataset = market()
    fresh = dataset.on(np.arange(0, 10)).features()
    train, valid = dataset.on(np.arange(30, 60)), dataset.on(np.arange(65, 75))

    shared, alone = (
        learner("lightgbm", "regression", SMALL["lightgbm"], 1, threads=1).fit(
            train, valid, scaler=Unscaled(), share=share, **QUIET
        )
        for share in (True, False)
    )

    assert shared.rounds == alone.rounds
    np.testing.assert_array_equal(shared.predict(fresh), alone.predict(fresh))


def test_a_train_sample_that_begins_earlier_has_bins_laid_anew(tmp_path: Any) -> None:
    dataset, shared = market(days=60), SharedBins()
    early = dataset.on(np.arange(20))
    shared.binned(dataset.on(np.arange(30, 50)), None, Unscaled(), PARAMETERS, lambda: None)

    laid, _ = shared.binned(early, None, Unscaled(), PARAMETERS, lambda: None)

    alone, _ = SharedBins().binned(early, None, Unscaled(), PARAMETERS, lambda: None)
    assert bin_numbers(laid, tmp_path / "laid") == bin_numbers(alone, tmp_path / "alone")


def crowded(names: int) -> Dataset:
    """Two days with so many names each."""
    random = np.random.default_rng(0)
    row, column = np.nonzero(np.ones((2, names), dtype=bool))
    return Dataset(
        np.datetime64("2020-01-01") + np.arange(2),
        np.arange(names).astype(str),
        HeldFeatures(("a", "b"), random.normal(size=(2, names, 2)).astype(np.float32)),
        row,
        column,
        random.normal(size=2 * names).astype(np.float32),
        row + 5,
        np.ones(2 * names, dtype=np.float32),
    )


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_a_ranking_of_more_names_than_lightgbm_can_rank_is_refused(objective: str) -> None:
    made = learner("lightgbm", "ranking", {"n_estimators": 2, "objective": objective}, 1, threads=1)
    most, more = crowded(10_000), crowded(10_001)

    assert made.fit(most.on(np.array([0])), most.on(np.array([1])), scaler=Unscaled(), **QUIET).rounds
    with pytest.raises(InvalidRequest, match=r"lightgbm ranks at most 10,000 names a day; .* has 10,001"):
        made.fit(more.on(np.array([0])), None, scaler=Unscaled(), **QUIET)
    with pytest.raises(InvalidRequest, match=r"lightgbm ranks at most 10,000 names a day; .* has 10,001"):
        made.fit(most.on(np.array([0])), more.on(np.array([1])), scaler=Unscaled(), **QUIET)


def test_features_go_through_the_scaler_of_their_fold() -> None:
    dataset = market()
    fresh = dataset.on(np.arange(80, 90)).features()

    doubled = walked(dataset, share=True, scaler=Doubled())[0]

    # Trees care for the order of values alone: the same trees, on features twice as large.
    np.testing.assert_allclose(
        doubled.predict(fresh * 2), walked(dataset, share=True)[0].predict(fresh), rtol=1e-6, atol=1e-9
    )


def test_features_are_gathered_a_stretch_at_a_time(monkeypatch: Any) -> None:
    whole = fitted("lightgbm", "regression")
    monkeypatch.setattr(stretching, "STRETCH_BYTES", 4 * 6 * 1100)
    asked = samples("regression")[0].dataset.features.asked  # type: ignore[attr-defined]
    asked.clear()

    in_stretches = fit("lightgbm", "regression")

    # All of a small train sample is drawn for the bounds; no stretch is larger than asked for.
    assert max(asked) <= 1100 < len(samples("regression")[0])
    fresh = samples("regression")[2].features()
    np.testing.assert_array_equal(in_stretches.predict(fresh), whole.predict(fresh))


def test_the_number_of_threads_changes_nothing() -> None:
    fresh = samples("regression")[2].features()

    two = fit("lightgbm", "regression", threads=2, n_estimators=2)
    one = fit("lightgbm", "regression", threads=1, n_estimators=2)

    np.testing.assert_array_equal(two.predict(fresh), one.predict(fresh))


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost", "catboost"])
def test_contributions_are_those_of_the_shap_library(kind: str) -> None:
    shap = pytest.importorskip("shap")
    x = samples("regression")[2].features(slice(0, 40))
    model: Any = fitted(kind, "regression")
    inner = model._model if kind == "catboost" else model._booster
    explained = shap.TreeExplainer(inner)

    added = model.contributions(x)

    np.testing.assert_allclose(added[:, :-1], explained.shap_values(x), atol=2e-6)
    np.testing.assert_allclose(added[0, -1], explained.expected_value, atol=2e-6)


def test_weights_count() -> None:
    """A cell of twice the weight counts like two cells."""
    dataset = market(days=30, names=20)
    values = dataset.features.values  # type: ignore[attr-defined]
    values[:] = np.clip(np.round(values), -1, 1)  # the same bins, however often a cell is there
    train = dataset.on(np.arange(30))
    heavy = replace(dataset, weight=np.where(dataset.row < 15, 2, 1).astype(np.float32))
    twice = np.sort(np.concatenate([train.places, train.places[train.row < 15]]))
    asked = {"n_estimators": 5, "min_data_in_leaf": 1, "lambda_l2": 0.0, "bagging_freq": 0, "num_leaves": 6}
    plain = replace(dataset, weight=np.ones(len(dataset), np.float32))

    models = [
        learner("lightgbm", "regression", asked, 1, threads=1).fit(sample, None, scaler=Unscaled(), **QUIET)
        for sample in (Sample(heavy, train.places), Sample(plain, twice))
    ]

    x = train.features()
    np.testing.assert_allclose(models[0].predict(x), models[1].predict(x), atol=1e-8)
