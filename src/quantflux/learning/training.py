"""Walks a model through the folds of its split, and fits the one that is kept.

1. Each fold fits scaler and model on its train sample alone, stops early by its valid sample, and predicts the names
   that one could have chosen on its test days, whether or not their outcome was ever known (`_out_of_sample`).
2. What the folds predicted, put together, is what the model is judged by. No prediction comes from a model that has
   seen a label whose span meets that of the day predicted; in a walk forward none comes from one that has seen a later
   day. Rows that several folds test have the mean of their predictions.
3. The model that is kept is fitted like one more fold behind the last, up to the newest known labels (`_kept`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from quantflux.core.errors import Cancelled, InvalidRequest
from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.learning.assembly import Assembled
from quantflux.learning.models import learner
from quantflux.learning.models.contract import Learner, Predictor
from quantflux.learning.models.known import predict_known, probabilities_known
from quantflux.learning.sample_scores import AT_ONCE, LEAST_NAMES, rank_ic_by_day, scores_of
from quantflux.learning.samples import Features, Sample
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec
from quantflux.learning.splits import Fold, Splitter, purged, samples_of, splitter_of

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
        That fitting and predicting took.
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
    probabilities : array of float64, shape (T, N, C), or None
        The same of each class; None unless the task is classification.
    folds : tuple of FoldResult
    predictor : Predictor
        Fitted up to the newest known labels.
    scaler : Scaler
    sample : Sample
        What the kept model was fitted on.
    last : datetime64[D]
        The last day whose labels it was fitted on or stopped by.
    known : datetime64[D]
        The day at whose close the newest of those labels was known: what is predicted of an earlier day is not out of
        sample, for the model has seen a part of what came.
    """

    spec: ModelSpec
    predictions: np.ndarray
    probabilities: np.ndarray | None
    folds: tuple[FoldResult, ...]
    predictor: Predictor
    scaler: Scaler
    sample: Sample
    last: np.datetime64
    known: np.datetime64


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
    fitting, folds = _begun(assembled, spec, threads, told)
    told.folds(0, len(folds) + 1)
    said, results = _out_of_sample(fitting, folds, len(folds) + 1)
    kept = _kept(fitting, said, results)
    told.folds(len(folds) + 1, len(folds) + 1)
    return kept


def validate(
    assembled: Assembled, spec: ModelSpec, *, threads: int | None = None, hooks: Hooks | None = None
) -> tuple[np.ndarray, tuple[FoldResult, ...]]:
    """Train a model fold by fold, and keep none.

    Returns
    -------
    array of float64, shape (T, N)
        Predictions out of sample; NaN elsewhere.
    tuple of FoldResult

    Raises
    ------
    InvalidRequest, Cancelled
        As `train` does.
    """
    told = hooks or Hooks()
    fitting, folds = _begun(assembled, spec, threads, told)
    told.folds(0, len(folds))
    said, results = _out_of_sample(fitting, folds, len(folds))
    return said[..., 0], results


def _begun(
    assembled: Assembled, spec: ModelSpec, threads: int | None, told: Hooks
) -> tuple[_Fitting, Sequence[Fold]]:
    splitter = splitter_of(spec.split)
    folds = splitter.split(len(assembled.dataset.days), assembled.labels.reach)
    return _Fitting(spec, assembled, splitter, threads, told), folds


