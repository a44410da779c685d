"""Where the risk of a portfolio comes from: from each factor, from what is special to names, and from each name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.portfolio.risk.model import RiskModel


@dataclass(frozen=True, eq=False)
class RiskSplit:
    """Parts of a variance, each as a fraction of it; some may be negative, all together are 1.

    Attributes
    ----------
    deviation : float
        Standard deviation of the daily return.
    factors : dict of str to float
        By factor, the largest first; empty for a dense risk model.
    exposures : dict of str to float
        The portfolio's exposure to the same factors.
    specific : float
        What no factor explains; 1 for a dense risk model.
    names : array of float64, shape (N,)
        By name: w (Sw) / w'Sw.
    """

    deviation: float
    factors: dict[str, float]
    exposures: dict[str, float]
    specific: float
    names: np.ndarray


def split_risk(risk: RiskModel, weights: np.ndarray) -> RiskSplit:
    """Return where the variance of weights comes from.

    Parameters
    ----------
    risk : RiskModel
    weights : array of shape (N,)
        Of a portfolio, or its difference to a benchmark.

    Examples
    --------
    >>> model = RiskModel(("A", "B"), exposures=np.array([[1.0], [2.0]]), factor_covariance=np.array([[4e-4]]),
    ...                   specific=np.array([1e-4, 1e-4]), factors=("market",))
    >>> made = split_risk(model, np.array([0.5, 0.5]))
    >>> round(made.factors["market"], 4), round(made.specific, 4), made.names.round(4).tolist()
    (0.9474, 0.0526, [0.3421, 0.6579])
    """
    variance = risk.variance(weights)
    if not variance > 0:
        return RiskSplit(0.0, {}, {}, 0.0, np.zeros(len(weights)))
    names = weights * risk.times(weights) / variance
    if risk.exposures is None:
        return RiskSplit(float(variance**0.5), {}, {}, 1.0, names)
    parts = risk.factor_contributions(weights) / variance
    exposures = risk.exposures.T @ weights
    order = np.argsort(-np.abs(parts), kind="stable")
    return RiskSplit(
        float(variance**0.5),
        {risk.factors[k]: float(parts[k]) for k in order},
        {risk.factors[k]: float(exposures[k]) for k in order},
        float(1 - parts.sum()),
        names,
    )
