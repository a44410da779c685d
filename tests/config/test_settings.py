"""The settings model: complete, immutable, and silent about secrets."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from quantflux.config import Settings, catalogue
from quantflux.config.catalogue import InvalidValueError, sections, value_of
from quantflux.config.stores import ShardDays
from quantflux.data.schema import datasets

EVERY = list(catalogue().values())


@pytest.mark.parametrize("setting", EVERY, ids=lambda s: s.key)
def test_every_setting_is_documented(setting):
    assert setting.description.endswith(".")
    assert len(setting.description) > 8
    assert setting.valid


@pytest.mark.parametrize("setting", EVERY, ids=lambda s: s.key)
def test_names_state_their_units(setting):
    for ending in ("seconds", "bytes", "lines", "cells", "symbols"):
        if setting.key.endswith(f"_{ending}"):
            assert setting.unit == ending

    if setting.type in (int, float) and setting.key != "store.mysql.port":
        assert setting.unit


def test_every_section_is_documented():
    assert all(len(text) > 8 for text in sections().values())


def test_settings_whose_names_speak_of_secrets_are_secret():
    speaking = {
        k for k in catalogue() if k.rpartition(".")[2] in ("password", "token", "key", "signing_keys")
    }

    assert speaking | {"cache.url", "database.url"} == {k for k, s in catalogue().items() if s.secret}


def test_shards_are_declared_for_every_measurement():
    assert set(ShardDays.model_fields) == set(datasets())


@pytest.mark.parametrize("setting", EVERY, ids=lambda s: s.key)
def test_defaults_are_valid(setting):
    default = value_of(Settings(), setting.key)
    given = (
        default.get_secret_value()
        if setting.secret
        else str(default or "")
        if setting.type is Path
        else default
    )

    assert setting.check(given) == default


def test_variables_are_unique_and_named_after_their_keys():
    variables = {s.variable for s in EVERY}

    assert len(variables) == len(EVERY)
    assert catalogue()["store.influxdb.url"].variable == "QUANTFLUX_STORE__INFLUXDB__URL"
    assert catalogue()["environment"].variable == "QUANTFLUX_ENV"


@pytest.mark.parametrize("part", [Settings(), Settings().store, Settings().store.influxdb.shard_days])
def test_sections_cannot_be_changed(part):
    name = next(iter(type(part).model_fields))

    with pytest.raises(ValidationError, match="frozen"):
        setattr(part, name, None)


def test_settings_are_hashable_copied_and_pickled():
    settings = Settings(store={"mysql": {"password": "hunter2"}})

    assert copy.deepcopy(settings) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert hash(settings) == hash(Settings(store={"mysql": {"password": "hunter2"}}))
    assert settings != Settings()


def test_unknown_names_are_refused_without_repeating_values():
    with pytest.raises(ValidationError) as caught:
        Settings(store={"influxdb": {"tokn": "canary-value", "url": "ftp://canary-value"}})

    assert "canary-value" not in str(caught.value)


def test_home_is_expanded_and_subfolders_follow_the_data_folder(tmp_path):
    assert Settings().data_dir == tmp_path / "home" / ".local" / "share" / "quantflux"

    settings = Settings(data_dir="/d", panels={"directory": "/p"})

    assert settings.columnar_directory == Path("/d/columnar")
    assert settings.dead_letter_directory == Path("/d/dead-letters")
    assert settings.manifest_directory == Path("/d/manifest")
    assert settings.panel_directory == Path("/p")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("store.influxdb.url", "influx:8086", "not an http://"),
        ("store.influxdb.url", "http://", "with a host"),
        ("store.influxdb.url", "http://h:99999", "well-formed"),
        ("store.influxdb.url", "http://[::1", "well-formed"),
        ("store.influxdb.url", "https://h/?db=x", "query"),
        ("store.influxdb.url", "https://me:pw@h/", "credentials"),
        ("store.influxdb.database", "a b", "^$"),
        ("store.influxdb.bucket", "x" * 64, "^$"),
        ("store.influxdb.token", "abc\n", "line break"),
        ("store.influxdb.token", " abc", "space"),
        ("store.mysql.user", "a\x00b", "^$"),
        ("store.mysql.host", "a\r\nb", "^$"),
        ("data_dir", "a\x00b", "NUL"),
        ("data_dir", "", "empty"),
        ("data_dir", "~nobody-by-this-name/x", "home directory"),
        ("store.mysql.user", "x" * 1001, "^$"),
    ],
)
def test_values_that_no_server_could_mean_are_refused(key, value, why):
    with pytest.raises(InvalidValueError, match=why) as caught:
        catalogue()[key].check(value)

    assert len(str(caught.value)) < 100


def test_an_address_loses_its_last_slash():
    assert catalogue()["store.influxdb.url"].check("https://h:1/base/") == "https://h:1/base"


def test_secrets_are_masked_and_absence_is_visible():
    token = catalogue()["store.influxdb.token"]

    assert token.shown(SecretStr("abc")) == "********"
    assert token.shown(SecretStr("")) == ""
