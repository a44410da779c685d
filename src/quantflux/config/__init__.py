"""Typed settings, where each value came from, and the manager that reloads them."""

from quantflux.config.catalogue import Setting, catalogue
from quantflux.config.loading import ConfigRequest, Loaded, load
from quantflux.config.manager import ConfigManager, Explanation, ReloadReport
from quantflux.config.problems import Origin
from quantflux.config.settings import (
    ENVIRONMENTS,
    CacheSettings,
    CalendarSettings,
    LogSettings,
    PanelSettings,
    QuerySettings,
    Settings,
    SourceSettings,
)
from quantflux.config.stores import ColumnarSettings, InfluxSettings, MySQLSettings, StoreSettings
from quantflux.config.watcher import Watcher

__all__ = [
    "ENVIRONMENTS",
    "CacheSettings",
    "CalendarSettings",
    "ColumnarSettings",
    "ConfigManager",
    "ConfigRequest",
    "Explanation",
    "InfluxSettings",
    "Loaded",
    "LogSettings",
    "MySQLSettings",
    "Origin",
    "PanelSettings",
    "QuerySettings",
    "ReloadReport",
    "Setting",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "Watcher",
    "catalogue",
    "load",
]
