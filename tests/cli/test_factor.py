"""The factor commands: what they print, what they compute and store, and how they refuse."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from quantflux.cli import app as root
from quantflux.cli.output import size_of
from quantflux.config import Settings
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, FACTOR_VALUES
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.factors.fields import load_fields
from quantflux.platform import Platform
from tests.cli.conftest import Run

DAYS = 117
"""Trading days of the market."""


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with daily bars of eight companies."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    market = SyntheticMarket(seed=3, companies=8, start=date(2024, 1, 2), end=date(2024, 6, 28))
    with Platform.open(Settings(data_dir=folder)) as platform:
        for rows in market.daily_tables():
            platform.data.write(DAILY, rows)
    return folder


@pytest.fixture
def folder(filled_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(filled_folder, tmp_path / "data")


@pytest.fixture
def factor(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `quantflux factor ARGUMENTS` in this process, in a folder of its own."""
    monkeypatch.setenv("QUANTFLUX_DATA_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    # What a test's own log handlers are must not depend on the commands that ran.
    monkeypatch.setattr("quantflux.cli.context.log_to_stderr", lambda level, form: None)

    def call(*arguments: str, code: int = 0) -> Answer:
        monkeypatch.setattr(sys, "argv", ["quantflux", "factor", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            root.main()
        found = capsys.readouterr()
        ended = left.value.code or 0
        assert ended == code, found.err or found.out
        return Answer(int(ended), found.out, found.err)

    return call


def flat(text: str) -> str:
    return " ".join(text.split())


# Which factors there are


def test_libraries_and_their_factors_are_listed(factor: Command) -> None:
    overview = factor("list")
    library = factor("list", "alpha158")

    assert re.search(r"alpha158 +158 +Qlib", overview.out)
    assert re.search(r"user +0 +you: quantflux factor define", overview.out)
    assert "quantflux factor list LIBRARY" in overview.err
    assert len(library.out.splitlines()) >= 159
    assert "Mean($close, 5)/$close" in library.out
    assert "none yet; define one" in factor("list", "user").err


def test_a_factor_is_defined_shown_redefined_and_retired(factor: Command) -> None:
    made = factor(
        "define", "mine", "-delta(close,5)/close", "--description", "[bold]my[/] ±½ <b>", "--better", "less"
    )
    factor("define", "mine", "delta( close , 10 )")

    assert made.out == "mine, version 1: -delta(close, 5) / close\n"
    shown = factor("show", "mine")
    assert "user.mine, version 2, of" in shown.out
    assert re.search(r"looks back +10 rows", shown.out)
    assert "version 1: -delta(close, 5) / close" in shown.err
    listed = factor("list", "user").out
    assert re.search(r"mine +- +delta\(close, 10\)", listed)
    assert factor("retire", "mine").out == "mine is retired\n"
    assert "none yet" in factor("list", "user").err
    assert "no factor is called 'mine'" in factor("show", "mine", code=1).err


def test_markup_in_texts_is_shown_to_the_letter(factor: Command) -> None:
    factor("define", "mine", "close", "--description", "[bold red]loud[/] :smile: %s {0}")

    for answer in (factor("show", "mine"), factor("list", "user")):
        assert "[bold red]loud[/] :smile: %s {0}" in answer.out
    assert "[/red]" in factor("define", "mine", "close [/red]", code=1).err
    assert "'[bold]x[/]'" in factor("show", "[bold]x[/]", code=1).err


def test_expressions_may_begin_with_a_minus_and_any_letter(factor: Command) -> None:
    for expression in ("-delta(close, 5)", "-close", "-high", "-1 * volume", "-volume / close"):
        assert f": {expression}" in factor("define", "mine", expression).out.replace(
            "volume * -1", "-1 * volume"
        )


def test_operators_are_explained(factor: Command) -> None:
    found = factor("operators", "correlation")

    assert "ts_corr(x, y, window" in found.out
    assert "no operator has 'zzz'" in factor("operators", "zzz").err


def test_definitions_travel_through_a_file(factor: Command, folder: Path, tmp_path: Path) -> None:
    factor("define", "a", "close / open", "--description", "五日", "--better", "more")
    factor("define", "b", "a * volume")
    printed = factor("export").out
    factor("export", "mine.json")

    assert json.loads(printed) == json.loads((tmp_path / "mine.json").read_text("utf-8"))
    assert "--force" in factor("export", "mine.json", code=1).err
    factor("export", "mine.json", "--force")
    (folder / "factors" / "definitions.db").unlink()
    defined = factor("import", "mine.json")
    assert re.search(r"a +1 +close / open", defined.out)
    assert re.search(r"better +more", factor("show", "a").out)
    assert "五日" in factor("show", "a").out


def test_an_import_of_nothing_says_so(factor: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text('{"format": 1, "factors": []}')

    assert "nothing to define" in factor("import", "empty.json").err


# Values


def test_values_are_computed_once_and_then_current(factor: Command) -> None:
    first = factor("compute", "alpha158.ROC5", "alpha158.KMID")
    second = factor("compute", "alpha158.ROC5", "alpha158.KMID")

    assert first.out.startswith("computed: nothing was stored yet\n2024-06-28\n")
    assert re.search(r"ROC5 +8 +0 ", first.out)
    assert f"2 factors x {DAYS} days x 8 symbols = {2 * 8 * DAYS:,} values; about" in first.err
    assert f"{DAYS} days computed" in first.err
    assert second.out.startswith("current: nothing changed: stock_daily_data 1\n")
    assert "computed" not in second.err
    assert first.out.splitlines()[1:] == second.out.splitlines()[1:]


def test_the_last_day_of_a_span_and_a_few_symbols_are_shown(factor: Command, folder: Path) -> None:
    with Platform.open(Settings(data_dir=folder)) as platform:
        panel = load_fields(platform.data, ["close"], end="2024-03-15").panel
        symbols = panel.symbols.tolist()
    shown = factor(
        "compute", "alpha158.ROC5", "--end", "2024-03-16", "--symbols", f"{symbols[2]}, {symbols[1]}"
    )

    roc = panel["close"][-6] / panel["close"][-1]
    assert shown.out.splitlines()[1] == "2024-03-15"
    assert re.search(rf"{symbols[1]} +{roc[1]:.5g}\n{symbols[2]} +{roc[2]:.5g}\n", shown.out)
    assert "no days in that span" in factor("compute", "alpha158.ROC5", "--start", "2030-01-01").err


def test_an_empty_value_is_a_dash(factor: Command) -> None:
    factor("define", "later", "delay(close, 200)")

    shown = factor("compute", "later")

    assert re.search(r"later +0 +8 +- +- +-", shown.out)


def test_a_long_table_is_cut(factor: Command) -> None:
    shown = factor("compute", "alpha158")

    assert len(re.findall(r"^[A-Z]+\d* +\d", shown.out, re.MULTILINE)) == 32
    assert "and 126 more factors; --output FILE.parquet has them all" in shown.err


def test_factors_that_the_data_do_not_allow_are_left_out_and_told(factor: Command) -> None:
    shown = factor("compute", "v1")

    assert "left out, no rows in stock_moneyflow" in shown.err
    refused = factor("compute", "v1.big_order_ratio", code=1)
    assert "stock_moneyflow, which holds no rows here" in refused.err


def test_a_symbol_without_any_bar_is_refused(factor: Command) -> None:
    refused = factor("compute", "alpha158.ROC5", "--symbols", "600999", code=1)

    assert "stock_daily_data holds no row of 600999.SH. Similar: " in refused.err


def test_a_dry_run_computes_nothing(factor: Command, folder: Path) -> None:
    told = factor("compute", "alpha158", "--dry-run")

    assert told.out == "computed: nothing was stored yet\n"
    assert re.search(r"everything anew: 158 factors x \d+ days x 8 symbols = [\d,]+ values; about", told.err)
    assert not (folder / "factors" / "values").exists()


def test_values_stream_into_a_file(factor: Command, tmp_path: Path) -> None:
    made = factor("compute", "alpha158.ROC5", "ROC10", "-o", "out.parquet", "--start", "2024-06-03")
    refused = factor("compute", "alpha158.ROC5", "-o", "out.parquet", code=1)

    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["trade_date", "symbol", "ROC5", "ROC10"]
    assert min(table["trade_date"].to_pylist()) == date(2024, 6, 3)
    size = size_of((tmp_path / "out.parquet").stat().st_size)
    assert made.out.startswith(f"{len(table):,} rows in out.parquet ({size})")
    assert "give --force to replace it" in refused.err
    factor("compute", "alpha158.ROC5", "-o", "out.parquet", "--force")
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["trade_date", "symbol", "ROC5"]


def test_values_are_saved_in_the_store(factor: Command, folder: Path) -> None:
    saved = factor("compute", "alpha158.ROC5", "--save", "--start", "2024-06-24")
    nothing = factor("compute", "alpha158.ROC5", "--save", "--start", "2030-01-01")

    with Platform.open(Settings(data_dir=folder)) as platform:
        rows = platform.store.read(Query(FACTOR_VALUES))
        calculated = platform.factors.calculate(None, "2024-06-28", ["alpha158.ROC5"])
    assert f"{len(rows)} values saved in factor_values, version 1" in saved.out
    assert "nothing to save in that span" in nothing.out
    last = rows.filter(np.array([day == date(2024, 6, 28) for day in rows["trade_date"].to_pylist()]))
    assert last.sort_by("symbol").equals(calculated.sort_by("symbol"))


def test_explain_says_what_comes_next_and_what_is_there(factor: Command) -> None:
    factor("compute", "alpha158.ROC5", "ROC10", "ROC20")

    current = factor("explain", "alpha158.ROC5", "ROC10", "ROC20").out
    other = factor("explain", "alpha158.KMID").out

    assert current.startswith("current: nothing changed: stock_daily_data 1\n")
    assert other.startswith("computed: nothing was stored yet\n")
    assert re.search(r"ROC5, ROC10 and 1 more +\d+ +2024-06-28 +[\d.]+ kB +nothing was stored yet", other)


# Looking for the future


def test_a_check_passes_and_a_check_fails(factor: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def past(panel):\n    return panel['close'] / panel['open']\n"
        "def future(panel):\n    return np.roll(panel['close'], -1, axis=0)\n"
        "def broken(panel):\n    raise RuntimeError('[bold]no[/]')\n"
    )

    passed = factor("check", "alpha158.ROC5")
    label = factor("check", "lead(close, 1) / close")
    factor("check", "mine.py:past", "--fields", "open,close")
    caught = factor("check", "mine.py:future", code=1)

    assert passed.out.startswith("no leak.") and "looks back 5 rows" in passed.err
    assert "It looks 1 row ahead, as its leads say." in label.out
    assert flat(caught.out).startswith("it sees the future first in future value of")
    assert "RuntimeError: [bold]no[/]" in factor("check", "mine.py:broken", code=1).err


def test_expressions_to_check_may_begin_with_a_minus(factor: Command) -> None:
    assert "no leak" in factor("check", "-delta(close, 3)").out


# Refusals


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("list", "beta"), "no library is called 'beta'; there are: alpha101"),
        (("show", "ROC55"), "no factor is called 'ROC55'; similar: ROC"),
        (("define", "close", "open"), "close is a field"),
        (("define", "ROC5", "open"), "taken by the library alpha158"),
        (("define", "two words", "open"), "a letter first"),
        (("define", "mine", "ts_men(close, 5)"), "did you mean ts_mean?"),
        (("define", "mine", "lead(close, 5)"), "looks 5 rows ahead"),
        (("define", "mine", "close", "--description", "a\x1b[2J"), "printable characters"),
        (("define", "mine", "close", "--description", "half \udcff"), "printable characters"),
        (("retire", "nothing"), "no factor is called"),
        (("import", "missing.json"), "No such file or directory: missing.json"),
        (("import", "latin.json"), "it is no text in UTF-8"),
        (("import", "other.json"), "this is no export of factor definitions"),
        (("export", "missing/mine.json"), "No such file or directory"),
        (("compute", "nothing"), "no factor is called 'nothing'"),
        (("compute", "user"), "no factors were named, or there are none in them"),
        (("compute", "alpha158.ROC5", "--symbols", "999999"), "is in no range of share codes"),
        (("compute", "alpha158.ROC5", "--symbols", ","), "name at least one"),
        (("compute", "alpha158.ROC5", "--symbols", "../x"), "600519.SH"),
        (("compute", "alpha158.ROC5", "--start", "2024-13-01"), "ISO 8601"),
        (
            ("compute", "alpha158.ROC5", "--start", "2024-06-01", "--end", "2024-01-01"),
            "start must not be after",
        ),
        (("compute", "alpha158.ROC5", "--max-memory", "10"), "at least 300M, such as 3G, was '10'"),
        (("compute", "alpha158.ROC5", "--max-memory", "nan"), "at least 300M"),
        (("compute", "alpha158.ROC5", "--max-memory", "3X"), "at least 300M"),
        (("compute", "alpha158.ROC5", "-o", "out.csv"), "must end in .parquet"),
        (("compute", "alpha158.ROC5", "-o", "no/out.parquet"), "a folder that exists"),
        (
            ("compute", "alpha158.ROC5", "-o", "out.parquet", "--symbols", "600519"),
            "leave --symbols and --save out",
        ),
        (("compute", "alpha158.ROC5", "-o", "out.parquet", "--save"), "leave --symbols and --save out"),
        (("explain", "nothing"), "no factor is called 'nothing'"),
        (("check", "nothing"), "no factor is called 'nothing'"),
        (("check", "close +"), "the end"),
        (("check", "missing.py:f"), "missing.py is not a Python file"),
        (("check", "bad.py:f"), "bad.py cannot be loaded: SyntaxError"),
        (("check", "good.py:g"), "good.py has no function 'g'"),
        (("check", "good.py:f", "--fields", "clos"), "close"),
    ],
)
def test_requests_that_are_refused_in_a_line(
    factor: Command, tmp_path: Path, folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"format": "\xe9"}')
    (tmp_path / "other.json").write_text("[]")
    (tmp_path / "bad.py").write_text("def f(:")
    (tmp_path / "good.py").write_text("def f(panel):\n    return panel['close']\n")

    refused = factor(*arguments, code=1)

    assert refused.err.startswith("error: ") or "\nerror: " in refused.err
    assert says in refused.err
    assert refused.out == ""
    assert not list(folder.glob("factors/values/*/values-*"))
    assert not list(tmp_path.glob("*.parquet"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("compute",),
        ("define", "mine"),
        ("compute", "a", "--threads", "0"),
        ("define", "a", "b", "--better", "most"),
    ],
)
def test_arguments_that_are_missing_or_wrong(factor: Command, arguments: tuple[str, ...]) -> None:
    assert factor(*arguments, code=2).err != ""


def test_a_damaged_file_of_definitions_is_named(factor: Command, folder: Path) -> None:
    (folder / "factors").mkdir()
    (folder / "factors" / "definitions.db").write_bytes(b"nonsense" * 500)

    refused = factor("list", code=1)

    assert "definitions.db cannot be read" in refused.err


def test_a_user_without_a_name_owns_by_number(factor: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)

    factor("define", "mine", "close")

    assert re.search(r"of uid \d+", factor("show", "mine").out)


def test_without_data(run: Run) -> None:
    assert "alpha158" in run("factor", "list").stdout
    assert "holds no rows here" in run("factor", "compute", "alpha158.ROC5", code=1).stderr


def test_in_a_pipe_there_is_no_progress_and_no_colour(run: Run, folder: Path) -> None:
    first = run("factor", "compute", "alpha158.ROC5")

    assert "\x1b" not in first.stdout + first.stderr
    assert "━" not in first.stderr and "compiling" not in first.stderr
    assert first.stdout.splitlines()[0] == "computed: nothing was stored yet"
    assert len(first.stderr.splitlines()) == 2
