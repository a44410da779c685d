"""Canaries: a secret that was given anywhere is seen nowhere."""

from __future__ import annotations

import logging
import pickle
import traceback

import pytest
from typer.testing import CliRunner

from quantflux.cli.config import app
from quantflux.config import ConfigManager, ConfigRequest, catalogue
from quantflux.config.reference import reference
from quantflux.core.errors import ConfigError, QuantfluxError

SECRETS = [key for key, setting in catalogue().items() if setting.secret]
FILE = """
[store.influxdb]
username = "writer"
token = "CANARY-influx-token-1"
password = "CANARY-influx-password-2"
[store.mysql]
password = "CANARY-mysql-password-3"
[cache]
url = "redis://:CANARY-redis-4@127.0.0.1:6379/0"
[sources.tushare]
token = "CANARY-tushare-5"
[database]
url = "mysql+pymysql://quantflux:CANARY-database-6@127.0.0.1/quantflux"
[accounts]
signing_keys = "k1:CANARY-signing-key-7-0123456789abcdef"
[audit]
key = "CANARY-audit-key-8-0123456789abcdefghij"
"""

# Each text breaks a file that holds canaries in another way.
SPOILERS = {
    "unknown key": 'passwrd = "CANARY-typo"',
    "unknown table": '[store.sql]\npassword = "CANARY-table"',
    "secret as a list": '[store]\nmysql = { password = ["CANARY-list"] }',
    "secret as a table": '[store]\nmysql = { password = { CANARY = "CANARY-inner" } }',
    "secret with a line break": '[store.mysql]\npassword = "CANARY-break\\n"',
    "address with credentials": '[store.influxdb]\nurl = "http://writer:CANARY-url@h/p@th"',
    "address with odd credentials": '[store.influxdb]\nurl = "writer:CANARY/url?x@h"',
    "not an address": '[cache]\nurl = "CANARY-not-redis"',
    "unclosed text": '[store.mysql]\npassword = "CANARY-unclosed\n',
    "text without quotes": "[store.mysql]\npassword = CANARY-bare\n",
    "key twice": '[store.mysql]\npassword = "CANARY-one"\npassword = "CANARY-two"',
    "secret as a table name": '[store.mysql.password]\n[store.mysql]\npassword = "CANARY-x"',
    "rules broken": '[store.mysql]\npassword = "CANARY"\n[store.influxdb]\npassword = "CANARY-lonely"',
}


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "user.toml"
    path.write_text(FILE)
    return path


def test_the_canaries_cover_every_secret(whole):
    settings = ConfigManager(ConfigRequest(path=whole), {})

    assert all("CANARY" in settings.loaded.value(key).get_secret_value() for key in SECRETS)


def test_nothing_that_prints_settings_prints_secrets(whole, caplog):
    caplog.set_level(logging.DEBUG)
    manager = ConfigManager(ConfigRequest(path=whole), {})
    whole.write_text(FILE.replace("-3", "-33").replace("-5", "-55"))
    report = manager.reload()
    settings = manager.current

    printed = [
        *(
            repr(part) + str(part)
            for part in (settings, settings.store, settings.cache, manager.loaded, report)
        ),
        *(repr(e) + e.shown for e in manager.explain_all()),
        settings.model_dump_json(),
        str(settings.model_dump()),
        reference(),
        caplog.text,
    ]

    assert report.changed == ("store.mysql.password", "sources.tushare.token")
    assert report.changed[0] in caplog.text
    assert not [text for text in printed if "CANARY" in text]


@pytest.mark.parametrize("spoiler", SPOILERS.values(), ids=SPOILERS.keys())
def test_no_error_repeats_a_secret(spoiler, tmp_path, caplog):
    path = tmp_path / "user.toml"
    path.write_text(spoiler)

    with pytest.raises(ConfigError) as caught:
        ConfigManager(ConfigRequest(path=path, environment="production"), {})

    error = caught.value
    everything = "".join(traceback.format_exception(error)) + repr(error) + str(error.problems)
    assert "CANARY" not in everything
    assert b"CANARY" not in pickle.dumps(error)


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("text", ["CANARY\x01", "CANARY ", "CANARY\udcff", "CANARY" * 3])
def test_no_variable_or_option_repeats_a_secret(key, text):
    """The last text is valid for most secrets, and wrong for an address."""
    for request, variables in (
        (ConfigRequest(), {catalogue()[key].variable: text}),
        (ConfigRequest(overrides=(f"{key}=\x01{text}",)), {}),
        (ConfigRequest(overrides=(f"{key} {text}",)), {}),
    ):
        try:
            shown = repr(ConfigManager(request, variables).explain_all())
        except QuantfluxError as exc:
            shown = "".join(traceback.format_exception(exc))
        assert "CANARY" not in shown


@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["show", "--json"],
        ["show", "store.mysql"],
        ["validate"],
        ["reference"],
        *(["explain", key] for key in SECRETS),
    ],
    ids=" ".join,
)
def test_no_command_prints_a_secret(command, whole, monkeypatch):
    monkeypatch.setenv("QUANTFLUX_CONFIG", str(whole))

    result = CliRunner().invoke(app, command)

    assert result.exit_code == 0, result.output
    assert "CANARY" not in result.output
    assert result.output.strip()


@pytest.mark.parametrize("spoiler", SPOILERS.values(), ids=SPOILERS.keys())
@pytest.mark.parametrize(
    "command", [["validate"], ["show"], ["explain", "store.mysql.password"]], ids=" ".join
)
def test_no_failing_command_prints_a_secret(spoiler, command, tmp_path):
    path = tmp_path / "user.toml"
    path.write_text(spoiler)

    result = CliRunner().invoke(app, [*command, "--config", str(path)])

    assert result.exit_code == 1
    assert result.stderr.strip()
    assert "CANARY" not in result.output
    assert "Traceback" not in result.output
