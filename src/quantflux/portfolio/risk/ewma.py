"""The covariance with weights that fade into the past."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.history import LEAST_DAYS, history_of
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.risk.moments import decay, weighted_covariance
from quantflux.portfolio.risk.sample import dense_model


def ewma_risk(
    returns: np.ndarray, symbols: Sequence[str], *, half_life: float = 63.0, least: int = LEAST_DAYS
) -> RiskModel:
    """Return the exponentially weighted covariance: it follows the markets' moods, at the price of more noise.

    Parameters
    ----------
    returns : array of shape (T, N)
        Simple daily returns, fractions; NaN where there is none. A pair is measured over the days that both have, a
        gap lets time pass.
    symbols : sequence of str, length N
    half_life : float
        Days after which a return counts half.
    least : int
        Days that every pair must share.

    Returns
    -------
    RiskModel
        Dense, about weighted means, unbiased for independent days.

    Raises
    ------
    InvalidRequest
        If `half_life` is not positive, and as in `history.history_of`.

    Examples
    --------
    >>> returns = np.array([[0.01], [-0.01], [0.03]])
    >>> ewma_risk(returns, ["A"], half_life=1.0, least=3).covariance().round(6).tolist()
    [[0.000543]]
    """
    if not half_life > 0:
        raise InvalidRequest(f"half_life must be a positive number of days, was {half_life}")
    history = history_of(returns, symbols, least)
    return dense_model(history, weighted_covariance(history, decay(len(history.known), half_life)))
