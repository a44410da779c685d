"""In how many shares one may buy, by board.

Sources: SSE and SZSE trading rules (lots of 100), SSE STAR market rules 2019 (at least 200, then any number), BSE
trading rules 2021 (at least 100, then any number). What is left of a lot may be sold, but only all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.rules.boards import boards_of

_SMALLEST = {"star": 200, "bse": 100}
_STEP = {"star": 1, "bse": 1}


@dataclass(frozen=True)
class LotRule:
    """Smallest purchase and step above it of each symbol, in shares; arrays of shape (N,)."""

    smallest: np.ndarray
    step: np.ndarray

    def rounded_down(self, shares: np.ndarray) -> np.ndarray:
        """Return the most shares that can be bought of those wanted.

        Examples
        --------
        >>> lots_of(["600519.SH", "688001.SH", "688002.SH"]).rounded_down(np.array([250.0, 250.7, 150.0])).tolist()
        [200.0, 250.0, 0.0]
        """
        # The small fraction forgives 299.9999999 that was meant to be 300.
        whole = np.floor(shares / self.step + 1e-9) * self.step
        return np.where(whole >= self.smallest, whole, 0.0)


def lots_of(symbols: Sequence[str]) -> LotRule:
    """Return the lot rule of each symbol; what is not a share trades in lots of 100."""
    boards = boards_of(symbols)
    return LotRule(
        np.array([_SMALLEST.get(board or "", 100) for board in boards], dtype=np.float64),
        np.array([_STEP.get(board or "", 100) for board in boards], dtype=np.float64),
    )
