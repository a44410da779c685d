"""How factors are judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quantflux.core.errors import InvalidRequest
from quantflux.rules import Commission


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How factors are judged.

    Attributes
    ----------
    horizon : int
        Days a position is held.
    quantiles : int
    decay : tuple of int
        Horizons of the decay curve, days; also the ages of a signal, and the lags of the autocorrelation.
    least_names : int
        Days, and industries, with fewer names have no IC.
    commission : Commission
        What the broker charges; stamp duty and transfer fee are those of the day.

    Raises
    ------
    InvalidRequest
        If a horizon is below 1 or `decay` empty, or quantiles lie outside 2 .. 100.
    """

    horizon: int = 5
    quantiles: int = 5
    decay: tuple[int, ...] = (1, 5, 10, 20, 40, 60)
    least_names: int = 10
    commission: Commission = field(default_factory=Commission)

    def __post_init__(self) -> None:
        if not self.decay or min(self.horizon, *self.decay) < 1:
            raise InvalidRequest(
                f"horizons must be at least 1 day, and decay have one, were {self.horizon} and {self.decay}"
            )
        if not 2 <= self.quantiles <= 100:
            raise InvalidRequest(f"quantiles must be 2 to 100, were {self.quantiles}")

    @property
    def horizons(self) -> tuple[int, ...]:
        """Every horizon of the plan, the shortest first."""
        return tuple(sorted({self.horizon, *self.decay}))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as numbers and lists."""
        return {
            "horizon": self.horizon,
            "quantiles": self.quantiles,
            "decay": list(self.decay),
            "least_names": self.least_names,
            "commission_rate": self.commission.rate,
        }
