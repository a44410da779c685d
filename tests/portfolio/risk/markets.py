"""A simulated market whose factors and covariance are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.factors.universe import Industries
from quantflux.portfolio.risk.factor_model import RiskInputs, StyleArrays
from tests.portfolio.risk.histories import names


@dataclass(frozen=True)
class SimulatedMarket:
    inputs: RiskInputs
    factor_returns: np.ndarray  # (T, 1 + P + S), those behind the returns of the day
    factor_covariance: np.ndarray
    specific: np.ndarray  # (N,) deviations


def simulated_market(
    days: int = 400,
    count: int = 240,
    *,
    industries: int = 4,
    styles: int = 3,
    seed: int = 0,
    gaps: float = 0.0,
    calm: np.ndarray | None = None,
) -> SimulatedMarket:
    """Names with fixed industries and slowly moving styles; returns are factors times the exposures of the day before.

    `calm` multiplies all deviations of a day.
    """
    rng = np.random.default_rng(seed)
    scale = np.ones(days) if calm is None else calm
    cap = np.exp(rng.normal(23, 1.2, count)) * np.ones((days, 1))
    codes = rng.permutation(np.arange(count) % industries).astype(np.int16)
    raw = rng.normal(size=(styles, 1, count)) + 0.02 * rng.normal(size=(styles, days, count)).cumsum(axis=1)
    raw -= (raw * cap).sum(axis=2, keepdims=True) / cap[0].sum()
    raw /= raw.std(axis=2, ddof=1, keepdims=True)
    deviations = np.concatenate([[0.012], np.full(industries, 0.006), np.linspace(0.002, 0.005, styles)])
    half = np.diag(deviations) @ _correlated(len(deviations), rng)
    sizes = np.bincount(codes, cap[0], industries) / cap[0].sum()
    held = np.eye(len(deviations))  # takes the weighted mean of the industries out of them
    held[1 : 1 + industries, 1 : 1 + industries] -= sizes
    half = held @ half
    factor_returns = (rng.normal(size=(days, len(deviations))) @ half.T) * scale[:, None]
    specific = rng.uniform(0.012, 0.025, count)
    returns = factor_returns[:, :1] + factor_returns[:, 1 : 1 + industries][:, codes]
    returns[1:] += np.einsum("sti,ts->ti", raw[:, :-1], factor_returns[1:, 1 + industries :])
    returns += rng.normal(size=(days, count)) * specific * scale[:, None]
    returns[0] = np.nan
    traded = rng.random((days, count)) >= gaps
    inputs = RiskInputs(
        times=np.datetime64("2015-01-01") + np.arange(days),
        symbols=np.array(names(count)),
        returns=np.where(traded, returns, np.nan),
        traded=traded,
        universe=traded,
        capitalisation=cap,
        industries=Industries(codes, tuple(f"i{p}" for p in range(industries))),
        styles=StyleArrays({f"style_{s}": np.where(traded, raw[s], np.nan) for s in range(styles)}),
    )
    return SimulatedMarket(inputs, factor_returns, half @ half.T, specific)


def _correlated(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the root of a correlation matrix with some correlation everywhere."""
    loading = rng.normal(0, 0.5, (size, 2))
    whole = loading @ loading.T + np.eye(size)
    scale = np.sqrt(np.diag(whole))
    return np.linalg.cholesky(whole / np.outer(scale, scale))
