"""Several models that predict as one.

`combine` says how, with w the members' weights, which sum to 1:

- `mean`: the mean of predictions. Members of a ranking, whose scores have no unit, are put in deviations from the
  mean of their scores on the train sample first.
- `rank`: a prediction becomes its rank, from 0 to 1, among the member's predictions on the train sample; ranks are
  averaged. For a regression the mean rank becomes a number again: the weighted mean of the members' quantiles at it.
  Predictions beyond all of those go on in a straight line, so that their order is kept.
- Classes have probabilities, whose mean is taken either way.

What features add goes through the same steps. A step that is no sum stretches what was added by what the sum of it
became (DeepLIFT's rescale rule), so that it adds up after each step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from quantflux.core.errors import InvalidRequest, StoreCorrupt
from quantflux.learning.models.contract import Learner, Predictor, Progress, Report, Request, Scaling
from quantflux.learning.models.families import learner, load
from quantflux.learning.models.fitted import Fitted, named, numbers, read_head, read_json, shares
from quantflux.learning.models.parameters import Choice, Number, Parameter, Tables
from quantflux.learning.models.stretches import drawn, something, stretches
from quantflux.learning.samples import Sample

TASKS = ("regression", "ranking", "classification")

PARAMETERS: Mapping[str, Parameter] = {
    "members": Tables((), ("kind", "parameters", "seed", "weight")),
    "combine": Choice("rank", ("rank", "mean")),
}
"""A member has a kind, its parameters, a seed (the ensemble's plus its place, from 0) and a weight (1)."""

_RANKED_ON = 50_000  # cells of the train sample
_LEVELS = np.linspace(0.0, 1.0, 257)
_NEAR = 1e-9
_JSON = "ensemble.json"


class EnsembleLearner:
    """Fits one member after the other: see `contract.Learner`.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        members = request.parameters["members"]
        if not members:
            raise InvalidRequest(
                "an ensemble has no members; valid is a list of at least one, each with its kind"
            )
        if any(each["kind"] == "ensemble" for each in members):
            raise InvalidRequest("an ensemble is a member of an ensemble; valid are the other kinds")
        weight = Number(1.0, 1e-12)
        for each in members:
            if not weight.valid(each.get("weight", 1.0)):
                raise InvalidRequest(f"a member's weight is {each['weight']!r}; valid is {weight}")
        self._weights = shares(np.array([float(each.get("weight", 1.0)) for each in members]))
        self._learners = [self._member(place, each) for place, each in enumerate(members)]

    def _member(self, place: int, member: Mapping[str, Any]) -> Learner:
        seed = member.get("seed")
        return learner(
            member["kind"],
            self.request.task,
            member.get("parameters") or {},
            (self.request.seed + place) % 2**31 if seed is None else seed,
            threads=self.request.threads,
            classes=self.request.classes,
        )

    def fit(
        self,
        train: Sample,
        valid: Sample | None,
        *,
        scaler: Scaling,
        share: bool = False,
        progress: Progress,
        cancelled: Callable[[], bool],
        report: Report | None = None,
    ) -> EnsemblePredictor:
        """Learn from a sample: see `contract.Learner`.

        Progress is in hundredths of a member. Nothing is reported: members have no score in common.
        """
        something(train, self.request.kind)
        found, parts = [], 100 * len(self._learners)
        for place, each in enumerate(self._learners):

            def told(done: int, total: int, begun: int = 100 * place) -> None:
                progress(begun + 100 * done // total, parts)

            found.append(
                each.fit(train, valid, scaler=scaler, share=share, progress=told, cancelled=cancelled)
            )
        progress(parts, parts)
        usual = [_usual(each, drawn(train, _RANKED_ON), scaler) for each in found]
        members = [_Member(*each) for each in zip(found, self._weights.tolist(), usual, strict=True)]
        head = named(self.request, len(train.names), sum(each.rounds for each in found))
        return EnsemblePredictor(members, self.request.parameters["combine"], **head)


@dataclass(frozen=True, eq=False)
class _Member:
    """A fitted member.

    Attributes
    ----------
    predictor : Predictor
    weight : float
        Weights of all members sum to 1.
    quantiles : array of float64, shape (257,)
        Of its predictions on the train sample.
    """

    predictor: Predictor
    weight: float
    quantiles: np.ndarray

    def rank(self, predictions: np.ndarray) -> np.ndarray:
        """Return ranks from 0 to 1, and beyond for predictions that are beyond all quantiles."""
        values, first, count = np.unique(self.quantiles, return_index=True, return_counts=True)
        middle = (_LEVELS[first] + _LEVELS[first + count - 1]) / 2
        beyond = predictions - np.clip(predictions, values[0], values[-1])
        return np.asarray(np.interp(predictions, values, middle) + beyond / (np.ptp(values) or 1.0))

    def deviations(self, predictions: np.ndarray) -> np.ndarray:
        """Return distances from the mean in deviations."""
        return np.asarray((predictions - self.quantiles.mean()) / (self.quantiles.std() or 1.0))


class EnsemblePredictor(Fitted):
    """Fitted members and how they are combined.

    Parameters
    ----------
    members : list
    combine : {"rank", "mean"}
    **head
        What `Fitted` is made of.
    """

    softmax_scores: ClassVar[bool] = False

    def __init__(self, members: list[_Member], combine: str, **head: Any) -> None:
        super().__init__(**head)
        self._members, self._combine = members, combine

    def _scores(self, block: np.ndarray) -> np.ndarray:
        if self.classes:
            return self._mean([each.predictor.probabilities(block) for each in self._members])
        return self._back(
            self._mean([self._step(each)(each.predictor.predict(block)) for each in self._members])
        )

    def _added(self, block: np.ndarray) -> np.ndarray:
        added = [(each, each.predictor.contributions(block)) for each in self._members]
        if self.classes:
            return self._mean([own for _, own in added])
        return _stretched(self._mean([_stretched(own, self._step(each)) for each, own in added]), self._back)

    def _mean(self, values: list[np.ndarray]) -> np.ndarray:
        return np.asarray(sum(each.weight * own for each, own in zip(self._members, values, strict=True)))

    def _step(self, member: _Member) -> Callable[[np.ndarray], np.ndarray]:
        """Return what is done to the predictions of a member before their mean is taken."""
        if self._combine == "rank":
            return member.rank
        return member.deviations if self.task == "ranking" else _as_it_is

    def _back(self, mean: np.ndarray) -> np.ndarray:
        """Return what is predicted, of the mean."""
        if self._combine != "rank" or self.task != "regression":
            return mean
        quantiles = self._mean([each.quantiles for each in self._members])
        beyond = mean - np.clip(mean, 0.0, 1.0)
        return np.asarray(np.interp(mean, _LEVELS, quantiles) + beyond * np.ptp(quantiles))

    def importance(self) -> np.ndarray:
        """Return the weighted mean of the members' importance, shape (F,)."""
        return shares(self._mean([each.predictor.importance() for each in self._members]))

    def save(self, folder: Path) -> None:
        """Write `predictor.json`, `ensemble.json` and a folder for each member."""
        self._save_head(folder)
        rows = []
        for place, each in enumerate(self._members):
            (folder / f"member_{place}").mkdir()
            each.predictor.save(folder / f"member_{place}")
            rows.append(
                {"kind": each.predictor.kind, "weight": each.weight, "quantiles": each.quantiles.tolist()}
            )
        text = json.dumps({"combine": self._combine, "members": rows}, allow_nan=False)
        (folder / _JSON).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged."""
        head, path = read_head(folder, threads), folder / _JSON
        values = read_json(path)
        rows, combine = values.get("members"), values.get("combine")
        if combine not in ("rank", "mean") or not isinstance(rows, list) or not rows:
            raise StoreCorrupt(f"{path} holds no members of an ensemble", str(path))
        members = [
            _read_member(row, folder / f"member_{place}", head, path) for place, row in enumerate(rows)
        ]
        return cls(members, combine, **head)


def _read_member(row: Any, folder: Path, head: Mapping[str, Any], path: Path) -> _Member:
    if not isinstance(row, dict) or not isinstance(row.get("kind"), str) or row["kind"] == "ensemble":
        raise StoreCorrupt(f"{path}: a member has no kind, or that of an ensemble", str(path))
    weight = float(numbers(row.get("weight"), (), path))
    quantiles = numbers(row.get("quantiles"), _LEVELS.shape, path)
    try:
        predictor = load(row["kind"], folder, threads=head["threads"])
    except InvalidRequest as error:
        raise StoreCorrupt(f"{path}: {error}", str(path)) from error
    of_both = ("task", "features", "classes")
    if any(getattr(predictor, name) != head[name] for name in of_both) or (np.diff(quantiles) < 0).any():
        raise StoreCorrupt(f"{path}: a member does not fit the ensemble", str(path))
    return _Member(predictor, weight, quantiles)


def _usual(predictor: Predictor, cells: Sample, scaler: Scaling) -> np.ndarray:
    """Return quantiles of what a member predicts on the train sample."""
    found = np.concatenate([predictor.predict(features) for _, features in stretches(cells, scaler)])
    known = found[~np.isnan(found)]
    return np.quantile(known, _LEVELS) if len(known) else np.zeros(len(_LEVELS))


def _as_it_is(predictions: np.ndarray) -> np.ndarray:
    return predictions


def _stretched(added: np.ndarray, step: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return what features add to a step's result, if they add so much to what goes into it."""
    base, total = added[:, -1], added.sum(axis=1)
    # Where all that is added cancels out, the step's slope there.
    near = np.abs(total - base) < _NEAR
    reached = np.where(near, base + _NEAR, total)
    factor = (step(reached) - step(base)) / (reached - base)
    found = added * factor[:, None]
    found[:, -1] = step(base)
    return np.asarray(found)
