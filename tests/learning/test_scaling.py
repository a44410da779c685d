"""Scaling and filling against scipy and scikit-learn, and by nothing but the sample."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from quantflux.core.errors import InvalidRequest
from quantflux.learning import scaling as scaling_module
from quantflux.learning.scaling import MISSING, SCALES, Scaler
from tests.learning.cells import dataset_of


def market(seed: int, shape: tuple[int, int, int] = (20, 9, 4), gaps: float = 0.1) -> np.ndarray:
    """Return features of other centres and scales, one with a long tail, with gaps."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, shape) * np.array([1, 100, 0.01, 1]) + np.array([0, 5, -3, 1e3])
    values[..., 3] += rng.standard_t(2, shape[:2]) * 3
    values[rng.random(shape) < gaps] = np.nan
    return values.astype(np.float32)


def test_standard_scaling_is_scikit_learns() -> None:
    values = market(1)
    dataset = dataset_of(values)
    train, later = dataset.on(np.arange(12)), dataset.on(np.arange(12, 20))

    scaler = Scaler.fit("standard", "keep", train)

    theirs = StandardScaler().fit(train.features().astype(np.float64))
    cells = len(train) - np.isnan(train.features()).sum(axis=0)
    # Theirs divides by the number of values, ours by one less.
    expected = theirs.transform(later.features().astype(np.float64)) * np.sqrt((cells - 1) / cells)
    np.testing.assert_allclose(scaler.apply(later.features()), expected, rtol=1e-5, atol=1e-6)


def test_robust_scaling_is_scipys_cut_off_at_five_deviations() -> None:
    values = market(2)
    dataset = dataset_of(values)
    train, later = dataset.on(np.arange(12)), dataset.on(np.arange(12, 20))

    found = Scaler.fit("robust", "keep", train).apply(later.features())

    known = train.features().astype(np.float64)
    deviation = median_abs_deviation(known, axis=0, nan_policy="omit", scale=1 / 1.4826)
    expected = (later.features() - np.nanmedian(known, axis=0)) / deviation
    assert (np.abs(expected) > 5).any()
    np.testing.assert_allclose(found, np.clip(expected, -5, 5), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", SCALES)
def test_the_median_of_the_sample_stands_for_what_is_missing(kind: str) -> None:
    values = market(3)
    dataset = dataset_of(values)
    train, later = dataset.on(np.arange(12)), dataset.on(np.arange(12, 20))
    assert np.isnan(later.features()).any()

    found = Scaler.fit(kind, "median", train).apply(later.features())

    filled = SimpleImputer(strategy="median").fit(train.features().astype(np.float64))
    imputed = filled.transform(later.features().astype(np.float64)).astype(np.float32)
    expected = Scaler.fit(kind, "keep", train).apply(imputed)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_zero_stands_for_what_is_missing_after_scaling() -> None:
    sample = dataset_of(np.array([[[1.0, np.nan], [3.0, 4.0], [np.nan, 8.0]]])).on(np.array([0]))

    plain = Scaler.fit("none", "zero", sample).apply(sample.features())
    scaled = Scaler.fit("standard", "zero", sample).apply(sample.features())

    assert plain.tolist() == [[1, 0], [3, 4], [0, 8]]
    assert scaled[[0, 2], [1, 0]].tolist() == [0, 0]
    assert scaled[:2, 0] == pytest.approx([-np.sqrt(0.5), np.sqrt(0.5)])


def test_what_never_varied_has_no_scale() -> None:
    constant = np.full((1, 4, 3), 0.1)
    constant[0, :, 1] = np.nan
    constant[0, :3, 2] = 7  # most are the same, so the median deviation is 0
    constant[0, 3, 2] = 11
    sample = dataset_of(constant).on(np.array([0]))
    new = np.array([[0.3, 0.5, 7.0], [0.1, np.nan, 9.0]], dtype=np.float32)

    robust = Scaler.fit("robust", "median", sample).apply(new)
    standard = Scaler.fit("standard", "median", sample).apply(new)

    np.testing.assert_allclose(
        robust, [[0.2, 0.5, 0], [0, 0, 1]], atol=1e-6
    )  # the deviation of 7, 7, 7, 11 is 2
    np.testing.assert_allclose(standard, [[0.2, 0.5, -0.5], [0, 0, 0.5]], atol=1e-6)


def test_what_is_not_finite_counts_as_missing() -> None:
    values = np.array([[[1.0], [2.0], [3.0], [np.inf], [-np.inf]]])
    sample = dataset_of(values).on(np.array([0]))

    scaler = Scaler.fit("standard", "median", sample)

    assert scaler.apply(sample.features()).ravel().tolist() == [-1, 0, 1, 0, 0]
    largest = np.array([[3.4e38]], dtype=np.float32)
    tiny = Scaler.fit("standard", "keep", dataset_of(values * 1e-20).on(np.array([0])))
    assert np.isfinite(tiny.apply(largest)).all()


def test_nothing_is_done_where_there_is_nothing_to_do() -> None:
    sample = dataset_of(market(4), asked=refuse).on(np.arange(3))

    scaler = Scaler.fit("none", "keep", sample)
    Scaler.fit("none", "zero", sample)

    features = market(5)[0]
    assert scaler.apply(features) is features


def refuse(rows: np.ndarray, columns: np.ndarray) -> None:
    raise AssertionError("nothing has to be looked at")


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(SCALES),
    missing=st.sampled_from(MISSING),
    most=st.sampled_from([25, 60, 10**6]),
)
def test_no_value_outside_the_sample_changes_a_figure(seed: int, kind: str, missing: str, most: int) -> None:
    rng = np.random.default_rng(seed)
    values = market(seed)
    there = rng.random(values.shape[:2]) < 0.8
    rows = np.flatnonzero(rng.random(len(values)) < 0.5)
    inside = np.zeros_like(there)
    inside[rows] = there[rows]
    inside[rows[:1], 0] = there[rows[:1], 0] = True  # at least one cell, if there is a row
    other = values.copy()
    other[~inside] = rng.choice([np.nan, np.inf, -1e30, 0, 1e30], other[~inside].shape)
    asked = np.zeros_like(there)

    def hear(rows: np.ndarray, columns: np.ndarray) -> None:
        asked[rows, columns] = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling_module, "_CELLS", most)
        fitted = []
        for features in (values, other):
            sample = dataset_of(features, there, hear).on(rows)
            if not len(sample):
                return
            fitted.append(Scaler.fit(kind, missing, sample))

    assert fitted[0].to_dict() == fitted[1].to_dict()
    assert not asked[~inside].any()


