"""What is computed by whom: one function for each table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.factors.judging import FEW, WARM_UP, Alpha158Judge, Verdict, judge_each_other
from benchmarks.factors.market import MarketSize, write_gapless
from benchmarks.rivals.measuring import Say, measure_in_turn
from benchmarks.rivals.protocol import Market
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.rivals.rival import Rival

_QLIB, _KUNQUANT, _PANDAS = (
    f"benchmarks.factors.rivals.{name}_driver" for name in ("qlib", "kunquant", "pandas")
)


@dataclass
class Bench:
    """A market, the rivals' Python, and the report that is being written.

    Attributes
    ----------
    market : Path
        Folder of the arrays.
    work : Path
        Where rivals keep files of their own, and where answers are saved to be compared.
    """

    market: Path
    work: Path
    rivals_python: Path
    report: RivalReport
    say: Say

    def rival(self, label: str, driver: str, *options: object, threads: int = 1, workers: int = 1) -> Rival:
        """Return a rival that is not started yet."""
        words = [str(self.rivals_python), "-m", driver, "--market", str(self.market), *map(str, options)]
        return Rival(label, words, threads, workers)

    def ours(self, expressions: Path, threads: int, dtype: str = "float32", *more: object) -> Rival:
        """Return us as a rival."""
        label = f"{OURS}, {_count(threads, 'thread')}"
        options = ("--expressions", expressions, "--threads", threads, "--dtype", dtype, *more)
        words = [sys.executable, "-m", "benchmarks.factors.ours_driver", "--market", str(self.market)]
        return Rival(label, [*words, *map(str, options)], threads)

    def kunquant(self, task: str, dtype: str, threads: int, *more: object) -> Rival:
        """Return KunQuant."""
        label = f"KunQuant, {dtype}, {_count(threads, 'thread')}"
        kept = ("--libraries", self.work / "kunquant")
        options = ("--task", task, "--dtype", dtype, "--threads", threads, *kept, *more)
        return self.rival(label, _KUNQUANT, *options, threads=threads)

    def qlib(self, task: str, processes: int, *more: object) -> Rival:
        """Return Qlib."""
        cache = ", asked again: from its cache" if "--cached" in more else ""
        label = f"Qlib, {_count(processes, 'process')}{cache}"
        options = ("--task", task, "--processes", processes, "--files", self.work / "qlib", *more)
        return self.rival(label, _QLIB, *options, workers=processes)

    def size(self, factors: int) -> dict[str, int]:
        """Return what a table says of its task's size."""
        market = Market(self.market)
        return {"symbols": len(market.symbols), "days": len(market.sessions), "factors": factors}

    def write_expressions(self, name: str, expressions: Mapping[str, str]) -> Path:
        """Write expressions where drivers read them."""
        path = self.work / f"{name}.json"
        path.write_text(json.dumps(expressions), encoding="utf-8")
        return path

    def answer_of(self, rival: Rival, task: str) -> Path:
        """Have a started rival compute once and save its answer."""
        folder = self.work / "answers" / task / rival.label.replace(", ", "-").replace(" ", "-")
        rival.compute()
        rival.save(folder)
        rival.drop()
        return folder

    def add(self, table: Table) -> None:
        """Put a finished table into the report."""
        self.report.tables.append(table)
        for row in table.rows:
            self.say(f"{table.title}: {row.label}: {row.seconds:.3g} s, {table.agreement.get(row.label, '')}")


def measure_qlib_factors(bench: Bench, task: str, title: str) -> None:
    """Measure Alpha158 or its 14 members on Qlib, KunQuant and ours."""
    started = [
        bench.qlib(task, 1),
        bench.qlib(task, 2),
        *([bench.qlib(task, 1, "--cached")] if task == "alpha14" else []),
    ]
    started += [bench.kunquant(task, dtype, threads) for dtype in ("float", "double") for threads in (1, 2)]
    with _started(bench, started) as rivals:
        expressions = rivals[0].expressions
        path = bench.write_expressions(task, expressions)
        with bench.ours(path, 1) as one, bench.ours(path, 2) as two:
            everyone = [one, two, *rivals]
            bench.say(f"{title}: the reference")
            judge = Alpha158Judge(Market(bench.market), expressions)
            agreement = {}
            for rival in everyone:
                if "from its cache" in rival.label or "2 process" in rival.label:
                    continue  # the same code on the same files
                where = judge.full if rival.label.startswith("KunQuant") else judge.listed
                verdict = judge.judge(bench.answer_of(rival, task), where)
                bench.say(f"{title}: {rival.label}: {verdict.words}")
                if "float" not in rival.label:
                    verdict.insist(rival.label)
                agreement[rival.label] = verdict.words
            rows = measure_in_turn(everyone, bench.say)
    note = (
        f"Every rival was judged by a float64 reference on {len(judge.columns)} symbols before it was timed; KunQuant, "
        "which answers NaN for windows with gaps, where there are none."
    )
    bench.add(Table(title, bench.size(len(expressions)), rows, agreement, note))


