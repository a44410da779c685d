"""Expected returns from scores: z-scores among the names of a day, turned into returns by Grinold's rule.

References
----------
Grinold (1994), "Alpha is Volatility Times IC Times Score", Journal of Portfolio Management 20(4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np

from quantflux.core.calendar import DAYS_A_SESSION
from quantflux.data.access import DataAccessLayer
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import OPERATORS, Field, Node, fields_of, lookback_of
from quantflux.factors.fields import load_fields
from quantflux.factors.formula import formula
from quantflux.factors.registry import FactorRegistry
from quantflux.portfolio.portfolio_file import Ingredient

WIDEST = 3.0
"""Z-scores are held within this: what lies further out is more often an error than a chance."""

_SPARE = 40  # calendar days


def grinold(
    zscore: np.ndarray, volatility: np.ndarray, information_coefficient: float, horizon: int
) -> np.ndarray:
    """Return the expected return of each name a day.

    Parameters
    ----------
    zscore : array of shape (N,)
        NaN, unknown, counts as 0: neither better nor worse than the others.
    volatility : array of shape (N,)
        Standard deviation of daily returns.
    information_coefficient : float
        Correlation of the z-score with the returns of the next `horizon` days.
    horizon : int
        Days.

    Examples
    --------
    >>> grinold(np.array([1.0, -2.0, np.nan]), np.full(3, 0.02), 0.05, 4).tolist()
    [0.0005, -0.001, 0.0]
    """
    # Over h days a name moves by volatility x root(h), of which a day's part is 1/h.
    return np.asarray(np.nan_to_num(zscore) * volatility * information_coefficient / horizon**0.5)


def combined_zscore(values: Sequence[np.ndarray], weights: Sequence[float], chosen: np.ndarray) -> np.ndarray:
    """Return one z-score made of several scores, shape (N,); of standard deviation 1 among the chosen names.

    Each score is standardised among the chosen names and held within 3; then their weighted mean over those that a
    name has is standardised again, as a mean of several varies less than one. NaN where a name has none.
    """
    total, known = np.zeros(len(chosen)), np.zeros(len(chosen))
    for value, weight in zip(values, weights, strict=True):
        scored = _zscore(value, chosen)
        there = ~np.isnan(scored)
        total[there] += weight * scored[there]
        known[there] += weight
    with np.errstate(invalid="ignore"):
        mean = np.where(known > 0, total / np.maximum(known, 1e-300), np.nan)
    return _zscore(mean, chosen)


def _zscore(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    among = chosen & np.isfinite(values)
    if among.sum() < 2:
        return np.full(len(values), np.nan)
    centre, spread = values[among].mean(), values[among].std()
    if not spread > 1e-12 * abs(centre):
        return np.where(np.isfinite(values), 0.0, np.nan)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(values), np.clip((values - centre) / spread, -WIDEST, WIDEST), np.nan)


def values_on(
    data: DataAccessLayer, nodes: Mapping[str, Node], day: date, symbols: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the values of expressions at the close of a day, each of shape (N,); NaN where a name did not trade.

    They are computed over all shares, as ranks are among all.
    """
    backs = [lookback_of(node) for node in nodes.values()]
    reach = [back for back in backs if back is not None]
    start = None
    if len(reach) == len(backs):
        start = day - timedelta(days=int(max(reach, default=0) * DAYS_A_SESSION) + _SPARE)
    masked = {key: OPERATORS["mask"](node, Field("close")) for key, node in nodes.items()}
    fields = sorted({name for node in masked.values() for name in fields_of(node)})
    panel = load_fields(data, fields, start=start, end=day).panel
    made = evaluate(masked, panel)
    laid = made.reindex(symbols=np.array(symbols))
    return {key: np.asarray(laid[key][-1]) for key in nodes}


def score_on(
    data: DataAccessLayer,
    registry: FactorRegistry,
    score: Sequence[Ingredient],
    day: date,
    symbols: Sequence[str],
    chosen: np.ndarray,
) -> np.ndarray:
    """Return the z-score of a score on a day, shape (N,), more being better."""
    found = [
        formula(registry, each.factor, f"expected_returns.score.{place}")
        for place, each in enumerate(score, start=1)
    ]
    nodes = {str(place): each.node for place, each in enumerate(found)}
    values = values_on(data, nodes, day, symbols)
    signs = [each.orientation or known.orientation for each, known in zip(score, found, strict=True)]
    turned = [sign * values[str(place)] for place, sign in enumerate(signs)]
    return combined_zscore(turned, [each.weight for each in score], chosen)
