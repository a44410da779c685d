"""`quantflux data import --actions` and the audit that sets factors beside what it brought."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

ACTIONS = (
    "ts_code,end_date,div_proc,stk_div,cash_div_tax,record_date,ex_date,pay_date\n"
    "600519.SH,20231231,实施,0.3,0.5,20240229,20240301,20240301\n"
    "600519.SH,20231231,预案,0.3,0.5,,,\n"
)


def test_actions_come_from_a_file_and_are_counted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dividend.csv").write_text(ACTIONS, encoding="utf-8")

    first = run("data", "import", "--actions", "dividend.csv").stdout
    again = run("data", "import", "--actions", "dividend.csv").stdout

    assert "Tushare dividend; stored 1 corporate actions of 1 symbols, 2024-03-01 .. 2024-03-01" in first
    assert "1 of its rows are plans only, 0 cannot be read" in first
    assert "stored 0 corporate actions" in again and "1 were there already" in again
    assert "corporate_actions" in run("data", "status").stdout


def test_minutes_and_actions_are_two_downloads(run: Run) -> None:
    refused = run("data", "sync", "tushare", "--minutes", "--actions", code=1)

    assert "give one of them at a time" in refused.stderr
