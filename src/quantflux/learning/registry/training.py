"""What is told about a model when it is kept: where it comes from, and what was found about it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.registry.reference import Reference

_LIBRARIES = (
    "quantflux",
    "numpy",
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "xgboost",
    "catboost",
)


@dataclass(frozen=True, eq=False)
class Training:
    """About one training.

    Attributes
    ----------
    digests : mapping of str to str
        Digest of the expression behind each feature, in the order of the features.
    data_versions : mapping of str to int
        Of the data sets behind it.
    first, last : date
        Of the days it learnt from.
    cells : int
        It learnt from.
    figures : mapping
        What its validation found: texts, truths, numbers, days, and lists and mappings of them. What is not a number
        is kept as missing.
    canaries : array of float32, shape (C, F)
        Features of some cells, before scaling; their predictions are kept beside the model.
    reference : Reference
        How the features looked where it learnt.
    """

    digests: Mapping[str, str]
    data_versions: Mapping[str, int]
    first: date
    last: date
    cells: int
    figures: Mapping[str, Any]
    canaries: np.ndarray
    reference: Reference

    def __post_init__(self) -> None:
        count = len(self.digests)
        rows = self.canaries.shape[0] if self.canaries.ndim == 2 else 0
        if not count or not rows or self.canaries.shape[1] != count or len(self.reference.missing) != count:
            raise InvalidRequest(
                f"the training names {count} features, has canaries of shape {self.canaries.shape} and a reference "
                f"for {len(self.reference.missing)} features; valid are as many features in each, and a canary or more"
            )


def feature_hash(digests: Mapping[str, str]) -> str:
    """Return the SHA-256 of features: their names, what they compute, and their order.

    Examples
    --------
    >>> feature_hash({"a": "1", "b": "2"}) == feature_hash({"b": "2", "a": "1"})
    False
    """
    return sha256(json.dumps(list(digests.items())).encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """Return the version of Python and of each library that models are made with, if it is installed."""
    found = {"python": python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def plain(value: Any, at: str = "figures") -> Any:
    """Return a value as JSON can hold it: days as texts, numbers of numpy as numbers, what is not finite as None.

    Raises
    ------
    InvalidRequest
        If it is of another kind, or a key is not a text.

    Examples
    --------
    >>> plain({"rank_ic": np.float64(0.05), "sharpe": float("nan"), "from": date(2024, 1, 2)})
    {'rank_ic': 0.05, 'sharpe': None, 'from': '2024-01-02'}
    """
    match value:
        case None | bool() | str() | int():
            return value
        case np.generic() | np.ndarray():
            return plain(str(value) if value.dtype.kind == "M" else value.tolist(), at)
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise InvalidRequest(f"{at} has the key {key!r}; valid keys are texts")
            return {key: plain(each, f"{at}.{key}") for key, each in value.items()}
        case Sequence():
            return [plain(each, f"{at}[{place}]") for place, each in enumerate(value)]
    raise InvalidRequest(
        f"{at} is of type {type(value).__name__}; valid are texts, truths, numbers, days, lists and mappings"
    )
