"""Folds against fits done by hand, models that must not have seen what they predict, and noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from quantflux.core.errors import Cancelled, InvalidRequest
from quantflux.learning import training
from quantflux.learning.assembly import Assembled, weights_of
from quantflux.learning.evaluation import Verdict, judge
from quantflux.learning.labels import make_labels
from quantflux.learning.models import learner
from quantflux.learning.sample_scores import scores_of
from quantflux.learning.samples import Dataset, Sample
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.learning.splits import samples_of, splitter_of
from quantflux.learning.training import Hooks, Trained, mean_rank_ic, train, validate, with_shuffled_labels
from tests.learning.cells import ArrayFeatures, dataset_of
from tests.learning.small_market import market

HORIZON = 5
WALK = {"train": 120, "valid": 30, "test": 60}
KFOLD = {"kind": "purged_kfold", "folds": 3, "valid": 30}
COMBINED = {"kind": "combinatorial", "groups": 4, "tests": 2}
SPLITS = pytest.mark.parametrize("split", [WALK, KFOLD, COMBINED], ids=["walk", "kfold", "combinatorial"])


def spec_of(**sections: Any) -> ModelSpec:
    plain = {
        "id": "tried",
        "kind": "ridge",
        "features": {"names": ["close"], "missing": "median"},
        "split": WALK,
    }
    return specification_of(plain | {"label": {"horizon": HORIZON}} | sections)


def assembled(spec: ModelSpec, features: Callable[[np.ndarray], np.ndarray]) -> Assembled:
    """The small market, with features made of the labels, shape (T, N), by a function: shape (T, N, F)."""
    data = market()
    labels = make_labels(spec.label, data)
    chosen = data.market.chosen
    row, column = np.nonzero(chosen & np.isfinite(labels.values))
    weight = np.ones(len(row), dtype=np.float32)
    dataset = Dataset(
        data.raw.times,
        data.raw.symbols,
        ArrayFeatures(features(labels.values)),
        row,
        column,
        labels.values[row, column].astype(np.float32),
        labels.known[row, column],
        weight,
        lambda row, label: weights_of(spec.weights, row, label),
    )
    return Assembled(dataset, data, chosen, labels, {}, {}, {}, None, spec.label, ())


def guessing(seed: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda labels: np.random.default_rng(seed).normal(size=(*labels.shape, 3))


def knowing(labels: np.ndarray) -> np.ndarray:
    """A feature that is the label itself, and two that know nothing."""
    found = guessing(0)(labels)
    found[..., 0] = np.nan_to_num(labels)
    return found


def reach_of(data: Assembled) -> int:
    return data.labels.reach


# What a model may have seen


@SPLITS
def test_nothing_that_came_on_tested_days_changes_their_predictions(split: Mapping[str, Any]) -> None:
    """Labels whose span meets a span of tested days are turned to rubbish: who tests them must not notice."""
    spec = spec_of(split=split)
    data = assembled(spec, guessing(1))
    days, reach = len(data.dataset.days), reach_of(data)
    stuck = (
        np.random.default_rng(2).random(len(data.dataset)) < 0.1
    )  # names that could not be sold for three weeks
    known = np.where(stuck, np.minimum(data.dataset.known + 15, days - 1), data.dataset.known)
    data = replace(data, dataset=replace(data.dataset, known=known))
    tested = splitter_of(spec.split).split(days, reach)[0].test
    if split is COMBINED:
        tested = tested[
            : len(tested) // 2
        ]  # the first group, which several folds test, each with another one
    spans = np.zeros(days + reach, dtype=bool)
    for row in tested:
        spans[row : row + reach + 1] = True
    cells = zip(data.dataset.row, data.dataset.known, strict=True)
    touched = np.array([spans[row : known + 1].any() for row, known in cells])
    label = np.where(touched, 1e3, data.dataset.label).astype(np.float32)

    told = train(data, spec, threads=1)
    other = train(replace(data, dataset=replace(data.dataset, label=label)), spec, threads=1)

    assert np.isfinite(told.predictions[tested]).sum() > 1_000
    assert np.array_equal(told.predictions[tested], other.predictions[tested], equal_nan=True)
    assert not np.array_equal(told.predictions, other.predictions, equal_nan=True)
    assert 0.1 < touched.mean() < 0.8


def test_a_walk_forward_is_the_same_whatever_comes_later() -> None:
    spec = spec_of()
    whole = assembled(spec, knowing)
    days = len(whole.dataset.days) - 70
    cells = whole.dataset.known < days
    fewer = {
        name: getattr(whole.dataset, name)[cells] for name in ("row", "column", "label", "known", "weight")
    }
    values = np.where(whole.labels.known < days, whole.labels.values, np.nan)[:days]
    cut = replace(
        whole,
        dataset=replace(whole.dataset, days=whole.dataset.days[:days], **fewer),
        labels=replace(whole.labels, values=values, known=np.minimum(whole.labels.known[:days], days)),
        chosen=whole.chosen[:days],
    )

    told, before = train(whole, spec, threads=1), train(cut, spec, threads=1)

    assert np.isfinite(before.predictions).sum() > 4_000
    assert np.array_equal(told.predictions[:days], before.predictions, equal_nan=True)
    assert told.folds[0].rounds == before.folds[0].rounds
    assert [fold.train for fold in before.folds] == [fold.train for fold in told.folds[: len(before.folds)]]


@SPLITS
def test_a_feature_that_is_the_label_is_found_and_does_not_leak_through_shuffled_labels(
    split: Mapping[str, Any],
) -> None:
    spec = spec_of(split=split)
    data = assembled(spec, knowing)
    shuffled = with_shuffled_labels(data, seed=3)

    told, control = train(data, spec, threads=1), train(shuffled, spec, threads=1)

    assert min(fold.test_ic for fold in told.folds) > 0.95
    assert mean_rank_ic(told.predictions, data.labels.values, data.chosen) > 0.95
    assert abs(mean_rank_ic(control.predictions, shuffled.labels.values, data.chosen)) < 0.03
    assert abs(np.mean([fold.test_ic for fold in control.folds])) < 0.05


def test_shuffled_labels_are_those_of_the_day_with_the_rows_at_which_they_are_known() -> None:
    data = assembled(spec_of(), guessing(0)).dataset

    dealt = with_shuffled_labels(assembled(spec_of(), guessing(0)), seed=3)

    before = pd.DataFrame({"row": data.row, "label": data.label.astype(float), "known": data.known})
    after = before.assign(label=dealt.dataset.label, known=dealt.dataset.known)
    before["label"] += before["label"].mean() - before.groupby("row")["label"].transform("mean")
    both = [frame.sort_values(["row", "label"]) for frame in (before, after)]
    np.testing.assert_allclose(both[0]["label"], both[1]["label"], atol=1e-6)
    assert [sorted(day) for _, day in before.groupby("row")["known"]] == [
        sorted(day) for _, day in after.groupby("row")["known"]
    ]
    assert np.isclose(before["label"], after["label"], atol=1e-6).mean() < 0.1
    late = [frame["known"] > frame["row"] + HORIZON + 1 for frame in (before, after)]
    np.testing.assert_allclose(
        *(np.sort(frame["label"][stuck]) for frame, stuck in zip((before, after), late, strict=True)),
        atol=1e-6,
    )
    assert late[0].sum() > 20
    row, column = data.row, data.column
    np.testing.assert_array_equal(dealt.labels.values[row, column], after["label"])
    np.testing.assert_array_equal(dealt.labels.known[row, column], after["known"])
    assert np.isfinite(dealt.labels.values).sum() == len(data)


def test_noise_is_noise() -> None:
    spec = spec_of(weights={"half_life": 60})
    found, verdicts = [], []
    for seed in range(8):
        data = assembled(spec, guessing(seed))
        told = train(data, spec, threads=1)
        judged = judge(told.predictions, data.market, data.labels.values, horizon=HORIZON, top=None)
        found.append(judged.significance.mean)
        verdicts.append(judged.verdict)

    assert abs(np.mean(found)) < 3 * np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 0.02
    assert verdicts.count(Verdict.NOISE) >= 7


# What a fold does


def by_hand(data: Assembled, spec: ModelSpec) -> list[np.ndarray]:
    """Predictions of each fold, by the parts themselves: shape (T, N), NaN where the fold tests nothing."""
    made = []
    for fold in splitter_of(spec.split).split(len(data.dataset.days), reach_of(data)):
        learnt, checked, _ = samples_of(data.dataset, fold, reach_of(data))
        scaler = Scaler.fit(spec.features.scale, spec.features.missing, learnt)
        model = learner(spec.kind, spec.task, {}, spec.seed, threads=1)
        quiet: dict[str, Any] = {"progress": lambda done, total: None, "cancelled": lambda: False}
        fitted = model.fit(learnt, checked, scaler=scaler, **quiet)
        found = np.full(data.chosen.shape, np.nan)
        for row in fold.test:
            columns = np.flatnonzero(data.chosen[row])
            seen = data.dataset.features.gather(np.full(len(columns), row), columns)
            known = np.isfinite(seen).any(axis=1)  # a median stands for nothing where all is missing
            found[row, columns[known]] = fitted.predict(scaler.apply(seen[known]))
        made.append(found)
    return made


@SPLITS
def test_predictions_are_those_of_each_fold_and_their_mean_where_several_test_a_day(
    split: Mapping[str, Any],
) -> None:
    def with_gaps(labels: np.ndarray) -> np.ndarray:
        found = knowing(labels)
        found[::7, ::3] = np.nan  # names of which nothing is known
        return found

    spec = spec_of(split=split)
    data = assembled(spec, with_gaps)

    told = train(data, spec, threads=1)

    folds = by_hand(data, spec)
    counts = np.isfinite(folds).sum(axis=0)
    expected = np.nansum(folds, axis=0) / np.where(counts, counts, np.nan)
    np.testing.assert_allclose(told.predictions, expected, rtol=1e-12, atol=1e-15)
    several = {fold.number: counts[data.chosen].max() for fold in told.folds}
    assert set(several.values()) == {3 if split is COMBINED else 1}
    assert np.isnan(told.predictions[::7, ::3]).all()
    nothing_known = np.zeros(data.chosen.shape, dtype=bool)
    nothing_known[::7, ::3] = True
    assert (nothing_known & data.chosen)[counts.any(axis=1)].sum() > 100


def test_probabilities_are_there_wherever_a_class_is_predicted() -> None:
    def with_gaps(labels: np.ndarray) -> np.ndarray:
        found = knowing(labels)
        found[::7, ::3] = np.nan
        return found

    spec = spec_of(
        kind="lightgbm",
        task="classification",
        parameters={"n_estimators": 3, "min_data_in_leaf": 20},
        label={"horizon": HORIZON, "transform": "class", "classes": 3},
        split=COMBINED,
    )

    told = train(assembled(spec, with_gaps), spec, threads=1)

    assert told.probabilities is not None and told.probabilities.shape == (*told.predictions.shape, 3)
    there = np.isfinite(told.predictions)
    np.testing.assert_array_equal(np.isfinite(told.probabilities), np.repeat(there[..., None], 3, axis=2))
    assert there.sum() > 1_000
    chances = told.probabilities[there]
    assert chances.min() >= 0 and chances.std(axis=0).min() > 0
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_allclose(chances @ np.arange(3), told.predictions[there])  # the expected class
    assert train(assembled(spec_of(), guessing(0)), spec_of(), threads=1).probabilities is None


def test_a_ranking_of_classes_has_no_probabilities() -> None:
    spec = spec_of(
        kind="lightgbm",
        task="ranking",
        parameters={"n_estimators": 3, "min_data_in_leaf": 20},
        label={"horizon": HORIZON, "transform": "class", "classes": 3},
    )

    told = train(assembled(spec, knowing), spec, threads=1)

    assert told.probabilities is None
    assert told.folds[0].test_ic > 0.5


@pytest.mark.parametrize("missing", ["keep", "zero", "median"])
def test_a_cell_without_any_feature_has_no_score_whatever_fills_in(missing: str) -> None:
    values = np.random.default_rng(1).normal(size=(30, 20, 3))
    values[10:, 4] = np.nan
    values[:, 5, 0] = np.nan
    dataset = dataset_of(values)
    sample = Sample(dataset, np.arange(len(dataset)))
    scaler = Scaler.fit("standard", missing, sample)
    quiet: dict[str, Any] = {"progress": lambda done, total: None, "cancelled": lambda: False}
    fitted = learner("ridge", "regression", {}, 1, threads=1).fit(sample, None, scaler=scaler, **quiet)

    found = scores_of(fitted, scaler, sample)

    nothing_known = (sample.row >= 10) & (sample.column == 4)
    np.testing.assert_array_equal(np.isnan(found), nothing_known)


def test_folds_tell_their_days_and_their_rank_correlation() -> None:
    spec = spec_of()
    data = assembled(spec, knowing)

    fold = train(data, spec, threads=1).folds[1]

    days, plan = data.dataset.days, splitter_of(spec.split).split(len(data.dataset.days), reach_of(data))[1]
    assert (fold.number, fold.test) == (1, (days[plan.test[0]], days[plan.test[-1]]))
    assert fold.train == (days[plan.train[0]], days[plan.train[-1]])
    assert fold.cells == np.isin(data.dataset.row, plan.train).sum()
    mine = by_hand(data, spec)[1]
    by_day = []
    for row in plan.test:
        both = np.isfinite(mine[row]) & np.isfinite(data.labels.values[row])
        by_day.append(spearmanr(mine[row][both], data.labels.values[row][both]).statistic)
    assert fold.test_ic == pytest.approx(np.mean(by_day), abs=1e-9)
    assert fold.valid_ic > 0.95 and fold.seconds > 0


def test_each_sample_is_weighed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a half-life of two days, weights of a whole span would all be the smallest number in its first fold."""
    weights: list[pd.Series] = []

    def spying(*arguments: Any, **named: Any) -> Any:
        made = learner(*arguments, **named)
        fit = made.fit

        def noting(train: Any, *more: Any, **others: Any) -> Any:
            weights.append(pd.Series(train.weight.astype(float)).groupby(train.row).mean())
            return fit(train, *more, **others)

        made.fit = noting  # type: ignore[method-assign]
        return made

    monkeypatch.setattr(training, "learner", spying)
    spec = spec_of(weights={"half_life": 2})

    train(assembled(spec, guessing(0)), spec, threads=1)

    assert len(weights) > 3
    for by_day in weights:
        assert by_day.iloc[-1] / by_day.iloc[-9] == pytest.approx(16, rel=1e-5)


