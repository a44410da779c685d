"""Weights of picked names by an optimiser that sees their past returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from quantflux.backtest.runs.run_file import Optimiser, RankedPolicy
from quantflux.core.errors import InvalidRequest, OptimisationError
from quantflux.portfolio.risk import RiskModel, ewma_risk, sample_risk, shrunk_risk, statistical_risk

_KNOWN = 0.75
"""Part of the window's returns that a name needs, so that any two share half of them."""


def optimised_weights(
    rows: np.ndarray,
    columns: np.ndarray,
    counts: np.ndarray,
    prices: np.ndarray,
    times: np.ndarray,
    symbols: np.ndarray,
    policy: RankedPolicy,
) -> np.ndarray:
    """Return the weight of each pick.

    Parameters
    ----------
    rows : array of int, shape (K,)
        Of the decisions; what came after each is not looked at.
    columns : array of int
        Picked names, those of one decision after those of another.
    counts : array of int, shape (K,)
    prices : array of float64, shape (T, N)
        Closes, adjusted; NaN without trade.
    times : array of shape (T,)
        Days, for messages.
    symbols : array of str, shape (N,)
    policy : RankedPolicy

    Returns
    -------
    array of float64
        Of the shape of `columns`, summing to 1 over the names of each decision, or to less where the most that a name
        may weigh leaves the rest in cash. Names with too few returns in the window, or whose price never moved, get
        none; a pick that is alone gets all that it may.

    Raises
    ------
    InvalidRequest
        If fewer than two of several picks can be measured: no other weights stand in for those of the method. Says on
        which day.
    OptimisationError
        If the solver fails; says on which day.
    """
    terms = policy.optimiser or Optimiser()
    weights = np.empty(len(columns))
    begin = 0
    for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
        picks = slice(begin, begin + count)
        window = prices[max(row - terms.window, 0) : row + 1, columns[picks]]
        try:
            weights[picks] = _weights(window, symbols[columns[picks]], policy.weighting, terms, times[row])
        except (OptimisationError, InvalidRequest) as error:
            error.add_note(f"while weighing {count} names at the close of {times[row]} by {policy.weighting}")
            raise
        begin += count
    return weights


def _weights(
    window: np.ndarray, symbols: np.ndarray, method: str, terms: Optimiser, day: np.datetime64
) -> np.ndarray:
    from quantflux.portfolio.constraints import Bounds  # noqa: PLC0415 - solvers are slow to import
    from quantflux.portfolio.methods import optimise  # noqa: PLC0415
    from quantflux.portfolio.problem import Problem  # noqa: PLC0415

    count = len(symbols)
    if count == 1:
        return np.array([terms.most])
    returns = window[1:] / window[:-1] - 1
    known = ~np.isnan(returns)
    moves = np.where(known, returns != 0, False).any(axis=0)
    usable = (known.sum(axis=0) >= _KNOWN * len(returns)) & (len(returns) >= terms.window // 2) & moves
    if usable.sum() < 2:
        raise InvalidRequest(
            f"{method}: at the close of {day}, {int(usable.sum())} of {count} picked names can be measured, 2 are "
            f"needed; of policy.optimiser.window = {terms.window} days the data have {len(returns)}, and a name needs "
            f"returns on {_KNOWN:.0%} of them and a price that moves. Start later, or take a shorter window"
        )
    names, history = symbols[usable].tolist(), returns[:, usable]
    if len(names) * terms.most <= 1:
        return np.where(usable, terms.most, 0.0)
    problem = Problem(
        names,
        risk=_RISKS[terms.risk](history, names, least=len(returns) // 2),
        returns=np.nan_to_num(history),
        constraints=(Bounds(0.0, terms.most),),
    )
    weights = np.zeros(count)
    found = np.maximum(optimise(problem, method).weights, 0.0)
    weights[usable] = found / found.sum()
    return weights


_RISKS: Mapping[str, Callable[..., RiskModel]] = MappingProxyType(
    {"sample": sample_risk, "shrunk": shrunk_risk, "ewma": ewma_risk, "pca": statistical_risk}
)
