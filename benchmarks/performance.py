"""The whole comparison, in three parts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sqlalchemy import Engine

from benchmarks import storage, v1
from benchmarks.queries import questions
from benchmarks.results import Report
from benchmarks.scene import Scene
from benchmarks.timing import Timing, time_rivals

Say = Callable[[str], None]


class PerformanceBenchmark:
    """Measures quantflux beside its rivals on one scene and adds what it finds to one report."""

    def __init__(self, scene: Scene, engine: Engine, report: Report, say: Say) -> None:
        self.scene = scene
        self.engine = engine
        self.report = report
        self.say = say

    def test_query_performance(self) -> None:
        """Ask every question of every rival, after checking that their answers agree."""
        for question in questions(self.scene, self.engine):
            self.say(f"{question.name}: checking that all answers agree")
            question.check()
            self.say(f"{question.name}: timing")
            row = self.report.add_timing(question.name, time_rivals(question.asks), question.wanted)
            shown = ", ".join(f"{name} {value:.3g} ms" for name, value in row.figures.items())
            self.say(f"{question.name}: {shown}")

    def test_write_performance(self) -> None:
        """Load, import, disk, backup and opening."""
        for name, measure in {
            "load rates": storage.measure_load,
            "disk": storage.measure_disk,
            "backup and restore": storage.measure_backup,
            "opening": storage.measure_opening,
        }.items():
            self.say(name)
            measure(self.scene, self.report)
        self.say("importing a file")
        storage.measure_import(self.scene.folder, self.report)

    def test_concurrent_access(self, readers: int = 8, seconds: float = 5.0) -> None:
        """Let several threads read one year of random symbols at once, ours and v1's way."""
        first = self.scene.days[-244]
        last = self.scene.days[-1]
        asks: dict[str, Callable[[str], object]] = {
            "ours": lambda symbol: self.scene.platform.data.get_stock_data(symbol, first, last),
            "v1": lambda symbol: v1.daily_history(self.engine, symbol, first, last),
        }
        self.say(f"{readers} readers at once")
        timings = {name: self._hammer(ask, readers, seconds) for name, ask in asks.items()}
        rates = {name: timing.calls / seconds for name, timing in timings.items()}
        self.report.add(f"{readers} threads: 1 symbol, 1 year of daily bars", "reads/s", rates)
        self.report.add_timing(f"{readers} threads: latency of one such read", timings)

    def _hammer(self, ask: Callable[[str], object], readers: int, seconds: float) -> Timing:
        stop = threading.Event()

        def read(seed: int) -> list[float]:
            chosen = np.random.default_rng(seed).permutation(self.scene.symbols)
            taken: list[float] = []
            while not stop.is_set():
                start = time.perf_counter()
                ask(str(chosen[len(taken) % len(chosen)]))
                taken.append(time.perf_counter() - start)
            return taken

        with ThreadPoolExecutor(readers) as pool:
            running = [pool.submit(read, seed) for seed in range(readers)]
            time.sleep(seconds)
            stop.set()
            taken = np.concatenate([future.result() for future in running])
        return Timing(float(np.median(taken)), float(np.percentile(taken, 99)), len(taken))
