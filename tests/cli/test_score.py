"""`quantflux score`: from options and files to tables, JSON and CSV, and how it says no."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from quantflux.cli import app as root
from quantflux.cli.score import parts_of
from quantflux.cli.score_tables import harmless, write_csv
from tests.cli.test_factor import Answer, flat
from tests.portfolio.markets import COMPANIES, market_folder  # noqa: F401 - a fixture

Command = Callable[..., Answer]


@pytest.fixture
def score(
    market_folder: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run `quantflux score ARGUMENTS` in this process, on the synthetic market."""
    monkeypatch.setenv("QUANTFLUX_DATA_DIR", str(market_folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("quantflux.cli.context.log_to_stderr", lambda level, form: None)

    def call(*arguments: str, code: int = 0) -> Answer:
        monkeypatch.setattr(sys, "argv", ["quantflux", "score", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            root.main()
        found = capsys.readouterr()
        ended = left.value.code or 0
        assert ended == code, found.err or found.out
        return Answer(int(ended), found.out, found.err)

    return call


def test_options_alone_make_a_ranking(score: Command) -> None:
    answer = score(
        "run", "--factors", "reversal_20,size", "--date", "2024-03-15", "--method", "ic", "--top", "3"
    )

    lines = [flat(line) for line in answer.out.splitlines()]
    assert lines[0].startswith("2024-03-15 ic: ") and lines[0].endswith(" compared")
    assert lines[1] == "factor better is weight RankIC ICIR days"
    assert lines[2].startswith("reversal_20 more ")
    header = lines.index("rank symbol name industry score percentile reversal_20 size")
    assert [line.split()[0] for line in lines[header + 1 : header + 4]] == ["1", "2", "3"]
    assert lines[header + 4] == "the columns behind the percentile add up to the score"


def test_json_has_it_all_and_no_nan(score: Command) -> None:
    answer = score(
        "run", "-f", "reversal_20,size", "--weights", "size=1,reversal_20=3", "--json", "--top", "4"
    )

    found = json.loads(answer.out, parse_constant=pytest.fail)
    assert found["method"] == "weighted" and found["selected_stocks"] == len(found["top_stocks"]) == 4
    assert {each["label"]: each["weight"] for each in found["weights"]} == {"reversal_20": 0.75, "size": 0.25}
    for row in found["top_stocks"]:
        assert sum(row["contributions"].values()) == pytest.approx(row["score"])


def test_a_file_is_written_run_and_overruled_by_options(score: Command, tmp_path: Path) -> None:
    assert "score.toml written" in flat(score("init").out)
    assert "is there already" in flat(score("init", code=1).err)
    score("init", "--force")

    answer = score("run", "score.toml", "--top", "2", "--per-industry", "1", "--json", "--date", "2024-02-29")

    found = json.loads(answer.out)
    assert found["name"] == "Cheap, calm and fallen" and found["trade_date"] == "2024-02-29"
    assert len({row["industry"] for row in found["top_stocks"]}) == 2
    no_predictions = score(
        "run", "score.toml", "--models", "gbm", code=1
    )  # of this market; nothing else is wrong
    assert "no model has stored any predictions yet" in flat(no_predictions.err)


FILES = {
    "equal": 'factors = ["reversal_20"]\n',
    "ic": 'method = "ic"\nfactors = ["reversal_20"]\n[trailing]\nwindow = 60\n',
    "weighted": 'method = "weighted"\nfactors = [{factor = "reversal_20", weight = 2}]\n',
    "model": 'method = "model"\n[models]\nids = ["gbm"]\n',
}


@pytest.mark.parametrize(
    ("kind", "options", "method"),
    [
        ("model", ("--factors", "size"), "equal"),
        ("model", ("--factors", "size", "--method", "ic", "--window", "60"), "ic"),
        ("model", ("--weights", "size=1"), "weighted"),
        ("ic", ("--method", "equal"), "equal"),
        ("ic", ("--method", "icir"), "icir"),
        ("ic", ("--weights", "size=1"), "weighted"),
        ("ic", ("--factors", "size"), "ic"),
        ("weighted", ("--method", "equal"), "equal"),
        ("weighted", ("--method", "ic"), "ic"),
    ],
)
def test_options_of_another_kind_leave_out_what_the_file_says_of_its_own(
    score: Command, tmp_path: Path, kind: str, options: tuple[str, ...], method: str
) -> None:
    (tmp_path / "s.toml").write_text(FILES[kind])

    found = json.loads(score("run", "s.toml", *options, "--json", "--date", "2024-03-15").out)

    assert found["method"] == method


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        # Nothing is wrong with these but that this market has no predictions.
        ("equal", ("--models", "gbm"), "no model has stored any predictions yet"),
        ("ic", ("--models", "gbm"), "no model has stored any predictions yet"),
        ("weighted", ("--models", "gbm"), "no model has stored any predictions yet"),
        ("equal", ("--method", "model"), "nothing to score by"),
        ("model", ("--method", "equal"), "nothing to score by"),
        ("model", ("--method", "best"), 'method: found "best"; valid is one of'),
        ("equal", ("--models", "gbm", "--factors", "size"), "leave factors out"),
        ("ic", ("--method", "equal", "--window", "60"), "trailing is used by the methods ic and icir only"),
    ],
)
def test_options_that_do_not_go_together_are_refused_and_others_are_not(
    score: Command, tmp_path: Path, kind: str, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "s.toml").write_text(FILES[kind])

    assert message in flat(score("run", "s.toml", *options, code=1).err)


def test_a_file_that_contradicts_itself_is_refused_whatever_is_asked_beside(
    score: Command, tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text('factors = ["size"]\n[trailing]\nwindow = 60\n')

    err = flat(score("run", "s.toml", "--method", "equal", "--top", "3", code=1).err)

    assert "trailing is used by the methods ic and icir only" in err


def test_output_goes_by_the_ending(score: Command, tmp_path: Path) -> None:
    score("run", "-f", "reversal_20,-pe_ttm", "--top", "5", "-o", "out/top.csv")
    score("screen", "pe_ttm < 30", "--show=-pe_ttm", "-o", "out/found.csv")
    score("sectors", "-f", "reversal_20", "-o", "out/sectors.json")

    with (tmp_path / "out/top.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    parts = [float(rows[0][f"contribution {name}"]) for name in ("reversal_20", "-pe_ttm")]
    assert sum(parts) == pytest.approx(float(rows[0]["score"]))
    header = (tmp_path / "out/found.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert header == "symbol,name,industry,pe_ttm,'-pe_ttm"  # no formula for a spreadsheet
    plain = json.loads((tmp_path / "out/sectors.json").read_text(encoding="utf-8"))
    assert plain["industry_summary"][0]["composite_score_count"] > 0
    assert "valid are .csv, .json" in flat(score("sectors", "-f", "size", "-o", "a.xlsx", code=1).err)


def test_texts_cannot_act_as_formulas(tmp_path: Path) -> None:
    write_csv(
        [{"name": "=cmd|' /C calc'!A0", "x": -0.5, "y": "@SUM(1)", "z": None}],
        ("name", "x", "y", "z"),
        tmp_path / "a.csv",
    )

    with (tmp_path / "a.csv").open(encoding="utf-8-sig") as file:
        assert list(csv.reader(file))[1] == ["'=cmd|' /C calc'!A0", "-0.5", "'@SUM(1)", ""]
    assert harmless("\t=1") == "'\t=1" and harmless("a=b") == "a=b"


def test_a_screen_lists_names_and_says_who_is_missing(score: Command) -> None:
    answer = score("screen", "pe_ttm < 40 and rank(amount) > 0.5", "--sort", "reversal_20", "--top", "2")

    lines = [flat(line) for line in answer.out.splitlines()]
    assert lines[0].startswith("2024-03-29 ") and lines[0].endswith("compared meet the conditions")
    assert lines[1] == "symbol name industry amount pe_ttm reversal_20"
    assert len(lines) == 4
    err = flat(answer.err)
    assert "more names; --top" in err and "do not meet pe_ttm < 40 and rank(amount) > 0.5" in err


def test_filters_of_a_screen_are_options(score: Command) -> None:
    everybody = json.loads(score("screen", "--json", "--st", "--new", "--at-limits").out)
    symbol = next(row["symbol"] for row in everybody["stocks"] if row["symbol"].startswith("60"))
    few = json.loads(score("screen", "close > 0", "--boards", "main", "--exclude", symbol, "--json").out)

    assert few["found"] < everybody["found"] <= COMPANIES
    assert all(row["symbol"][:2] in ("60", "00") for row in few["stocks"])
    assert symbol not in {row["symbol"] for row in few["stocks"]}
    assert {each["reason"] for each in few["left_out"]} >= {"of other boards", "excluded by symbol"}


def test_one_name_and_industries_are_explained(score: Command) -> None:
    symbol = json.loads(score("run", "-f", "size", "--top", "1", "--json").out)["top_stocks"][0]["symbol"]

    out = flat(score("explain", symbol, "-f", "reversal_20,size").out)
    sectors = flat(score("sectors", "-f", "reversal_20,size", "--top", "3").out)

    assert out.startswith(symbol) and "z-score percentile weight adds is" in out
    assert "industry names mean median deviation percentile best" in sectors


def test_many_factors_are_told_by_what_moves_most(score: Command) -> None:
    answer = score("run", "-f", "classic", "--top", "2")
    nobody = score("run", "-f", "classic", "--where", "close < 0")

    lines = [flat(line) for line in answer.out.splitlines()]
    header = lines.index("rank symbol name industry score percentile most by")
    assert lines[header + 1].count(", ") == 2
    assert "no name is left to choose" in nobody.out and "do not meet close < 0" in flat(nobody.err)


def test_long_expressions_that_begin_alike_keep_their_columns(score: Command) -> None:
    short, long = "ts_std(close / delay(close, 1), 10)", "ts_std(close / delay(close, 1), 20)"
    alike = short[:23] + "…"

    ranked = score("run", "-f", f"{short},{long}", "--top", "2")
    found = score("screen", "close > 0", "--show", f"{short},{long}", "--top", "2")
    symbol = flat(found.out.splitlines()[2]).split()[0]
    explained = score("explain", symbol, "-f", f"{short},{long}")
    several = score("run", "-f", f"classic,{short},{long}", "--top", "2")

    assert f"percentile {alike} 1 {alike} 2" in flat(ranked.out)
    assert f"industry close {alike} 1 {alike} 2" in flat(found.out)
    assert f"{alike} 1 " in flat(explained.out) and f"{alike} 2 " in flat(explained.out)
    for answer in (ranked, found, explained, several):
        assert f"{alike} 2 is {long}" in flat(answer.err)


def test_a_narrow_terminal_loses_columns_and_no_symbols(
    score: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.cli.score_tables.answers", Console(width=70, highlight=False))

    ranked = score("run", "-f", "reversal_20,size,volatility_20", "--top", "2").out
    found = score("screen", "close > 0 and pe_ttm < 50 and amount > 1e6 and turnover_rate < 9", "--top", "2")
    symbol = found.out.split("\n")[2].split()[0]
    explained = score("explain", symbol, "-f", "reversal_20,size,volatility_20")

    assert "most by" in ranked and len(symbol) == len("600519.SH")
    assert "no room for " in flat(found.err) and "no room for mean, deviation" in flat(explained.err)
    assert explained.out.splitlines()[2].startswith("reversal_20")
    assert all(len(line) <= 70 for line in explained.out.splitlines()[1:5])


def test_refusals_are_one_clear_line(score: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('factors = ["size"]\nmethd = "ic"\n')
    for arguments, message in (
        (("run",), "nothing to score by: give a FILE"),
        (("run", "bad.toml"), "error: bad.toml: methd: is unknown; did you mean method?"),
        (("run", "-f", "siz"), "factors.1: no factor is called 'siz'; similar: size"),
        (
            ("run", "-f", "size", "--method", "best"),
            'the command line: method: found "best"; valid is one of',
        ),
        (("run", "-f", "size", "--weights", "size"), "--weights: found 'size'; valid is FACTOR=NUMBER"),
        (
            ("run", "-f", "size", "--date", "2024-03-16"),
            "no bars on 2024-03-16; nearest: 2024-03-15 and 2024-03-18",
        ),
        (("run", "-f", "size", "--date", "tomorrow"), 'date: found "tomorrow"; valid is a day such as'),
        (("run", "--models", "gbm"), "no model has stored any predictions yet"),
        (("screen", "rank(roe) > 0.8"), "where: unknown field 'roe'"),
        (("explain", "688999.SH", "-f", "size"), "stock_daily_data holds no row of 688999.SH"),
    ):
        assert message in flat(score(*arguments, code=1).err)


def test_commas_in_brackets_belong_to_expressions() -> None:
    assert parts_of("size,ts_corr(close, volume, 10) , a[1,2]") == [
        "size",
        "ts_corr(close, volume, 10)",
        "a[1,2]",
    ]
