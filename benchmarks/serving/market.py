"""The market that is served: the same daily bars in an installation of ours and in v1's tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from benchmarks.scene import LAST_DAY, SEED
from quantflux.config import Settings
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform


@dataclass(frozen=True)
class Market:
    """What is served.

    Attributes
    ----------
    symbols : list of str
        All that traded in the last year.
    days : list of date
        Sessions of the last five years.
    """

    symbols: list[str]
    days: list[date]


def write_market(companies: int, years: int, folder: Path) -> tuple[Market, pa.Table]:
    """Write daily bars, valuation and instruments into an installation, and compute factors of them.

    Returns
    -------
    tuple of Market and Table
        With all daily bars, sorted, for v1's tables.
    """
    first = LAST_DAY.replace(year=LAST_DAY.year - years + 1, month=1, day=1)
    source = SyntheticMarket(SEED, companies, first, LAST_DAY)
    with Platform.open(Settings(data_dir=folder)) as platform:
        daily = list(_written(platform, source))
        platform.store.write(INSTRUMENTS, source.instruments())
        platform.store.write(CORPORATE_ACTIONS, source.corporate_actions())
        platform.data.compact(DAILY, keep_history=timedelta())
        platform.data.panel(["close"])
        for library in FACTORS:
            platform.factors.update([library])
        last_year = platform.data.panel(["close"], start=LAST_DAY - timedelta(days=365))
        days = [day.astype("datetime64[D]").astype(object) for day in platform.data.panel(["close"]).times]
    return Market(list(last_year.symbols), days), pa.concat_tables(daily).sort_by(
        [(name, "ascending") for name in DAILY.key]
    )


FACTORS = ("classic",)


def _written(platform: Platform, source: SyntheticMarket) -> Iterator[pa.Table]:
    for daily, basic in source.tables():
        platform.store.write(DAILY, daily)
        platform.store.write(DAILY_BASIC, basic)
        yield daily
