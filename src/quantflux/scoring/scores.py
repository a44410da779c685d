"""Scores: of one day with all that explains them, or of many days as an array.

1. `parts_of` says which factors and which way round; `compare` says who is compared with whom.
2. Each factor's values are standardised among them (`standardising`); for trailing weights their RankICs are taken on
   the way, so that no factor's whole history stays in memory.
3. The weights of each row come from what is known at its close (`trailing`), or are those asked for.
4. `composite` adds up; the scores of a day are ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.factors.ranking import SortedRows
from quantflux.scoring.comparison import Comparison
from quantflux.scoring.composite import Composite, blend, composite, percentiles
from quantflux.scoring.parts import Part
from quantflux.scoring.predictions import predictions_of
from quantflux.scoring.request import Models, ScoreRequest
from quantflux.scoring.standardising import zscores
from quantflux.scoring.trailing import TrailingWeights, marked_returns, rank_ics, reach, trailing_weights
from quantflux.scoring.values import values_of

_DAYS_A_FACTOR = 3  # RankICs that a covariance should have for each factor in it
_MOST_BYTES = 2e9  # of z-scores that are held at once


@dataclass(frozen=True)
class Weight:
    """What a factor or a model counts for on a day.

    Attributes
    ----------
    label : str
    weight : float
        Absolute values add up to 1.
    orientation : {1, -1}
        -1 if less of the factor is better. A weight below zero turns it once more.
    expression : str
        What is computed; empty for a model.
    rank_ic, icir : float or None
        Mean of the known RankICs of the trailing window, of the factor as oriented, and its ratio to their deviation.
    days : int or None
        How many they are.
    """

    label: str
    weight: float
    orientation: int = 1
    expression: str = ""
    rank_ic: float | None = None
    icir: float | None = None
    days: int | None = None


@dataclass(frozen=True, eq=False)
class DayScores:
    """The scores of a day; arrays over the market's symbols, shape (N,) or (P, N), P the factors or models.

    Attributes
    ----------
    request : ScoreRequest
    comparison : Comparison
        Its last row is the day.
    weights : tuple of Weight
        One a factor or model.
    values : array of float64, shape (P, N)
        As the factors' definitions or the models give them; NaN unknown.
    zscores : array of float64, shape (P, N)
        Winsorised and turned so that more is better; of models, what is averaged.
    contributions : array of float64, shape (P, N)
        Their sum is the score.
    scores : array of float64, shape (N,)
        NaN for names without one.
    known : array of int, shape (N,)
        Of how many factors or models a name has a value.
    ranks : array of int, shape (N,)
        1 is the best; equal scores share a rank and the next one follows without a gap (dense). 0 without a score.
    percentiles : array of float64, shape (N,)
        Percentile rank, above 0 up to 100, the best; equal scores share the mean.
    notes : tuple of str
        What a reader must know.
    """

    request: ScoreRequest
    comparison: Comparison
    weights: tuple[Weight, ...]
    values: np.ndarray
    zscores: np.ndarray
    contributions: np.ndarray
    scores: np.ndarray
    known: np.ndarray
    ranks: np.ndarray
    percentiles: np.ndarray
    notes: tuple[str, ...]

    @property
    def day(self) -> date:
        """The day whose close it is."""
        return self.comparison.day

    @property
    def scored(self) -> np.ndarray:
        """Who has a score, bool of shape (N,)."""
        return np.asarray(~np.isnan(self.scores))

    def row(self, place: int) -> dict[str, Any]:
        """Return what is to be told of one name, as plain values."""
        on = self.comparison
        return {
            "symbol": str(on.symbols[place]),
            "name": on.names[place],
            "industry": on.industries[place] or None,
            "score": float(self.scores[place]),
            "rank": int(self.ranks[place]),
            "percentile_rank": float(self.percentiles[place]),
            "known": int(self.known[place]),
            "contributions": {
                each.label: float(part)
                for each, part in zip(self.weights, self.contributions[:, place], strict=True)
            },
        }


@dataclass(frozen=True, eq=False)
class ScoreHistory:
    """The scores of many days.

    Attributes
    ----------
    scores : Panel
        One field, `score`: float64 of shape (T, N), NaN for names without one.
    weights : array of float64, shape (T, P)
        What each factor or model counted for; NaN on days without scores.
    labels : tuple of str, length P
    notes : tuple of str
    """

    scores: Panel
    weights: np.ndarray
    labels: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Made:
    # Rows from the comparison's first on: R of them. `values` are of the last row alone.
    composite: Composite
    weights: np.ndarray
    values: np.ndarray
    zscores: np.ndarray
    trailing: TrailingWeights | None


def rows_before(request: ScoreRequest) -> int:
    """Return how many rows before the first day scored a request needs values of factors on."""
    if request.method not in {"ic", "icir"}:
        return 0
    return request.trailing.window + reach(request.trailing.horizon)


def scores_of_day(
    data: DataAccessLayer, on: Comparison, parts: Sequence[Part], request: ScoreRequest, notes: Sequence[str]
) -> DayScores:
    """Return the scores of the last row of a comparison.

    Raises
    ------
    InvalidRequest
        If trailing weights cannot be had, or no name has enough of the factors.
    NotFound
        If a model has no predictions of the day, or a field no data.
    """
    made = _made(data, on, parts, request)
    if request.method in {"ic", "icir"}:
        _require_weights(made, parts, request, on.day)
    scores = made.composite.scores[-1]
    if np.isnan(scores).all():
        share = f"{request.least_share:.0%} of the factors"
        raise InvalidRequest(
            f"no name has a score on {on.day}: none of {int(on.chosen[-1].sum())} compared has a value of "
            f"{'a model' if request.models else share}"
        )
    return DayScores(
        request,
        on,
        _weights(made, parts, request),
        made.values,
        made.zscores[:, -1],
        made.composite.contributions[:, -1],
        scores,
        made.composite.known[-1],
        dense_ranks(scores),
        100 * percentiles(scores[None])[0],
        (*notes, *_notes(made, parts, request, on)),
    )


def scores_of_days(
    data: DataAccessLayer, on: Comparison, parts: Sequence[Part], request: ScoreRequest, notes: Sequence[str]
) -> ScoreHistory:
    """Return the scores of all rows of a comparison from its first on.

    Each row holds what it would hold had the data ended there. Days on which trailing weights are not known yet, or a
    model predicted nothing, have no scores.

    Raises
    ------
    InvalidRequest
        If that many days and factors do not fit into memory.
    NotFound
        If a field has no data, or a model no predictions of the last day.
    """
    made = _made(data, on, parts, request)
    scores = Panel(on.times[on.first :], on.symbols.tolist(), {"score": made.composite.scores})
    empty = int(np.isnan(made.composite.scores).all(axis=1).sum())
    more = (f"{empty} of {len(scores)} days have no scores",) if empty else ()
    return ScoreHistory(scores, made.weights, _labels(parts, request), (*notes, *more))


def dense_ranks(scores: np.ndarray) -> np.ndarray:
    """Return ranks from 1, the highest score; equal scores share one, without gaps. 0 for NaN.

    Examples
    --------
    >>> dense_ranks(np.array([0.5, 2.0, np.nan, 0.5, -1.0])).tolist()
    [2, 1, 0, 2, 3]
    """
    there = ~np.isnan(scores)
    ranks = np.zeros(len(scores), dtype=np.int64)
    different, place = np.unique(scores[there], return_inverse=True)
    ranks[there] = len(different) - place
    return ranks


def _made(data: DataAccessLayer, on: Comparison, parts: Sequence[Part], request: ScoreRequest) -> _Made:
    if request.models is not None:
        return _from_models(data, on, request.models)
    return _from_factors(data, on, parts, request)


def _from_models(data: DataAccessLayer, on: Comparison, models: Models) -> _Made:
    said = predictions_of(data, models.ids, on.times[on.first :], on.symbols)
    shares = np.array(models.weights or (1.0,) * len(models.ids))
    shares = shares / shares.sum()
    made = blend(said, shares, on.chosen[on.first :], by_rank=models.blend == "rank")
    averaged = np.where(on.chosen[on.first :], said, np.nan)
    if models.blend == "rank":
        averaged = np.stack([percentiles(each) for each in averaged])
    return _Made(made, np.broadcast_to(shares, (said.shape[1], len(shares))), said[:, -1], averaged, None)


def _from_factors(
    data: DataAccessLayer, on: Comparison, parts: Sequence[Part], request: ScoreRequest
) -> _Made:
    rows, columns = len(on.times) - on.first, len(on.symbols)
    if (needed := 8 * len(parts) * rows * columns) > _MOST_BYTES:
        raise InvalidRequest(
            f"{len(parts)} factors x {rows:,} days x {columns:,} symbols are {needed / 1e6:,.0f} MB of z-scores, at "
            f"most {_MOST_BYTES / 1e6:,.0f} are held at once; ask for fewer days or factors"
        )
    scaled = np.empty((len(parts), rows, columns))
    values = np.empty((len(parts), columns))
    trailing = request.method in {"ic", "icir"}
    chosen, before = on.chosen[on.earliest :], on.first - on.earliest
    ics = np.full((len(chosen), len(parts)), np.nan)
    returns = None
    if trailing:
        returns = SortedRows(marked_returns(on.loaded.market, request.trailing.horizon)[on.earliest :])
    found = values_of(data, [part.formula for part in parts], on.loaded, on.earliest)
    for place, (part, raw) in enumerate(zip(parts, found, strict=True)):
        values[place] = raw[-1]
        turned = part.orientation * raw
        if returns is not None:
            ics[:, place] = rank_ics(turned, chosen, returns)
        scaled[place] = zscores(turned[before:], chosen[before:], request.winsorise)
    made = _trailing(ics, request, before) if trailing else None
    weights = _asked(parts, rows) if made is None else made.weights[before:]
    return _Made(
        composite(scaled, weights, chosen[before:], request.least_share), weights, values, scaled, made
    )


def _trailing(ics: np.ndarray, request: ScoreRequest, first: int) -> TrailingWeights:
    told = request.trailing
    return trailing_weights(
        ics,
        told.horizon,
        told.window,
        told.needed,
        "icir" if request.method == "icir" else "ic",
        negative=told.negative == "keep",
        first=first,
    )


def _asked(parts: Sequence[Part], rows: int) -> np.ndarray:
    """Return the weights that were asked for, or equal ones, for each row."""
    told = np.array([1.0 if part.weight is None else part.weight for part in parts])
    return np.broadcast_to(told / np.abs(told).sum(), (rows, len(parts)))


def _require_weights(made: _Made, parts: Sequence[Part], request: ScoreRequest, day: date) -> None:
    if made.trailing is None or not np.isnan(made.weights[-1]).any():
        return
    days, needed = made.trailing.days[-1], request.trailing.needed
    if short := [
        f"{part.label} ({count})" for part, count in zip(parts, days, strict=True) if count < needed
    ]:
        raise InvalidRequest(
            f"trailing: {needed} RankICs must be known by {day}, too few are of {', '.join(short[:5])}; a label of "
            f"{request.trailing.horizon} days is known {reach(request.trailing.horizon)} rows later. Take a later day, "
            "a smaller trailing.least, or the method equal"
        )
    means = ", ".join(
        f"{part.label} {mean:+.4f}" for part, mean in zip(parts, made.trailing.mean[-1], strict=True)
    )
    raise InvalidRequest(
        f"trailing: no weights can be made of the mean RankICs up to {day} ({means}); "
        + (
            "none is above zero, and negative weights are not allowed"
            if request.trailing.negative == "zero"
            else f"too few days have a RankIC of every factor, {needed} are needed, or nothing varies"
        )
    )


def _labels(parts: Sequence[Part], request: ScoreRequest) -> tuple[str, ...]:
    return request.models.ids if request.models is not None else tuple(part.label for part in parts)


def _weights(made: _Made, parts: Sequence[Part], request: ScoreRequest) -> tuple[Weight, ...]:
    last = made.weights[-1].tolist()
    if request.models is not None:
        return tuple(Weight(label, weight) for label, weight in zip(request.models.ids, last, strict=True))
    told: list[Mapping[str, Any]] = [{} for _ in parts]
    if (known := made.trailing) is not None:
        told = [
            {"rank_ic": float(mean), "icir": float(mean / spread) if spread > 0 else None, "days": int(days)}
            for mean, spread, days in zip(known.mean[-1], known.deviation[-1], known.days[-1], strict=True)
        ]
    return tuple(
        Weight(part.label, weight, part.orientation, part.formula.told["text"], **more)
        for part, weight, more in zip(parts, last, told, strict=True)
    )


def _notes(made: _Made, parts: Sequence[Part], request: ScoreRequest, on: Comparison) -> list[str]:
    """Say what is missing and what stands on its head."""
    compared = on.chosen[-1]
    scored = ~np.isnan(made.composite.scores[-1])
    notes = []
    if without := int((compared & ~scored).sum()):
        needed = (
            "no model knows them"
            if request.models
            else f"{request.least_share:.0%} of the factors are needed"
        )
        notes.append(f"{without} of {int(compared.sum())} names compared have no score: {needed}")
    if request.models is not None:
        return notes
    missing = {
        part.label: int((scored & np.isnan(scaled)).sum())
        for part, scaled in zip(parts, made.zscores[:, -1], strict=True)
    }
    if some := [f"{label} of {count}" for label, count in missing.items() if count]:
        more = f" and {len(some) - 5} more" if len(some) > 5 else ""
        notes.append(f"missing values count as the mean: {', '.join(some[:5])}{more}")
    if made.trailing is not None and (
        turned := [part.label for part, weight in zip(parts, made.weights[-1], strict=True) if weight < 0]
    ):
        more = f" and {len(turned) - 5} more" if len(turned) > 5 else ""
        notes.append(
            f"below zero, so that less of it counts for more, is the weight of {', '.join(turned[:5])}{more}"
        )
    if request.method == "icir" and len(parts) * _DAYS_A_FACTOR > request.trailing.window:
        notes.append(
            f"{request.trailing.window} RankICs say little of how {len(parts)} factors move together: shrinkage makes "
            "most of their weights. Take fewer factors, a longer trailing.window, or the method ic"
        )
    return notes
