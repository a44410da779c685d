"""The MySQL system's way of doing the work that the benchmark times: its tables, its ORM models, its pandas loops.

Nothing here is made slower than v1: the same columns and keys, the same SQLAlchemy models with a pre-pinged pool, the
same statements. Where a developer on that schema would reasonably do better, both are here, and the name says which
(`volatility_by_mask` is v1's code path, `volatility_by_group` the fair one).
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from pymysql.connections import Connection
from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Engine,
    Index,
    Integer,
    Numeric,
    String,
    create_engine,
    text,
)
from sqlalchemy.dialects.mysql import FLOAT
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from tests.services.mariadb import MariaDBServer, binary

from quantflux.data.adapters.mysql.ddl import create_table

HISTORY_LIMIT = 1000


class Base(DeclarativeBase):
    """v1's models."""


class StockDailyHistory(Base):
    """v1's daily bars: volume in lots, amount in thousands of yuan."""

    __tablename__ = "stock_daily_history"

    ts_code: Mapped[str] = mapped_column(String(20), primary_key=True)
    trade_date: Mapped[date] = mapped_column(Date, primary_key=True)
    open: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    high: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    low: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    close: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    pre_close: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    change_c: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    pct_chg: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    vol: Mapped[int] = mapped_column(BigInteger, nullable=True)
    amount: Mapped[Any] = mapped_column(Numeric(20, 2), nullable=True)

    def to_dict(self) -> dict[str, Any]:
        """v1's answer for one row, with its truthiness test (a stored 0 becomes None)."""
        return {
            "ts_code": self.ts_code,
            "trade_date": self.trade_date.isoformat() if self.trade_date else None,
            "open": float(self.open) if self.open else None,
            "high": float(self.high) if self.high else None,
            "low": float(self.low) if self.low else None,
            "close": float(self.close) if self.close else None,
            "pre_close": float(self.pre_close) if self.pre_close else None,
            "change_c": float(self.change_c) if self.change_c else None,
            "pct_chg": float(self.pct_chg) if self.pct_chg else None,
            "vol": self.vol,
            "amount": float(self.amount) if self.amount else None,
        }


