"""Puts features on a common scale and fills what is missing, by the figures of one sample alone.

What a day's other names say about a value is an expression (`features`); what the past says about it is learnt here,
from the cells that a model learns from, and nothing else ever changes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.contract import jit
from quantflux.learning.samples import Sample

SCALES = ("none", "robust", "standard")
MISSING = ("keep", "zero", "median")

_CELLS = 200_000  # a median of so many independent ones would be off by 0.003 standard deviations
_TOWARDS_SIGMA = 1.4826  # of the median absolute deviation, for what is normally distributed
_BOUND = 5.0  # robust deviations, beyond which a value is cut off; as in winsorize_mad and standardize
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Scaler:
    """How features are scaled and filled; made by `fit`.

    Attributes
    ----------
    kind : {"none", "robust", "standard"}
        `standard`: distance from the mean in sample standard deviations. `robust`: distance from the median in robust
        deviations (1.4826 x median absolute deviation), cut off at 5 of them; where more than half of the values are
        the same, in standard deviations. What never varied is only moved to 0.
    missing : {"keep", "zero", "median"}
        What a missing value becomes: nothing else, 0 after scaling, or what the median of the sample is scaled to.
        A number that is not finite counts as missing.
    centre, scale : array of float64, shape (F,)
    fill : array of float64, shape (F,)
        After scaling; NaN keeps what is missing.
    """

    kind: str
    missing: str
    centre: np.ndarray
    scale: np.ndarray
    fill: np.ndarray

    @classmethod
    def fit(cls, kind: str, missing: str, sample: Sample) -> Self:
        """Learn the figures of a sample.

        Of a sample with many more than 200,000 cells, some days count with all of their cells: as many as make up that
        number, spread evenly over the sample's days, each drawn from a stretch of neighbours by a fixed seed. No cell
        outside the sample is looked at.

        Raises
        ------
        InvalidRequest
            If the kind or the filling is unknown, or the sample is empty.
        """
        _check(kind, missing)
        if not len(sample):
            raise InvalidRequest("scaling is learnt from a sample's cells, and this sample has none")
        features = len(sample.names)
        centre, scale, fill = np.zeros(features), np.ones(features), np.zeros(features)
        if kind != "none" or missing == "median":
            values = sample.dataset.features.gather(*_drawn(sample))
            for place in range(features):
                centre[place], scale[place], fill[place] = _figures(kind, values[:, place])
        if missing != "median":
            fill[:] = math.nan if missing == "keep" else 0.0
        return cls(kind, missing, centre, scale, fill)

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Return features scaled and filled.

        Parameters
        ----------
        features : array of float32, shape (K, F)

        Returns
        -------
        array of float32, shape (K, F)
            The same array if there is nothing to do (`none` and `keep`).

        Raises
        ------
        InvalidRequest
            If there are more or fewer features than were fitted.
        """
        if features.ndim != 2 or features.shape[1] != len(self.centre):
            raise InvalidRequest(
                f"the scaler was fitted on {len(self.centre)} features, was given an array of shape {features.shape}"
            )
        if self.kind == "none" and self.missing == "keep":
            return features
        bound = _BOUND if self.kind == "robust" else _LARGEST
        scaled = np.empty(features.shape, dtype=np.float32)
        _scale(np.ascontiguousarray(features), self.centre, self.scale, self.fill, bound, scaled)
        return scaled

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it, without loss; `from_dict` takes it back."""
        told: dict[str, Any] = {"kind": self.kind, "missing": self.missing}
        told |= {"centre": self.centre.tolist(), "scale": self.scale.tolist()}
        return told | {"fill": None if self.missing == "keep" else self.fill.tolist()}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Read what `to_dict` told.

        Raises
        ------
        InvalidRequest
            If it is anything else.
        """
        if set(told) != {"kind", "missing", "centre", "scale", "fill"}:
            raise InvalidRequest(
                f"a scaler has kind, missing, centre, scale and fill, found {', '.join(map(str, told)) or 'nothing'}"
            )
        kind, missing, fill = told["kind"], told["missing"], told["fill"]
        _check(kind, missing)
        centre, scale = _numbers("centre", told["centre"]), _numbers("scale", told["scale"])
        if (fill is None) != (missing == "keep"):
            raise InvalidRequest("a scaler has numbers in `fill` unless it keeps what is missing")
        filled = np.full(len(centre), math.nan) if fill is None else _numbers("fill", fill)
        if not len(centre) == len(scale) == len(filled):
            raise InvalidRequest(
                f"a scaler has a centre, a scale and a fill for each feature, found {len(centre)}, {len(scale)} and "
                f"{len(filled)}"
            )
        if (scale <= 0).any():
            raise InvalidRequest(f"a scale must be more than 0, found {scale.min()}")
        return cls(kind, missing, centre, scale, filled)


def _check(kind: Any, missing: Any) -> None:
    for subject, value, known in (("scale", kind, SCALES), ("missing", missing, MISSING)):
        if value not in known:
            raise InvalidRequest(f"{subject}: found {value!r:.60}; valid is one of {', '.join(known)}")


def _numbers(name: str, values: Any) -> np.ndarray:
    finite = isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in values
    )
    if not finite:
        raise InvalidRequest(f"{name} of a scaler is a list of finite numbers, found {values!r:.60}")
    return np.array(values, dtype=np.float64)


def _drawn(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the cells that count.

    Whole days, for their cells lie together where they are stored: cells drawn from every day would cost a pass over
    all of the days.
    """
    if len(sample) <= _CELLS:
        return sample.row, sample.column
    days, size = np.unique(sample.row, return_counts=True)
    wanted = max(round(_CELLS / size.mean()), 1)
    edges = np.arange(wanted + 1) * len(days) // wanted
    within = np.random.default_rng(0).random(wanted) * np.diff(edges)
    chosen = np.zeros(days[-1] + 1, dtype=bool)
    chosen[days[edges[:-1] + within.astype(np.int64)]] = True
    drawn = chosen[sample.row]
    return sample.row[drawn], sample.column[drawn]


def _figures(kind: str, values: np.ndarray) -> tuple[float, float, float]:
    """Return centre and scale of a feature, and its median on that scale."""
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        return 0.0, 1.0, 0.0
    median = float(np.median(known))
    if kind == "none":
        return 0.0, 1.0, median
    if known.min() == known.max():
        return median, 1.0, 0.0
    deviation = float(known.std(ddof=1))
    if kind == "standard":
        mean = float(known.mean())
        return mean, deviation, (median - mean) / deviation
    return median, _TOWARDS_SIGMA * float(np.median(np.abs(known - median))) or deviation, 0.0


@jit
def _scale(
    values: np.ndarray,
    centre: np.ndarray,
    scale: np.ndarray,
    fill: np.ndarray,
    bound: float,
    out: np.ndarray,
) -> None:
    cells, features = values.shape
    for cell in range(cells):
        for feature in range(features):
            moved = (values[cell, feature] - centre[feature]) / scale[feature]
            if moved - moved != 0.0:  # NaN or infinite
                out[cell, feature] = fill[feature]
            else:
                out[cell, feature] = min(max(moved, -bound), bound)
