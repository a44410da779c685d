"""Folds and their samples: apart by every label, complete, and as scikit-learn and skfolio cut them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from math import comb

import numpy as np
import pytest
import skfolio.model_selection as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from quantflux.core.errors import InvalidRequest
from quantflux.learning.samples import Dataset, Sample
from quantflux.learning.specification import SplitSpec
from quantflux.learning.splits import (
    CombinatorialPurged,
    Fold,
    PurgedKFold,
    Splitter,
    WalkForward,
    purged,
    purging,
    samples_of,
    splitter_of,
)


class NoFeatures:
    """Nothing here reads features."""

    names: tuple[str, ...] = ()

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        raise AssertionError("a splitter has no business with features")


def dataset(
    days: int, reach: int, seed: int, *, stuck: float = 0.1, names: int = 4, never: bool = False
) -> Dataset:
    """Cells with gaps, of which some have labels that are known far later than the others, or never if `never`."""
    rng = np.random.default_rng(seed)
    row, column = np.nonzero(rng.random((days, names)) < 0.8)
    late = np.where(rng.random(len(row)) < stuck, rng.integers(1, days, len(row)), 0)
    known = row + reach + late
    there = (known < days) | never
    known = np.minimum(known, days)
    row, column, known = row[there], column[there], known[there]
    ones = np.ones(len(row), dtype=np.float32)
    axis = np.datetime64("2024-01-01") + np.arange(days)
    symbols = np.array([f"{600000 + i}.SH" for i in range(names)])
    return Dataset(axis, symbols, NoFeatures(), row, column, ones, known, ones)


def walks() -> st.SearchStrategy[WalkForward]:
    return st.builds(
        WalkForward,
        st.integers(1, 15),
        st.integers(1, 9),
        st.integers(0, 6),
        folds=st.none() | st.integers(1, 4),
        expanding=st.booleans(),
        embargo=st.integers(0, 3),
    )


def held_out() -> st.SearchStrategy[PurgedKFold | CombinatorialPurged]:
    groups = st.tuples(st.integers(2, 6), st.integers(1, 4)).filter(lambda pair: pair[1] < pair[0])
    combinatorial = st.tuples(groups, st.integers(0, 4)).map(
        lambda drawn: CombinatorialPurged(*drawn[0], embargo=drawn[1])
    )
    folds = st.builds(PurgedKFold, st.integers(2, 6), valid=st.integers(0, 6), embargo=st.integers(0, 4))
    return folds | combinatorial


def folds_of(splitter: Splitter, days: int, reach: int) -> list[Fold]:
    """The folds of so many days, or of as many as are needed."""
    try:
        return splitter.split(days, reach)
    except InvalidRequest as error:
        return splitter.split(needed_days(error), reach)


def needed_days(error: BaseException) -> int:
    found = re.search(r"at least (\d+) days; there are", str(error))
    assert found, error
    return int(found[1])


def rows_meet(rows: np.ndarray, others: np.ndarray, reach: int) -> bool:
    """Whether a usual span of some rows meets one of other rows."""
    return bool((np.abs(rows[:, None] - others[None, :]) <= reach).any())


def meeting(sample: Sample, rows: np.ndarray, others: Sample, reach: int) -> np.ndarray:
    """Which cells of a sample have labels that meet those of other rows, or of the other rows' cells of their name."""
    row, known = sample.row[:, None], sample.dataset.known[sample.places][:, None]
    usual = (row <= rows + reach) & (rows <= known)
    other_known = others.dataset.known[others.places]
    own = (sample.column[:, None] == others.column) & (row <= other_known) & (others.row <= known)
    return np.asarray(usual.any(axis=1) | own.any(axis=1))


def leaks(data: Dataset, fold: Fold, train: Sample, valid: Sample | None, reach: int) -> bool:
    """Whether anything that is learnt from, or stopped by, knows an answer of what comes after it in the fold."""
    test, stop_by = data.on(fold.test), data.on(fold.valid)
    found = meeting(train, fold.test, test, reach).any() or meeting(train, fold.valid, stop_by, reach).any()
    return bool(found or (valid is not None and meeting(valid, fold.test, test, reach).any()))


