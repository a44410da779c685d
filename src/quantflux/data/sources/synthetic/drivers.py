"""What moves every company of the synthetic market at once, and the alphas planted in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantflux.data.sources.synthetic.streams import Stream, generator
from quantflux.data.sources.synthetic.universe import INDUSTRIES

STYLES = ("size", "value", "momentum", "volatility", "liquidity")
"""Style factors with returns of their own. They add risk, not reward: their mean return is zero."""


@dataclass(frozen=True, slots=True)
class PlantedAlpha:
    """A signal that truly predicts returns in the synthetic market.

    Attributes
    ----------
    name : str
    factor : str
        The classic factor that should find it, higher being better.
    strength : float
        Expected daily return per unit of signal, in units of the company's daily volatility: close to the daily
        information coefficient a perfect measurement would have.
    half_life : float
        Fraction of the span after which the strength has halved; infinite means it never decays.
    """

    name: str
    factor: str
    strength: float
    half_life: float = float("inf")

    def strength_at(self, progress: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the strength at fractions 0..1 of the span."""
        return np.asarray(self.strength * 0.5 ** (progress / self.half_life), dtype=np.float64)


PLANTED = (
    PlantedAlpha("reversal", "reversal_20", 0.15, half_life=0.5),
    PlantedAlpha("momentum", "momentum_12_1", 0.024),
    PlantedAlpha("attention", "low_turnover", 0.020),
    PlantedAlpha("value", "value", 0.020),
)
"""The alphas in the market. Reversal fades: a quarter of it is left at the end of the span."""


@dataclass(frozen=True)
class Drivers:
    """Common moves, one row a session.

    Attributes
    ----------
    market : ndarray, shape (T,)
        Log return of the whole market.
    industry : ndarray, shape (T, number of industries)
    styles : ndarray, shape (T, len(STYLES))
        Log return per unit of style exposure.
    turbulence : ndarray, shape (T,)
        Multiplier of every company's own volatility, around 1 and persistent.
    """

    market: NDArray[np.float64]
    industry: NDArray[np.float64]
    styles: NDArray[np.float64]
    turbulence: NDArray[np.float64]


def draw_drivers(seed: int, total: int) -> Drivers:
    """Draw the common moves of `total` sessions."""
    rng = generator(seed, Stream.DRIVERS)
    shocks = rng.standard_normal(total)
    state = np.empty(total)
    level = 0.0
    for t in range(total):  # log-volatility is a slow autoregression: calm and stormy months
        level = 0.985 * level + 0.06 * shocks[t]
        state[t] = level
    turbulence = np.exp(state)
    market = 0.00045 + 0.0095 * turbulence * _fat_tailed(rng, total)
    industry = 0.006 * turbulence[:, None] * _fat_tailed(rng, (total, len(INDUSTRIES)))
    styles = 0.0022 * turbulence[:, None] * _fat_tailed(rng, (total, len(STYLES)))
    return Drivers(market, industry, styles, turbulence)


def _fat_tailed(rng: np.random.Generator, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
    """Student t with 5 degrees of freedom, scaled to unit variance."""
    return np.asarray(rng.standard_t(5, shape) * np.sqrt(3 / 5))
