"""The command `quantflux demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.output import answers, progress_bars
from quantflux.core.errors import InvalidRequest

_FOLDER = Path("demo-data")


def demo(
    context: typer.Context,
    own: Annotated[
        bool, typer.Option("--data", help="Run on the data you imported, instead of a synthetic market.")
    ] = False,
    symbols: Annotated[
        int, typer.Option("--symbols", min=10, max=6000, help="Companies of the synthetic market.")
    ] = 500,
    years: Annotated[int, typer.Option("--years", min=1, max=30, help="Years of the synthetic market.")] = 6,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another market.")] = 7,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Where to write the HTML report.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="FOLDER",
            help="Folder of the synthetic market (demo-data unless given); with --data, the folder to read.",
        ),
    ] = None,
) -> None:
    """Load a market, judge six factors, backtest them, teach a model, build a portfolio, and write a report."""
    from quantflux.cli.demo.flow import research
    from quantflux.cli.demo.loading import MarketPlan, is_synthetic, load, own_folder, prepare
    from quantflux.cli.demo.report import write_report
    from quantflux.cli.demo.stages import Stages
    from quantflux.cli.demo.summary import print_summary

    settings = settings_of(context)
    if own and data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    plan = MarketPlan(symbols=symbols, years=years, seed=seed)
    if not own:
        settings = own_folder(settings, data_dir or _FOLDER)
        prepare(settings.data_dir, plan)
    elif not settings.data_dir.exists():
        raise InvalidRequest(f"there are no data in {settings.data_dir} yet; try: quantflux data import FILE")
    target = report or (Path("quantflux-report.html") if own else settings.data_dir / "report.html")
    with opened(settings) as platform, progress_bars() as bars:
        stages = Stages(bars)
        if not own:
            load(platform.data, plan, stages)
        folder = str(settings.data_dir)
        findings = research(platform, folder, stages, synthetic=is_synthetic(settings.data_dir))
        with stages.stage("Write the report") as done:
            write_report(findings, target)
            done()
    print_summary(answers, findings, target)
