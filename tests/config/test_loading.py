"""Precedence, origins, and how texts of variables and options become values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from quantflux.config import ENVIRONMENTS, ConfigRequest, catalogue, load
from quantflux.core.errors import ConfigError


def test_without_any_source_the_development_defaults_hold():
    loaded = load(ConfigRequest(), {})

    assert loaded.settings.environment == "development"
    assert loaded.settings.store.name == "columnar"
    assert loaded.path is None
    assert str(loaded.origin("store.name")) == "default"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_shipped_environment_is_valid(environment):
    loaded = load(ConfigRequest(environment=environment), {})

    assert loaded.settings.environment == environment
    assert str(loaded.origin("logging.level")).startswith(f"{environment}.toml:")


def test_later_sources_win_one_by_one(tmp_path):
    path = tmp_path / "user.toml"
    key = "logging.level"
    seen = [load(ConfigRequest(environment="testing"), {})]
    path.write_text('[logging]\nlevel = "DEBUG"\n')
    seen.append(load(ConfigRequest(path=path, environment="testing"), {}))
    variables = {"QUANTFLUX_LOGGING__LEVEL": "ERROR"}
    seen.append(load(ConfigRequest(path=path, environment="testing"), variables))
    seen.append(load(ConfigRequest(path, "testing", ("logging.level=INFO",)), variables))

    assert [loaded.value(key) for loaded in seen] == ["WARNING", "DEBUG", "ERROR", "INFO"]
    assert [loaded.origin(key).kind for loaded in seen] == [
        "environment file",
        "file",
        "variable",
        "override",
    ]
    assert str(seen[1].origin(key)) == f"{path}:2"
    assert str(seen[2].origin(key)) == "QUANTFLUX_LOGGING__LEVEL"


def test_of_two_overrides_the_last_wins():
    assert (
        load(
            ConfigRequest(overrides=("store.name=mysql", "store.mysql.user=u", "store.name=memory")), {}
        ).settings.store.name
        == "memory"
    )


def test_a_wrong_value_is_reported_even_where_it_is_overridden(load_text):
    with pytest.raises(ConfigError, match=r"user\.toml:2: store\.name: found \"oracle\""):
        load_text('[store]\nname = "oracle"\n', "store.name=memory")


def test_the_environment_is_chosen_by_rank(load_text):
    text = 'environment = "testing"\n'

    assert load_text(text).settings.environment == "testing"
    assert load_text(text, QUANTFLUX_ENV="development").settings.environment == "development"
    both = load_text(text, "environment=testing", QUANTFLUX_ENV="development")
    assert both.settings.environment == "testing"
    assert str(both.origin("environment")) == "--set"


def test_a_request_for_an_environment_beats_everything(load_text, tmp_path):
    load_text('environment = "testing"\n')

    loaded = load(ConfigRequest(tmp_path / "user.toml", "production"), {"QUANTFLUX_ENV": "development"})

    assert loaded.settings.environment == "production"
    assert loaded.settings.logging.format == "json"
    assert str(loaded.origin("environment")) == "--env"


@pytest.mark.parametrize("how", [{"request": "prod"}, {"variable": "prod"}])
def test_an_unknown_environment_is_refused(how):
    variables = {"QUANTFLUX_ENV": how["variable"]} if "variable" in how else {}

    with pytest.raises(ConfigError, match=r"development.*testing.*production"):
        load(ConfigRequest(environment=how.get("request")), variables)


def test_the_user_file_is_found_in_the_usual_places(tmp_path):
    home = tmp_path / "home" / ".config" / "quantflux"
    home.mkdir(parents=True)
    (home / "config.toml").write_text("[queries]\nmax_cells = 1\n")
    named = tmp_path / "named.toml"
    named.write_text("[queries]\nmax_cells = 3\n")
    given_path = tmp_path / "given.toml"
    given_path.write_text("[queries]\nmax_cells = 4\n")

    def rows(path: Path | None = None, **variables: str) -> int:
        return load(ConfigRequest(path), variables).settings.queries.max_cells

    assert rows() == 1
    Path("quantflux.toml").write_text("[queries]\nmax_cells = 2\n")
    assert rows() == 2
    assert rows(QUANTFLUX_CONFIG=str(named)) == 3
    assert rows(given_path, QUANTFLUX_CONFIG=str(named)) == 4


def test_another_configuration_home_is_respected(tmp_path):
    (tmp_path / "xdg" / "quantflux").mkdir(parents=True)
    (tmp_path / "xdg" / "quantflux" / "config.toml").write_text("[queries]\nmax_cells = 9\n")

    loaded = load(ConfigRequest(), {"XDG_CONFIG_HOME": str(tmp_path / "xdg")})

    assert loaded.settings.queries.max_cells == 9


@pytest.mark.parametrize("how", ["request", "variable"])
def test_a_named_file_must_exist(how, tmp_path):
    missing = tmp_path / "missing.toml"
    request = ConfigRequest(path=missing) if how == "request" else ConfigRequest()
    variables = {"QUANTFLUX_CONFIG": str(missing)} if how == "variable" else {}

    with pytest.raises(ConfigError, match=r"missing\.toml: there is no such file"):
        load(request, variables)


def test_relative_paths_in_a_file_are_relative_to_its_folder(load_text, tmp_path):
    loaded = load_text('data_dir = "../d"\n[panels]\ndirectory = "p"\n', "calendar.override_file=c.csv")

    assert loaded.settings.data_dir == tmp_path.parent / "d"
    assert loaded.settings.panels.directory == tmp_path / "p"
    assert loaded.settings.calendar.override_file == Path("c.csv")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("panels.enabled", "false", False),
        ("panels.enabled", "YES", True),
        ("panels.enabled", "0", False),
        ("queries.max_cells", "1_000", 1000),
        ("panels.check_seconds", "2", 2.0),
        ("panels.check_seconds", "1e-1", 0.1),
        ("store.influxdb.dialect", "2", "2"),
        ("store.mysql.user", "a=b", "a=b"),
        ("panels.directory", "", None),
        ("store.influxdb.org", "", ""),
    ],
)
def test_texts_become_values_of_the_settings_type(key, text, value):
    by_variable = load(ConfigRequest(), {catalogue()[key].variable: text})
    by_option = load(ConfigRequest(overrides=(f"{key}={text}",)), {})

    assert by_variable.value(key) == value
    assert by_option.value(key) == value
    assert type(by_variable.value(key)) is type(value)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("panels.enabled", "2"),
        ("queries.max_cells", "1.5"),
        ("queries.max_cells", ""),
        ("panels.check_seconds", "nan"),
        ("store.mysql.user", "\udcff"),
    ],
)
def test_texts_of_no_value_are_refused(key, text):
    with pytest.raises(ConfigError, match=f"{key}: found"):
        load(ConfigRequest(), {catalogue()[key].variable: text})


def test_a_variable_that_sets_nothing_is_a_problem():
    with pytest.raises(ConfigError, match="did you mean QUANTFLUX_STORE__NAME"):
        load(ConfigRequest(), {"QUANTFLUX_STORE__NMAE": "mysql"})

    assert load(ConfigRequest(), {"QUANTFLUXX": "1", "PATH": "x"}).settings.store.name == "columnar"


def test_suggestions_stay_in_the_section_and_reach_beyond_it():
    def hint(key: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(ConfigRequest(overrides=(f"{key}=x",)), {})
        return str(caught.value)

    assert hint("store.influxdb.tokn").endswith("did you mean store.influxdb.token?")
    assert hint("mysql.price_decimals").endswith("did you mean store.mysql.price_decimals?")
    assert hint("panels.zzzz").endswith("valid here: enabled, directory, max_bytes, check_seconds")


@budget(deadline=None, max_examples=80)
@given(st.text(max_size=40), st.sampled_from(sorted(catalogue())))
def test_any_text_is_either_a_value_or_one_clear_line(text, key):
    lines = problems_of(f"{key}={text}")

    assert len(lines) <= 1
    assert all(line.isprintable() and line.startswith(("--set: ", "default: ")) for line in lines)


def problems_of(override: str) -> tuple[str, ...]:
    try:
        load(ConfigRequest(environment="development", overrides=(override,)), {})
    except ConfigError as exc:
        return exc.problems
    return ()