@settings(deadline=None, max_examples=250)
@given(
    walks() | held_out(),
    st.integers(1, 90),
    st.integers(0, 7),
    st.integers(0, 2**32),
    st.sampled_from([0, 0.2]),
)
def test_no_label_that_is_learnt_from_touches_a_test(
    splitter: Splitter, days: int, reach: int, seed: int, stuck: float
) -> None:
    folds = folds_of(splitter, days, reach)
    data = dataset(max(days, max(int(fold.test[-1]) for fold in folds) + 1), reach, seed, stuck=stuck)

    for fold in folds:
        train, valid, test = samples_of(data, fold, reach)

        assert not rows_meet(fold.train, np.concatenate([fold.valid, fold.test]), reach)
        assert not rows_meet(fold.valid, fold.test, reach)
        assert not leaks(data, fold, train, valid, reach)
        assert np.isin(train.row, fold.train).all()
        assert (valid is None) == (not len(fold.valid))
        assert valid is None or np.isin(valid.row, fold.valid).all()
        assert test.places.tolist() == np.flatnonzero(np.isin(data.row, fold.test)).tolist()


@settings(deadline=None, max_examples=100)
@given(walks() | held_out(), st.integers(1, 90), st.integers(0, 7))
def test_the_parts_of_a_fold_are_rows_in_order(splitter: Splitter, days: int, reach: int) -> None:
    folds = folds_of(splitter, days, reach)

    assert [fold.number for fold in folds] == list(range(len(folds)))
    for fold in folds:
        parts = [fold.train, fold.valid, fold.test]
        assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
        assert len(fold.train) and len(fold.test)
        assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
        if splitter.forward:
            assert max(fold.train[-1], fold.valid[-1] if len(fold.valid) else -1) < fold.test[0]


@pytest.mark.parametrize("splitter", [WalkForward(12, 6, 4), PurgedKFold(4), CombinatorialPurged(5, 2)])
@pytest.mark.parametrize("reach", [1, 5])
def test_faults_are_found(splitter: Splitter, reach: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = dataset(70, reach, seed=3, stuck=0.3, names=12)
    on_time = dataset(70, reach, seed=3, stuck=0.0)
    apart, near, closer = (splitter.split(70, r) for r in (reach, 0, reach - 1))

    def found(cells: Dataset, folds: list[Fold], assumed: int | None = None) -> bool:
        drawn = [
            (f, (cells.on(f.train), None) if assumed is None else samples_of(cells, f, assumed))
            for f in folds
        ]
        return any(leaks(cells, fold, sample[0], sample[1], reach) for fold, sample in drawn)

    assert not found(data, apart, reach) and not found(on_time, apart)
    assert found(on_time, near), "a splitter that leaves out nothing"
    assert found(on_time, closer), "a splitter that leaves out a row too few"
    assert found(data, apart), "names that are stuck are learnt from before they are known"
    assert not found(on_time, near, reach), "cells are purged even where rows were not"
    monkeypatch.setattr(purging, "_within_spans", lambda _, places, __: np.zeros(len(places), dtype=bool))
    assert found(data, apart, reach) != splitter.forward, (
        "tested names that are stuck are learnt from meanwhile"
    )


@settings(deadline=None, max_examples=100)
@given(st.integers(2, 60), st.integers(0, 6), st.integers(0, 2**32))
def test_exactly_what_meets_is_purged(days: int, reach: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = dataset(days, reach, seed, stuck=0.2, never=bool(seed % 2))
    part = rng.integers(0, 4, days)
    rows, others = np.flatnonzero(part <= 2), np.flatnonzero(part == 3)
    before = data.on(rows)

    after = purged(data, rows, others, reach)

    expected = before.places[~meeting(before, others, data.on(others), reach)]
    assert after.places.tolist() == expected[data.known[expected] < days].tolist()


def test_a_label_that_is_never_known_is_not_learnt_from() -> None:
    data = dataset(10, 2, seed=1, stuck=0.0, never=True)

    sample = purged(data, np.arange(10), np.zeros(0, dtype=np.int64), 2)

    assert data.row.max() == 9
    assert sample.row.max() == 7  # known at the close of row 9, the last there is


@settings(deadline=None, max_examples=100)
@given(walks(), st.integers(1, 90), st.integers(0, 7))
def test_a_walk_tests_every_day_once_up_to_the_last(splitter: WalkForward, days: int, reach: int) -> None:
    try:
        folds = splitter.split(days, reach)
    except InvalidRequest as error:
        days = needed_days(error)
        folds = splitter.split(days, reach)

    tested = np.concatenate([fold.test for fold in folds])
    assert tested.tolist() == list(range(int(tested[0]), days))
    assert [len(fold.test) for fold in folds[:-1]] == [splitter.test] * (len(folds) - 1)
    assert splitter.folds in {None, len(folds)}
    for fold in folds:
        assert len(fold.valid) == splitter.valid
        assert fold.train[0] == 0 if splitter.expanding else len(fold.train) == splitter.train
        assert len(fold.train) >= splitter.train


@settings(deadline=None, max_examples=100)
@given(held_out(), st.integers(1, 90), st.integers(0, 7))
def test_held_out_folds_learn_from_all_that_is_apart(
    splitter: PurgedKFold | CombinatorialPurged, days: int, reach: int
) -> None:
    folds = folds_of(splitter, days, reach)
    last = max(int(fold.test[-1]) for fold in folds)

    for fold in folds:
        expected = []
        for row in range(last + 1):
            after = [row - other for other in (*fold.valid, *fold.test)]
            if all(gap > reach + splitter.embargo or gap < -reach for gap in after):
                expected.append(row)
        assert fold.train.tolist() == expected
        gaps = fold.valid[:, None] - fold.test
        assert ((gaps > reach + splitter.embargo) | (gaps < -reach)).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 7), st.integers(30, 90), st.integers(0, 3), st.integers(0, 3))