def measure_parquet(bench: Bench, max_bytes: int = 3_000_000_000) -> None:
    """Measure Alpha158 from arrays to Parquet files where the answers are too large to be held, on two cores."""
    folder = bench.work / "parquet"
    qlib = bench.qlib("alpha158", 2, "--parquet", folder / "qlib")
    kunquant = bench.kunquant("alpha158", "float", 2, "--parquet", folder / "kunquant")
    with _started(bench, [qlib, kunquant]) as rivals:
        expressions = rivals[0].expressions
        path = bench.write_expressions("alpha158", expressions)
        limits = ("--parquet", folder / "ours", "--max-bytes", max_bytes)
        with bench.ours(path, 2, "float32", *limits) as ours:
            judge = Alpha158Judge(Market(bench.market), expressions)
            rows = measure_in_turn([ours, *rivals], bench.say)
            agreement = {}
            for rival in (ours, *rivals):
                answer = bench.work / "answers" / "parquet"
                rival.save(answer)
                where = judge.full if rival is kunquant else judge.traded
                verdict = judge.judge(answer, where)
                if rival is not kunquant:
                    verdict.insist(rival.label)
                agreement[rival.label] = verdict.words
                bench.say(f"{rival.label}: {agreement[rival.label]}")
    note = (
        f"Every rival writes all values as Parquet: quantflux as one file within {max_bytes / 1e9:g} GB of memory, "
        "KunQuant 1,000 symbols at a time and Qlib 500, so that they need not hold everything. Judged on the "
        f"files, where symbols traded, by {len(judge.columns)} symbols."
    )
    bench.add(Table("Alpha158 to Parquet", bench.size(len(expressions)), rows, agreement, note))


def measure_alpha101(bench: Bench) -> None:
    """Measure KunQuant's 82 members of Alpha101 on KunQuant, pandas and ours."""
    title = "Alpha101 as KunQuant defines it"
    kunquant = [
        bench.kunquant("alpha101", dtype, threads) for dtype in ("float", "double") for threads in (1, 2)
    ]
    with _started(bench, kunquant) as rivals:
        expressions = rivals[0].expressions
        path = bench.write_expressions("alpha101", expressions)
        verdict, open_ones = _judge_alpha101(bench, path, list(expressions))
        verdict.insist(OURS)
        with (
            bench.ours(path, 1) as one,
            bench.ours(path, 2) as two,
            bench.rival("pandas", _PANDAS, "--expressions", path) as pandas,
        ):
            rows = measure_in_turn([one, two, *rivals, pandas], bench.say)
            bench.report.versions.append(pandas.about["version"])
    note = (
        f"On a market without gaps and after {WARM_UP} days, quantflux agreed with KunQuant in double and with pandas "
        f"on all {verdict.total} factors on which these two agree with each other (all but {FEW:.1%} of the cells). "
        f"The others rank or compare numbers on which the two differ, mostly by rounding alone: {', '.join(open_ones)}."
    )
    bench.add(Table(title, bench.size(len(expressions)), rows, {}, note))


def _judge_alpha101(bench: Bench, expressions: Path, names: list[str]) -> tuple[Verdict, list[str]]:
    gapless = bench.work / "gapless"
    gapless.mkdir()
    write_gapless(MarketSize(160, 700), gapless, 64)
    small = Bench(gapless, bench.work, bench.rivals_python, bench.report, bench.say)
    with (
        small.ours(expressions, 1, "float64") as ours,
        small.kunquant("alpha101", "double", 1) as kunquant,
        small.rival("pandas", _PANDAS, "--expressions", expressions) as pandas,
    ):
        answers = [small.answer_of(rival, "gapless") for rival in (ours, kunquant, pandas)]
    return judge_each_other(answers[0], answers[1:], names)


@contextmanager
def _started(bench: Bench, rivals: list[Rival]) -> Iterator[list[Rival]]:
    """Start rivals one after the other: they compile or write their files then."""
    with ExitStack() as stack:
        for rival in rivals:
            stack.enter_context(rival)
            bench.say(f"{rival.label}: ready after {rival.about['seconds']:.1f} s")
            if rival.about["version"] not in bench.report.versions:
                bench.report.versions.append(rival.about["version"])
        yield rivals


def _count(number: int, what: str) -> str:
    plural = "es" if what.endswith("s") else "s"
    return f"{number} {what}{plural if number > 1 else ''}"
