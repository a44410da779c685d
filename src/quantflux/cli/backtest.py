"""`quantflux backtest`: runs strategies from run files, compares them, tries parameters, and runs records again."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.backtest_tables import (
    print_comparison,
    print_differences,
    print_replay,
    print_study,
    print_sweep,
)
from quantflux.cli.context import opened, settings_of
from quantflux.cli.examples import ForceOption, TargetArgument, write_example
from quantflux.cli.factor_compute import told
from quantflux.cli.options import EndOption, StartOption
from quantflux.cli.output import counted, notes, progress_bars
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.backtest.runs.run_file import RunFile
    from quantflux.backtest.service import Backtest

app = typer.Typer(
    no_args_is_help=True, help="Run strategies from run files, compare them, and try parameters."
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A run file, .toml or .yaml; see: quantflux backtest init")
]
ReportOption = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write an HTML report.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of tables.")]
LadderOption = Annotated[
    bool,
    typer.Option("--rules/--no-rules", help="Price each rule of the market, which takes a run for each."),
]


@app.command()
def init(file: TargetArgument = Path("backtest.toml"), force: ForceOption = False) -> None:
    """Write a run file with comments, to begin with."""
    from quantflux.backtest.runs.files import example

    write_example(file, example(), "run it with: quantflux backtest run", force=force)


@app.command()
def run(
    context: typer.Context,
    file: FileArgument,
    start: StartOption = None,
    end: EndOption = None,
    report: ReportOption = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE",
            help="Where to write the record of the run; beside the report if left out.",
        ),
    ] = None,
    rules: LadderOption = True,
    as_json: JsonOption = False,
) -> None:
    """Backtest the strategy of a run file."""
    from quantflux.backtest.report import to_json, write_backtest_report
    from quantflux.backtest.runs.files import read_run_file

    run_file = _within(read_run_file(file), start, end)
    if report is not None and report in (file, record or report.with_suffix(".json")):
        raise InvalidRequest(
            f"{report} cannot be the report, as it is the run file or the record; "
            f"give another name, such as {report.with_suffix('.html')}"
        )
    with opened(settings_of(context)) as platform:
        backtester = platform.backtests
        with told() as hooks, _working("simulating (compiles once)"):
            done = backtester.run(run_file, ladder=rules, hooks=hooks)
        trials, target = backtester.trials(), record or _record_path(report, done, backtester.folder)
    if report is not None:
        write_backtest_report(done.study, report)
        notes.print(f"report {report}", markup=False, soft_wrap=True)
    done.record.write(target)
    if as_json:
        sys.stdout.write(to_json(done.study) + "\n")
    else:
        print_study(done.study)
    notes.print(
        f"record {target}; {counted(trials, 'trial')} on these data so far", markup=False, soft_wrap=True
    )


@app.command()
def compare(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Run files, two or more.")],
    start: StartOption = None,
    end: EndOption = None,
    report: ReportOption = None,
    rules: LadderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Backtest several run files over the same days, side by side."""
    from quantflux.backtest.report import as_plain, comparison_page
    from quantflux.backtest.runs.comparison import check_comparable, differing
    from quantflux.backtest.runs.files import read_run_file

    runs = [_within(read_run_file(file), start, end) for file in files]
    check_comparable(runs)
    with opened(settings_of(context)) as platform, told() as hooks, progress_bars() as bars:
        task = bars.add_task("runs simulated", total=len(runs))
        done = platform.backtests.compare(
            runs,
            ladder=rules,
            hooks=hooks,
            progress=lambda ready, total: bars.update(task, completed=ready, total=total),
        )
    studies = [each.study for each in done]
    if report is not None:
        comparison_page(studies).write(report)
        notes.print(f"report {report}", markup=False, soft_wrap=True)
    if as_json:
        sys.stdout.write(
            json.dumps([as_plain(study) for study in studies], ensure_ascii=False, indent=1) + "\n"
        )
        return
    print_comparison(studies)
    print_differences([run_file.name for run_file in runs], differing(runs))


@app.command()
def sweep(
    context: typer.Context,
    file: FileArgument,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="Processes; one for each processor if left out.")
    ] = None,
    report: ReportOption = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the table as CSV, all sets of it.")
    ] = None,
    best: Annotated[int, typer.Option("--best", min=1, help="How many sets to show.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Try every combination of the values under `sweep`. Ctrl-C stops it, and keeps what is done.

    Ends with 1 if none of them could be carried out.
    """
    from dataclasses import replace

    from quantflux.backtest.runs.files import read_run_file
    from quantflux.backtest.sweeps.output import sweep_page, to_csv, to_json

    run_file = read_run_file(file)
    with opened(settings_of(context)) as platform, _interruptible() as stop, told() as hooks:
        with progress_bars() as bars:
            task = bars.add_task("sets tried", total=None, visible=False)
            found = platform.backtests.sweep(
                run_file,
                processes=processes,
                hooks=replace(hooks, cancelled=stop.is_asked),
                progress=lambda ready, total: bars.update(task, completed=ready, total=total, visible=True),
                cancelled=stop.is_asked,
            )
        trials = platform.backtests.trials()
    if report is not None:
        sweep_page(found).write(report)
        notes.print(f"report {report}", markup=False, soft_wrap=True)
    if csv is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        csv.write_text(to_csv(found), encoding="utf-8")
        notes.print(f"table {csv}", markup=False, soft_wrap=True)
    if as_json:
        sys.stdout.write(to_json(found) + "\n")
    else:
        print_sweep(found, best)
    notes.print(f"{counted(trials, 'trial')} on these data so far")
    if stop.asked:
        raise typer.Exit(130)
    if not found.done:
        raise typer.Exit(1)


@app.command()
def replay(
    context: typer.Context,
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="The record of a run, a .json file.")],
) -> None:
    """Run a record again: are the results the same, bit for bit? Ends with 1 if not."""
    from quantflux.backtest.runs.record import RunRecord

    then = RunRecord.read(record)
    with opened(settings_of(context)) as platform, told() as hooks, _working("simulating (compiles once)"):
        found = platform.backtests.replay(then, hooks)
    print_replay(found)
    if not found.is_identical:
        raise typer.Exit(1)


def _within(run_file: RunFile, start: str | None, end: str | None) -> RunFile:
    """Return a run with the span of the command line, where it says one."""
    from quantflux.backtest.runs.files import run_of_values

    given = {key: text for key, text in (("start", start), ("end", end)) if text is not None}
    if not given:
        return run_file
    return run_of_values(run_file.content() | given, "the command line", run_file.folder)


def _record_path(report: Path | None, done: Backtest, folder: Path) -> Path:
    """Return where a record goes: beside the report, else into the data folder under its name and time."""
    if report is not None:
        return report.with_suffix(".json")
    name = "-".join(re.findall(r"\w+", done.run_file.name))[:60] or "run"
    moment = "".join(c for c in done.record.made[:19] if c.isdigit())
    return folder / "records" / f"{name}-{moment}.json"


@contextmanager
def _working(what: str) -> Iterator[None]:
    """Show that something of unknown length is going on."""
    with progress_bars() as bars:
        bars.add_task(what, total=None)
        yield


@dataclass
class _Stop:
    """Whether somebody pressed Ctrl-C."""

    asked: bool = False

    def is_asked(self) -> bool:
        return self.asked


@contextmanager
def _interruptible() -> Iterator[_Stop]:
    """Let the first Ctrl-C ask for an end, and the second force it."""
    stop = _Stop()

    def ask(*_: object) -> None:
        stop.asked = True
        signal.signal(signal.SIGINT, before)
        notes.print("stopping; what is done is kept")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
