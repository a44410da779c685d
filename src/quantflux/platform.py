"""The composition root: turns settings into one `Platform` that holds every service. Nothing else builds them.

Settings stop here: the services below take plain values.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from quantflux.config import InfluxSettings, MySQLSettings, Settings
from quantflux.core.calendar import TradingCalendar
from quantflux.core.clock import Clock, SystemClock
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import MarketStore
from quantflux.data.panels import PanelTier
from quantflux.data.quality import Ledger
from quantflux.data.stores import open_store


class Platform:
    """Every service of an installation, built once from its settings.

    Attributes
    ----------
    settings : Settings
    clock : Clock
    calendar : TradingCalendar
        Of the Shanghai exchange, with the user's overrides.
    store : MarketStore
        The truth store. Reads go through `data`.
    data : DataAccessLayer
    ledger : Ledger
        Quality findings and quarantined rows.

    Examples
    --------
    >>> from quantflux.config import Settings
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Platform.open(Settings(data_dir=folder)) as platform:
    ...     platform.store.name
    'columnar'
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        calendar: TradingCalendar,
        store: MarketStore,
        panels: PanelTier | None,
        ledger: Ledger,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.calendar = calendar
        self.store = store
        self.panels = panels
        self.ledger = ledger
        self.data = DataAccessLayer(
            store,
            panels,
            clock=clock,
            max_symbols=settings.queries.max_symbols,
            max_rows=settings.queries.max_rows,
        )

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None) -> Self:
        """Build every service. Opens no data: that happens on first use.

        Raises
        ------
        ConfigError
            If the calendar's override file is wrong.
        StoreError
            If the store cannot be opened.
        """
        clock = clock or SystemClock()
        calendar = TradingCalendar.for_exchange("SSE", overrides=settings.calendar.override_file)
        store = open_store(settings.store.name, _store_options(settings), clock)
        panels = _panel_tier(settings, store, clock) if settings.panels.enabled else None
        return cls(settings, clock, calendar, store, panels, Ledger(quality_directory(settings), clock))

    def close(self) -> None:
        """Release files and connections."""
        self.ledger.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _panel_tier(settings: Settings, store: MarketStore, clock: Clock) -> PanelTier:
    return PanelTier(
        store,
        panel_directory(settings),
        clock=clock,
        max_bytes=settings.panels.max_bytes,
        check_seconds=settings.panels.check_seconds,
        source=_place(settings),
    )


def panel_directory(settings: Settings) -> Path:
    """Return the folder of the panel tier."""
    return settings.panels.directory or settings.data_dir / "panels"


def quality_directory(settings: Settings) -> Path:
    """Return the folder of the quality ledger."""
    return settings.data_dir / "quality"


def _place(settings: Settings) -> str:
    """Say where the truth lives, so that panels of another place are never taken for its own."""
    places: dict[str, Callable[[], str]] = {
        "columnar": lambda: str(settings.columnar_directory.absolute()),
        "influxdb": lambda: f"{settings.store.influxdb.url}/{settings.store.influxdb.database}",
        "mysql": lambda: f"{settings.store.mysql.host}:{settings.store.mysql.port}/{settings.store.mysql.database}",
        "memory": lambda: "process",
    }
    return places[settings.store.name]()


def _store_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Callable[[], dict[str, Any]]] = {
        "columnar": lambda: {"path": settings.columnar_directory},
        "influxdb": lambda: _influx_options(settings.store.influxdb, settings),
        "mysql": lambda: _mysql_options(settings.store.mysql),
        "memory": dict,
    }
    return options[settings.store.name]()


def _influx_options(influx: InfluxSettings, settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = influx.model_dump(exclude={"token", "password", "spool_directory"})
    return options | {
        "token": influx.token.get_secret_value(),
        "password": influx.password.get_secret_value(),
        "dead_letter_dir": influx.spool_directory or settings.data_dir / "spool",
    }


def _mysql_options(mysql: MySQLSettings) -> dict[str, Any]:
    options: dict[str, Any] = mysql.model_dump(exclude={"password"})
    return options | {"password": mysql.password.get_secret_value()}
