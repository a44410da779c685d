"""What requests about models carry, and how versions of models are shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from quantflux.api.bodies import Answer, Body
from quantflux.api.v2.research import Described, Document, examples
from quantflux.learning.registry import ModelVersion
from quantflux.work.requests import TrainModel, TuneModel

_MODEL: dict[str, Any] = {
    "id": "reversal",
    "kind": "ridge",
    "features": {
        "names": ["classic.reversal_20", "ts_std(close / delay(close, 1), 10)"],
        "scale": "standard",
        "missing": "median",
    },
    "label": {"horizon": 5},
    "split": {"train": 400, "valid": 60, "test": 100},
}
TrainBody = Annotated[Document, Described(TrainModel), examples(ridge={"model": _MODEL, "control": False})]
TuneBody = Annotated[
    Document,
    Described(TuneModel),
    examples(
        ridge={
            "model": {**_MODEL, "id": "searched", "kind": "elastic_net"},
            "trials": 5,
            "space": {"alpha": {"low": 0.0001, "high": 0.1, "log": True}},
        }
    ),
]


class ModelVersionShown(Answer):
    """A version of a model, without what was found about it.

    Attributes
    ----------
    first, last : date
        Of the days it learnt from.
    cells : int
        It learnt from.
    rank_ic : float or None
        Mean tradable RankIC out of sample.
    verdict : str
        What the figures say.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "demo",
                    "version": 1,
                    "name": "demonstration",
                    "kind": "lightgbm",
                    "task": "regression",
                    "stage": "production",
                    "since": "2025-12-31T08:00:00Z",
                    "created": "2025-12-31T08:00:00Z",
                    "actor": "ann",
                    "first": "2023-10-09",
                    "last": "2025-12-22",
                    "cells": 220000,
                    "rank_ic": 0.031,
                    "verdict": "found",
                }
            ]
        }
    )

    id: str
    version: int
    name: str
    kind: str
    task: str
    stage: Literal["candidate", "production", "retired"]
    since: datetime
    created: datetime
    actor: str
    first: date
    last: date
    cells: int
    rank_ic: float | None
    verdict: str | None


class StageShown(Answer):
    """What happened to a version: when, to which stage, by whom and why."""

    version: int
    stage: str
    at: datetime
    actor: str
    reason: str
    replaced_by: int | None


class Promotion(Body):
    """Where a version is brought to, and why; kept in its history."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"stage": "production", "reason": "better than version 1 since March"}]
        }
    )

    stage: Literal["production", "retired"] = "production"
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Judging(Body):
    """Which version is judged, and whether with what each day gave."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "series": False}]})

    version: Annotated[int, Field(ge=1, le=10**9)] | None = None
    series: bool = False


def version_shown(version: ModelVersion) -> ModelVersionShown:
    """Return a version as the API shows it."""
    told = {
        name: getattr(version, name)
        for name in ModelVersionShown.model_fields
        if name not in ("rank_ic", "verdict")
    }
    figures = version.figures
    return ModelVersionShown(**told, rank_ic=figures.get("rank_ic"), verdict=figures.get("verdict"))
