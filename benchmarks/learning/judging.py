"""Judges predictions by what came of them, with pandas and by no code of ours or the rivals'.

1. The outcome of a cell is the return from tomorrow's close to the one after, taken from the market's arrays.
2. Cells count that are in the universe, have an outcome, and were predicted by every run of everybody.
3. IC and RankIC are correlations across each day's names; a day on which a run's predictions are all alike has none.
4. What a run's seed draws moves its predictions: the cells that bins are taken from, the features that a tree sees. So
   a rival's RankIC of a day is the mean over its runs. Two rivals differ by more than noise if the mean of their daily
   difference is far from zero by the standard error of Newey and West (1987), with the lags that they advise,
   4 (n / 100) ** (2 / 9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.learning.rivals.task import Task
from benchmarks.rivals.protocol import Market

LEAST_NAMES = 10
MISSING = 0.01
"""The part of the universe's cells that a rival may leave without a prediction."""

NOISE = 2.0
"""Standard errors within which a mean counts as zero."""


@dataclass(frozen=True)
class Judged:
    """One rival.

    Attributes
    ----------
    ic, rank_ic : Series
        By day of the test spans; days without one are left out.
    predicted : int
        Cells of the universe with an outcome that it predicted.
    """

    ic: pd.Series
    rank_ic: pd.Series
    predicted: int


@dataclass(frozen=True)
class Judgement:
    """All rivals on the cells that all of them predicted.

    Attributes
    ----------
    fold : Series
        Number of the fold by day.
    cells : int
    """

    rivals: dict[str, Judged]
    fold: pd.Series
    cells: int

    def means(self, label: str) -> pd.DataFrame:
        """Return a rival's mean `ic` and `rank_ic` by fold, and over all days in the row `all`."""
        judged = self.rivals[label]
        daily = pd.DataFrame({"ic": judged.ic, "rank_ic": judged.rank_ic})
        by_fold = daily.groupby(self.fold.reindex(daily.index)).mean()
        by_fold.loc["all"] = daily.mean()
        return by_fold

    def rank_ic(self, runs: Sequence[str]) -> pd.Series:
        """Return the daily RankIC, averaged over some runs, of the days on which all of them have one."""
        return pd.DataFrame({run: self.rivals[run].rank_ic for run in runs}).dropna().mean(axis=1)

    def difference(self, runs: Sequence[str], others: Sequence[str]) -> Difference:
        """Return how far the daily RankIC of some runs lies above that of others."""
        return Difference.of((self.rank_ic(runs) - self.rank_ic(others)).dropna())


@dataclass(frozen=True)
class Difference:
    """A mean of daily differences, and how many standard errors it lies from zero."""

    mean: float
    t: float
    lags: int
    days: int

    @classmethod
    def of(cls, daily: pd.Series) -> Difference:
        """Sum up a series by day."""
        lags = int(4 * (len(daily) / 100) ** (2 / 9))
        error = newey_west_error(daily.to_numpy(), lags)
        mean = float(daily.mean())
        # Answers that are the same to the last bit have no error, and no difference.
        return cls(mean, mean / error if error else 0.0, lags, len(daily))

    @property
    def words(self) -> str:
        """The verdict for a table."""
        verdict = "equal within noise" if abs(self.t) < NOISE else "different by more than noise"
        return (
            f"mean difference of daily RankIC {self.mean:+.5f}, t {self.t:+.2f} (Newey-West, {self.lags} lags, "
            f"{self.days:,} days): {verdict}"
        )


def newey_west_error(values: np.ndarray, lags: int) -> float:
    """Return the standard error of a mean of values that may depend on the `lags` before them."""
    away = values - values.mean()
    variance = away @ away
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (away[lag:] @ away[:-lag])
    return float(np.sqrt(variance) / len(values))


def judge(predictions: Mapping[str, Path], market: Market, task: Task) -> Judgement:
    """Judge Parquet files of `trade_date`, `symbol` and `prediction`.

    Raises
    ------
    RuntimeError
        If a rival left out more of the universe than `MISSING`.
    """
    folds = list(task.folds())
    rows = np.concatenate([np.arange(fold.test.first, fold.test.last + 1) for fold in folds])
    days = pd.DatetimeIndex(market.sessions[rows])
    number = np.concatenate(
        [np.full(fold.test.last + 1 - fold.test.first, i) for i, fold in enumerate(folds, 1)]
    )
    close = pd.DataFrame(market.field("close"), columns=market.symbols)
    outcome = (close.shift(-2) / close.shift(-1) - 1).where(np.load(market.folder / "chosen.npy")).iloc[rows]
    outcome.index = days
    tables = {label: _matrix(path, days, market.symbols) for label, path in predictions.items()}
    counts = {
        label: int((table.notna() & outcome.notna()).to_numpy().sum()) for label, table in tables.items()
    }
    wanted = int(outcome.notna().to_numpy().sum())
    for label, count in counts.items():
        if count < (1 - MISSING) * wanted:
            raise RuntimeError(f"{label} predicted {count:,} of {wanted:,} cells")
    for table in tables.values():
        outcome = outcome.where(table.notna())
    outcome = outcome[outcome.count(axis=1) >= LEAST_NAMES]
    rivals = {label: _judged(table, outcome, counts[label]) for label, table in tables.items()}
    return Judgement(rivals, pd.Series(number, index=days), int(outcome.notna().to_numpy().sum()))


def _matrix(path: Path, days: pd.DatetimeIndex, symbols: list[str]) -> pd.DataFrame:
    table = pq.read_table(path).to_pandas()
    table["trade_date"] = pd.DatetimeIndex(table["trade_date"])
    matrix = table.pivot(index="trade_date", columns="symbol", values="prediction")
    return matrix.reindex(index=days, columns=symbols)


def _judged(table: pd.DataFrame, outcome: pd.DataFrame, predicted: int) -> Judged:
    seen = table.reindex(outcome.index).where(outcome.notna())
    with np.errstate(invalid="ignore", divide="ignore"):  # days on which all predictions are alike
        ic = seen.corrwith(outcome, axis=1)
        rank_ic = seen.rank(axis=1).corrwith(outcome.rank(axis=1), axis=1)
    return Judged(ic.dropna(), rank_ic.dropna(), predicted)
