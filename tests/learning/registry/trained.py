"""Small models that are really fitted, to keep and to damage."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from quantflux.learning.models import Predictor, learner
from quantflux.learning.registry import Reference, Training, canaries_of, reference_of
from quantflux.learning.samples import Dataset, Sample
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec, specification_of

NAMES = ("alpha", "beta", "gamma")

SMALL: dict[str, dict[str, Any]] = {
    "lightgbm": {"parameters": {"n_estimators": 6, "min_data_in_leaf": 20, "num_leaves": 7}},
    "xgboost": {"parameters": {"n_estimators": 3, "max_depth": 3, "min_child_weight": 20}},
    "catboost": {"parameters": {"n_estimators": 3, "max_depth": 3}},
    "random_forest": {"parameters": {"n_estimators": 3, "max_depth": 3}},
    "mlp": {"parameters": {"max_iter": 2}},
    "ensemble": {"members": [{"kind": "ridge"}, {"kind": "lightgbm", "parameters": {"n_estimators": 3}}]},
}


class Held:
    """Features in memory."""

    names = NAMES

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(self.values[rows, columns])


@cache
def sample(days: int = 60, symbols: int = 20) -> Sample:
    """Cells whose label follows from their features, some of which are missing."""
    random = np.random.default_rng(5)
    values = random.normal(size=(days, symbols, len(NAMES))).astype(np.float32)
    label = (values @ np.float32([1.0, -0.5, 0.0]) + 0.1 * random.normal(size=(days, symbols))).ravel()
    values[random.random(values.shape) < 0.05] = np.nan
    row, column = (axis.ravel() for axis in np.indices((days, symbols)))
    axis = np.datetime64("2024-01-01") + np.arange(days)
    names = np.array([f"{600000 + place}.SH" for place in range(symbols)])
    known, weight = row + 5, np.ones(len(row), np.float32)
    dataset = Dataset(axis, names, Held(values), row, column, label.astype(np.float32), known, weight)
    return Sample(dataset, np.arange(len(row)))


def described(kind: str = "lightgbm", **more: Any) -> ModelSpec:
    missing = "keep" if kind in {"lightgbm", "xgboost", "catboost", "random_forest"} else "median"
    features = {"names": list(NAMES), "missing": missing, "scale": "standard"}
    return specification_of({"id": "trial", "kind": kind, "seed": 7, "features": features, **more})


@cache
def fitted(kind: str = "lightgbm") -> tuple[ModelSpec, Predictor, Scaler]:
    spec = described(kind, **SMALL.get(kind, {}))
    scaler = Scaler.fit(spec.features.scale, spec.features.missing, sample())
    model = learner(kind, spec.task, spec.model_parameters, spec.seed, threads=1)
    predictor = model.fit(
        sample(), None, scaler=scaler, progress=lambda done, total: None, cancelled=lambda: False
    )
    return spec, predictor, scaler


def about(**changed: Any) -> Training:
    told = Training(
        digests={name: f"digest of {name}" for name in NAMES},
        data_versions={"daily_bars": 3},
        first=date(2024, 1, 1),
        last=date(2024, 2, 29),
        cells=len(sample()),
        figures={"rank_ic": 0.05, "days": np.int64(60), "none": float("nan"), "folds": [{"ic": 0.1}]},
        canaries=canaries_of(sample()),
        reference=reference_of(sample()),
    )
    return replace(told, **changed)


def reference(features: int) -> Reference:
    return Reference.of(np.zeros((4, features)))
