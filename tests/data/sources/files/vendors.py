"""The clean market written the way each vendor writes it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from quantflux.core.symbols import to_akshare, to_baostock, to_yahoo
from tests.data.quality.market import clean_daily

SHANGHAI_AND_SHENZHEN = ("000001.SZ", "300750.SZ", "600519.SH")


def market() -> pl.DataFrame:
    return clean_daily(SHANGHAI_AND_SHENZHEN)


def _spelled(spell: object) -> pl.Expr:
    return pl.col("symbol").replace_strict({s: spell(s) for s in SHANGHAI_AND_SHENZHEN})  # type: ignore[operator]


def _previous() -> pl.Expr:
    return pl.col("close").shift(1).over("symbol").fill_null(pl.col("open"))


def akshare(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col("trade_date").cast(pl.String).alias("日期"),
        _spelled(to_akshare).alias("股票代码"),
        pl.col("open").alias("开盘"),
        pl.col("close").alias("收盘"),
        pl.col("high").alias("最高"),
        pl.col("low").alias("最低"),
        (pl.col("volume") / 100).cast(pl.Int64).alias("成交量"),
        pl.col("amount").alias("成交额"),
        pl.lit(1.0).alias("振幅"),
        pl.lit(1.0).alias("涨跌幅"),
        pl.lit(0.1).alias("涨跌额"),
        pl.lit(0.5).alias("换手率"),
    )


def eastmoney(frame: pl.DataFrame) -> pl.DataFrame:
    return akshare(frame).select(pl.lit("名字").alias("股票名称"), pl.all())


def tushare(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col("symbol").alias("ts_code"),
        pl.col("trade_date").dt.strftime("%Y%m%d"),
        "open",
        "high",
        "low",
        "close",
        _previous().alias("pre_close"),
        (pl.col("close") - _previous()).round(2).alias("change"),
        ((pl.col("close") / _previous() - 1) * 100).round(4).alias("pct_chg"),
        (pl.col("volume") / 100).alias("vol"),
        (pl.col("amount") / 1000).alias("amount"),
    )


def v1_daily(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        tushare(frame)
        .with_columns(
            pl.col("trade_date").str.to_date("%Y%m%d").cast(pl.String), pl.col("vol").cast(pl.Int64)
        )
        .rename({"change": "change_c"})
    )


def baostock(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col("trade_date").cast(pl.String).alias("date"),
        _spelled(to_baostock).alias("code"),
        *(pl.col(n).cast(pl.String) for n in ("open", "high", "low", "close")),
        _previous().cast(pl.String).alias("preclose"),
        pl.col("volume").cast(pl.Int64).cast(pl.String),
        pl.col("amount").cast(pl.String),
        pl.lit("3").alias("adjustflag"),
        pl.lit("0.5").alias("turn"),
        pl.lit("1").alias("tradestatus"),
        pl.lit("1.0").alias("pctChg"),
        pl.lit("0").alias("isST"),
    )


def canonical(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("volume").cast(pl.Int64))


def yahoo(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col("trade_date").cast(pl.String).alias("Date"),
        pl.col("open").alias("Open"),
        pl.col("high").alias("High"),
        pl.col("low").alias("Low"),
        pl.col("close").alias("Close"),
        pl.col("close").alias("Adj Close"),
        pl.col("volume").cast(pl.Int64).alias("Volume"),
        _spelled(to_yahoo).alias("Symbol"),
    )


def generic_chinese(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        _spelled(to_akshare).alias("代码"),
        pl.col("trade_date").dt.strftime("%Y/%m/%d").alias("交易日期"),
        pl.col("open").alias("开盘价"),
        pl.col("high").alias("最高价"),
        pl.col("low").alias("最低价"),
        pl.col("close").alias("收盘价"),
        pl.col("volume").alias("成交量"),
        pl.col("amount").alias("成交金额"),
    )


WRITERS = {
    "canonical": canonical,
    "akshare": akshare,
    "eastmoney": eastmoney,
    "tushare": tushare,
    "v1-daily": v1_daily,
    "baostock": baostock,
    "yahoo": yahoo,
    "generic": generic_chinese,
}


def write(frame: pl.DataFrame, path: Path, encoding: str = "utf-8", separator: str = ",") -> Path:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        path.write_bytes(frame.write_csv(separator=separator).encode(encoding))
    return path
