"""What the demonstration found, ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.study import Study
from quantflux.data.sources.synthetic import PlantedAlpha
from quantflux.factors import FactorReport, Market
from quantflux.factors.choice import Choice
from quantflux.learning.service import TrainedModel
from quantflux.portfolio.doctor import Price
from quantflux.portfolio.service import Proposal
from quantflux.scoring.selection import Chosen


@dataclass(frozen=True)
class Overview:
    """The data in numbers.

    Attributes
    ----------
    synthetic : bool
    rows, basic_rows, minute_rows : int
    symbols, days : int
    times : array of datetime64[D], shape (T,)
    traded : array of int, shape (T,)
        Names with a bar.
    suspended : array of int, shape (T,)
        Names without a bar between their first and last one.
    opened_up, opened_down : array of int, shape (T,)
        Names that opened at their upper, lower limit.
    listed, left : int
        Names whose first bar is after the first day, and whose last is more than 20 days before the last.
    folder : str
    store : str
    """

    synthetic: bool
    rows: int
    basic_rows: int
    minute_rows: int
    symbols: int
    times: np.ndarray
    traded: np.ndarray
    suspended: np.ndarray
    opened_up: np.ndarray
    opened_down: np.ndarray
    listed: int
    left: int
    folder: str
    store: str

    @property
    def days(self) -> int:
        """Trading days."""
        return len(self.times)


@dataclass(frozen=True)
class MinuteView:
    """A look at the minute bars.

    Attributes
    ----------
    labels : array of str, shape (240,)
        Closing time of each minute of the day.
    share : array of float64, shape (240,)
        Part of the day's volume in each minute, the mean over symbols and days.
    symbol, day : str
        Of the sample.
    candles : mapping of str to array
        `label` (HH:MM), open, high, low, close, volume of the sample in 5-minute bars.
    symbols, days : int
        With minute bars.
    """

    labels: np.ndarray
    share: np.ndarray
    symbol: str
    day: str
    candles: Mapping[str, np.ndarray]
    symbols: int
    days: int


@dataclass(frozen=True)
class Proposed:
    """The portfolio of the last day.

    Attributes
    ----------
    proposal : Proposal or None
        None if the data allow none.
    prices : tuple of Price
        What its binding limits cost; empty for markets so large that it was not worked out.
    notes : tuple of str
        What it had to do without, as keys of the report's texts.
    why : str
        Why there is none; empty if there is one.
    """

    proposal: Proposal | None
    prices: tuple[Price, ...]
    notes: tuple[str, ...]
    why: str


@dataclass(frozen=True, eq=False)
class Taught:
    """A model of the factors.

    Attributes
    ----------
    model : TrainedModel or None
        With a control that learnt shuffled labels; None if the data allow none.
    chosen : Chosen or None
        The names that it likes best on the last day.
    why : str
        Why there is none; empty if there is one.
    """

    model: TrainedModel | None
    chosen: Chosen | None
    why: str


@dataclass(frozen=True)
class Findings:
    """Everything the summary and the report show.

    Attributes
    ----------
    overview : Overview
    market : Market
    choice : Choice
        The factors, and what was replaced or left out.
    reports : tuple of FactorReport
    planted : mapping of str to PlantedAlpha
        By factor; empty unless the market is synthetic.
    study : Study or None
        None if the history is too short for one decision.
    taught : Taught
        A model of the factors.
    proposed : Proposed
        A portfolio for the last day.
    minutes : MinuteView or None
        None without minute bars.
    notes : tuple of str
        What the reader must know about these data, as keys of the report's texts.
    seconds : mapping of str to float
        By stage.
    horizon : int
        Days over which the factors were judged.
    """

    overview: Overview
    market: Market
    choice: Choice
    reports: tuple[FactorReport, ...]
    planted: Mapping[str, PlantedAlpha]
    study: Study | None
    taught: Taught
    proposed: Proposed
    minutes: MinuteView | None
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    horizon: int
