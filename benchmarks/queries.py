"""The questions that are timed, each asked of every rival and each answer checked against the others first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray
from sqlalchemy import Engine

from benchmarks import v1
from benchmarks.scene import Scene
from quantflux.core.clock import SHANGHAI
from quantflux.data.contract import Aggregation, Function, Measure, Period, Query
from quantflux.data.schema import DAILY

MONTHLY = Aggregation(
    Period.MONTH, (Measure("volume", "volume", Function.MEAN), Measure("close", "close", Function.LAST))
)
MOST_ROWS = 5_000_000
"""Rows: pulling more of them one by one, as v1 does, takes more than a kilobyte of memory for each."""
FLOAT32 = 1e-6
"""v1 keeps minute prices in 4-byte floats."""

Ask = Callable[[], Any]
Figures = Callable[[Any], NDArray[np.float64]]


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    rivals : dict of (ask, figures)
        "ours", "v1" and "influx". `figures` turns an answer into the numbers that must agree, in any order.
    wanted : float
        How many times faster than v1's way ours has to be.
    tolerance, noise : float
        Relative and absolute differences that are none.
    small_only : tuple of str
        Rivals left out above `MOST_ROWS`: they would need more memory than the machine has, or hours.
    """

    name: str
    wanted: float
    rivals: dict[str, tuple[Ask, Figures]]
    tolerance: float = 1e-9
    noise: float = 0.0
    small_only: tuple[str, ...] = ()

    def at(self, rows: int) -> Question:
        """Return the question as it can be asked over so many rows."""
        if rows <= MOST_ROWS:
            return self
        return replace(self, rivals={n: r for n, r in self.rivals.items() if n not in self.small_only})

    @property
    def asks(self) -> dict[str, Ask]:
        """What is timed."""
        return {name: ask for name, (ask, _) in self.rivals.items()}

    def check(self) -> None:
        """Refuse to time rivals that do not agree."""
        answers = {name: np.sort(figures(ask()).ravel()) for name, (ask, figures) in self.rivals.items()}
        ours = answers.pop("ours")
        if not len(ours):
            raise AssertionError(f"{self.name}: the answer is empty")
        for name, theirs in answers.items():
            if ours.shape != theirs.shape:
                raise AssertionError(f"{self.name}: {name} gives {len(theirs):,} numbers, ours {len(ours):,}")
            np.testing.assert_allclose(
                theirs, ours, rtol=self.tolerance, atol=self.noise, err_msg=f"{self.name}: {name}"
            )


def questions(scene: Scene, engine: Engine) -> Iterator[Question]:
    """Yield every question, the quick ones first."""
    asked = _Asked(scene, engine)
    yield asked.daily("1 symbol, 1 year of daily bars", 10, 1)
    yield asked.daily(f"1 symbol, {scene.size.years} years of daily bars", 10, scene.size.years)
    yield asked.minutes()
    yield asked.cross_section()
    yield asked.five_minutes()
    yield asked.monthly().at(scene.rows["daily"])
    yield asked.matrix().at(scene.rows["daily"])
    yield asked.volatility().at(scene.rows["daily"])


