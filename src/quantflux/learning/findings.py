"""What the registry keeps of a training beside the model itself, and how it is read back.

`training_of` writes it into a version's figures. What using the model takes stands under one key, which `Basis.of`
reads: what features, universe and label mean once no name of a factor is left in them, how far ahead a prediction
looks, and which labels the model has seen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from quantflux.core.errors import InvalidRequest, StoreCorrupt
from quantflux.learning.assembly import Assembled
from quantflux.learning.evaluation import Evaluation
from quantflux.learning.explanation import Explanation
from quantflux.learning.monitoring import Validated, validated_of
from quantflux.learning.registry import ModelVersion, Training, canaries_of, reference_of
from quantflux.learning.specification import LabelSpec, ModelSpec
from quantflux.learning.training import FoldResult, Trained

_BASIS = "sees"
_MOST_TOLD = 50


@dataclass(frozen=True)
class Basis:
    """What a version rests on.

    Attributes
    ----------
    expressions : mapping of str to str
        Text of each feature, in their order.
    where : str or None
        The universe's condition.
    label : LabelSpec
    horizon : int
        Days over which a prediction looks ahead.
    known : date
        The day at whose close the newest label was known that the model has seen.
    trials : int
        Models that were tried on these days, of which this one was kept.
    """

    expressions: Mapping[str, str]
    where: str | None
    label: LabelSpec
    horizon: int
    known: date
    trials: int

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """Read what `training_of` kept.

        Raises
        ------
        StoreCorrupt
            If it is not there, as in a folder from elsewhere whose manifest was written by another program.
        """
        try:
            told = version.figures[_BASIS]
            expressions = {str(name): str(text) for name, text in told["expressions"].items()}
            return cls(
                expressions,
                None if told["where"] is None else str(told["where"]),
                LabelSpec.model_validate(told["label"]),
                int(told["horizon"]),
                date.fromisoformat(told["known"]),
                int(told["trials"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError, ValidationError) as error:
            raise StoreCorrupt(
                f"the figures of {version.label} do not say what it learnt from ({error!r:.80}); train it again",
                str(version.folder),
            ) from None


def training_of(
    assembled: Assembled,
    trained: Trained,
    evaluation: Evaluation,
    control: Evaluation | None,
    explanation: Explanation,
) -> Training:
    """Return what the registry keeps beside a model."""
    sample = trained.sample
    figures: dict[str, Any] = {
        "verdict": evaluation.verdict.value,
        **evaluation.figures,
        "validated": _validated(evaluation),
        "folds": [fold_told(fold) for fold in trained.folds],
        "strongest": _strongest(explanation),
        "notes": list(assembled.notes),
        "description": description_of(trained.spec),
        _BASIS: {
            "expressions": assembled.expressions,
            "where": assembled.where,
            "label": assembled.label.content(),
            "horizon": evaluation.horizon,
            "known": trained.known,
            "trials": evaluation.significance.trials,
        },
    }
    if control is not None:
        figures["control"] = {"verdict": control.verdict.value, **control.figures}
    return Training(
        digests=assembled.digests,
        data_versions=assembled.versions,
        first=_day(assembled.dataset.days[sample.row[0]]),
        last=_day(trained.last),
        cells=len(sample),
        figures=figures,
        canaries=canaries_of(sample),
        reference=reference_of(sample),
    )


def validated_in(version: ModelVersion) -> Validated:
    """Return what a version showed when it was validated.

    Raises
    ------
    InvalidRequest
        If it showed nothing: too few days had a RankIC, or it was the same on all of them.
    """
    told = version.figures.get("validated")
    if told is None:
        raise InvalidRequest(
            f"{version.label} has no validated RankIC to compare with: too few days had one, or all had the same"
        )
    return Validated.from_dict(told)


def description_of(spec: ModelSpec) -> str:
    """Return what tells models apart that are tried on the same days: a digest of all but name and days."""
    told = spec.to_dict()
    for key in ("id", "name"):
        told.pop(key, None)
    told["universe"] = {"where": spec.universe.where}
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def trials_of(spec: ModelSpec, versions: Sequence[ModelVersion]) -> int:
    """Return how many different models were tried, this one and the versions before it: the same anew is no other."""
    told = {version.figures.get("description", version.label) for version in versions}
    return len(told | {description_of(spec)})


def fold_told(fold: FoldResult) -> dict[str, Any]:
    """Return a fold as plain values."""
    return {
        "number": fold.number,
        "train": [str(day) for day in fold.train],
        "test": [str(day) for day in fold.test],
        "cells": fold.cells,
        "rounds": fold.rounds,
        "seconds": round(fold.seconds, 3),
        "valid_ic": fold.valid_ic,
        "test_ic": fold.test_ic,
    }


def folds_in(version: ModelVersion) -> tuple[FoldResult, ...]:
    """Return the folds that a version was tested in."""
    return tuple(_fold(told) for told in version.figures.get("folds", ()))


def _fold(told: Mapping[str, Any]) -> FoldResult:
    valid_ic, test_ic = (math.nan if told[key] is None else told[key] for key in ("valid_ic", "test_ic"))
    return FoldResult(
        number=told["number"],
        train=(np.datetime64(told["train"][0]), np.datetime64(told["train"][1])),
        test=(np.datetime64(told["test"][0]), np.datetime64(told["test"][1])),
        cells=told["cells"],
        rounds=told["rounds"],
        seconds=told["seconds"],
        valid_ic=valid_ic,
        test_ic=test_ic,
    )


def _day(day: np.datetime64) -> date:
    """Return a day of an axis as Python has it."""
    return date.fromisoformat(str(day.astype("datetime64[D]")))


def _validated(evaluation: Evaluation) -> dict[str, Any] | None:
    try:
        return validated_of(evaluation.rank_ic, evaluation.horizon).to_dict()
    except InvalidRequest:  # a model that says the same of all names has no RankIC, and is kept all the same
        return None


def _strongest(explanation: Explanation) -> list[dict[str, Any]]:
    return [
        {
            "feature": explanation.names[place],
            "strength": explanation.strength[place],
            "direction": explanation.direction[place],
        }
        for place in explanation.strongest(_MOST_TOLD)
    ]
