"""A small market with a planted signal: part linear, part an interaction of two features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr

from quantflux.learning.samples import Dataset, Sample


@dataclass(frozen=True, eq=False)
class HeldFeatures:
    """Features in memory; remembers how many cells were asked for at a time."""

    names: tuple[str, ...]
    values: np.ndarray
    asked: list[int] = field(default_factory=list)

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        self.asked.append(len(rows))
        return self.values[rows, columns]


class Unscaled:
    def apply(self, features: np.ndarray) -> np.ndarray:
        return features

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "none"}


@dataclass(frozen=True)
class Doubled:
    by: float = 2.0

    def apply(self, features: np.ndarray) -> np.ndarray:
        return (features * np.float32(self.by)).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        return {"by": self.by}


def market(
    days: int = 90,
    names: int = 60,
    features: int = 6,
    seed: int = 1,
    noise: float = 0.5,
    missing: float = 0.05,
) -> Dataset:
    """Labels in units of a five-day return, 0.05: 0.6 x0 + x1 x2 + noise; some values and cells are missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(days, names, features)).astype(np.float32)
    signal = 0.6 * x[..., 0] + x[..., 1] * x[..., 2]
    label = 0.05 * (signal + noise * random.normal(size=signal.shape))
    x[random.random(x.shape) < missing] = np.nan
    row, column = np.nonzero(random.random((days, names)) < 0.95)
    return Dataset(
        days=np.datetime64("2020-01-01") + np.arange(days),
        symbols=np.array([f"{600000 + n}.SH" for n in range(names)]),
        features=HeldFeatures(tuple(f"f{n}" for n in range(features)), x),
        row=row,
        column=column,
        label=label[row, column].astype(np.float32),
        known=row + 5,
        weight=random.uniform(0.5, 1.5, len(row)).astype(np.float32),
    )


def parts(dataset: Dataset) -> tuple[Sample, Sample, Sample]:
    """The first 60 % of the days, the next 20 %, and the rest."""
    days = len(dataset.days)
    cuts = np.split(np.arange(days), [days * 6 // 10, days * 8 // 10])
    return dataset.on(cuts[0]), dataset.on(cuts[1]), dataset.on(cuts[2])


def in_classes(dataset: Dataset, classes: int) -> Dataset:
    """The same cells with the bucket of their label among the day's as label."""
    label = np.empty(len(dataset), np.float32)
    for day in np.unique(dataset.row):
        of_day = dataset.row == day
        label[of_day] = (rankdata(dataset.label[of_day], "ordinal") - 1) * classes // of_day.sum()
    return Dataset(**{**vars(dataset), "label": label})


def daily_ic(prediction: np.ndarray, sample: Sample) -> float:
    """Mean over days of Spearman's correlation of predictions and labels."""
    days = [sample.row == day for day in np.unique(sample.row)]
    return float(np.mean([spearmanr(prediction[day], sample.label[day]).statistic for day in days]))
