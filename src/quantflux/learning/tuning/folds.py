"""Parts of the data for a search, and parts that it never sees.

The last folds are held back. From what the search learns from, stops by and is judged on, every cell is left out that
lies on a day that a held-back fold tests, or whose label reaches into one. So what a held-back fold says of the
parameters that were found is what they do on days that had no say in the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.samples import Dataset, Sample
from quantflux.learning.splits import Fold, purged, samples_of


@dataclass(frozen=True, eq=False)
class Part:
    """What one fit learns from, stops by and is judged on.

    Attributes
    ----------
    number : int
        Of the fold.
    train : Sample
    valid : Sample or None
    test : Sample
    """

    number: int
    train: Sample
    valid: Sample | None
    test: Sample


def nested(
    dataset: Dataset, folds: Sequence[Fold], reach: int, held_out: int
) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return the parts to search with, and those held back.

    Parameters
    ----------
    dataset : Dataset
    folds : sequence of Fold
    reach : int
        Rows from a cell's row to the one at whose close its label is usually known.
    held_out : int
        How many of the last folds are held back.

    Raises
    ------
    InvalidRequest
        If no fold is left to search with.
    """
    if held_out < 1:
        raise InvalidRequest(
            f"{held_out} folds are held back; valid is at least 1, without which no figure is honest"
        )
    kept, last = folds[:-held_out], folds[-held_out:]
    days = np.unique(np.concatenate([fold.test for fold in last])) if last else np.zeros(0, np.int64)
    searched = [_without(dataset, fold, days, reach) for fold in kept]
    usable = tuple(part for part in searched if len(part.train) and len(part.test))
    if not usable:
        raise InvalidRequest(
            f"{held_out} of {len(folds)} folds are held back, and none of the others has days of its own to search "
            "with; give the split more folds, or hold back fewer"
        )
    return usable, tuple(_whole(dataset, fold, reach) for fold in last)


def _without(dataset: Dataset, fold: Fold, days: np.ndarray, reach: int) -> Part:
    train, valid, test = (np.setdiff1d(rows, days) for rows in (fold.train, fold.valid, fold.test))
    stop_by = purged(dataset, valid, np.concatenate([test, days]), reach)
    return Part(
        fold.number,
        purged(dataset, train, np.concatenate([valid, test, days]), reach),
        stop_by if len(stop_by) else None,
        purged(dataset, test, days, reach),
    )


def _whole(dataset: Dataset, fold: Fold, reach: int) -> Part:
    train, valid, test = samples_of(dataset, fold, reach)
    return Part(fold.number, train, valid if valid is not None and len(valid) else None, test)