def test_of_a_large_sample_whole_days_count_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling_module, "_CELLS", 500)
    values = np.random.default_rng(0).normal(size=(400, 10, 1))
    asked: list[tuple[np.ndarray, np.ndarray]] = []
    sample = dataset_of(values, asked=lambda *cells: asked.append(cells)).on(np.arange(100, 300))

    Scaler.fit("standard", "keep", sample)

    ((rows, _),) = asked
    days, size = np.unique(rows, return_counts=True)
    assert set(size.tolist()) == {10}
    assert ((days - 100) // 4).tolist() == list(range(50))  # one of each four
    assert len(set((days % 4).tolist())) == 4


@pytest.mark.parametrize("kind", SCALES)
@pytest.mark.parametrize("missing", MISSING)
def test_a_scaler_told_as_json_is_the_same(kind: str, missing: str) -> None:
    dataset = dataset_of(market(6))
    scaler = Scaler.fit(kind, missing, dataset.on(np.arange(12)))
    features = dataset.on(np.arange(12, 20)).features()

    told = json.loads(json.dumps(scaler.to_dict(), allow_nan=False))

    again = Scaler.from_dict(told)
    assert again.to_dict() == scaler.to_dict()
    assert np.array_equal(again.apply(features), scaler.apply(features), equal_nan=True)


GOOD: dict[str, Any] = {"kind": "robust", "missing": "zero", "centre": [0.5], "scale": [2], "fill": [0.0]}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kind": "minmax"}, "scale: found 'minmax'; valid is one of none, robust, standard"),
        ({"missing": []}, r"missing: found \[\]"),
        ({"centre": [float("nan")]}, "centre of a scaler is a list of finite numbers"),
        ({"centre": [True]}, "centre of a scaler is a list of finite numbers"),
        ({"centre": 0.5}, "centre of a scaler is a list of finite numbers"),
        ({"scale": [0.0]}, "a scale must be more than 0, found 0"),
        ({"scale": [1.0, 1.0]}, "for each feature, found 1, 2 and 1"),
        ({"fill": None}, "numbers in `fill` unless"),
        ({"missing": "keep"}, "numbers in `fill` unless"),
        ({"more": 1}, "found kind, missing, centre, scale, fill, more"),
    ],
)
def test_what_is_no_scaler_is_refused(changed: dict[str, Any], says: str) -> None:
    Scaler.from_dict(GOOD)

    with pytest.raises(InvalidRequest, match=says):
        Scaler.from_dict(GOOD | changed)


def test_what_cannot_be_fitted_or_applied_is_refused() -> None:
    dataset = dataset_of(market(7))
    with pytest.raises(InvalidRequest, match="this sample has none"):
        Scaler.fit("robust", "keep", dataset.on(np.array([], dtype=int)))
    with pytest.raises(InvalidRequest, match="valid is one of none, robust, standard"):
        Scaler.fit("z", "keep", dataset.on(np.arange(3)))
    scaler = Scaler.fit("robust", "keep", dataset.on(np.arange(3)))
    with pytest.raises(InvalidRequest, match=r"fitted on 4 features, was given an array of shape \(2, 3\)"):
        scaler.apply(np.zeros((2, 3), dtype=np.float32))