class _Asked:
    """The questions over one scene."""

    def __init__(self, scene: Scene, engine: Engine) -> None:
        self.data = scene.platform.data
        self.influx = scene.influx
        self.engine = engine
        self.scene = scene
        self.symbol = _longest(scene, scene.symbols, DAILY)
        self.minute_symbol = scene.minute_symbols[len(scene.minute_symbols) // 2]
        self.last = scene.days[-1]

    def daily(self, name: str, wanted: float, years: int) -> Question:
        first = date(self.last.year - years + 1, 1, 1)
        return Question(
            name,
            wanted,
            {
                "ours": (lambda: self.data.get_stock_data(self.symbol, first, self.last), _closes),
                "v1": (lambda: v1.daily_history(self.engine, self.symbol, first, self.last), _dict_closes),
                "influx": (lambda: self._bars(DAILY.name, self.symbol, first, self.last), _closes),
            },
        )

    def minutes(self) -> Question:
        first, last = self.scene.minute_days[-21], self.scene.minute_days[-1]
        symbol = self.minute_symbol
        span = (datetime.combine(first, time()), datetime.combine(last, time(23, 59)))
        return Question(
            "1 symbol, 1 month of minute bars",
            20,
            {
                "ours": (lambda: self.data.get_stock_data(symbol, first, last, "1min"), _closes),
                "v1": (lambda: v1.minute_bars(self.engine, symbol, *span), _dict_closes),
                "influx": (lambda: self._bars("stock_minute_data", symbol, first, last), _closes),
            },
            FLOAT32,
        )

    def cross_section(self) -> Question:
        day = self.scene.days[-30]
        columns = "open, high, low, close, volume, amount"
        return Question(
            "whole market, 1 day",
            50,
            {
                "ours": (lambda: self.data.cross_section(day), _closes),
                "v1": (lambda: v1.cross_section(self.engine, day), _dict_closes),
                "influx": (lambda: self._select(columns, day, day, " GROUP BY symbol"), _closes),
            },
        )

    def five_minutes(self) -> Question:
        day = self.scene.minute_days[-2]
        span = (datetime.combine(day, time()), datetime.combine(day, time(23, 59)))
        columns = (
            "FIRST(open) AS open, MAX(high) AS high, MIN(low) AS low, LAST(close) AS close, "
            "SUM(volume) AS volume, SUM(amount) AS amount"
        )
        # A bar is labelled by its close, InfluxQL's windows by their start and closed on the left: one minute less.
        grouped = " GROUP BY symbol, time(5m, 1m) fill(none)"
        return Question(
            f"{len(self.scene.minute_symbols)} symbols, 1 day of minutes to 5-minute bars",
            20,
            {
                "ours": (lambda: self.data.get_many(None, day, day, "5min"), _closes),
                "v1": (
                    lambda: v1.five_minute_bars(self.engine, self.scene.minute_symbols, *span),
                    _frames_closes,
                ),
                "influx": (lambda: self._select(columns, day, day, grouped, "stock_minute_data"), _closes),
            },
            FLOAT32,
        )

    def monthly(self) -> Question:
        return Question(
            "monthly mean volume and last close by symbol, whole history",
            20,
            {
                "ours": (
                    lambda: self.data.aggregate(Query(DAILY), MONTHLY),
                    _two_columns("volume", "close", 1),
                ),
                "v1": (
                    lambda: v1.monthly_aggregate(self.engine),
                    _two_columns("mean_vol", "last_close", 100),
                ),
                "influx": (self._influx_months, _two_columns("volume", "close", 1)),
            },
            1e-6,  # MariaDB's AVG keeps four decimals
            small_only=("influx",),
        )

    def matrix(self) -> Question:
        return Question(
            "all closes as a matrix",
            20,
            {
                "ours": (lambda: self.data.panel(["close"]), lambda panel: _finite(panel["close"])),
                "v1": (lambda: v1.close_matrix(self.engine), lambda frame: _finite(frame.to_numpy())),
                "influx": (self._matrix, lambda frame: _finite(frame.to_numpy())),
            },
            small_only=("v1", "influx"),
        )

    def volatility(self) -> Question:
        return Question(
            "20-day volatility of every symbol, whole history",
            20,
            {
                "ours": (self._our_volatility, lambda frame: _finite(frame["volatility"].to_numpy())),
                "v1": (
                    lambda: v1.volatility_by_group(self.engine),
                    lambda frame: _finite(frame["volatility_20d"].to_numpy(float)),
                ),
                "influx": (self._influx_volatility, lambda series: _finite(series.to_numpy(float))),
            },
            1e-6,
            noise=1e-7,  # where a price stands still, running sums leave a few last bits instead of nothing
            small_only=("v1", "influx"),
        )

    def _our_volatility(self) -> pl.DataFrame:
        frame = self.data.get_many(None, fields=["close"]).to_polars()
        change = pl.col("close").pct_change().over("symbol")
        return frame.with_columns(change=change).with_columns(
            volatility=pl.col("change").rolling_std(20).over("symbol")
        )

    def _influx_volatility(self) -> pd.Series:
        frame = self._select("close", None, None, " GROUP BY symbol")
        change = frame.groupby("symbol", sort=False)["close"].pct_change()
        return change.groupby(frame["symbol"], sort=False).rolling(20).std()

    def _matrix(self) -> pd.DataFrame:
        frame = self._select("close", None, None, " GROUP BY symbol")
        return frame.pivot(index="time", columns="symbol", values="close")

    def _influx_months(self) -> pd.DataFrame:
        """InfluxQL knows no calendar months, so each month is one query."""
        months = pd.date_range(self.scene.days[0].replace(day=1), self.last, freq="MS").date
        columns = "MEAN(volume) AS volume, LAST(close) AS close"
        parts = []
        for first in months:
            last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
            parts.append(self._select(columns, first, last, " GROUP BY symbol"))
        return pd.concat([part for part in parts if len(part)], ignore_index=True)

    def _bars(self, measurement: str, symbol: str, first: date, last: date) -> pd.DataFrame:
        where = f"symbol = $symbol AND {_between(first, last, measurement)}"
        columns = "open, high, low, close, volume, amount"
        return self.influx.frame(
            f"SELECT {columns} FROM {self._table(measurement)} WHERE {where}",
            symbol=symbol,
        )

    def _select(
        self, columns: str, first: date | None, last: date | None, group: str, measurement: str = DAILY.name
    ) -> pd.DataFrame:
        where = "" if first is None or last is None else f" WHERE {_between(first, last, measurement)}"
        return self.influx.frame(f"SELECT {columns} FROM {self._table(measurement)}{where}{group}")

    @staticmethod
    def _table(measurement: str) -> str:
        return f'"quantflux"."{measurement}"."{measurement}"'


def _between(first: date, last: date, measurement: str) -> str:
    """Daily rows stand at midnight UTC of their day, minute bars at the instant of their close."""
    if measurement == DAILY.name:
        return f"time >= '{first}T00:00:00Z' AND time <= '{last}T00:00:00Z'"
    start = datetime.combine(first, time(), SHANGHAI).timestamp()
    end = datetime.combine(last, time(23, 59), SHANGHAI).timestamp()
    return f"time >= {int(start)}s AND time <= {int(end)}s"


def _longest(scene: Scene, symbols: list[str], dataset: Any) -> str:
    """Return a symbol that was traded through the whole span."""
    data = scene.platform.data
    lengths = {
        s: len(data.get_stock_data(s, fields=["close"])) for s in symbols[:: max(len(symbols) // 40, 1)]
    }
    return max(lengths, key=lambda s: lengths[s])


def _closes(answer: Any) -> NDArray[np.float64]:
    return np.asarray(answer["close"], dtype=np.float64)


def _dict_closes(rows: list[dict[str, Any]]) -> NDArray[np.float64]:
    return np.array([row["close"] for row in rows], dtype=np.float64)


def _frames_closes(frames: dict[str, pd.DataFrame]) -> NDArray[np.float64]:
    return np.concatenate([frame["close"].to_numpy(float) for frame in frames.values()])


def _two_columns(volume: str, close: str, lot: int) -> Figures:
    def figures(answer: Any) -> NDArray[np.float64]:
        return np.concatenate(
            [np.asarray(answer[volume], dtype=np.float64) * lot, np.asarray(answer[close], dtype=np.float64)]
        )

    return figures


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