def test_k_fold_tests_what_scikit_learn_tests(folds: int, days: int, valid: int, embargo: int) -> None:
    found = PurgedKFold(folds, valid=valid, embargo=embargo).split(days, 2)

    expected = [test.tolist() for _, test in KFold(folds).split(np.zeros((days, 1)))]
    assert [fold.test.tolist() for fold in found] == expected
    assert all(len(fold.valid) == valid for fold in found)


def test_days_to_stop_by_lie_before_the_test_or_else_behind_it() -> None:
    first, second, third = PurgedKFold(3, valid=3, embargo=1).split(30, reach=2)

    assert (first.valid.tolist(), first.train.tolist()) == ([13, 14, 15], list(range(19, 30)))
    assert (second.valid.tolist(), second.train.tolist()) == ([5, 6, 7], [0, 1, 2, *range(23, 30)])
    assert (third.valid.tolist(), third.train.tolist()) == ([15, 16, 17], list(range(13)))


@settings(deadline=None, max_examples=60)
@given(st.integers(3, 7), st.integers(2, 5), st.integers(0, 5), st.integers(0, 3), st.integers(2, 6))
def test_choices_of_groups_are_those_of_skfolio(
    groups: int, tests: int, reach: int, embargo: int, extra: int
) -> None:
    tests = min(tests, groups - 1)
    days = groups * (2 * reach + embargo + extra)  # skfolio cuts other groups where days do not divide

    found = CombinatorialPurged(groups, tests, embargo=embargo).split(days, reach)

    oracle = sk.CombinatorialPurgedCV(groups, tests, purged_size=reach, embargo_size=embargo)
    expected = [
        (train.tolist(), np.concatenate(parts).tolist()) for train, parts in oracle.split(np.zeros((days, 1)))
    ]
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == expected


