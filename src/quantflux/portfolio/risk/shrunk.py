"""The sample covariance, drawn towards a simpler one by as much as its noise deserves.

Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
Multivariate Analysis 88(2), for the scaled identity; (2004), "Honey, I shrunk the sample covariance matrix", Journal of
Portfolio Management 30(4), for equal correlations. In both the intensity is

    sum of [ var(s_ij) - cov(f_ij, s_ij) ]  /  sum of (s_ij - f_ij)^2

with s the sample covariance and f the target. The papers know no gaps; here each entry has its own number of days,
which is the papers' formula where nothing is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.history import LEAST_DAYS, History, history_of
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.risk.sample import dense_model


class Target(StrEnum):
    """What the sample covariance is drawn towards."""

    IDENTITY = "identity"
    """Equal variances, no correlations."""

    CONSTANT_CORRELATION = "constant_correlation"
    """Each asset's own variance, one correlation for all pairs."""


def shrunk_risk(
    returns: np.ndarray,
    symbols: Sequence[str],
    *,
    target: Target | str = Target.CONSTANT_CORRELATION,
    least: int = LEAST_DAYS,
) -> RiskModel:
    """Return the covariance after Ledoit and Wolf; the intensity is among the model's notes.

    Parameters
    ----------
    returns : array of shape (T, N)
        Simple daily returns, fractions; NaN where there is none. A pair is measured over the days that both have.
    symbols : sequence of str, length N
    target : Target or its value
        Equal correlations suit stocks: a market moves them all, which the identity denies.
    least : int
        Days that every pair must share.

    Returns
    -------
    RiskModel
        Dense; divisor days, as in the papers.

    Raises
    ------
    InvalidRequest
        If the target is unknown, and as in `history.history_of`.

    Examples
    --------
    >>> returns = np.array([[0.01, 0.02], [-0.01, 0.0], [0.03, 0.01], [-0.03, -0.03]])
    >>> model = shrunk_risk(returns, ["A", "B"], target="identity", least=4)
    >>> model.notes
    ('drawn by 50% towards identity',)
    """
    if target not in set(Target):
        raise InvalidRequest(f"target must be {' or '.join(Target)}, was {target!r}")
    chosen = Target(target)
    history = history_of(returns, symbols, least)
    covariance, intensity = ledoit_wolf(history, chosen)
    model = dense_model(history, covariance)
    words = f"drawn by {intensity:.0%} towards {chosen.value.replace('_', ' ')}"
    return replace(model, notes=(words, *model.notes))


def ledoit_wolf(history: History, target: Target) -> tuple[np.ndarray, float]:
    """Return the shrunk covariance, shape (N, N), and the intensity from 0 to 1."""
    sample = _Sample.of(history)
    if target is Target.IDENTITY:
        aim = np.mean(sample.covariance.diagonal()) * np.eye(len(sample.covariance))
        shared_noise = 0.0  # the target is taken as known, as in the paper
    else:
        aim, shared_noise = _equal_correlations(sample)
    distance = float(((sample.covariance - aim) ** 2).sum())
    noise = float((sample.noise / sample.days).sum()) - shared_noise
    intensity = min(max(noise / distance, 0.0), 1.0) if distance > 0 else 0.0
    return intensity * aim + (1 - intensity) * sample.covariance, intensity


@dataclass(frozen=True, eq=False)
class _Sample:
    """Sample moments by pair, shape (N, N) each.

    Attributes
    ----------
    centred : array of shape (T, N)
        Returns less each asset's mean, 0 in gaps.
    known : array of shape (T, N)
        1 where there is a return, else 0.
    days, covariance, noise : arrays
        Shared days n; mean of x_i x_j over them; variance of x_i x_j over them.
    """

    centred: np.ndarray
    known: np.ndarray
    days: np.ndarray
    covariance: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, history: History) -> _Sample:
        x, known = history.centred(np.ones(len(history.known))), history.known.astype(np.float64)
        days = known.T @ known
        covariance = x.T @ x / days
        squares = x**2
        return cls(x, known, days, covariance, squares.T @ squares / days - covariance**2)


def _equal_correlations(sample: _Sample) -> tuple[np.ndarray, float]:
    """Return the target, and the sum of the covariances of its entries with those of the sample."""
    variance = sample.covariance.diagonal()
    deviation = np.sqrt(variance)
    count = len(variance)
    correlations = sample.covariance / np.outer(deviation, deviation)
    mean = (correlations.sum() - count) / max(count * (count - 1), 1)
    aim = mean * np.outer(deviation, deviation)
    aim[np.diag_indices(count)] = variance
    x = sample.centred
    # [i, j]: covariance of x_i^2 with x_i x_j over the days they share
    joint = (x**3).T @ x / sample.days
    joint -= (x**2).T @ sample.known / sample.days * sample.covariance
    # The variance of i is a mean over its own days, of which the shared ones are a part: hence the divisor.
    joint *= mean * deviation[None, :] / deviation[:, None] / sample.days.diagonal()[:, None]
    shared = float(joint.sum() - joint.trace() + (sample.noise.diagonal() / sample.days.diagonal()).sum())
    return aim, shared