@pytest.mark.parametrize("task", ["regression", "ranking", "classification"])
def test_a_seed_makes_the_same_model_bit_for_bit(task: str) -> None:
    label = {"horizon": HORIZON} | ({"transform": "class", "classes": 3} if task == "classification" else {})
    asked = {"n_estimators": 6, "bagging_fraction": 0.5, "bagging_freq": 1, "min_data_in_leaf": 20}
    sections = {
        "kind": "lightgbm",
        "task": task,
        "parameters": asked,
        "label": label,
        "split": WALK | {"folds": 1},
    }

    def trained(seed: int) -> Trained:
        spec = spec_of(**sections, seed=seed)
        return train(assembled(spec, knowing), spec, threads=2)

    one, same, other = trained(1), trained(1), trained(2)

    assert one.predictions.tobytes() == same.predictions.tobytes() != other.predictions.tobytes()
    seen = one.sample.features(slice(0, 500))
    assert one.predictor.predict(seen).tobytes() == same.predictor.predict(seen).tobytes()
    assert one.folds[0].test_ic > 0.5


# The model that is kept


@pytest.mark.parametrize(
    ("split", "learnt", "stopped"),
    [
        (WALK, 120, 30),
        (WALK | {"expanding": True, "embargo": 4}, None, 30),
        (WALK | {"valid": 0}, 120, 0),
        (KFOLD, None, 30),
        (COMBINED, None, 0),
    ],
    ids=["walk", "expanding", "no valid", "kfold", "combinatorial"],
)
def test_what_is_kept_learns_up_to_the_newest_known_labels(
    split: Mapping[str, Any], learnt: int | None, stopped: int
) -> None:
    spec = spec_of(split=split)
    data = assembled(spec, guessing(0))

    told = train(data, spec, threads=1)

    rows, days = np.unique(told.sample.row), data.dataset.days
    newest = len(days) - 1 - reach_of(data)  # whose label is known at the last close
    gap = reach_of(data) + spec.split.embargo if stopped else 0
    assert (told.last, told.known) == (days[newest], days[-1])
    assert rows[-1] == newest - stopped - gap
    assert rows[0] == (rows[-1] + 1 - learnt if learnt else np.flatnonzero(data.chosen.any(axis=1))[0])
    assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))
    assert told.sample.dataset.known[told.sample.places].max() < (
        newest - stopped + 1 if stopped else len(days)
    )


