"""Walks a model through the folds of its split, and fits the one that is kept.

1. Each fold fits scaler and model on its train sample alone, stops early by its valid sample, and predicts the names
   that one could have chosen on its test days, whether or not their outcome was ever known (`_out_of_sample`).
2. What the folds predicted, put together, is what the model is judged by: no prediction comes from a model that has
   seen a label which was not known then. Rows that several folds test have the mean of their predictions.
3. The model that is kept is fitted like one more fold behind the last, up to the newest known labels (`_kept`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from quantflux.core.errors import Cancelled, InvalidRequest
from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.learning.assembly import Assembled
from quantflux.learning.models import learner
from quantflux.learning.models.contract import Learner, Predictor
from quantflux.learning.samples import Dataset, Features, Sample
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec
from quantflux.learning.splits import Fold, Splitter, purged, samples_of, splitter_of

LEAST_NAMES = 10
"""Days with fewer names say nothing about an order."""

_AT_ONCE = 100_000  # cells that are predicted at a time
_NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Hooks:
    """How a long training speaks and listens."""

    folds: Callable[[int, int], None] = lambda done, total: None
    rounds: Callable[[int, int], None] = lambda done, total: None
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class FoldResult:
    """One fold.

    Attributes
    ----------
    number : int
    train, test : tuple of datetime64[D]
        First and last day.
    cells : int
        Learnt from.
    rounds : int
        That the model kept; 1 for models without rounds.
    seconds : float
    valid_ic, test_ic : float
        Mean rank correlation of predictions and labels by day; NaN where there is none.
    """

    number: int
    train: tuple[np.datetime64, np.datetime64]
    test: tuple[np.datetime64, np.datetime64]
    cells: int
    rounds: int
    seconds: float
    valid_ic: float
    test_ic: float


@dataclass(frozen=True, eq=False)
class Trained:
    """A model, and what is known of it.

    Attributes
    ----------
    spec : ModelSpec
    predictions : array of float64, shape (T, N)
        Out of sample; NaN elsewhere.
    folds : tuple of FoldResult
    predictor : Predictor
        Fitted up to the newest known labels.
    scaler : Scaler
    sample : Sample
        What the kept model was fitted on.
    """

    spec: ModelSpec
    predictions: np.ndarray
    folds: tuple[FoldResult, ...]
    predictor: Predictor
    scaler: Scaler
    sample: Sample


def train(
    assembled: Assembled, spec: ModelSpec, *, threads: int | None = None, hooks: Hooks | None = None
) -> Trained:
    """Train a model fold by fold, and the one to keep.

    Raises
    ------
    InvalidRequest
        If the days do not suffice for the split, or a fold has too few cells to learn from.
    Cancelled
        If `hooks.cancelled` said so.
    """
    told = hooks or Hooks()
    dataset, reach = assembled.dataset, assembled.labels.reach
    splitter = splitter_of(spec.split)
    folds = splitter.split(len(dataset.days), reach)
    fitting = _Fitting(spec, assembled, splitter, threads, told)
    predictions = np.zeros(assembled.chosen.shape)
    counts = np.zeros(assembled.chosen.shape, dtype=np.int16)
    results = []
    told.folds(0, len(folds) + 1)
    for fold in folds:
        begun = time.perf_counter()
        learnt, checked, _ = samples_of(dataset, fold, reach)
        predictor, scaler = fitting.fit(learnt, checked)
        found = _predicted(predictor, scaler, dataset.features, assembled.chosen, fold.test)
        there = ~np.isnan(found)
        predictions[fold.test] += np.where(there, found, 0.0)
        counts[fold.test] += there
        results.append(
            FoldResult(
                fold.number,
                (dataset.days[learnt.row[0]], dataset.days[learnt.row[-1]]),
                (dataset.days[fold.test[0]], dataset.days[fold.test[-1]]),
                len(learnt),
                predictor.rounds,
                time.perf_counter() - begun,
                _mean_ic(_scores(predictor, scaler, checked), checked),
                mean_rank_ic(found, assembled.labels.values[fold.test], assembled.chosen[fold.test]),
            )
        )
        told.folds(len(results), len(folds) + 1)
    predictor, scaler, sample = _kept(fitting, dataset, spec, reach)
    told.folds(len(folds) + 1, len(folds) + 1)
    with np.errstate(invalid="ignore"):
        predictions /= np.where(counts > 0, counts, np.nan)
    return Trained(spec, predictions, tuple(results), predictor, scaler, sample)


def with_shuffled_labels(assembled: Assembled, seed: int) -> Assembled:
    """Return the same market with each day's labels dealt out anew: whatever is still found there is luck.

    Parameters
    ----------
    seed : int
    """
    random = np.random.default_rng(seed)
    dataset = assembled.dataset
    order = np.lexsort((random.random(len(dataset)), dataset.row))  # within each day
    label = dataset.label[order]
    values = np.full(assembled.labels.values.shape, np.nan)
    values[dataset.row, dataset.column] = label
    # The label that a cell got is known when that of its former owner was.
    shuffled = replace(dataset, label=label, known=dataset.known[order])
    return replace(assembled, dataset=shuffled, labels=replace(assembled.labels, values=values))


def mean_rank_ic(predictions: np.ndarray, labels: np.ndarray, among: np.ndarray) -> float:
    """Return the mean over days of the rank correlation of two arrays of shape (T, N); NaN if no day has one."""
    by_day = rank_correlation(SortedRows(predictions), SortedRows(labels), among, LEAST_NAMES)
    known = by_day[~np.isnan(by_day)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass
class _Fitting:
    """Fits one fold after the other with one learner."""

    spec: ModelSpec
    assembled: Assembled
    splitter: Splitter
    threads: int | None
    told: Hooks
    model: Learner = field(init=False)

    def __post_init__(self) -> None:
        spec = self.spec
        self.model = learner(
            spec.kind,
            spec.task,
            spec.model_parameters,
            spec.seed,
            threads=self.threads,
            classes=self.assembled.labels.classes,
        )

    def fit(self, learnt: Sample, checked: Sample | None) -> tuple[Predictor, Scaler]:
        if self.told.cancelled():
            raise Cancelled("the training was cancelled")
        if len(np.unique(learnt.row)) < 2:
            raise InvalidRequest(
                f"a fold of {self.spec.id} has {len(learnt):,} cells on {len(np.unique(learnt.row))} days to learn "
                "from; give the split longer train spans, or the universe more names"
            )
        scaler = Scaler.fit(self.spec.features.scale, self.spec.features.missing, learnt)
        predictor = self.model.fit(
            learnt,
            checked if checked is not None and len(checked) else None,
            scaler=scaler,
            share=self.splitter.forward,
            progress=self.told.rounds,
            cancelled=self.told.cancelled,
        )
        return predictor, scaler


def _kept(
    fitting: _Fitting, dataset: Dataset, spec: ModelSpec, reach: int
) -> tuple[Predictor, Scaler, Sample]:
    """Fit on the newest days: what a fold behind the last one would learn from and stop by."""
    total = len(dataset.days)
    usable = int(dataset.row.max()) + 1  # later labels are not known yet
    valid = spec.split.valid or 0
    low = 0
    if fitting.splitter.forward and not spec.split.expanding:
        low = max(usable - valid - spec.split.train, 0)
    checked = np.arange(usable - valid, usable) if valid else _NO_ROWS
    fold = Fold(-1, np.arange(low, usable - valid), checked, _NO_ROWS)
    learnt = purged(dataset, fold.train, fold.valid, reach)
    stop_by = dataset.on(fold.valid, before=total) if valid else None
    predictor, scaler = fitting.fit(learnt, stop_by)
    return predictor, scaler, learnt


def _scores(predictor: Predictor, scaler: Scaler, sample: Sample | None) -> np.ndarray | None:
    if sample is None or not len(sample):
        return None
    return np.concatenate(
        [
            predictor.predict(scaler.apply(sample.features(slice(first, first + _AT_ONCE))))
            for first in range(0, len(sample), _AT_ONCE)
        ]
    )


def _mean_ic(scores: np.ndarray | None, sample: Sample | None) -> float:
    """Return the mean rank IC of scores of a sample's cells."""
    if scores is None or sample is None:
        return float("nan")
    rows, row = np.unique(sample.row, return_inverse=True)
    found, labels = np.full((2, len(rows), len(sample.dataset.symbols)), np.nan)
    found[row, sample.column], labels[row, sample.column] = scores, sample.label
    return mean_rank_ic(found, labels, ~np.isnan(labels))


def _predicted(
    predictor: Predictor, scaler: Scaler, features: Features, chosen: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Return predictions for the names one may choose on some days, shape (len(rows), N)."""
    found = np.full((len(rows), chosen.shape[1]), np.nan)
    place, column = np.nonzero(chosen[rows])
    for first in range(0, len(place), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        gathered = scaler.apply(features.gather(rows[place[part]], column[part]))
        found[place[part], column[part]] = predictor.predict(gathered)
    return found
