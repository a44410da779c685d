"""Brings what the factor model is estimated from out of the data access layer and the factor engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.core.gaps import carried_forward
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.request import WhenLike
from quantflux.data.schema import INSTRUMENTS
from quantflux.factors.engine import FactorEngine
from quantflux.factors.fields import load_fields
from quantflux.factors.universe import Industries, is_seasoned
from quantflux.portfolio.risk.factor_model.market import RiskInputs
from quantflux.rules import special_treatment

STYLES = ("style",)
"""The library of style factors."""


@dataclass(frozen=True, eq=False)
class EngineStyles:
    """Styles that the factor engine keeps, read some days at a time.

    Attributes
    ----------
    engine : FactorEngine
    factors : tuple of str
        Factors or libraries.
    names : tuple of str
        Of those the data allow.
    times, symbols : arrays
        The axes on which values are laid.
    """

    engine: FactorEngine
    factors: tuple[str, ...]
    names: tuple[str, ...]
    times: np.ndarray
    symbols: np.ndarray

    def read(self, rows: slice) -> np.ndarray:
        """Return values of some days, float32 of shape (S, days, N)."""
        times = self.times[rows]
        panel = self.engine.compute(self.factors, str(times[0]), str(times[-1]), self.symbols.tolist())
        if not np.array_equal(panel.times, times):
            panel = panel.reindex(times=times)
        return np.array([panel[name] for name in self.names])


def load_risk_inputs(
    data: DataAccessLayer,
    factors: FactorEngine,
    *,
    start: WhenLike = None,
    end: WhenLike = None,
    styles: tuple[str, ...] = STYLES,
) -> RiskInputs:
    """Return the market of all shares as a risk model sees it.

    Every row holds what was known at the close of its day: styles and industries are point in time, the capitalisation
    is that of the day, and nothing looks ahead. So a model at the last close decides for the day after.

    The estimation universe of a day are the shares that traded, have been trading for 60 days, are not under special
    treatment, and have an industry and a capitalisation.

    Parameters
    ----------
    data : DataAccessLayer
    factors : FactorEngine
        Over the same data; styles are computed or brought up to date when they are read.
    start, end : day, optional
        Both inclusive. Correlations want about 500 days before the day of a model; styles look back further by
        themselves.
    styles : tuple of str
        Factors or libraries.

    Returns
    -------
    RiskInputs
        Returns and capitalisations stay in memory, 16 bytes a day and name; styles are read as they are needed.

    Raises
    ------
    NotFound
        If there are no bars, no capitalisations (`stock_daily_basic`) or no industries (`instruments`).
    InvalidRequest
        If nobody is in the estimation universe on any day.
    """
    loaded = load_fields(data, ["close", "cap", "industry"], start=start, end=end)
    panel = loaded.panel
    traded = ~np.isnan(panel["close"])
    capitalisation = carried_forward(panel["cap"])
    codes = np.where(np.isnan(panel["industry"]), -1, panel["industry"]).astype(np.int16)
    special = special_treatment(data.read(Query(INSTRUMENTS)), panel.times, panel.symbols)
    universe = traded & is_seasoned(traded) & ~special & (capitalisation > 0) & (codes >= 0)
    if not universe.any():
        raise InvalidRequest(
            f"of {panel.shape[1]} shares over {panel.shape[0]} days none ever traded with 60 days behind it, outside "
            "special treatment, with a capitalisation and an industry; a risk model needs these"
        )
    names = tuple(factors.expressions(styles))
    notes = tuple(f"without {name}: {lack}" for name, lack in factors.left_out(styles).items())
    return RiskInputs(
        times=panel.times,
        symbols=panel.symbols,
        returns=daily_returns(panel),
        traded=traded,
        universe=universe,
        capitalisation=capitalisation,
        industries=Industries(codes, loaded.labels["industry"]),
        styles=EngineStyles(factors, styles, names, panel.times, panel.symbols),
        notes=loaded.notes + notes,
    )


def daily_returns(panel: Panel) -> np.ndarray:
    """Return simple returns from the last close there was, shape (T, N); NaN on days without trade.

    After a suspension the return is the whole move since, as a holder has it.

    Parameters
    ----------
    panel : Panel
        With adjusted closes.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
    >>> closes = np.array([[10.0], [11.0], [np.nan], [12.1]])
    >>> daily_returns(Panel(days, ["A"], {"close": closes})).round(3).ravel().tolist()
    [nan, 0.1, nan, 0.1]
    """
    close = panel["close"]
    made = np.full(close.shape, np.nan)
    made[1:] = close[1:] / carried_forward(close)[:-1] - 1
    return made
