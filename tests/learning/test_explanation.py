"""Explanations against models whose contributions are known, and against a real one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from quantflux.core.errors import InvalidRequest
from quantflux.learning.explanation import explain, explained, spread_over
from quantflux.learning.models import learner
from quantflux.learning.samples import Dataset, Sample
from quantflux.learning.scaling import Scaler
from tests.learning.cells import dataset_of

DAYS, NAMES, FEATURES = 60, 20, 4
SLOPES = np.array([2.0, -1.0, 0.0, 0.5])


class Linear:
    """Says base + slopes x features; a missing value adds nothing."""

    kind, task, features, classes, rounds = "linear", "regression", FEATURES, 0, 1
    base = 0.3

    def predict(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.contributions(features).sum(axis=1))

    def contributions(self, features: np.ndarray) -> np.ndarray:
        return np.append(np.nan_to_num(features) * SLOPES, np.full((len(features), 1), self.base), axis=1)


class Doubling:
    def apply(self, features: np.ndarray) -> np.ndarray:
        return 2 * features

    def to_dict(self) -> dict[str, Any]:
        return {}


def sample() -> Sample:
    values = np.random.default_rng(1).normal(size=(DAYS, NAMES, FEATURES))
    values[5, :, 1] = np.nan
    dataset = dataset_of(values)
    return Sample(dataset, np.arange(len(dataset)))


def all_features(of: Sample) -> np.ndarray:
    return of.dataset.features.gather(of.row, of.column).astype(np.float64)


def test_strength_and_direction_of_a_model_that_is_known() -> None:
    cells = sample()
    values = np.nan_to_num(all_features(cells))

    found = explain(Linear(), Doubling(), cells, cells=10**6)  # type: ignore[arg-type]

    np.testing.assert_allclose(found.strength, np.abs(2 * values * SLOPES).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.direction, [1, -1, np.nan, 1])
    assert found.base == pytest.approx(0.3)
    assert found.strongest(2) == [0, 1]
    assert found.shares.sum() == pytest.approx(1)
    assert found.cells == DAYS * NAMES


def test_cells_without_any_feature_are_left_out() -> None:
    class Silent(Linear):
        def contributions(self, features: np.ndarray) -> np.ndarray:
            parts = super().contributions(features)
            parts[np.isnan(features).all(axis=1)] = np.nan
            return parts

    values = np.random.default_rng(2).normal(size=(DAYS, NAMES, FEATURES))
    values[:3] = np.nan
    dataset = dataset_of(values)
    cells = Sample(dataset, np.arange(len(dataset)))

    found = explain(Silent(), Doubling(), cells, cells=10**6)  # type: ignore[arg-type]

    wanted = np.abs(2 * values[3:].reshape(-1, FEATURES).astype(np.float32) * SLOPES).mean(axis=0)
    np.testing.assert_allclose(found.strength, wanted, rtol=1e-6)
    assert found.cells == (DAYS - 3) * NAMES


def test_the_direction_is_the_rank_correlation_of_scipy_over_known_values() -> None:
    class Bent(Linear):
        def contributions(self, features: np.ndarray) -> np.ndarray:
            parts = super().contributions(features)
            parts[:, 1] = np.sin(3 * np.nan_to_num(features[:, 1], nan=9.0))
            return parts

    cells = sample()
    values = all_features(cells)[:, 1]
    there = ~np.isnan(values)

    found = explain(Bent(), Doubling(), cells, cells=10**6)  # type: ignore[arg-type]

    expected = stats.spearmanr(values[there], np.sin(6 * values[there])).statistic
    assert found.direction[1] == pytest.approx(expected, abs=1e-6)


def test_some_cells_of_all_days_and_all_names_are_explained() -> None:
    asked: list[tuple[np.ndarray, np.ndarray]] = []
    dataset = dataset_of(
        np.ones((DAYS, NAMES, FEATURES)), asked=lambda rows, columns: asked.append((rows, columns))
    )

    found = explain(Linear(), Doubling(), Sample(dataset, np.arange(len(dataset))), cells=DAYS)  # type: ignore[arg-type]

    assert found.cells == DAYS
    ((rows, columns),) = asked
    assert rows.tolist() == list(range(DAYS))
    assert len(np.unique(columns)) > NAMES // 2


def test_places_are_increasing_and_spread() -> None:
    places = spread_over(10_007, 100)

    assert (np.diff(places) > 0).all()
    assert (np.abs(places - np.arange(100) * 100.07 - 50) < 51).all()


def test_the_parts_of_a_prediction_add_up_to_it() -> None:
    features = np.array([[1.0, 3.0, 5.0, np.nan], [np.nan] * 4], dtype=np.float32)

    first, nothing = explained(Linear(), Doubling(), features, list("abcd"), ["600519.SH", "000001.SZ"])  # type: ignore[arg-type]

    assert first.symbol == "600519.SH"
    assert [part.feature for part in first.parts] == ["b", "a", "c", "d"]
    assert [part.contribution for part in first.parts] == pytest.approx([-6, 4, 0, 0])
    assert first.parts[0].value == 3
    assert first.prediction == pytest.approx(first.base + sum(part.contribution for part in first.parts))
    assert np.isnan(nothing.prediction)
    assert np.isnan(nothing.parts[0].contribution)


def learnt() -> tuple[Dataset, Any, Scaler]:
    rng = np.random.default_rng(2)
    dataset = dataset_of(rng.normal(size=(DAYS, NAMES, FEATURES)))
    features = dataset.features.gather(dataset.row, dataset.column)
    label = (0.5 * features[:, 0] - features[:, 3] + 0.1 * rng.normal(size=len(dataset))).astype(np.float32)
    taught = Dataset(
        dataset.days,
        dataset.symbols,
        dataset.features,
        dataset.row,
        dataset.column,
        label,
        dataset.known,
        dataset.weight,
    )
    everything = Sample(taught, np.arange(len(taught)))
    scaler = Scaler.fit("none", "keep", everything)
    model = learner("lightgbm", "regression", {"num_leaves": 7, "min_data_in_leaf": 20}, 1, threads=1)
    made = model.fit(
        everything, None, scaler=scaler, progress=lambda done, total: None, cancelled=lambda: False
    )
    return taught, made, scaler


def test_a_gradient_boosted_model_is_explained() -> None:
    taught, model, scaler = learnt()
    features = taught.features.gather(taught.row[:5], taught.column[:5])

    told = explained(model, scaler, features, taught.features.names, taught.symbols[taught.column[:5]])
    found = explain(model, scaler, Sample(taught, np.arange(len(taught))), cells=300)

    np.testing.assert_allclose([each.prediction for each in told], model.predict(features), atol=1e-9)
    for each in told:
        assert each.prediction == pytest.approx(each.base + sum(part.contribution for part in each.parts))
    assert set(found.strongest(2)) == {0, 3}
    assert found.direction[0] > 0.9
    assert found.direction[3] < -0.9


def test_what_cannot_be_explained_is_refused() -> None:
    cells = sample()

    with pytest.raises(InvalidRequest, match="needs a cell"):
        explain(Linear(), Doubling(), Sample(cells.dataset, np.zeros(0, int)))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="each of 1 symbols"):
        explained(Linear(), Doubling(), np.zeros((2, 4)), list("abcd"), ["x"])  # type: ignore[arg-type]
