"""Settings of the stores reach the stores: same options, same defaults, nothing left unread."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from quantflux.config import ConfigManager, ConfigRequest, Settings, catalogue
from quantflux.core.errors import InvalidRequest
from quantflux.data.adapters import columnar, influxdb, memory, mysql
from quantflux.data.adapters.influxdb.transport import Timeouts
from quantflux.platform import Platform, store_options

STORES = {"columnar": columnar, "influxdb": influxdb, "mysql": mysql, "memory": memory}
REQUIRED = {"mysql": {"user", "database"}, "columnar": {"path"}}


def options(store: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    return store_options(Settings(store={"name": store, **({store: changes} if changes else {})}))


def parameters(store: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(STORES[store].open_store).parameters)


@pytest.mark.parametrize("store", STORES)
def test_every_option_is_one_that_the_store_takes(store):
    assert set(options(store)) <= set(parameters(store)) - {"clock"}


@pytest.mark.parametrize("store", STORES)
def test_defaults_are_the_stores_own(store):
    """The adapters' defaults are measured; the settings repeat them so that people can see them."""
    # Options that have no default, that name folders, or that list what the store has one number for.
    other = {"user", "database", "path", "dead_letter", "manifest", "timeouts", "shard_days"}
    own = {name: p.default for name, p in parameters(store).items()}

    given = {name: value for name, value in options(store).items() if name not in other}

    assert given == {name: own[name] for name in given}


def test_the_default_waits_and_shards_of_influxdb_are_its_own():
    from quantflux.data.adapters.influxdb.places import SHARD_DAYS
    from quantflux.data.schema import datasets

    given = options("influxdb")

    own = Timeouts()
    assert given["timeouts"] == {
        "connect": own.connect,
        "read": own.read,
        "write": own.write,
        "total": own.total,
    }
    assert given["shard_days"] == {name: SHARD_DAYS[data.kind] for name, data in datasets().items()}


OTHER = {
    bool: lambda old: not old,
    int: lambda old: old + 1,
    float: lambda old: old + 1.0,
    str: lambda old: f"{old}x",
}
NEEDS_ANOTHER = {
    "store.influxdb.url": "https://other.example:1",
    "store.influxdb.dialect": "3",
    "store.mysql.rounding": "v1",
    "store.mysql.minute_table": "stock_1min_history",
    "store.mysql.price_decimals": 4,
}


@pytest.mark.parametrize(
    "setting",
    [s for s in catalogue().values() if s.key.startswith("store.") and s.key != "store.name"],
    ids=lambda s: s.key,
)
def test_every_setting_of_a_store_reaches_it(setting):
    _, store, *rest = setting.key.split(".")
    old = setting.default
    plain = "" if setting.secret else old
    kind = str if setting.secret else setting.type
    new: Any = NEEDS_ANOTHER.get(setting.key) or ("/elsewhere" if kind is Path else OTHER[kind](plain))
    for part in reversed(rest):
        new = {part: new}

    assert options(store, new) != options(store)


def test_limits_that_change_while_running_hold_from_the_next_query(tmp_path):
    path = tmp_path / "user.toml"
    path.write_text("environment = 'testing'\ndata_dir = 'data'\n")
    manager = ConfigManager(ConfigRequest(path=path), {})
    with Platform.open(manager.current) as platform:
        manager.subscribe(lambda settings, _: platform.apply(settings))
        path.write_text("environment = 'testing'\ndata_dir = 'data'\n[queries]\nmax_symbols = 1\n")

        report = manager.reload()

        assert (report.changed, report.needs_restart) == (("queries.max_symbols",), ())
        assert platform.data.limits.max_symbols == 1
        with pytest.raises(InvalidRequest):
            platform.data.panel(["000001.SZ", "000002.SZ"])