@pytest.mark.parametrize(("groups", "tests"), [(2, 1), (5, 1), (6, 2), (6, 3), (7, 5)])
def test_each_group_is_tested_as_often_as_it_can_be_chosen(groups: int, tests: int) -> None:
    days = groups * 20 + 1

    folds = CombinatorialPurged(groups, tests).split(days, 3)

    times = Counter(int(row) for fold in folds for row in fold.test)
    assert len(folds) == comb(groups, tests)
    assert times == dict.fromkeys(range(days), comb(groups - 1, tests - 1))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 20),
    st.integers(1, 9),
    st.integers(0, 5),
    st.integers(0, 3),
    st.booleans(),
    st.integers(1, 40),
)
def test_a_walk_is_that_of_skfolio(
    train: int, test: int, reach: int, embargo: int, expanding: bool, extra: int
) -> None:
    days = train + reach + embargo + extra
    splitter = WalkForward(train, test, expanding=expanding, embargo=embargo)

    found = splitter.split(days, reach)

    oracle = sk.WalkForward(
        test, train, purged_size=reach + embargo, expand_train=expanding, reduce_test=True
    )
    expected = [(a.tolist(), b.tolist()) for a, b in oracle.split(np.zeros((days, 1)))]
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == expected


def test_a_walk_by_hand() -> None:
    folds = WalkForward(4, 3, 2, embargo=1).split(18, reach=1)

    assert [(f.train.tolist(), f.valid.tolist(), f.test.tolist()) for f in folds] == [
        ([0, 1, 2, 3], [6, 7], [10, 11, 12]),
        ([3, 4, 5, 6], [9, 10], [13, 14, 15]),
        ([6, 7, 8, 9], [12, 13], [16, 17]),
    ]


def test_so_many_folds_are_the_last_ones() -> None:
    walk = WalkForward(5, 4, folds=2)
    roomy, tight = walk.split(30, reach=2), walk.split(14, reach=2)

    assert [fold.test.tolist() for fold in roomy] == [[22, 23, 24, 25], [26, 27, 28, 29]]
    assert [fold.test.tolist() for fold in tight] == [[7, 8, 9, 10], [11, 12, 13]]
    assert WalkForward(5, 4, folds=2, expanding=True).split(30, 2)[0].train.tolist() == list(range(20))


@settings(deadline=None, max_examples=80)
@given(walks() | held_out(), st.integers(0, 7))
def test_too_few_days_say_how_many_are_needed(splitter: Splitter, reach: int) -> None:
    with pytest.raises(InvalidRequest, match=r"there are 1$") as refused:
        splitter.split(1, reach)
    needed = needed_days(refused.value)

    assert splitter.split(needed, reach)
    with pytest.raises(InvalidRequest, match=f"at least {needed} days; there are {needed - 1}$"):
        splitter.split(needed - 1, reach)


def test_the_message_of_a_walk_names_its_parts() -> None:
    with pytest.raises(InvalidRequest) as refused:
        WalkForward(750, 125, 125, folds=10).split(1_000, reach=6)

    assert str(refused.value) == (
        "a walk of 10 folds of 750 days to train, 125 to stop by and 125 to test, 6 days apart, "
        "needs at least 2013 days; there are 1000"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WalkForward(0, 5), "train must be at least 1, was 0"),
        (lambda: WalkForward(5, 0), "test must be at least 1, was 0"),
        (lambda: WalkForward(5, 5, -1), "valid must be at least 0, was -1"),
        (lambda: WalkForward(5, 5, folds=0), "folds must be at least 1, was 0"),
        (lambda: WalkForward(5, 5, embargo=-2), "embargo must be at least 0, was -2"),
        (lambda: PurgedKFold(1), "folds must be at least 2, was 1"),
        (lambda: CombinatorialPurged(3, 3), "a group is left to learn from, was 3 of 3"),
        (lambda: CombinatorialPurged(20, 10), "at most 1,000 folds can be fitted, these are 184,756"),
        (lambda: WalkForward(5, 1).split(2_000, 1), "at most 1,000 folds can be fitted, these are 1,994"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        make()


def test_a_model_file_names_its_splitter() -> None:
    walk = SplitSpec(train=300, valid=40, test=20, folds=3, expanding=True, embargo=2)

    assert splitter_of(walk) == WalkForward(300, 20, 40, folds=3, expanding=True, embargo=2)
    assert splitter_of(SplitSpec(kind="purged_kfold", valid=0, embargo=9)) == PurgedKFold(5, embargo=9)
    assert splitter_of(SplitSpec(kind="purged_kfold", folds=3, valid=8)) == PurgedKFold(3, valid=8)
    assert splitter_of(SplitSpec(kind="combinatorial", groups=8, tests=3)) == CombinatorialPurged(8, 3)
