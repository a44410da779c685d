"""`quantflux config`: what people see, and the exit codes that scripts see."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from quantflux.cli.config import app
from quantflux.config import ConfigRequest, catalogue
from quantflux.config.reference import reference


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder and home, a wide terminal without colours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_show_lists_every_setting_with_value_and_origin(monkeypatch):
    Path("quantflux.toml").write_text('[store]\nname = "memory"\n[store.mysql]\npassword = "abc"\n')
    monkeypatch.setenv("QUANTFLUX_STORE__MYSQL__PORT", "3307")

    result = run("show", "--set", "queries.max_cells=7")

    assert result.exit_code == 0
    lines = [re.split(r"  +", line.strip()) for line in result.stdout.splitlines()]
    rows = {key: rest for key, *rest in lines}
    assert set(catalogue()) <= set(rows)
    assert rows["store.name"] == ["memory", "quantflux.toml:2"]
    assert rows["store.mysql.password"] == ["********", "quantflux.toml:4"]
    assert rows["store.mysql.port"] == ["3307", "QUANTFLUX_STORE__MYSQL__PORT"]
    assert rows["queries.max_cells"] == ["7", "--set"]
    assert rows["logging.format"] == ["text", "development.toml:5"]
    assert rows["sources.tushare.token"] == ["(not set)", "default"]


def test_show_as_json_is_for_programs():
    result = run("show", "--json", "--env", "production", "--set", "store.mysql.password=k3vQz9tr81xx0P7m")

    shown = json.loads(result.stdout)
    assert set(shown) == set(catalogue())
    assert shown["queries.max_cells"] == {"value": 50_000_000, "from": "default", "restart": False}
    assert shown["panels.enabled"]["value"] is True
    assert shown["store.mysql.password"] == {"value": "********", "from": "--set", "restart": True}
    assert shown["store.influxdb.token"]["value"] is None
    assert shown["environment"] == {"value": "production", "from": "--env", "restart": True}


def test_show_of_a_section_shows_that_section():
    shown = json.loads(run("show", "store.influxdb.shard_days", "--json").stdout)
    single = json.loads(run("show", "store.name", "--json").stdout)

    assert {key.rpartition(".")[0] for key in shown} == {"store.influxdb.shard_days"}
    assert list(single) == ["store.name"]


def test_show_of_an_unknown_section_names_what_is_like_it():
    result = run("show", "store.nmae")

    assert result.exit_code == 2
    assert result.stderr == "no setting is called 'store.nmae'; did you mean store.name?\n"


def test_values_that_look_like_markup_are_shown_as_they_are():
    result = run("show", "store.mysql.user", "--set", "store.mysql.user=[bold]x[/bold]")

    assert "[bold]x[/bold]" in result.stdout


def test_validate_says_ok():
    Path("fine.toml").write_text('[store]\nname = "memory"\n')

    assert run("validate", "fine.toml").stdout == "ok: fine.toml, environment development\n"
    assert run("validate", "--env", "testing").stdout == "ok: no configuration file, environment testing\n"


def test_validate_lists_every_problem_and_ends_with_1():
    Path("bad.toml").write_text('store = 3\n[logging]\nlevel = "LOUD"\n[cach]\n')

    result = run("validate", "bad.toml")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "bad.toml:1: store: found an integer; valid is a table of settings: [store]",
        'bad.toml:3: logging.level: found "LOUD"; valid is one of "DEBUG", "INFO", "WARNING", "ERROR"',
        "bad.toml:4: cach: there is no such setting; did you mean cache?",
    ]


def test_validate_tells_before_it_is_deployed_whether_production_would_start():
    Path("prod.toml").write_text(
        '[store]\nname = "mysql"\n[store.mysql]\nuser = "q"\npassword = "changeme"\n'
    )

    assert run("validate", "prod.toml").exit_code == 0
    refused = run("validate", "prod.toml", "--env", "production")
    assert refused.exit_code == 1
    assert "store.mysql.password: is a well-known default" in refused.stderr


def test_explain_tells_all_about_a_setting():
    result = run(
        "explain", "store.influxdb.read_timeout_seconds", "--set", "store.influxdb.read_timeout_seconds=5"
    )

    assert result.exit_code == 0
    assert result.stdout == (
        "store.influxdb.read_timeout_seconds\n"
        "  Longest wait for the next bytes of an answer.\n"
        "  value     5.0\n"
        "  from      --set\n"
        "  default   15.0\n"
        "  valid     a number above 0 and up to 600\n"
        "  unit      seconds\n"
        "  variable  QUANTFLUX_STORE__INFLUXDB__READ_TIMEOUT_SECONDS\n"
        "  a change  needs a restart\n"
    )


@pytest.mark.parametrize("key", sorted(catalogue()))
def test_every_setting_can_be_explained(key):
    result = run("explain", key)

    assert result.exit_code == 0
    assert catalogue()[key].description in result.stdout
    assert ("takes effect at once" in result.stdout) is not catalogue()[key].restart


def test_an_unknown_key_is_one_line_and_exit_code_2():
    result = run("explain", "mysql.price_decimls")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert (
        result.stderr
        == "no setting is called 'mysql.price_decimls'; did you mean store.mysql.price_decimals?\n"
    )


@pytest.mark.parametrize("command", [["show"], ["validate"], ["explain", "store.name"]], ids=" ".join)
def test_a_missing_file_is_one_line(command):
    result = run(*command, "--config", "missing.toml")

    assert result.exit_code == 1
    assert result.stderr == "missing.toml: there is no such file\n"


def test_reference_writes_the_page():
    assert run("reference").stdout == reference()


def test_options_before_the_commands_name_count_too():
    Path("outer.toml").write_text("[queries]\nmax_cells = 1\nmax_symbols = 1\n")
    root = typer.Typer()
    root.add_typer(app, name="config")

    @root.callback()
    def remember(context: typer.Context) -> None:
        context.obj = ConfigRequest(Path("outer.toml"), "testing", ("queries.max_cells=2",))

    result = CliRunner().invoke(root, ["config", "show", "--json", "--set", "queries.max_symbols=3"])

    shown = json.loads(result.stdout)
    assert shown["environment"]["value"] == "testing"
    assert (shown["queries.max_cells"]["value"], shown["queries.max_symbols"]["value"]) == (2, 3)


@pytest.mark.parametrize("days", [None, "added = 3\n", "garbage="])
def test_validate_reads_the_calendar_file_that_the_settings_name(days):
    Path("quantflux.toml").write_text('[calendar]\noverride_file = "days.toml"\n')
    if days is not None:
        Path("days.toml").write_text(days)

    result = run("validate")

    assert result.exit_code == 1
    assert "days.toml" in result.stderr