def test_days_that_do_not_suffice_are_told_and_nothing_is_learnt() -> None:
    spec = spec_of(split=WALK | {"train": 2_000})
    with pytest.raises(InvalidRequest, match="needs at least"):
        train(assembled(spec, guessing(0)), spec, threads=1)

    spec = spec_of()
    data = assembled(spec, guessing(0))
    few = data.dataset.row >= 200
    cut = {name: getattr(data.dataset, name)[few] for name in ("row", "column", "label", "known", "weight")}
    with pytest.raises(InvalidRequest, match="0 cells on 0 days"):
        train(replace(data, dataset=replace(data.dataset, **cut)), spec, threads=1)


def test_a_training_tells_of_its_folds_and_can_be_cancelled() -> None:
    spec = spec_of()
    data = assembled(spec, guessing(0))
    told: list[tuple[int, int]] = []

    train(data, spec, threads=1, hooks=Hooks(folds=lambda done, total: told.append((done, total))))
    parts = len(splitter_of(spec.split).split(len(data.dataset.days), reach_of(data))) + 1
    assert told == [(done, parts) for done in range(parts + 1)] and parts > 3

    told.clear()
    hooks = Hooks(folds=lambda done, total: told.append((done, total)), cancelled=lambda: len(told) > 2)
    with pytest.raises(Cancelled):
        train(data, spec, threads=1, hooks=hooks)
    assert told == [(0, parts), (1, parts), (2, parts)]


def test_validating_walks_the_same_folds_and_keeps_no_model() -> None:
    spec = spec_of()
    data = assembled(spec, knowing)
    told: list[tuple[int, int]] = []

    predictions, folds = validate(data, spec, threads=1, hooks=Hooks(folds=lambda *step: told.append(step)))

    kept = train(data, spec, threads=1)
    np.testing.assert_array_equal(predictions, kept.predictions)
    assert [replace(fold, seconds=0.0) for fold in folds] == [
        replace(fold, seconds=0.0) for fold in kept.folds
    ]
    assert told == [(done, len(folds)) for done in range(len(folds) + 1)]
