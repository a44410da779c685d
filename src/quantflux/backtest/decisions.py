"""Everything that is wanted in a run, in one sparse table that compiled code reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Self

import numpy as np

from quantflux.backtest.kernels import contract
from quantflux.backtest.orders import Targets
from quantflux.core.errors import InvalidRequest


class Kind(IntEnum):
    """What the values of a decision are.

    REPLACE: weights; what is held and not named is sold, NaN leaves a holding as it is. SIGNALS: weights of positions
    to open where there is none, 0 to close one; the rest is left as it is. ORDERS: shares, negative for sales.
    """

    REPLACE = contract.REPLACE
    SIGNALS = contract.SIGNALS
    ORDERS = contract.ORDERS


@dataclass(frozen=True, eq=False)
class Decisions:
    """Decisions in order of time; the entries of decision k are `offsets[k]:offsets[k + 1]` of the last three arrays.

    Attributes
    ----------
    rows : array of int64, shape (K,)
        At whose close each was decided, increasing; it is traded on the next row.
    kinds : array of int64, shape (K,)
        `Kind`.
    offsets : array of int64, shape (K + 1,)
    columns : array of int64
    values : array of float64
    limits : array of float64
        Limit prices of orders, yuan; NaN for market orders.

    Raises
    ------
    InvalidRequest
        If rows are not increasing or begin before -1, whose decision is traded on row 0; if weights are negative or add
        up to more than 1.
    """

    rows: np.ndarray
    kinds: np.ndarray
    offsets: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    limits: np.ndarray

    def __post_init__(self) -> None:
        if np.any(np.diff(self.rows) <= 0):
            raise InvalidRequest("decisions must be in order of time, one a row")
        if len(self.rows) and self.rows[0] < -1:
            raise InvalidRequest(
                f"the first decision that can be traded is that of row -1, one was for row {self.rows[0]}"
            )
        if len(self.columns) and (np.isinf(self.values).any() or self.columns.min() < 0):
            raise InvalidRequest("decisions name columns from 0 and finite numbers")
        kinds = np.repeat(self.kinds, np.diff(self.offsets))
        if np.any(self.values[kinds != Kind.ORDERS] < 0):
            raise InvalidRequest("weights must be 0 or more: nothing is sold short")
        # Signals may ask for more than there is room for: cash and `most` decide which positions are opened.
        self._refuse_credit(np.where(kinds == Kind.REPLACE, np.nan_to_num(self.values), 0.0))

    def _refuse_credit(self, weights: np.ndarray) -> None:
        total = np.concatenate(([0.0], np.cumsum(weights)))[self.offsets]
        most = np.max(np.diff(total), initial=0.0)
        if most > 1 + 1e-6:
            raise InvalidRequest(
                f"weights may add up to 1 at most, there is no credit; they added up to {most:.6g}"
            )

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        kind: Kind,
        counts: np.ndarray | Sequence[int],
        columns: np.ndarray,
        values: np.ndarray,
        limits: np.ndarray | None = None,
    ) -> Self:
        """Return decisions of one kind, `counts[k]` entries each.

        Examples
        --------
        >>> Decisions.of(np.array([3]), Kind.ORDERS, [1], np.array([0]), np.array([200.0])).limits.tolist()
        [nan]
        """
        if limits is None:
            limits = np.full(len(columns), np.nan)
        return cls(
            np.asarray(rows, dtype=np.int64),
            np.full(len(rows), int(kind), dtype=np.int64),
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            np.ascontiguousarray(columns, dtype=np.int64),
            np.ascontiguousarray(values, dtype=np.float64),
            np.ascontiguousarray(limits, dtype=np.float64),
        )

    @classmethod
    def of_targets(cls, targets: Targets) -> Self:
        """Return the decisions of dense weights.

        Examples
        --------
        >>> targets = Targets(np.array([0, 2]), np.array([[0.5, 0.0], [0.0, 1.0]]))
        >>> Decisions.of_targets(targets).columns.tolist()
        [0, 1]
        """
        place, column = np.nonzero(targets.weights)  # NaN is not 0
        counts = np.bincount(place, minlength=len(targets.rows))
        return cls.of(targets.rows, Kind.REPLACE, counts, column, targets.weights[place, column])

    @cached_property
    def compiled(self) -> contract.Decisions:
        """The decisions as compiled code reads them."""
        taken = np.zeros(len(self) + 1, contract.DECISION)
        taken["row"][:-1], taken["kind"][:-1], taken["first"] = self.rows, self.kinds, self.offsets
        entries = np.zeros(len(self.columns), contract.ENTRY)
        entries["column"], entries["value"], entries["limit"] = self.columns, self.values, self.limits
        return contract.Decisions(taken, entries)

    def entries_at(self, place: int) -> int:
        """Return how many entries the decision at a place has; 0 behind the last."""
        return int(self.offsets[place + 1] - self.offsets[place]) if place < len(self) else 0

    def __len__(self) -> int:
        return len(self.rows)
