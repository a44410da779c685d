"""Models that the first version defined, as models of this one.

What v1 meant is kept: the model type with v1's hyper-parameters, the factors, the horizon, the scaling. What it did is
not: its test set was the last stocks instead of the last days, it learnt from figures of all days, and it filled gaps
in targets with random numbers. So models are split by days here, features are scaled by the days learnt from, returns
are those of adjusted prices, its choice of 20 features by their fit to all days is left out, and a name with a missing
factor is learnt from all the same. What v1 left to a library's defaults is left to those of this version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from quantflux.core.document_problems import shown
from quantflux.core.errors import InvalidRequest
from quantflux.factors.libraries import load_library
from quantflux.learning.specification.files import specification_of
from quantflux.learning.specification.model import ModelSpec

_BOOSTED: Mapping[str, Any] = {
    "n_estimators": 100,
    "max_depth": 6,
    "learning_rate": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "random_state": 42,
}
_FOREST: Mapping[str, Any] = {
    "n_estimators": 100,
    "max_depth": 10,
    "min_samples_split": 5,
    "min_samples_leaf": 2,
    "random_state": 42,
}
_TYPES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "random_forest": ("random_forest", _FOREST),
    "xgboost": ("xgboost", _BOOSTED),
    "lightgbm": ("lightgbm", _BOOSTED),
}
# Offered by v1's page, stored, and refused when they were to be trained: their parameters never meant anything.
_UNTRAINABLE: Mapping[str, str] = {"linear_regression": "ridge", "neural_network": "mlp"}
_NO_PARAMETERS = ("n_jobs", "verbose", "verbosity", "silent", "random_state")
_SCALES = ("robust", "standard")
_TARGET = re.compile(r"return_([1-9]\d{0,2})d", re.ASCII)


def specification_of_v1(row: Mapping[str, Any]) -> ModelSpec:
    """Return the model that a row of v1's table `ml_model_definition` defines.

    Parameters
    ----------
    row : mapping
        `model_id`, `model_name`, `model_type`, `factor_list`, `target_type`, and, if there are any, `model_params` and
        `training_config`. The last two and the list may be JSON text.

    Raises
    ------
    InvalidRequest
        If the row cannot mean anything here: says why, in words.

    Examples
    --------
    >>> spec = specification_of_v1({
    ...     "model_id": "rf_1", "model_name": "Forest", "model_type": "random_forest",
    ...     "factor_list": '["momentum_5d", "roe_ttm"]', "target_type": "return_10d", "model_params": None,
    ... })
    >>> spec.kind, spec.features.names, spec.label.horizon, spec.seed
    ('random_forest', ('v1.momentum_5d', 'v1.roe_ttm'), 10, 42)
    """
    for column in ("model_id", "model_type", "factor_list", "target_type"):
        if row.get(column) in (None, ""):
            raise InvalidRequest(
                f"v1's model {_called(row)} has no {column}; it cannot be taken over without one"
            )
    kind, parameters = _model(row)
    seed = parameters.get("random_state", 42)
    values: dict[str, Any] = {
        "id": row["model_id"],
        "name": str(row.get("model_name") or ""),
        "kind": kind,
        "seed": 42 if seed is None else seed,
        "parameters": {name: each for name, each in parameters.items() if name not in _NO_PARAMETERS},
        "features": _features(row),
        "label": {"horizon": _horizon(row), "entry": "close"},
    }
    return specification_of(values | _split(row), f"v1's model {_called(row)}")


def _called(row: Mapping[str, Any]) -> str:
    return f"{row.get('model_id') or '(without an id)'!s:.60}"


def _model(row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind, and v1's defaults under the row's parameters."""
    name, known = row["model_type"], [*_TYPES, *_UNTRAINABLE]
    if name not in known:
        raise InvalidRequest(
            f"v1's model {_called(row)}: model_type: found {shown(name)}; valid is one of {', '.join(known)}"
            + _meant(name, known)
        )
    if name in _UNTRAINABLE:
        return _UNTRAINABLE[name], {}
    kind, defaults = _TYPES[name]
    return kind, {**defaults, **_json(row, "model_params", dict)}


def _features(row: Mapping[str, Any]) -> dict[str, Any]:
    factors = _json(row, "factor_list", list)
    known = [factor.id for factor in load_library("v1").factors]
    for factor in factors:
        if factor not in known:
            raise InvalidRequest(
                f"v1's model {_called(row)}: factor_list: found {shown(factor)}, which v1 had no calculation for; "
                f"valid are the {len(known)} factors of the library v1{_meant(factor, known)}"
            )
    scale = _json(row, "training_config", dict).get("scaling_method", "robust")
    return {
        "names": [f"v1.{factor}" for factor in factors],
        "scale": scale if scale in _SCALES else "none",
    }


def _horizon(row: Mapping[str, Any]) -> int:
    target = row["target_type"]
    if target == "simulated_return":
        raise InvalidRequest(
            f"v1's model {_called(row)} foretells simulated_return: random numbers that v1 made from the features "
            "themselves, so it says nothing about a market; choose a target such as return_5d"
        )
    found = _TARGET.fullmatch(target) if isinstance(target, str) else None
    if found is None:
        raise InvalidRequest(
            f"v1's model {_called(row)}: target_type: found {shown(target)}, which v1 silently took for return_5d; "
            "valid is return_Nd with a number of days, such as return_5d"
        )
    return int(found[1])


def _split(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return expanding folds where v1 asked for a split along time, which it never got; else the usual ones."""
    told = _json(row, "training_config", dict)
    if told.get("validation_method", "time_series_split") != "time_series_split":
        return {}
    return {"split": {"folds": told.get("cv_folds", 5), "expanding": True}}


def _json(row: Mapping[str, Any], column: str, kind: type[Any]) -> Any:
    value = row.get(column)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = row[column]
    if value is None:
        return kind()
    if not isinstance(value, kind):
        wanted = "a list" if kind is list else "a table"
        raise InvalidRequest(
            f"v1's model {_called(row)}: {column}: found {shown(value)}; valid is {wanted}, as JSON"
        )
    return value


def _meant(value: Any, known: list[str]) -> str:
    near = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""
