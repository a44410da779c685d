"""`quantflux portfolio`: from a file to tables, pages and order lists, and how it says no."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quantflux.cli import app as root
from tests.cli.test_factor import Answer, flat
from tests.portfolio.markets import market_folder  # noqa: F401 - a fixture

Command = Callable[..., Answer]

PLAN = """
name = "Test plan"
method = "mean_variance"
benchmark = "cap"
capital = 2e6
[parameters]
risk_aversion = 4.0
active = true
[expected_returns]
score = ["reversal_20"]
[risk]
window = 120
[constraints]
weights = 0.15
"""
CLASH = PLAN.replace("weights = 0.15", "weights = 0.02")


@pytest.fixture
def portfolio(
    market_folder: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run `quantflux portfolio ARGUMENTS` in this process, on the synthetic market."""
    monkeypatch.setenv("QUANTFLUX_DATA_DIR", str(market_folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("quantflux.cli.context.log_to_stderr", lambda level, form: None)
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    (tmp_path / "clash.toml").write_text(CLASH, encoding="utf-8")

    def call(*arguments: str, code: int = 0) -> Answer:
        monkeypatch.setattr(sys, "argv", ["quantflux", "portfolio", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            root.main()
        found = capsys.readouterr()
        ended = left.value.code or 0
        assert ended == code, found.err or found.out
        return Answer(int(ended), found.out, found.err)

    return call


def test_weights_and_figures_are_shown(portfolio: Command) -> None:
    answer = portfolio("optimise", "plan.toml", "--top", "3")

    lines = [flat(line) for line in answer.out.splitlines()]
    assert lines[0].startswith("Test plan 2024-03-29 mean_variance (optimal, CLARABEL)")
    assert any(line.startswith("tracking error, a year ") and line.endswith(" %") for line in lines)
    header = lines.index("symbol name industry weight price held shares amount")
    assert all(line.split()[0][-3:] in (".SH", ".SZ", ".BJ") for line in lines[header + 1 : header + 4])
    assert "more names; --top" in flat(answer.err)


def test_json_is_all_of_it(portfolio: Command) -> None:
    answer = portfolio("optimise", "plan.toml", "--json")

    found = json.loads(answer.out, parse_constant=pytest.fail)
    assert found["name"] == "Test plan" and found["value"] == 2e6
    assert sum(row["amount"] for row in found["lots"]) + found["cash"] + found["fees"] == pytest.approx(
        2e6, abs=1
    )


def test_output_goes_by_the_ending(portfolio: Command, tmp_path: Path) -> None:
    for name in ("out/page.html", "out/weights.csv", "out/all.json"):
        assert f"written {name}" in flat(portfolio("optimise", "plan.toml", "-o", name).err)

    assert (tmp_path / "out/page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with (tmp_path / "out/weights.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["weight"]) == pytest.approx(0.15) and int(rows[0]["shares"]) > 0
    plain = json.loads((tmp_path / "out/all.json").read_text(encoding="utf-8"))
    assert [row["symbol"] for row in plain["lots"]] == [row["symbol"] for row in rows]


def test_limits_are_priced_and_risk_is_split(portfolio: Command) -> None:
    answer = portfolio("explain", "plan.toml", "--top", "4")

    out = flat(answer.out)
    assert "what the limits cost, a year" in out
    assert "every weight at most 15 %" in out
    assert "where the risk of" in out and "where the tracking error of" in out


def test_a_plan_that_cannot_be_met_is_diagnosed(portfolio: Command) -> None:
    for command in ("optimise", "explain", "rebalance"):
        answer = portfolio(command, "clash.toml", code=1)

        assert "error: Test plan: no weights meet all limits" in flat(answer.err)
        out = flat(answer.out)
        assert "budget: sum of weights at least 100 %" in out and "bounds: every weight at most 2 %" in out
        assert "let single weights go up to" in out
        assert "with these changes weights were found that meet every limit" in out


def test_programs_get_json_of_prices_and_of_conflicts(portfolio: Command) -> None:
    priced = json.loads(portfolio("explain", "plan.toml", "--json").out, parse_constant=pytest.fail)
    clash = json.loads(portfolio("explain", "clash.toml", "--json", code=1).out, parse_constant=pytest.fail)

    assert priced["prices"][0]["words"] == "every weight at most 15 %" and priced["limits"]
    found = clash["diagnosis"]
    assert not found["feasible"] and found["verified"]
    assert {each["constraint"] for each in found["conflicts"][0]["clashes"]} == {"budget", "bounds"}


def test_orders_lead_from_what_is_held_to_the_portfolio(portfolio: Command, tmp_path: Path) -> None:
    first = json.loads(portfolio("optimise", "plan.toml", "--json").out)["lots"]
    (tmp_path / "now.csv").write_text(
        f"symbol,shares\n{first[0]['symbol']},300\n{first[1]['symbol']},100037\n"
    )

    answer = portfolio(
        "rebalance", "plan.toml", "--holdings", "now.csv", "--cash", "1000000", "-o", "orders.csv"
    )

    with (tmp_path / "orders.csv").open(encoding="utf-8") as file:
        orders = list(csv.DictReader(file))
    sides = [order["side"] for order in orders]
    assert sides == sorted(sides, reverse=True) and set(sides) == {"buy", "sell"}
    assert (orders[0]["side"], orders[0]["symbol"]) == ("sell", first[1]["symbol"])
    assert float(orders[0]["stamp_duty"]) == pytest.approx(0.0005 * float(orders[0]["amount"]), abs=0.01)
    assert f"{len(orders)} orders: sold" in flat(answer.out) and "cash 1,000,000.00 ->" in flat(answer.out)


def test_what_is_held_already_needs_no_order(portfolio: Command, tmp_path: Path) -> None:
    plan = PLAN.replace("mean_variance", "minimum_variance").replace("risk_aversion = 4.0\nactive = true", "")
    (tmp_path / "plan.toml").write_text(plan, encoding="utf-8")
    found = json.loads(portfolio("optimise", "plan.toml", "--json").out)
    rows = [f"{row['symbol']},{row['shares']}" for row in found["lots"] if row["shares"]]
    (tmp_path / "now.csv").write_text("\n".join(["symbol,shares", *rows]) + "\n")

    answer = portfolio(
        "rebalance",
        "plan.toml",
        "--holdings",
        "now.csv",
        "--cash",
        str(found["cash"] + found["fees"]),
        "--json",
    )

    assert json.loads(answer.out)["turnover"] < 0.01


def test_another_day_can_be_asked_for(portfolio: Command) -> None:
    assert "2024-03-28" in portfolio("optimise", "plan.toml", "--date", "2024-03-28").out


def test_an_example_is_written_once(portfolio: Command, tmp_path: Path) -> None:
    portfolio("init", "mine.toml")

    assert "[expected_returns]" in (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert "mine.toml is there already; give --force" in flat(portfolio("init", "mine.toml", code=1).err)
    portfolio("init", "mine.toml", "--force")
    assert "so its file ends with .toml" in flat(portfolio("init", "mine.yaml", code=1).err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("optimise", "none.toml"), "none.toml: there is no such file"),
        (("optimise", "plan.toml", "-o", "page.pdf"), "valid are .csv, .html, .json, was page.pdf"),
        (("rebalance", "plan.toml", "-o", "page.html"), "valid are .csv, .json, was page.html"),
        (("rebalance", "plan.toml", "--holdings", "none.csv"), "none.csv: there is no such file"),
        (("optimise", "plan.toml", "--date", "2024-03-30"), "the last day before it with bars is 2024-03-29"),
        (("optimise", "plan.toml", "--date", "soon"), "--date"),
        (("rebalance", "plan.toml", "--cash", "inf"), "--cash: found inf; valid is yuan from 0"),
    ],
)
def test_what_is_refused(portfolio: Command, arguments: tuple[str, ...], said: str) -> None:
    assert said in flat(portfolio(*arguments, code=1).err)


def test_holdings_are_checked_line_by_line(portfolio: Command, tmp_path: Path) -> None:
    (tmp_path / "now.csv").write_text("symbol,shares\n600519,1.5\n000001.SZ,\n")
    (tmp_path / "twice.csv").write_text("symbol,shares\n600519.SH,100\nsh600519,100\n")

    lines = flat(portfolio("rebalance", "plan.toml", "--holdings", "now.csv", code=1).err)
    twice = flat(portfolio("rebalance", "plan.toml", "--holdings", "twice.csv", code=1).err)

    assert "line 2: shares is '1.5'; valid is a whole number of shares from 0" in lines
    assert "line 3: shares is ''" in lines
    assert "600519.SH stands there more than once" in twice
