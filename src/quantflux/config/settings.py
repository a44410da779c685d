"""The settings of a whole installation, as one immutable value."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from quantflux.config.fields import Folder, OptionalPath, Secret, Section, setting
from quantflux.config.serving import (
    AccountSettings,
    AuditSettings,
    CacheSettings,
    DatabaseSettings,
    LimitSettings,
    ServerSettings,
    V1Settings,
)
from quantflux.config.stores import StoreSettings

ENVIRONMENTS = ("development", "testing", "production")


class PanelSettings(Section):
    """The panel tier: memory-mapped copies of datasets that answer most reads."""

    enabled: bool = setting(True, "Keep and use panels.")
    directory: OptionalPath = setting(
        None,
        "Where panels are kept; they can be deleted at any time.",
        valid="a path; empty: the folder `panels` in data_dir",
    )
    max_bytes: int = setting(
        20_000_000_000, "Most disk space that panels may take.", unit="bytes", ge=10_000_000
    )
    check_seconds: float = setting(
        1.0,
        "Longest time a reader may go without asking the store for a newer version.",
        unit="seconds",
        ge=0,
        le=3600,
    )


class FactorSettings(Section):
    """Computation of factors, and the values it keeps."""

    directory: OptionalPath = setting(
        None,
        "Where users' definitions and computed values are kept; the values can be deleted at any time.",
        valid="a path; empty: the folder `factors` in data_dir",
    )
    max_bytes: int = setting(
        20_000_000_000,
        "Most disk space that values may take; those used longest ago go first.",
        unit="bytes",
        ge=10_000_000,
    )
    threads: int = setting(
        0, "Threads of a computation; 0 means one for each processor.", unit="threads", ge=0, le=1024
    )
    max_memory_bytes: int = setting(
        3_000_000_000,
        "Most memory that the process may hold while it computes factors; a computation is cut to fit.",
        unit="bytes",
        ge=300_000_000,
    )


class QuerySettings(Section):
    """Caps that keep one query from taking the whole machine."""

    max_symbols: int = setting(
        10_000, "Most symbols one query may name.", unit="symbols", ge=1, restart=False
    )
    max_cells: int = setting(
        50_000_000, "Most symbols x times one answer may span.", unit="cells", ge=1, restart=False
    )


def _rate(calls: int, vendor: str) -> int:
    field: int = setting(
        calls, f"Most calls to {vendor}.", unit="calls per minute", ge=1, le=10_000, restart=False
    )
    return field


class AkshareSettings(Section):
    """Downloads through akshare."""

    calls_per_minute: int = _rate(60, "akshare")


class BaostockSettings(Section):
    """Downloads through baostock."""

    calls_per_minute: int = _rate(120, "baostock")


class TushareSettings(Section):
    """Downloads through tushare."""

    token: Secret = setting(SecretStr(""), "Token of the tushare account.", restart=False)
    calls_per_minute: int = _rate(200, "tushare")


class SourceSettings(Section):
    """Data vendors."""

    akshare: AkshareSettings = AkshareSettings()
    baostock: BaostockSettings = BaostockSettings()
    tushare: TushareSettings = TushareSettings()


class LogSettings(Section):
    """Log output."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "INFO", "Least severe level that is logged."
    )
    format: Literal["text", "json"] = setting("text", "One readable line, or one JSON object, per record.")


class CalendarSettings(Section):
    """The trading calendar."""

    override_file: OptionalPath = setting(
        None,
        "A file of days that correct the shipped calendar.",
        valid="a path; empty: the shipped calendar alone",
    )


class Settings(Section):
    """Every setting of an installation.

    Examples
    --------
    >>> Settings().store.name
    'columnar'
    >>> Settings(store={"mysql": {"password": "hunter2"}}).store.mysql.password
    SecretStr('**********')
    """

    environment: Literal["development", "testing", "production"] = setting(
        "development", "Which set of defaults is used; production also refuses unsafe settings."
    )
    data_dir: Folder = setting(
        Path("~/.local/share/quantflux"), "Folder of everything quantflux keeps on disk."
    )
    store: StoreSettings = StoreSettings()
    panels: PanelSettings = PanelSettings()
    factors: FactorSettings = FactorSettings()
    queries: QuerySettings = QuerySettings()
    database: DatabaseSettings = DatabaseSettings()
    cache: CacheSettings = CacheSettings()
    accounts: AccountSettings = AccountSettings()
    audit: AuditSettings = AuditSettings()
    limits: LimitSettings = LimitSettings()
    server: ServerSettings = ServerSettings()
    v1: V1Settings = V1Settings()
    sources: SourceSettings = SourceSettings()
    logging: LogSettings = LogSettings()
    calendar: CalendarSettings = CalendarSettings()

    @property
    def columnar_directory(self) -> Path:
        """Where the columnar store's tables live."""
        return self.store.columnar.directory or self.data_dir / "columnar"

    @property
    def panel_directory(self) -> Path:
        """Where panels are kept."""
        return self.panels.directory or self.data_dir / "panels"

    @property
    def factor_directory(self) -> Path:
        """Where definitions and values of factors are kept."""
        return self.factors.directory or self.data_dir / "factors"

    @property
    def dead_letter_directory(self) -> Path:
        """Where rows go that InfluxDB refuses."""
        return self.store.influxdb.dead_letter_directory or self.data_dir / "dead-letters"

    @property
    def manifest_directory(self) -> Path:
        """Where the record of what InfluxDB acknowledged is kept."""
        return self.store.influxdb.manifest_directory or self.data_dir / "manifest"
