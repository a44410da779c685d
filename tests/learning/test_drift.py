"""The stability index by hand, by scipy and by pandas; and how often chance alone is called a change."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from quantflux.core.errors import InvalidRequest
from quantflux.learning.drift import (
    Change,
    drift_of,
    drift_of_predictions,
    reference_of_predictions,
    stability_index,
)
from quantflux.learning.registry.reference import Reference


def reference_of_values(values: np.ndarray) -> Reference:
    return Reference.of(values[:, None])


def test_by_hand() -> None:
    """Ten values, one in each part; then half of a hundred fall into the lowest and half into the next."""
    then = reference_of_values(np.arange(10.0))

    (found,) = drift_of(then, ["x"], np.repeat([-50.0, 1.0], 50)[:, None])

    assert found.then.tolist() == pytest.approx([0.1] * 10 + [0])
    assert found.now.tolist() == pytest.approx([0.5, 0.5] + [0] * 9)
    both = 2 * 0.4 * np.log(5) + 8 * (0.1 - 0.005) * np.log(0.1 / 0.005)  # empty: half a value of a hundred
    assert found.index == pytest.approx(both)
    assert found.change is Change.CHANGED


def test_it_is_the_sum_of_both_relative_entropies_of_scipy() -> None:
    rng = np.random.default_rng(1)
    then, now = rng.dirichlet(np.ones(11)), rng.dirichlet(np.ones(11))

    assert stability_index(then, now) == pytest.approx(stats.entropy(then, now) + stats.entropy(now, then))


def test_the_parts_are_those_of_numpy_histograms() -> None:
    rng = np.random.default_rng(2)
    before, after = rng.normal(size=5000), rng.normal(0.3, 1.4, 700)
    after[:70] = np.nan
    edges = np.quantile(before, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf

    (found,) = drift_of(reference_of_values(before), ["x"], after[:, None].astype(np.float32))

    np.testing.assert_allclose(found.now[:10], np.histogram(after[70:], edges)[0] / 700)
    np.testing.assert_allclose(found.then[:10], np.histogram(before, edges)[0] / 5000)
    assert found.missing == pytest.approx((0.0, 0.1))


def test_the_same_values_have_not_moved_even_if_they_repeat() -> None:
    rng = np.random.default_rng(3)
    values = np.stack([rng.integers(0, 3, 900), rng.normal(size=900), np.zeros(900)], axis=1).astype(float)
    values[::7, 1] = np.nan

    found = drift_of(Reference.of(values), ["steps", "gaps", "constant"], values)

    assert [each.index for each in found] == pytest.approx([0, 0, 0])
    assert {each.change for each in found} == {Change.STABLE}


def test_values_that_are_no_longer_there_are_a_change() -> None:
    values = np.random.default_rng(4).normal(size=2000)
    gone = np.where(np.arange(2000) < 600, np.nan, values)

    (found,) = drift_of(reference_of_values(values), ["x"], gone[:, None])

    assert found.change is Change.CHANGED
    assert found.missing == (0.0, pytest.approx(0.3))


def test_a_feature_that_never_was_there_and_now_is_has_changed() -> None:
    then = Reference.of(np.full((50, 1), np.nan))

    (still,) = drift_of(then, ["x"], np.full((60, 1), np.nan))
    (come,) = drift_of(then, ["x"], np.ones((60, 1)))

    assert still.change is Change.STABLE
    assert come.change is Change.CHANGED


@pytest.mark.parametrize(
    ("shift", "expected"), [(0.05, Change.STABLE), (0.42, Change.MOVED), (0.8, Change.CHANGED)]
)
def test_the_bands(shift: float, expected: Change) -> None:
    rng = np.random.default_rng(5)

    (found,) = drift_of(
        reference_of_values(rng.normal(size=20_000)), ["x"], rng.normal(shift, 1, (20_000, 1))
    )

    assert found.change is expected


def test_few_values_are_seldom_called_a_change() -> None:
    """Of 40 values the index is 0.25 by chance on average: without an allowance most draws would be an alarm."""
    rng = np.random.default_rng(6)
    then = reference_of_values(rng.normal(size=50_000))

    found = [drift_of(then, ["x"], rng.normal(size=(40, 1)))[0] for _ in range(400)]

    assert sum(each.index >= 0.1 for each in found) > 300
    assert sum(each.change is not Change.STABLE for each in found) <= 12  # 4 on average


def test_predictions_are_compared_in_any_shape() -> None:
    rng = np.random.default_rng(7)
    before = rng.normal(0, 0.01, (200, 30))
    before[:50] = np.nan

    then = Reference.from_dict(json.loads(json.dumps(reference_of_predictions(before).to_dict())))

    assert drift_of_predictions(then, before).index == pytest.approx(0)
    assert drift_of_predictions(then, 3 * before[100]).missing == (0.0, 0.0)
    with pytest.raises(InvalidRequest, match="no prediction among 4 values"):
        drift_of_predictions(then, np.full((2, 2), np.nan))


def test_other_features_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="the reference has 1 features"):
        drift_of(reference_of_values(np.arange(9.0)), ["x", "y"], np.zeros((4, 2)))
    with pytest.raises(InvalidRequest, match="a row of features or more"):
        drift_of(reference_of_values(np.arange(9.0)), ["x"], np.zeros((0, 1)))
