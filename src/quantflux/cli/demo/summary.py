"""What came of the demonstration, on the terminal."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.panel import Panel as Box
from rich.table import Table
from rich.text import Text

from quantflux.backtest.execution import Rule
from quantflux.backtest.report.texts import RULES
from quantflux.backtest.study import Study
from quantflux.cli.demo.learning_summary import print_learnt
from quantflux.cli.demo.portfolio_summary import print_portfolio
from quantflux.cli.demo.results import Findings
from quantflux.cli.demo.verdict import Verdict, verdict
from quantflux.cli.output import add_row, table
from quantflux.factors import FactorReport

_BLOCKS = "▁▂▃▄▅▆▇█"
_UP, _DOWN = "red", "green"  # as on Chinese screens
_STYLES = {Verdict.FOUND: "bold cyan", Verdict.FADED: "cyan", Verdict.MISSED: "yellow", Verdict.NONE: "dim"}


def print_summary(console: Console, findings: Findings, report: Path) -> None:
    """Print the market, the factors, the backtest, the model, the portfolio, the timings and what to try next."""
    console.print()
    console.print(_market(findings))
    console.print()
    console.print(_factors(findings))
    for name, why in (*findings.choice.replaced.items(), *findings.choice.omitted.items()):
        console.print(Text(f"  {name}: {why}", style="dim"))
    console.print()
    if findings.study is not None:
        console.print(_backtest(findings.study))
    else:
        console.print("No backtest: the history is too short, no month ends with enough names scored.")
    console.print()
    print_learnt(console, findings.taught, findings.planted)
    console.print()
    print_portfolio(console, findings.proposed)
    console.print()
    total = sum(findings.seconds.values())
    console.print(Text(f"Done in {total:.1f} s. Report: {report.resolve()}", style="bold"), soft_wrap=True)
    console.print(_next(findings))


def sparkline(values: np.ndarray) -> str:
    """Draw numbers as blocks from their least to their greatest.

    Examples
    --------
    >>> sparkline(np.array([1.0, 2.0, 3.0])), sparkline(np.array([1.0, float("nan")]))
    ('▁▅█', '▁ ')
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return ""
    low, span = float(known.min()), float(np.ptp(known)) or 1.0
    step = (len(_BLOCKS) - 1) / span
    return "".join(" " if math.isnan(v) else _BLOCKS[round((v - low) * step + 1e-9)] for v in values.tolist())


def _market(findings: Findings) -> Box:
    seen = findings.overview
    label = (
        Text(" SYNTHETIC ", style="bold black on yellow")
        if seen.synthetic
        else Text(" your data ", style="reverse")
    )
    lines = Text.assemble(
        label,
        f"  {seen.symbols:,} symbols x {seen.days:,} trading days, {seen.times[0]} .. {seen.times[-1]}\n",
        f"{seen.rows:,} daily bars, {seen.basic_rows:,} valuations, {seen.minute_rows:,} minute bars, in "
        f"{seen.folder}\n",
        f"{int(seen.opened_up.sum()):,} opens at the upper limit, {int(seen.opened_down.sum()):,} at the "
        "lower; "
        f"{int(seen.suspended.sum()):,} suspended name-days; {seen.listed} listings, {seen.left} gone",
    )
    return Box(
        lines,
        title="Market",
        title_align="left",
        border_style="yellow" if seen.synthetic else "cyan",
        expand=False,
    )


def _factors(findings: Findings) -> Table:
    names = ["factor", "RankIC", "ICIR", "t", "long-short/yr", "turnover", "low to high"]
    made = table(
        *names,
        *(["planted alpha"] if findings.planted else []),
        title=f"Factors, judged over {findings.horizon} days from the next open",
        right=["RankIC", "ICIR", "t", "long-short/yr", "turnover"],
    )
    for report in findings.reports:
        found, annual = report.tradable, report.tradable.portfolios.gross.annual
        cells = [
            Text(report.name),
            _signed(f"{found.rank_ic_mean:+.4f}", found.rank_ic_mean),
            Text(f"{found.icir:.2f}"),
            Text(f"{found.t_value:.1f}"),
            _signed(f"{annual:+.1%}", annual),
            Text(f"{found.turnover[-1]:.0%}"),
            Text(sparkline(found.quantile_means)),
        ]
        if findings.planted:
            cells.append(_truth(report, findings))
        add_row(made, *cells)
    return made


def _truth(report: FactorReport, findings: Findings) -> Text:
    found = verdict(report, findings.planted.get(report.name))
    return Text(found.value, style=_STYLES[found])


def _backtest(study: Study) -> Table:
    mine, benchmark = study.performance, study.benchmarks[0]
    other, beside = benchmark.performance, benchmark.comparison
    made = table(
        "",
        "strategy",
        "market",
        title="Best fifth by mean rank, after costs",
        right=["strategy", "market"],
    )
    add_row(
        made, "annual return", *(_signed(f"{p.annual_return:+.1%}", p.annual_return) for p in (mine, other))
    )
    add_row(made, "volatility", f"{mine.volatility:.1%}", f"{other.volatility:.1%}")
    add_row(made, "Sharpe ratio", f"{mine.sharpe:.2f}", f"{other.sharpe:.2f}")
    add_row(made, "largest drawdown", f"{-mine.max_drawdown:.1%}", f"{-other.max_drawdown:.1%}")
    add_row(made, "excess return a year", _signed(f"{beside.excess_return:+.1%}", beside.excess_return), "")
    add_row(made, "information ratio", f"{beside.information_ratio:.2f}", "")
    add_row(made, "months ahead", f"{beside.months_ahead:.0%}", "")
    add_row(made, "turnover a year", f"{study.turnover:.1f}x", "")
    for rule, cost in _largest_costs(study):
        add_row(made, f"{RULES[rule].en} took a year", f"{cost:.2%}", "")
    return made


def _largest_costs(study: Study) -> list[tuple[Rule, float]]:
    """Return the rules that took most, at most three, the dearest first."""
    rungs = () if study.ladder is None else study.ladder.rungs
    dear = sorted(((rung.rule, rung.cost) for rung in rungs), key=lambda each: -each[1])
    return [(rule, cost) for rule, cost in dear[:3] if cost >= 0.00005]


def _signed(text: str, value: float) -> Text:
    return Text(text, style="" if math.isnan(value) else _UP if value > 0 else _DOWN)


def _next(findings: Findings) -> Text:
    sample = findings.market.panel.symbols[0]
    if findings.overview.synthetic:
        here = f"quantflux --set data_dir={findings.overview.folder}"
        lines = [
            f"{here} data status",
            f"{here} data query {sample} --start {findings.overview.times[-5]}",
            f"{here} serve",
        ]
        lines.append("quantflux data import FILE && quantflux demo --data")
    else:
        lines = ["quantflux data status", "quantflux data quality", f"quantflux data query {sample}"]
    return Text("\n".join(["Next, try:", *(f"  {line}" for line in lines)]), style="dim")
