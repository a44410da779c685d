"""The plain sample covariance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantflux.portfolio.risk.definite import repair_note, semidefinite
from quantflux.portfolio.risk.history import LEAST_DAYS, History, history_of
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.risk.moments import weighted_covariance


def sample_risk(returns: np.ndarray, symbols: Sequence[str], *, least: int = LEAST_DAYS) -> RiskModel:
    """Return the sample covariance, all days alike.

    With fewer days than assets it is singular: there are portfolios that seem to have no risk at all, and an optimiser
    finds them. Use it for a few assets only, or a shrunk or factored model.

    Parameters
    ----------
    returns : array of shape (T, N)
        Simple daily returns, fractions; NaN where there is none. A pair is measured over the days that both have.
    symbols : sequence of str, length N
    least : int
        Days that every pair must share.

    Returns
    -------
    RiskModel
        Dense; divisor days - 1.

    Raises
    ------
    InvalidRequest
        As in `history.history_of`.

    Examples
    --------
    >>> returns = np.array([[0.01, 0.02], [-0.01, 0.00], [0.03, 0.01]])
    >>> sample_risk(returns, ["A", "B"], least=3).covariance().round(6).tolist()
    [[0.0004, 0.0001], [0.0001, 0.0001]]
    """
    history = history_of(returns, symbols, least)
    return dense_model(history, weighted_covariance(history, np.ones(len(history.known))))


def dense_model(history: History, covariance: np.ndarray) -> RiskModel:
    """Return the model of a covariance from this history, mended if gaps made it inconsistent."""
    amiss = 0.0
    if not history.is_complete:
        covariance, amiss = semidefinite(covariance)
    return RiskModel(history.symbols, dense=covariance, notes=history.notes + repair_note(amiss))
