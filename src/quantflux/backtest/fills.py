"""What was traded and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np


class Refusal(IntEnum):
    """Why an order was not filled."""

    LIMIT_UP = 0
    LIMIT_DOWN = 1
    NO_TRADE = 2
    LOT = 3


@dataclass(frozen=True)
class Fills:
    """Every order filled; arrays of one entry per fill, in order of time, sells before buys.

    Attributes
    ----------
    row, column : array of int
        Day and symbol.
    shares : array of float64
        Bought, or sold if negative.
    price : array of float64
        Raw yuan.
    commission, stamp_duty, transfer_fee : array of float64
        Yuan.
    """

    row: np.ndarray
    column: np.ndarray
    shares: np.ndarray
    price: np.ndarray
    commission: np.ndarray
    stamp_duty: np.ndarray
    transfer_fee: np.ndarray

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Return all fills of several batches."""
        names = cls.__dataclass_fields__
        if not parts:
            empty = {
                name: np.zeros(0, dtype=np.int64 if name in ("row", "column") else np.float64)
                for name in names
            }
            return cls(**empty)
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    @property
    def amount(self) -> np.ndarray:
        """Yuan that changed hands, always positive."""
        return np.asarray(np.abs(self.shares) * self.price)

    @property
    def fees(self) -> np.ndarray:
        """All costs of each fill, yuan."""
        return np.asarray(self.commission + self.stamp_duty + self.transfer_fee)

    @property
    def cash(self) -> np.ndarray:
        """What each fill did to the cash, yuan."""
        return np.asarray(-self.shares * self.price - self.fees)

    def __len__(self) -> int:
        return len(self.row)