class StockMinuteData(Base):
    """v1's minute bars: 4-byte floats, no unique key."""

    __tablename__ = "stock_minute_data"
    __table_args__ = (
        Index("idx_datetime_period", "datetime", "period_type"),
        Index("idx_ts_code_datetime_period", "ts_code", "datetime", "period_type"),
        Index("idx_ts_code_period", "ts_code", "period_type"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    ts_code: Mapped[str] = mapped_column(String(20))
    datetime: Mapped[datetime] = mapped_column(DateTime)
    period_type: Mapped[str] = mapped_column(String(10), default="1min")
    open: Mapped[float] = mapped_column(FLOAT)
    high: Mapped[float] = mapped_column(FLOAT)
    low: Mapped[float] = mapped_column(FLOAT)
    close: Mapped[float] = mapped_column(FLOAT)
    volume: Mapped[int] = mapped_column(BigInteger, default=0)
    amount: Mapped[float] = mapped_column(FLOAT, default=0.0)
    pre_close: Mapped[float] = mapped_column(FLOAT, nullable=True)
    change: Mapped[float] = mapped_column(FLOAT, nullable=True)
    pct_chg: Mapped[float] = mapped_column(FLOAT, nullable=True)
    created_at: Mapped[Any] = mapped_column(DateTime, nullable=True)
    updated_at: Mapped[Any] = mapped_column(DateTime, nullable=True)

    def to_dict(self) -> dict[str, Any]:
        """v1's answer for one bar."""
        return {
            "id": self.id,
            "ts_code": self.ts_code,
            "datetime": self.datetime.isoformat() if self.datetime else None,
            "period_type": self.period_type,
            "open": self.open,
            "high": self.high,
            "low": self.low,
            "close": self.close,
            "volume": self.volume,
            "amount": self.amount,
            "pre_close": self.pre_close,
            "change": self.change,
            "pct_chg": self.pct_chg,
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "updated_at": self.updated_at.isoformat() if self.updated_at else None,
        }


def engine_of(server: MariaDBServer, database: str) -> Engine:
    """Return an engine set up as v1's: a pool of ten, recycled hourly, pinged before use."""
    url = f"mysql+pymysql://{server.user}@{server.host}:{server.port}/{database}?charset=utf8mb4"
    return create_engine(url, pool_size=10, pool_recycle=3600, pool_pre_ping=True)


# Loading


def load_v1(
    server: MariaDBServer, database: str, daily: pa.Table | None = None, minutes: pa.Table | None = None
) -> None:
    """Make v1's tables and fill them as fast as MariaDB can: `LOAD DATA` from a CSV file.

    Parameters
    ----------
    daily, minutes : pyarrow.Table or None
        Canonical rows sorted by key, as `conform.conform` returns them.
    """
    for name, rows in (("stock_daily_history", daily), ("stock_minute_data", minutes)):
        server.execute(create_table(name), database)
        if rows is not None:
            _load_data(server, database, name, daily_rows(rows) if rows is daily else minute_rows(rows))
    for name in ("stock_daily_history", "stock_minute_data"):
        server.execute(f"ANALYZE TABLE {name}", database)


def daily_rows(rows: pa.Table) -> pa.Table:
    """Return canonical daily bars in v1's columns and units, with the previous close of each."""
    close = rows.column("close").to_numpy()
    factor = rows.column("adj_factor").fill_null(1.0).to_numpy()
    codes = rows.column("symbol").combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.diff(codes, prepend=-1) != 0
    previous = np.round(np.roll(close, 1) * np.roll(factor, 1) / factor, 2)
    previous[first] = close[first]
    columns: dict[str, Any] = {"ts_code": rows.column("symbol"), "trade_date": rows.column("trade_date")}
    columns |= {name: rows.column(name) for name in ("open", "high", "low", "close")}
    columns |= {
        "pre_close": previous,
        "change_c": np.round(close - previous, 2),
        "pct_chg": np.round((close / previous - 1) * 100, 2),
        "vol": pc.divide(rows.column("volume"), 100),
        "amount": np.round(rows.column("amount").to_numpy() / 1000, 2),
    }
    return pa.table(columns)


def minute_rows(rows: pa.Table) -> pa.Table:
    """Return canonical minute bars in v1's columns and units; its `pre_close` is the previous bar's."""
    close = rows.column("close").to_numpy()
    codes = rows.column("symbol").combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.diff(codes, prepend=-1) != 0
    previous = np.where(first, rows.column("open").to_numpy(), np.roll(close, 1))
    wall = pc.strftime(
        pc.local_timestamp(rows.column("bar_time")).cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S"
    )
    columns: dict[str, Any] = {
        "ts_code": rows.column("symbol"),
        "datetime": wall,
        "period_type": pa.array(["1min"] * rows.num_rows),
    }
    columns |= {name: rows.column(name) for name in ("open", "high", "low", "close", "volume", "amount")}
    columns |= {
        "pre_close": previous,
        "change": np.round(close - previous, 4),
        "pct_chg": np.round((close / previous - 1) * 100, 4),
        "created_at": wall,
        "updated_at": wall,
    }
    return pa.table(columns)


def _load_data(server: MariaDBServer, database: str, table: str, rows: pa.Table) -> None:
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        pa_csv.write_csv(rows, file, pa_csv.WriteOptions(include_header=False))
        file.flush()
        columns = ", ".join(f"`{name}`" for name in rows.column_names)
        statement = (
            f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE {table} CHARACTER SET utf8mb4 "
            f"FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\n' ({columns})"
        )
        with server.connect(database, local_infile=True, read_timeout=3600) as connection:
            connection.cursor().execute(statement)


def load_row_by_row(
    connection: Connection[Any], frame: pd.DataFrame, table: str = "stock_daily_history"
) -> None:
    """Fill a table as v1's loaders do: one INSERT per row inside `iterrows`, committed at the end."""
    names = ", ".join(f"`{name}`" for name in frame.columns)
    statement = f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(frame.columns))})"
    connection.autocommit(False)
    with connection.cursor() as cursor:
        for _, row in frame.iterrows():
            cursor.execute(statement, tuple(row))
    connection.commit()


# Queries


def daily_history(engine: Engine, symbol: str, start: date, end: date) -> list[dict[str, Any]]:
    """Return one symbol's bars of a span, newest first, as v1's history route does."""
    with Session(engine) as session:
        query = session.query(StockDailyHistory).filter(StockDailyHistory.ts_code == symbol)
        query = query.filter(StockDailyHistory.trade_date >= start, StockDailyHistory.trade_date <= end)
        return [row.to_dict() for row in query.order_by(StockDailyHistory.trade_date.desc()).all()]


def latest_history(engine: Engine, symbol: str, limit: int = HISTORY_LIMIT) -> list[dict[str, Any]]:
    """Return one symbol's latest bars, newest first, as `GET /stocks/{code}/history?limit=` does."""
    with Session(engine) as session:
        query = session.query(StockDailyHistory).filter(StockDailyHistory.ts_code == symbol)
        rows = query.order_by(StockDailyHistory.trade_date.desc()).limit(limit).all()
        return [row.to_dict() for row in rows]


