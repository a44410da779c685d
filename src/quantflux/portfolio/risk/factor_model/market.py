"""What the factor model is estimated from: returns, sizes, industries and styles of a market over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.universe import Industries


class StyleSource(Protocol):
    """Values of style factors, read some days at a time, so that ten years never are in memory at once."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the styles, length S."""

    def read(self, rows: slice) -> np.ndarray:
        """Return raw values of some days, shape (S, days, N), float32 or float64; NaN where there is none."""


@dataclass(frozen=True, eq=False)
class StyleArrays:
    """Styles that are in memory: one array of shape (T, N) by name."""

    arrays: Mapping[str, np.ndarray]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the styles."""
        return tuple(self.arrays)

    def read(self, rows: slice) -> np.ndarray:
        """Return the values of some days, shape (S, days, N)."""
        return np.array([values[rows] for values in self.arrays.values()])


@dataclass(frozen=True, eq=False)
class RiskInputs:
    """A market as a risk model sees it. Row t holds what was known at the close of day t; arrays are of shape (T, N).

    Attributes
    ----------
    times : datetime64[D] array of shape (T,)
    symbols : str array of shape (N,)
    returns : array of float64
        From the last close there was to this one, adjusted, fractions; NaN on days without trade. After a suspension
        it is the whole move since.
    traded : array of bool
    universe : array of bool
        The estimation universe: from these names factor returns and standards are measured. All of them traded.
    capitalisation : array of float64
        Yuan; carried over days without one, NaN before the first.
    industries : Industries
    styles : StyleSource
        Columns as `symbols`.
    notes : tuple of str
        What a reader should know of the data.

    Raises
    ------
    InvalidRequest
        If shapes differ, or the universe holds names that did not trade.
    """

    times: np.ndarray
    symbols: np.ndarray
    returns: np.ndarray
    traded: np.ndarray
    universe: np.ndarray
    capitalisation: np.ndarray
    industries: Industries
    styles: StyleSource
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.times), len(self.symbols))
        for name in ("returns", "traded", "universe", "capitalisation"):
            if getattr(self, name).shape != shape:
                raise InvalidRequest(
                    f"{name} must have shape {shape} (days, symbols), had {getattr(self, name).shape}"
                )
        self.industries.laid_on(shape)
        if (self.universe & ~self.traded).any():
            raise InvalidRequest("the estimation universe must hold only names that traded on the day")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of days and of symbols."""
        return len(self.times), len(self.symbols)

    def industry_codes(self, row: int) -> np.ndarray:
        """Return each name's industry on a day, shape (N,), -1 where unknown."""
        codes = self.industries.codes if self.industries.codes.ndim == 1 else self.industries.codes[row]
        return np.where((codes >= 0) & (codes < len(self.industries.names)), codes, -1).astype(np.int64)
