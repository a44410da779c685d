"""The backtest commands: what they print, which files they write, and how they refuse."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from quantflux.backtest.runs.preparation import Prepared
from quantflux.backtest.sweeps import sweep
from quantflux.cli import app as root
from tests.backtest.example_market import EXAMPLES, market_folder

RUN = 'name = "Fallen"\nstart = 2023-02-01\nscore = "reversal_20"\npolicy = { kind = "ranked", top = 6 }\n'


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def backtest(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run `quantflux backtest ARGUMENTS` in this process, in a folder of its own."""
    folder = shutil.copytree(market_folder(tmp_path_factory), tmp_path / "data")
    monkeypatch.setenv("QUANTFLUX_DATA_DIR", str(folder))
    # Not HOME, where compiled kernels are kept: they would all be compiled again.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    # What a test's own log handlers are must not depend on the commands that ran.
    monkeypatch.setattr("quantflux.cli.context.log_to_stderr", lambda level, form: None)
    Path("run.toml").write_text(RUN, encoding="utf-8")

    def call(*arguments: str, code: int = 0) -> Answer:
        monkeypatch.setattr(sys, "argv", ["quantflux", "backtest", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            root.main()
        found = capsys.readouterr()
        assert (left.value.code or 0) == code, found.err or found.out
        return Answer(found.out, found.err)

    return call


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_first_steps_work_as_the_help_says(backtest: Command) -> None:
    made = backtest("init")
    again = backtest("init", code=1)
    answer = backtest("run", "backtest.toml", "--report", "out/report.html")

    assert made.out == "backtest.toml written; run it with: quantflux backtest run backtest.toml\n"
    assert "backtest.toml is there already; give --force to replace it" in again.err
    lines = [flat(line) for line in answer.out.splitlines()]
    assert lines[0] == "Reversal, monthly 2023-01-31 .. 2023-12-29, 226 days"
    assert lines[1] == "strategy equal"
    for start in (
        "annual return",
        "Sharpe",
        "final value",
        "not by chance",
        "without any",
        "fees and stamp duty",
    ):
        assert any(line.startswith(start) for line in lines), start
    assert Path("out/report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "record out/report.json; 1 trial on these data so far" in flat(answer.err)


def test_json_holds_the_whole_study_and_nothing_else(backtest: Command) -> None:
    answer = backtest("run", "run.toml", "--no-rules", "--json", "--record", "run.record.json")

    told = json.loads(answer.out, parse_constant=pytest.fail)
    assert told["name"] == "Fallen"
    record = json.loads(Path("run.record.json").read_text(encoding="utf-8"))
    assert record["content"]["execution"]["participation"] == 0.1
    assert record["expressions"]["score.factors.1"]["text"] == "1 - close / delay(close, 20)"
    assert record["data"]["stock_daily_data"] == 1
    assert len(record["arrays"]["orders.filled"]) == 64
    assert record["folder"] == "."


def test_a_record_without_a_report_goes_into_the_data_folder(backtest: Command) -> None:
    answer = backtest("run", "run.toml", "--no-rules")

    (record,) = Path("data/backtests/records").iterdir()
    assert re.fullmatch(r"Fallen-\d{14}\.json", record.name)
    assert str(record) in answer.err.replace("\n", "")


def test_a_replay_says_identical_or_where_it_differs(backtest: Command) -> None:
    shutil.copytree(EXAMPLES, "runs")
    backtest("run", "runs/weights.toml", "--no-rules", "--record", "records/w.json")

    same = backtest("replay", "records/w.json")

    assert re.match(r"identical: \d+ results, bit for bit", same.out)

    weights = Path("runs/weights.csv")
    weights.write_text(weights.read_text(encoding="utf-8").replace("0.4", "0.2"), encoding="utf-8")
    other = backtest("replay", "records/w.json", code=1)

    lines = [flat(line) for line in other.out.splitlines()]
    assert re.match(r"it differs: \d+ results of \d+", lines[0])
    assert lines[2].startswith("file weights.csv")
    assert "differing results: cash, positions" in flat(other.out)
    assert any(line.startswith("final_equity") for line in lines)


def test_runs_are_compared_and_what_differs_is_shown(backtest: Command) -> None:
    Path("other.yaml").write_text(
        "name: Weekly\nstart: 2023-02-01\nscore: reversal_20\npolicy: {kind: ranked, top: 6}\nschedule: weekly\n",
        encoding="utf-8",
    )

    answer = backtest("compare", "run.toml", "other.yaml", "--end", "2023-09-28", "--report", "c.html")

    lines = [flat(line) for line in answer.out.splitlines()]
    assert [line.split()[0] for line in lines[:3]] == ["run", "Fallen", "Weekly"]
    assert lines[3:] == ["what differs Fallen Weekly", "schedule - weekly"]
    assert "Strategies compared" in Path("c.html").read_text(encoding="utf-8")
    told = json.loads(backtest("compare", "run.toml", "other.yaml", "--json").out, parse_constant=pytest.fail)
    assert [each["name"] for each in told] == ["Fallen", "Weekly"]


def test_runs_over_other_days_are_not_compared(backtest: Command) -> None:
    Path("other.toml").write_text(RUN.replace("02-01", "03-01").replace("Fallen", "B"), encoding="utf-8")

    refused = backtest("compare", "run.toml", "other.toml", code=1).err

    assert "these do not (Fallen: 2023-02-01 to the last day; B: 2023-03-01 to the last day)" in flat(refused)
    assert "two runs are called 'Fallen'" in backtest("compare", "run.toml", "run.toml", code=1).err
    assert "at least two run files, 1 was given" in flat(backtest("compare", "run.toml", code=1).err)


def test_a_sweep_shows_the_best_and_what_failed(backtest: Command) -> None:
    Path("sweep.toml").write_text(
        RUN + "[sweep]\npolicy.top = [4, 6]\npolicy.least = [2, 500]\n", encoding="utf-8"
    )

    answer = backtest(
        "sweep", "sweep.toml", "--processes", "1", "--best", "1", "--csv", "s.csv", "--report", "s.html"
    )

    lines = [flat(line) for line in answer.out.splitlines()]
    assert lines[0] == "set top least Sharpe not by chance annual volatility drawdown turnover costs"
    assert len(lines) == 2
    assert "and 1 more set; --csv FILE has them all" in answer.err
    assert "set 2 (policy.top = 4, policy.least = 500): no decision" in flat(answer.err)
    assert "2 sets of 4 done in 1 process" in flat(answer.err)
    assert "2 trials on these data so far" in answer.err
    assert len(Path("s.csv").read_text(encoding="utf-8").splitlines()) == 5
    assert Path("s.html").exists()
    told = json.loads(backtest("sweep", "sweep.toml", "--processes", "1", "--json").out)
    assert [each["set"] for each in told["results"]][2:] == [2, 4]
    Path("sweep.toml").write_text(RUN + "[sweep]\npolicy.least = [500, 600]\n", encoding="utf-8")
    assert "0 sets of 2 done" in flat(backtest("sweep", "sweep.toml", code=1).err)


def test_a_sweep_that_is_interrupted_shows_what_is_done(
    backtest: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("sweep.toml").write_text(RUN + "[sweep]\npolicy.top = [4, 5, 6]\n", encoding="utf-8")
    original, before = sweep.measure, signal.getsignal(signal.SIGINT)

    def interrupted(prepared: Prepared) -> sweep.Measured:
        signal.raise_signal(signal.SIGINT)
        return original(prepared)

    monkeypatch.setattr(sweep, "measure", interrupted)

    answer = backtest("sweep", "sweep.toml", "--processes", "1", code=130)

    assert [flat(line).split()[0] for line in answer.out.splitlines()] == ["set", "1"]
    assert "stopping; what is done is kept" in answer.err
    assert "2 sets not run" in answer.err
    assert signal.getsignal(signal.SIGINT) is before


def test_mistakes_are_told_before_any_data_are_read(backtest: Command) -> None:
    shutil.rmtree("data")
    Path("run.toml").write_text(RUN.replace("top", "tpo") + "capitl = 3\n", encoding="utf-8")

    said = backtest("run", "run.toml", code=1).err

    assert "error: run.toml: 2 problems:" in said
    assert "capitl: is unknown; did you mean capital?" in said
    assert "policy.tpo: is unknown; did you mean top?" in said
    assert "run.yml: there is no such file" in backtest("run", "run.yml", code=1).err
    assert "valid are .toml, .yaml, .yml" in backtest("run", "run.txt", code=1).err
    assert "the example is TOML" in backtest("init", "run.yaml", code=1).err
    assert "is no record of a run" in backtest("replay", "run.toml", code=1).err
    Path("run.toml").write_text(RUN, encoding="utf-8")
    for report in ("out.json", "run.toml"):
        assert f"{report} cannot be the report" in backtest("run", "run.toml", "--report", report, code=1).err
    assert Path("run.toml").read_text(encoding="utf-8") == RUN


def test_without_data_one_line_says_so(backtest: Command) -> None:
    shutil.rmtree("data")

    assert backtest("run", "run.toml", code=1).err.startswith(
        "error: there are no daily bars yet; bring some with"
    )
