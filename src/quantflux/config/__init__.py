"""Typed settings, where each value came from, and the manager that reloads them."""

from quantflux.config.catalogue import Setting, catalogue
from quantflux.config.loading import ConfigRequest, Loaded, load
from quantflux.config.manager import ConfigManager, Explanation, ReloadReport
from quantflux.config.problems import Origin
from quantflux.config.serving import (
    AccountSettings,
    AuditSettings,
    CacheSettings,
    DatabaseSettings,
    LimitSettings,
    ServerSettings,
    V1Settings,
)
from quantflux.config.settings import (
    ENVIRONMENTS,
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
    "AccountSettings",
    "AuditSettings",
    "CacheSettings",
    "CalendarSettings",
    "ColumnarSettings",
    "ConfigManager",
    "ConfigRequest",
    "DatabaseSettings",
    "Explanation",
    "InfluxSettings",
    "LimitSettings",
    "Loaded",
    "LogSettings",
    "MySQLSettings",
    "Origin",
    "PanelSettings",
    "QuerySettings",
    "ReloadReport",
    "ServerSettings",
    "Setting",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "V1Settings",
    "Watcher",
    "catalogue",
    "load",
]