def with_shuffled_labels(assembled: Assembled, seed: int) -> Assembled:
    """Return the same market with each day's labels dealt out anew: whatever is still found there is luck.

    Labels that are numbers have the same mean on every day then. Else features that move with the market would still
    tell good days from bad ones, and what a model learns of days it says of names, too.

    Parameters
    ----------
    seed : int
    """
    random = np.random.default_rng(seed)
    dataset, labels = assembled.dataset, assembled.labels
    order = np.lexsort((random.random(len(dataset)), dataset.row))  # within each day
    label = dataset.label[order]
    if not labels.classes:
        mean = np.bincount(dataset.row, weights=label) / np.maximum(np.bincount(dataset.row), 1)
        label = (label - mean[dataset.row] + label.mean(dtype=np.float64)).astype(np.float32)
    # The label that a cell got is known when that of its former owner was.
    shuffled = replace(dataset, label=label, known=dataset.known[order])
    values, known = np.full(labels.values.shape, np.nan), np.full(labels.known.shape, len(dataset.days))
    values[dataset.row, dataset.column] = shuffled.label
    known[dataset.row, dataset.column] = shuffled.known
    return replace(assembled, dataset=shuffled, labels=replace(labels, values=values, known=known))


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

    @property
    def classes(self) -> int:
        """Classes that have a probability: none in a ranking, though its labels may be classes."""
        return self.assembled.labels.classes if self.spec.task == "classification" else 0

    def fit(self, learnt: Sample, checked: Sample | None) -> tuple[Predictor, Scaler]:
        if self.told.cancelled():
            raise Cancelled("the training was cancelled")
        days = len(np.unique(learnt.row))
        if days < 2:
            raise InvalidRequest(
                f"a fold of {self.spec.id} has {len(learnt):,} cells on {days} days to learn from; give the split "
                "longer train spans, or the universe more names"
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


def _out_of_sample(
    fitting: _Fitting, folds: Sequence[Fold], steps: int
) -> tuple[np.ndarray, tuple[FoldResult, ...]]:
    """Fit every fold, one of so many steps; return what they say of their test days, and how each did.

    Said is the prediction and, behind it, the probability of each class: shape (T, N, 1 + C).
    """
    assembled, told = fitting.assembled, fitting.told
    dataset, chosen, labels = assembled.dataset, assembled.chosen, assembled.labels
    said = np.zeros((*chosen.shape, 1 + fitting.classes))  # sums over folds, until they are all there
    counts = np.zeros(chosen.shape, dtype=np.int16)
    results: list[FoldResult] = []
    for fold in folds:
        begun = time.perf_counter()
        learnt, checked, _ = samples_of(dataset, fold, labels.reach)
        predictor, scaler = fitting.fit(learnt, checked)
        found = _said(predictor, scaler, dataset.features, chosen, fold.test, fitting.classes)
        counts[fold.test] += ~np.isnan(found[..., 0])
        said[fold.test] += np.where(np.isnan(found), 0.0, found)
        results.append(
            FoldResult(
                number=fold.number,
                train=(dataset.days[learnt.row[0]], dataset.days[learnt.row[-1]]),
                test=(dataset.days[fold.test[0]], dataset.days[fold.test[-1]]),
                cells=len(learnt),
                rounds=predictor.rounds,
                seconds=time.perf_counter() - begun,
                valid_ic=_valid_ic(predictor, scaler, checked),
                test_ic=mean_rank_ic(found[..., 0], labels.values[fold.test], chosen[fold.test]),
            )
        )
        told.folds(len(results), steps)
    said[counts == 0] = np.nan
    said /= np.maximum(counts, 1)[..., None]
    return said, tuple(results)


def _kept(fitting: _Fitting, said: np.ndarray, results: tuple[FoldResult, ...]) -> Trained:
    """Fit on the newest days: what a fold behind the last one would learn from and stop by."""
    dataset, split, reach = fitting.assembled.dataset, fitting.spec.split, fitting.assembled.labels.reach
    usable = int(dataset.row.max()) + 1  # labels of later days are not known yet
    valid = 0 if "valid" in split.unused() else split.valid
    end = usable - valid - (reach + split.embargo if valid else 0)
    sliding = fitting.splitter.forward and not split.expanding
    rows = np.arange(max(end - split.train, 0) if sliding else 0, end)
    stops = np.arange(max(usable - valid, 0), usable)
    learnt = purged(dataset, rows, stops, reach)
    checked = purged(dataset, stops, _NO_ROWS, reach)
    predictor, scaler = fitting.fit(learnt, checked)
    seen = np.concatenate([learnt.places, checked.places])
    return Trained(
        spec=fitting.spec,
        predictions=np.ascontiguousarray(said[..., 0]),
        probabilities=said[..., 1:] if fitting.classes else None,
        folds=results,
        predictor=predictor,
        scaler=scaler,
        sample=learnt,
        last=dataset.days[dataset.row[seen].max()],
        known=dataset.days[dataset.known[seen].max()],
    )


def _valid_ic(predictor: Predictor, scaler: Scaler, checked: Sample | None) -> float:
    if checked is None or not len(checked):
        return float("nan")
    by_day = rank_ic_by_day(scores_of(predictor, scaler, checked), checked)
    known = by_day[~np.isnan(by_day)]
    return float(known.mean()) if len(known) else float("nan")


def _said(
    predictor: Predictor,
    scaler: Scaler,
    features: Features,
    chosen: np.ndarray,
    rows: np.ndarray,
    classes: int,
) -> np.ndarray:
    """Return what a model says of the names one may choose on some days, NaN where it says nothing.

    The prediction and, behind it, the probability of each class: shape (len(rows), N, 1 + C).
    """
    found = np.full((len(rows), chosen.shape[1], 1 + classes), np.nan)
    place, column = np.nonzero(chosen[rows])
    for first in range(0, len(place), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        gathered = features.gather(rows[place[part]], column[part])
        found[place[part], column[part], 0] = predict_known(predictor, scaler, gathered)
        if classes:
            found[place[part], column[part], 1:] = probabilities_known(predictor, scaler, gathered)
    return found
