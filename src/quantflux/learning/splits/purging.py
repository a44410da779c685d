"""Draws the samples of a fold, without the cells whose labels meet those of another part."""

from __future__ import annotations

import numpy as np

from quantflux.learning.samples import Dataset, Sample
from quantflux.learning.splits.folds import Fold, marked


def purged(dataset: Dataset, rows: np.ndarray, others: np.ndarray, reach: int) -> Sample:
    """Return the cells of some rows whose labels are apart from those of other rows.

    Left out are cells whose span, from their row to the one at which their label is known,

    * meets the usual span of one of the other rows, from that row to `reach` rows later;
    * meets the span of the same name's cell on one of the other rows, which may be longer;
    * does not end within the days that there are.

    Parameters
    ----------
    dataset : Dataset
    rows, others : array of int
        Rows of the day axis.
    reach : int
        Rows from a cell's row to the one at whose close its label is usually known.
    """
    days = len(dataset.days)
    chosen = marked(days, rows)[dataset.row] & (dataset.known < days)
    places = np.flatnonzero(chosen)
    if not len(others) or not len(places):
        return Sample(dataset, places)
    held = marked(days, others)
    before = np.concatenate([[0], np.cumsum(held)])  # how many of the other rows lie before a row
    row, known = dataset.row[places], dataset.known[places]
    places = places[before[known + 1] == before[np.maximum(row - reach, 0)]]
    waiting = np.flatnonzero(held[dataset.row] & (dataset.known > dataset.row + reach))
    return Sample(dataset, places[~_within_spans(dataset, places, waiting)])


def samples_of(dataset: Dataset, fold: Fold, reach: int) -> tuple[Sample, Sample | None, Sample]:
    """Return what a fold learns from, stops by and is tested on; None where it has no days to stop by.

    What is learnt from is apart from the two others, and what is stopped by from the test, which keeps
    all its cells.
    """
    train = purged(dataset, fold.train, np.concatenate([fold.valid, fold.test]), reach)
    valid = purged(dataset, fold.valid, fold.test, reach) if len(fold.valid) else None
    return train, valid, dataset.on(fold.test)


def _within_spans(dataset: Dataset, places: np.ndarray, waiting: np.ndarray) -> np.ndarray:
    """Return which cells lie on a day on which the same name waits for the label of an earlier cell."""
    # One axis for all names, on which each has its own stretch: a span never leaves the stretch of its name.
    stretch = len(dataset.days) + 1
    start = dataset.column[waiting] * stretch + dataset.row[waiting]
    order = np.argsort(start)
    start = start[order]
    end = dataset.column[waiting] * stretch + np.minimum(dataset.known[waiting], len(dataset.days))
    furthest = np.maximum.accumulate(np.concatenate([[-1], end[order]]))  # of the first so many spans
    at = dataset.column[places] * stretch + dataset.row[places]
    return np.asarray(furthest[np.searchsorted(start, at, side="right")] >= at)
