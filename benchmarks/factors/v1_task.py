"""The 18 factors of v1: its loop on MariaDB beside the factor engine, for one day and for whole histories.

Both run in one process, so their memory is not told apart. The market has no dividends, because v1 takes them for
losses and we do not: so both are asked for the same numbers.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import Engine
from tests.services.mariadb import MariaDBServer

from benchmarks import v1
from benchmarks.factors import v1_loop
from benchmarks.factors.agreement import compare
from benchmarks.factors.judging import FEW
from benchmarks.rivals.measuring import Measured, Say
from benchmarks.rivals.protocol import worked_seconds
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.scene import LAST_DAY, SEED
from quantflux.config import Settings
from quantflux.core.clock import SystemClock
from quantflux.core.panel import Panel
from quantflux.data.adapters.mysql import open_store
from quantflux.data.schema import CHIP, DAILY, DAILY_BASIC, MONEYFLOW, Dataset, dataset
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

COMPARED = {
    "momentum_1d": 2, "momentum_5d": 6, "momentum_20d": 21, "volatility_20d": 21, "volume_ratio_20d": 20,
    "price_to_ma20": 20, "pe_percentile": 252, "pb_percentile": 252, "ps_percentile": 252, "money_flow_strength": 1,
    "money_flow_momentum": 5, "chip_concentration": 1, "winner_rate_change": 6,
}  # fmt: skip
"""Factors that mean the same to both, and the days that each looks at. The others were wrong or empty in v1."""

RTOL, ATOL = 1e-3, 1e-4
"""v1's columns have two to four decimals."""


@dataclass
class V1Scene:
    """The same rows in v1's tables and in a platform."""

    platform: Platform
    engine: Engine
    symbols: list[str]
    days: list[date]
    parts: dict[str, float] = field(default_factory=dict)
    """Seconds of v1 by factor."""

    def v1_way(self, start: date, end: date) -> dict[str, pd.DataFrame]:
        """Compute all 18 factors one after the other, as v1 does."""
        answers = {}
        for factor in v1_loop.FACTORS:
            begun = time.perf_counter()
            answers[factor] = v1_loop.calculate(self.engine, factor, self.symbols, start, end)
            self.parts[factor] = time.perf_counter() - begun
        return answers

    def forget(self) -> None:
        """Drop the values that the engine has stored."""
        shutil.rmtree(self.platform.settings.factor_directory / "values", ignore_errors=True)


