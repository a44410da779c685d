"""Small fits of every family, each made once."""

from __future__ import annotations

from functools import cache
from typing import Any

from quantflux.learning.models import Predictor, learner, tasks
from quantflux.learning.samples import Sample
from tests.learning.models.cells import Unscaled, in_classes, market, parts

CLASSES = 3

SMALL: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_estimators": 60, "learning_rate": 0.15, "min_data_in_leaf": 20, "num_leaves": 16},
    "xgboost": {"n_estimators": 60, "learning_rate": 0.15, "min_child_weight": 5, "max_depth": 5},
    "catboost": {"n_estimators": 60, "learning_rate": 0.2, "depth": 5},
    "random_forest": {"n_estimators": 20, "min_samples_leaf": 10, "max_features": 0.7},
    "ridge": {},
    "lasso": {},
    "elastic_net": {},
    "mlp": {"max_iter": 25, "batch_size": 128, "learning_rate_init": 0.003},
    "ensemble": {
        "members": [
            {
                "kind": "lightgbm",
                "parameters": {"n_estimators": 40, "min_data_in_leaf": 20, "num_leaves": 16},
            },
            {"kind": "xgboost", "parameters": {"n_estimators": 40, "min_child_weight": 5}, "weight": 2.0},
        ]
    },
}

LEARNT = [(kind, task) for kind in SMALL for task in tasks(kind)]
"""Every family with every task that it learns."""


def samples(task: str) -> tuple[Sample, Sample, Sample]:
    """Train, valid and test."""
    return parts(_classed() if task == "classification" else _market())


def fit(
    kind: str, task: str, *, seed: int = 1, threads: int = 1, hooks: dict[str, Any] | None = None, **more: Any
) -> Predictor:
    train, valid, _ = samples(task)
    made = learner(kind, task, SMALL[kind] | more, seed, threads=threads, classes=CLASSES)
    told = {"progress": lambda done, total: None, "cancelled": lambda: False} | (hooks or {})
    return made.fit(train, valid, scaler=Unscaled(), **told)


@cache
def fitted(kind: str, task: str) -> Predictor:
    return fit(kind, task)


@cache
def _market() -> Any:
    return market()


@cache
def _classed() -> Any:
    return in_classes(_market(), CLASSES)
