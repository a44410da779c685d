"""The command and what it prints."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from typer.testing import CliRunner

from quantflux.cli.app import app
from quantflux.cli.demo.results import Findings, Proposed, Taught
from quantflux.cli.demo.summary import print_summary
from quantflux.cli.demo.verdict import Verdict, verdict
from quantflux.core.errors import InvalidRequest
from quantflux.data.sources.synthetic import PLANTED
from quantflux.factors import FactorReport


def test_the_command_makes_a_market_and_a_report(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    arguments = ["demo", "--symbols", "20", "--years", "1", "--seed", "3", "--data-dir", str(folder)]

    first = CliRunner().invoke(app, arguments, catch_exceptions=False)
    again = CliRunner().invoke(
        app, ["demo", "--data", "--data-dir", str(folder), "--report", str(tmp_path / "r.html")]
    )

    assert first.exit_code == again.exit_code == 0
    assert "SYNTHETIC" in first.output
    assert "SYNTHETIC" in again.output  # the mark stays with the folder
    assert "reversal_20" in first.output
    assert (folder / "report.html").exists()
    assert (tmp_path / "r.html").exists()


def test_own_data_that_are_not_there_are_refused_without_a_trace(tmp_path: Path) -> None:
    missing = tmp_path / "nothing"

    result = CliRunner().invoke(app, ["demo", "--data", "--data-dir", str(missing)])

    assert isinstance(result.exception, InvalidRequest)
    assert "data import FILE" in str(result.exception)
    assert not missing.exists()


def test_the_summary_names_factors_truth_and_next_steps(findings: Findings) -> None:
    console = Console(record=True, width=120, file=io.StringIO())

    print_summary(console, findings, Path("r.html"))

    text = console.export_text()
    assert re.search(r"reversal_20 +\+0\.\d{4}", text)
    assert re.search(r"size .*not planted", text)
    assert "annual return" in text
    assert "A model of these factors" in text and "Shuffled labels: The mean" in text
    assert "likes best at the close of" in text
    assert re.search(r"names +\d+ of \d+, as good as", text)
    assert re.search(r"tracking error a year +\d+\.\d\d%", text)
    assert re.search(r"orders +\d+ orders for [\d,]+ yuan, fees", text)
    assert "r.html" in text
    assert "quantflux --set data_dir=demo-data data status" in text


def test_the_summary_of_own_data_promises_no_truth(findings: Findings) -> None:
    own = replace(findings, overview=replace(findings.overview, synthetic=False), planted={}, study=None)
    own = replace(
        own, proposed=Proposed(None, (), (), "too [few] days"), taught=Taught(None, None, "no [long] past")
    )
    console = Console(record=True, width=120, file=io.StringIO())

    print_summary(console, own, Path("r.html"))

    text = console.export_text()
    assert "planted" not in text
    assert "No backtest" in text
    assert "No portfolio: too [few] days" in text
    assert "No model: no [long] past" in text
    assert "SYNTHETIC" not in text


def judged(report: FactorReport, early: float, late: float, t_value: float) -> Verdict:
    tradable = replace(report.tradable, rank_ic=np.repeat([early, 0.05, late], 50), t_value=t_value)
    return verdict(replace(report, tradable=tradable), PLANTED[0])


def test_verdicts(findings: Findings) -> None:
    report = findings.reports[0]

    assert judged(report, 0.05, 0.05, 5.0) is Verdict.FOUND
    assert judged(report, 0.10, 0.02, 5.0) is Verdict.FADED
    assert judged(report, 0.05, 0.05, 2.0) is Verdict.MISSED
    assert judged(report, 0.05, 0.05, float("nan")) is Verdict.MISSED
    assert verdict(report, None) is Verdict.NONE