def measure_v1(work: Path, report: RivalReport, say: Say, *, companies: int, years: int) -> None:
    """Add two tables: all companies on one day, an eighth of them over all years."""
    say("v1's factors, one day: loading")
    with v1_scene(work / "day", companies, 2) as scene:
        day = scene.days[-1]
        asks = _asks(
            scene,
            ours=lambda: scene.platform.factors.calculate(None, day, ["v1"]),
            v1_way=lambda: scene.v1_way(day, day),
        )
        _add(report, say, "v1's 18 factors, one day", scene, asks, _check(scene, scene.v1_way(day, day), say))
    say("v1's factors, whole histories: loading")
    with v1_scene(work / "history", companies // 8, years) as scene:
        first, last = scene.days[0], scene.days[-1]
        asks = _asks(
            scene,
            ours=lambda: scene.platform.factors.compute(["v1"]),
            v1_way=lambda: scene.v1_way(first, last),
        )
        note = _check(scene, scene.v1_way(first, last), say)
        _add(report, say, "v1's 18 factors, whole histories", scene, asks, note)


def _asks(
    scene: V1Scene, ours: Callable[[], object], v1_way: Callable[[], object]
) -> dict[str, Callable[[], object]]:
    def nothing_stored() -> object:
        scene.forget()
        return ours()

    return {
        f"{OURS}, nothing stored": nothing_stored,
        f"{OURS}, values stored": ours,
        "v1's loop on MariaDB": v1_way,
    }


def _check(scene: V1Scene, answers: dict[str, pd.DataFrame], say: Say) -> str:
    """Raise if v1's values are not ours where they mean the same, and say how they were compared."""
    ours = scene.platform.factors.compute(["v1"])
    compared = [name for name in COMPARED if len(answers[name])]
    wrong = {name: _wrong(name, answers[name], ours, scene) for name in compared}
    say(f"v1's factors: parts of values that differ: {wrong}")
    if max(wrong.values()) > FEW:
        raise RuntimeError(f"v1's way and ours disagree: {wrong}")
    return (
        f"{len(compared)} factors mean the same to both and have values in v1; they were found equal where windows "
        "have no gaps."
    )


def _add(
    report: RivalReport,
    say: Say,
    title: str,
    scene: V1Scene,
    asks: dict[str, Callable[[], object]],
    note: str = "",
) -> None:
    rows = [_measure(label, ask) for label, ask in asks.items()]
    size = {"symbols": len(scene.symbols), "days": len(scene.days), "factors": len(v1_loop.FACTORS)}
    report.tables.append(Table(title, size, rows, {}, note))
    for row in rows:
        say(f"{title}: {row.label}: {row.seconds:.3g} s")
    say(f"{title}: v1 by factor: { {name: round(seconds, 2) for name, seconds in scene.parts.items()} }")


def _measure(label: str, ask: Callable[[], object]) -> Measured:
    """Time something a few times, unless it is slow."""
    seconds, worked = [], []
    for _ in range(4):
        begun, processors = time.perf_counter(), worked_seconds()
        ask()
        seconds.append(time.perf_counter() - begun)
        worked.append(worked_seconds() - processors)
        if seconds[0] > 5:
            break
    kept = slice(1, None) if len(seconds) > 1 else slice(None)
    return Measured(
        label,
        1,
        float(np.median(seconds[kept])),
        float(np.median(worked[kept])),
        0,
        len(seconds[kept]),
    )


def _wrong(name: str, found: pd.DataFrame, ours: Panel, scene: V1Scene) -> float:
    """Return the part of v1's values that differ from ours, where the windows have no gaps."""
    theirs = found.pivot(index="trade_date", columns="ts_code", values="factor_value")
    days = np.asarray(theirs.index.values, dtype="datetime64[D]")
    rows = np.searchsorted(ours.times.astype("datetime64[D]"), days)
    columns = np.searchsorted(ours.symbols, theirs.columns.to_numpy().astype(str))
    own = np.asarray(ours[name])[np.ix_(rows, columns)]
    known = _known(name, scene)[np.ix_(rows, columns)]
    full = _full(known, COMPARED[name])
    values = theirs.to_numpy() * (1e4 if name == "money_flow_momentum" else 1.0)
    return compare(values, own, full & ~np.isnan(values), rtol=RTOL, atol=ATOL).share_wrong()


def _known(name: str, scene: V1Scene) -> NDArray[np.bool_]:
    """Return where a factor has what it looks at."""
    if not name.endswith("_percentile"):
        return np.isfinite(scene.platform.data.panel(["close"])["close"])
    column = {"pe": "pe_ttm", "pb": "pb", "ps": "ps_ttm"}[name.removesuffix("_percentile")]
    return np.asarray(scene.platform.data.panel([column], dataset=DAILY_BASIC)[column] > 0)


def _full(traded: NDArray[np.bool_], window: int) -> NDArray[np.bool_]:
    count = np.cumsum(np.vstack([np.zeros((1, traded.shape[1]), np.int64), traded]), axis=0)
    full = np.zeros_like(traded)
    full[window - 1 :] = count[window:] - count[:-window] == window
    return full


@contextmanager
def v1_scene(folder: Path, companies: int, years: int) -> Iterator[V1Scene]:
    """Fill v1's database and a platform with one market."""
    first = date(LAST_DAY.year - years + 1, 1, 1)
    market = SyntheticMarket(SEED, companies, first, LAST_DAY)
    (folder / "mariadb").mkdir(parents=True)
    with ExitStack() as stack:
        options = ["--innodb-buffer-pool-size=2G", "--innodb-flush-log-at-trx-commit=2"]
        server = stack.enter_context(MariaDBServer.temporary(options, folder / "mariadb"))
        database = server.create_database("stock_cursor")
        theirs = open_store(
            SystemClock(), host=server.host, port=server.port, user=server.user, database=database, rounding="v1",
            write_timeout=600,
        )  # fmt: skip
        stack.callback(theirs.close)
        platform = stack.enter_context(Platform.open(Settings(data_dir=folder / "quantflux")))
        for kind, table in _tables(market):
            platform.store.write(kind, table)
            theirs.write(kind, _first_reports(table) if "end_date" in table.column_names else table)
        engine = v1.engine_of(server, database)
        stack.callback(engine.dispose)
        platform.factors.calculate(None, LAST_DAY, ["v1"])  # builds the panels, compiles the kernels
        days = [day.astype(object) for day in market.sessions]
        yield V1Scene(platform, engine, platform.data.symbols(DAILY), days)


def _first_reports(table: pa.Table) -> pa.Table:
    """Return what v1 keeps of statements: one row for each period."""
    frame = table.select(["symbol", "end_date"]).to_pandas()
    return table.filter(pa.array(~frame.duplicated().to_numpy()))


def _rounded(table: pa.Table, decimals: dict[str, int]) -> pa.Table:
    """Round columns to what v1's columns hold, so that both see the same numbers."""
    for name, places in decimals.items():
        column = pc.round(table.column(name), places)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table


def _tables(market: SyntheticMarket) -> Iterator[tuple[Dataset, pa.Table]]:
    for daily, basic in market.tables():
        place = daily.schema.get_field_index("adj_factor")
        ones = pa.array(np.ones(daily.num_rows))
        yield DAILY, daily.set_column(place, daily.schema.field("adj_factor"), ones)
        yield DAILY_BASIC, _rounded(basic, {"pe_ttm": 2, "pb": 2, "ps_ttm": 2})
    for flow, chip in market.flow_tables():
        yield MONEYFLOW, _rounded(flow, {"net_mf_amount": -2})
        yield CHIP, chip
    for statements in market.statement_tables():
        for name, table in statements.items():
            yield dataset(name), table