def minute_bars(engine: Engine, symbol: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return one symbol's one-minute bars of a span, oldest first."""
    with Session(engine) as session:
        return [bar.to_dict() for bar in _minute_query(session, symbol, start, end).all()]


def _minute_query(session: Session, symbol: str, start: datetime, end: datetime) -> Any:
    query = session.query(StockMinuteData).filter(StockMinuteData.ts_code == symbol)
    query = query.filter(StockMinuteData.period_type == "1min")
    query = query.filter(StockMinuteData.datetime >= start, StockMinuteData.datetime <= end)
    return query.order_by(StockMinuteData.datetime)


def cross_section(engine: Engine, day: date) -> list[dict[str, Any]]:
    """Return every stock's bar of one day: a full scan on v1's keys."""
    with Session(engine) as session:
        rows = session.query(StockDailyHistory).filter(StockDailyHistory.trade_date == day).all()
        return [row.to_dict() for row in rows]


def monthly_aggregate(engine: Engine) -> pd.DataFrame:
    """Return mean volume and last close by symbol and month, in SQL as one writes it on that schema."""
    statement = (
        "SELECT ts_code, DATE_FORMAT(trade_date, '%Y-%m') AS month, AVG(vol) AS mean_vol, "
        "SUBSTRING_INDEX(GROUP_CONCAT(close ORDER BY trade_date DESC), ',', 1) AS last_close "
        "FROM stock_daily_history GROUP BY ts_code, DATE_FORMAT(trade_date, '%Y-%m')"
    )
    with engine.connect() as connection:
        return pd.read_sql(text(statement), connection)


def five_minute_bars(
    engine: Engine, symbols: Iterable[str], start: datetime, end: datetime
) -> dict[str, pd.DataFrame]:
    """Return 5-minute bars by symbol as v1's aggregation does: all bars as objects, to dicts, to pandas, resampled."""
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "amount": "sum"}
    result = {}
    with Session(engine) as session:
        for symbol in symbols:
            frame = pd.DataFrame([bar.to_dict() for bar in _minute_query(session, symbol, start, end).all()])
            if frame.empty:
                continue
            frame["datetime"] = pd.to_datetime(frame["datetime"])
            bars = frame.set_index("datetime").resample("5min", label="right", closed="right").agg(rules)
            result[symbol] = bars.dropna()
    return result


def volatility_by_mask(engine: Engine, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return 20-day volatility over the whole history as v1 computes factors: a mask over the whole frame per stock."""
    data = _all_columns(engine, symbols)
    results = []
    for code in data["ts_code"].unique():
        stock = data[data["ts_code"] == code].sort_values("trade_date").copy()
        stock["volatility_20d"] = stock["close"].pct_change().rolling(window=20).std()
        results.append(stock[["ts_code", "trade_date", "volatility_20d"]])
    return pd.concat(results, ignore_index=True)


def volatility_by_group(engine: Engine, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the same with one groupby: what a careful developer would write on v1's schema."""
    data = _all_columns(engine, symbols).sort_values(["ts_code", "trade_date"])
    returns = data.groupby("ts_code", sort=False)["close"].pct_change()
    rolled = returns.groupby(data["ts_code"], sort=False).rolling(20).std()
    data["volatility_20d"] = rolled.reset_index(level=0, drop=True)
    return data[["ts_code", "trade_date", "volatility_20d"]]


def _all_columns(engine: Engine, symbols: Sequence[str] | None) -> pd.DataFrame:
    """Read all columns, as v1's factor engine does before each factor."""
    with Session(engine) as session:
        query = session.query(StockDailyHistory)
        if symbols is not None:
            query = query.filter(StockDailyHistory.ts_code.in_(symbols))
        statement = query.order_by(StockDailyHistory.ts_code, StockDailyHistory.trade_date).statement
        with engine.connect() as connection:
            data = pd.read_sql(statement, connection)
    for name in ("open", "high", "low", "close", "pre_close", "change_c", "pct_chg", "amount"):
        data[name] = data[name].astype(float)
    return data


def close_matrix(engine: Engine) -> pd.DataFrame:
    """Return all closes, days by symbols."""
    statement = text("SELECT ts_code, trade_date, close FROM stock_daily_history")
    with engine.connect() as connection:
        data = pd.read_sql(statement, connection)
    data["close"] = data["close"].astype(float)
    return data.pivot(index="trade_date", columns="ts_code", values="close")


# Backup


def back_up(server: MariaDBServer, database: str, target: Path) -> None:
    """Dump a database through gzip, as v1's operators do."""
    dump = [binary("mariadb-dump"), *_client(server), "--single-transaction", "--quick", database]
    with (
        subprocess.Popen(dump, stdout=subprocess.PIPE) as process,
        gzip.open(target, "wb", compresslevel=6) as file,
    ):
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, file, 1 << 20)
    if process.returncode:
        raise RuntimeError(f"mariadb-dump ended with {process.returncode}")


def restore(server: MariaDBServer, database: str, source: Path) -> None:
    """Load a dump into an existing, empty database."""
    client = [binary("mariadb"), *_client(server), database]
    with subprocess.Popen(client, stdin=subprocess.PIPE) as process, gzip.open(source, "rb") as file:
        assert process.stdin is not None
        shutil.copyfileobj(file, process.stdin, 1 << 20)
    if process.returncode:
        raise RuntimeError(f"mariadb ended with {process.returncode}")


def _client(server: MariaDBServer) -> list[str]:
    return ["--no-defaults", f"--host={server.host}", f"--port={server.port}", f"--user={server.user}"]
