"""One platform over each store: what goes in by one door comes out by the same, adjusted, resampled and as of then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from quantflux.config import ConfigManager, ConfigRequest, Settings
from quantflux.core.errors import StoreUnavailable, Unsupported
from quantflux.data.contract import CanReadAsOf
from quantflux.data.schema import DAILY, MINUTE
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform
from tests.services.influxdb import InfluxServer
from tests.services.mariadb import MariaDBServer

Opened = Callable[..., Settings]


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return SyntheticMarket(seed=5, companies=12, start=date(2024, 1, 2), end=date(2024, 3, 29))


@pytest.fixture(scope="module")
def daily(market: SyntheticMarket) -> pa.Table:
    (rows,) = market.daily_tables()
    return rows


@pytest.fixture(scope="module")
def minutes(market: SyntheticMarket) -> pa.Table:
    return pa.concat_tables(market.minute_tables(companies=4, days=2)).sort_by(
        [("symbol", "ascending"), ("bar_time", "ascending")]
    )


@pytest.fixture(params=["memory", "columnar", "influxdb", "mysql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    store: dict[str, Any] = {"name": request.param}
    if request.param == "influxdb":
        server: InfluxServer = request.getfixturevalue("influxdb_server")
        store["influxdb"] = {"url": server.url, "database": request.getfixturevalue("influxdb_database")}
    if request.param == "mysql":
        maria: MariaDBServer = request.getfixturevalue("mariadb_server")
        database = request.getfixturevalue("mariadb_database")
        store["mysql"] = {
            "host": maria.host,
            "port": maria.port,
            "user": maria.user,
            "database": database,
            "rounding": "v1",  # minute prices are 4-byte floats there
        }
    settings = Settings(data_dir=tmp_path, store=store, panels={"check_seconds": 0})
    with Platform.open(settings) as opened:
        yield opened


def test_bars_come_back_as_they_went_in(platform: Platform, daily: pa.Table, minutes: pa.Table) -> None:
    symbol = daily["symbol"][0].as_py()
    minute_symbol = minutes["symbol"][0].as_py()

    platform.data.write(DAILY, daily)
    platform.data.write(MINUTE, minutes)
    day_bars = platform.data.get_stock_data(symbol)
    minute_bars = platform.data.get_stock_data(minute_symbol, frequency="1min")

    assert day_bars.provenance.tier == ("store" if platform.store.name == "memory" else "panel")
    # v1's tables keep amounts to ten yuan and minute prices in 4-byte floats.
    kept = [name for name in DAILY.schema.names if name != "amount" or platform.store.name != "mysql"]
    whole = daily.filter(pa.compute.equal(daily["symbol"], symbol))
    assert day_bars.to_arrow().select(kept).equals(whole.select(kept))
    expected = minutes.filter(pa.compute.equal(minutes["symbol"], minute_symbol))
    single = platform.store.name == "mysql"
    np.testing.assert_allclose(minute_bars["close"], expected["close"], rtol=1e-6 if single else 0)
    assert minute_bars["volume"].tolist() == expected["volume"].to_pylist()


def test_the_door_adjusts_resamples_and_crosses_alike_on_every_store(
    platform: Platform, daily: pa.Table, minutes: pa.Table
) -> None:
    platform.data.write(DAILY, daily)
    platform.data.write(MINUTE, minutes)
    frame = daily.to_pandas()
    day = frame["trade_date"].max()

    backward = platform.data.panel(["close"], adjust="backward")
    crossed = platform.data.cross_section(day)
    five = platform.data.get_many(None, frequency="5min")

    wide = (
        (frame["close"] * frame["adj_factor"])
        .groupby([frame["trade_date"], frame["symbol"]])
        .first()
        .unstack()
    )
    np.testing.assert_allclose(backward["close"], wide.to_numpy(), rtol=1e-12)
    assert crossed["close"].tolist() == frame[frame["trade_date"] == day]["close"].tolist()
    assert five["volume"].sum() == sum(minutes["volume"].to_pylist())
    assert 48 * 4 <= len(five) <= 48 * 4 * 2


def test_an_earlier_version_is_read_where_the_store_can_and_refused_where_not(
    platform: Platform, daily: pa.Table
) -> None:
    symbol = daily["symbol"][0].as_py()
    first = platform.data.write(DAILY, daily).version
    doubled = daily.set_column(5, "close", pa.compute.multiply(daily["close"], 1.0))
    higher = doubled.set_column(3, "high", pa.compute.add(daily["high"], 1.0))

    platform.data.write(DAILY, higher)

    assert platform.data.get_stock_data(symbol)["high"].max() > max(
        daily.filter(pa.compute.equal(daily["symbol"], symbol))["high"].to_pylist()
    )
    if isinstance(platform.store, CanReadAsOf):
        before = platform.data.get_stock_data(symbol, as_of=first)
        assert before.to_arrow().equals(daily.filter(pa.compute.equal(daily["symbol"], symbol)))
    else:
        with pytest.raises(Unsupported):
            platform.data.get_stock_data(symbol, as_of=first)


def test_reads_survive_the_loss_of_every_panel(platform: Platform, daily: pa.Table) -> None:
    import shutil

    symbol = daily["symbol"][0].as_py()
    platform.data.write(DAILY, daily)
    before = platform.data.get_stock_data(symbol).to_arrow()

    shutil.rmtree(platform.settings.panel_directory, ignore_errors=platform.store.name == "memory")

    assert platform.data.get_stock_data(symbol).to_arrow().equals(before)


def test_a_store_that_is_down_is_named_when_it_is_asked_not_when_it_is_opened(tmp_path: Path) -> None:
    influx = {"url": "http://127.0.0.1:9", "connect_timeout_seconds": 0.5}
    settings = Settings(data_dir=tmp_path, store={"name": "influxdb", "influxdb": influx})

    with Platform.open(settings) as platform, pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9"):
        platform.data.get_stock_data("600519.SH")


def test_new_limits_take_effect_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "quantflux.toml"
    file.write_text(f'data_dir = "{tmp_path}/data"\n[queries]\nmax_symbols = 3\n')
    manager = ConfigManager(ConfigRequest(path=file), environ={})

    with Platform.open(manager.current) as platform:
        manager.subscribe(lambda settings, _: platform.apply(settings))
        file.write_text(file.read_text().replace("max_symbols = 3", "max_symbols = 5"))
        report = manager.reload()

        assert report.changed == ("queries.max_symbols",)
        assert platform.data.limits.max_symbols == 5
