"""quantflux alone: how its time grows with symbols, days and threads, and what one added day takes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.factors.market import MarketSize
from benchmarks.factors.tasks import Bench
from benchmarks.rivals.measuring import Measured, Say, measure_in_turn
from benchmarks.rivals.protocol import Market, peak_memory, reset_peak, worked_seconds
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.scene import LAST_DAY, SEED
from quantflux.config import Settings
from quantflux.data.schema import DAILY
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.factors.libraries import load_library
from quantflux.platform import Platform

ADDED_DAYS = 5


def measure_growth(bench: Bench) -> None:
    """Measure Alpha158 on parts of the market: a quarter, half and all of its symbols, half of its days."""
    market = Market(bench.market)
    symbols, days = len(market.symbols), len(market.sessions)
    expressions = {factor.id: factor.expression for factor in load_library("alpha158").factors}
    path = bench.write_expressions("growth", expressions)
    parts = [(symbols // 4, days), (symbols // 2, days), (symbols, days), (symbols, days // 2)]
    rows = []
    for part in parts:
        cut = ("--overwrite", "--symbols", part[0], "--days", part[1])
        both = [bench.ours(path, threads, "float32", *cut) for threads in (1, 2)]
        for ours in both:
            ours.label += f", {part[0]:,} symbols, {part[1]:,} days"
        with (
            both[0],
            both[1],
        ):  # one part at a time: eight rivals would want more memory than many machines have
            rows += measure_in_turn(both, bench.say, calls=9)
    note = (
        "Answers are written over the last ones, so that no fresh memory is asked for; one thread and two take turns. "
        "The column before the last says how many times as long as the first row of as many threads."
    )
    bench.add(Table("Alpha158 on parts of the market", bench.size(len(expressions)), rows, {}, note))


def measure_added_day(size: MarketSize, work: Path, report: RivalReport, say: Say) -> None:
    """Measure bringing stored values of Alpha158 up to date, from the store's rows on, beside computing them all."""
    market = SyntheticMarket(SEED, size.companies, size.first_day, LAST_DAY)
    later = [day.astype(object) for day in market.sessions[-ADDED_DAYS:]]
    say("one added day: loading")
    with Platform.open(Settings(data_dir=work)) as platform:
        held_back = []
        for table in market.daily_tables():
            is_later = pc.greater_equal(table["trade_date"], pa.scalar(later[0]))
            platform.store.write(DAILY, table.filter(pc.invert(is_later)))
            held_back.append(table.filter(is_later))
        added = pa.concat_tables(held_back)
        everything = [_timed(platform)]
        one_day = []
        for day in later:
            platform.store.write(DAILY, added.filter(pc.equal(added["trade_date"], pa.scalar(day))))
            one_day.append(_timed(platform))
        factors = _check_last_day(platform, later)
        names = {
            "symbols": len(platform.data.symbols(DAILY)),
            "days": len(market.sessions),
            "factors": factors,
        }
    rows = [
        _summed(f"{OURS}, one added day", one_day),
        _summed(f"{OURS}, everything, kept on disk", everything),
    ]
    note = (
        "From the columnar store's rows to stored values, panels and saved states included, on all processors. The "
        f"values of the {len(later)} days that were added one by one have the bits of those computed at once."
    )
    report.tables.append(Table("One added day of Alpha158", names, rows, {}, note, compared=False))
    for row in rows:
        say(f"{row.label}: {row.seconds:.3g} s")


def _check_last_day(platform: Platform, days: Sequence[object]) -> int:
    """Raise if the added days differ from a computation of everything; return how many factors were compared."""
    added = platform.factors.compute(["alpha158"], str(days[0]), str(days[-1]))
    shutil.rmtree(platform.settings.factor_directory / "values")
    whole = platform.factors.compute(["alpha158"], str(days[0]), str(days[-1]))
    for name in whole:
        if not np.array_equal(whole[name].view(np.uint32), added[name].view(np.uint32)):
            raise RuntimeError(f"{name} of the added days differs from a full computation")
    return len(list(whole))


def _timed(platform: Platform) -> tuple[float, float, int]:
    """Bring the values up to date, panels first; return seconds, those of processors, and the peak of memory."""
    reset_peak()
    begun, processors = time.perf_counter(), worked_seconds()
    platform.factors.update(["alpha158"])
    return time.perf_counter() - begun, worked_seconds() - processors, peak_memory()


def _summed(label: str, taken: Sequence[tuple[float, float, int]]) -> Measured:
    seconds, worked, peaks = zip(*taken, strict=True)
    return Measured(label, 2, float(np.median(seconds)), float(np.median(worked)), max(peaks), len(taken))
