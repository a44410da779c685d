"""The composition root: turns settings into one `Platform` that holds every service. Nothing else builds them.

Settings stop here: the services below take plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from pydantic import SecretStr

from quantflux.config import InfluxSettings, Settings
from quantflux.config.signing import parse_signing_keys
from quantflux.core.calendar import TradingCalendar
from quantflux.core.clock import Clock, SystemClock
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import MarketStore
from quantflux.data.panels import PanelTier
from quantflux.data.quality import Ledger
from quantflux.data.request import Limits
from quantflux.data.sources.contract import Source, open_source
from quantflux.data.stores import open_store

if TYPE_CHECKING:
    from quantflux.accounts.audit import AuditLog
    from quantflux.accounts.limits import Budget, RateLimiter, Rates, SharedWindows
    from quantflux.accounts.manager import AuthManager
    from quantflux.accounts.users import Users
    from quantflux.backtest.service import Backtester
    from quantflux.cache.manager import CacheManager
    from quantflux.cache.policies import Policy
    from quantflux.database.engine import Database
    from quantflux.factors.engine import FactorEngine
    from quantflux.jobs import Jobs
    from quantflux.learning.service import MLService
    from quantflux.portfolio.service import PortfolioService
    from quantflux.scoring.service import ScoringService


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
        self.data = self._door(settings)

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
        store = open_store(settings.store.name, store_options(settings), clock)
        # The memory store answers as fast as panels would, and is gone when they could be used again.
        wanted = settings.panels.enabled and settings.store.name != "memory"
        panels = _panel_tier(settings, store, clock) if wanted else None
        return cls(settings, clock, calendar, store, panels, Ledger(quality_directory(settings), clock))

    def apply(self, settings: Settings) -> None:
        """Take over what may change while running: limits of queries, lives of cached entries, rates and tokens.

        Subscribe it to a `ConfigManager`. A caller that has taken `data` before finishes with the old limits.
        """
        self.settings = settings
        self.data = self._door(settings)
        for built in (
            "factors",
            "backtests",
            "portfolios",
            "scoring",
        ):  # what is built next reads through the new door
            self.__dict__.pop(built, None)
        if "accounts" in self.__dict__:
            self.accounts.apply(**_account_limits(settings))
        if "cache" in self.__dict__:
            self.cache.apply(_cache_policies(settings))
        if "limiter" in self.__dict__:
            self.limiter.apply(_rates(settings))
        if "budget" in self.__dict__:
            self.budget.apply(settings.limits.work_seconds, settings.limits.budget_seconds)

    def _door(self, settings: Settings) -> DataAccessLayer:
        limits = Limits(settings.queries.max_symbols, settings.queries.max_cells)
        return DataAccessLayer(self.store, self.panels, clock=self.clock, limits=limits)

    @cached_property
    def factors(self) -> FactorEngine:
        """Factors over `data`; built when first asked for, since the compiler behind it is slow to import."""
        from quantflux.factors.engine import FactorEngine  # noqa: PLC0415
        from quantflux.factors.registry import FactorRegistry  # noqa: PLC0415
        from quantflux.factors.stored import ValueKeeper  # noqa: PLC0415

        wanted, folder = self.settings.factors, self.settings.factor_directory
        threads = wanted.threads or None
        return FactorEngine(
            self.data,
            FactorRegistry(folder / "definitions.db", self.clock),
            ValueKeeper(
                self.data,
                folder / "values",
                source=_place(self.settings),
                threads=threads,
                max_bytes=wanted.max_bytes,
            ),
            threads=threads,
            max_memory=wanted.max_memory_bytes,
        )

    @cached_property
    def backtests(self) -> Backtester:
        """Backtests over `data`; built when first asked for, as `factors` is."""
        from quantflux.backtest.service import Backtester  # noqa: PLC0415

        return Backtester(
            self.data,
            self.factors.registry,
            self.settings.data_dir / "backtests",
            self.clock,
            max_memory=self.settings.factors.max_memory_bytes,
        )

    @cached_property
    def models(self) -> MLService:
        """Models over `data`; built when first asked for, as `factors` is."""
        from quantflux.learning.registry import ModelRegistry  # noqa: PLC0415
        from quantflux.learning.service import MLService  # noqa: PLC0415

        folder = self.settings.data_dir / "models"
        threads = self.settings.factors.threads or None
        return MLService(self.data, self.factors, ModelRegistry(folder, self.clock), folder, threads=threads)

    @cached_property
    def portfolios(self) -> PortfolioService:
        """Portfolios over `data`; built when first asked for, as the solvers behind it are slow to import."""
        from quantflux.portfolio.service import PortfolioService  # noqa: PLC0415

        return PortfolioService(self.data, self.factors)

    @cached_property
    def scoring(self) -> ScoringService:
        """Scores and screens over `data`; built when first asked for, as `factors` is."""
        from quantflux.scoring.service import ScoringService  # noqa: PLC0415

        return ScoringService(self.data, self.factors, self.calendar)

    @cached_property
    def database(self) -> Database:
        """The database of our own tables, brought to the newest schema; opened when first asked for."""
        from quantflux.database.engine import Database  # noqa: PLC0415

        wanted = self.settings.database
        return Database.open(
            database_url(self.settings), pool_size=wanted.pool_size, wait_seconds=wanted.wait_seconds
        )

    @cached_property
    def audit(self) -> AuditLog:
        """The log of who did what, in `database`, its end copied out of it."""
        from quantflux.accounts.audit import AuditLog, UnusualAccess  # noqa: PLC0415
        from quantflux.accounts.secrets import secret_file  # noqa: PLC0415

        wanted, folder = self.settings.audit, self.settings.data_dir
        given = wanted.key.get_secret_value().encode()
        key = given or secret_file(folder / "secrets" / "audit")
        head_file = wanted.head_file or folder / "audit" / "head.json"
        return AuditLog(self.database, key, head_file, self.clock, unusual=UnusualAccess())

    @cached_property
    def limiter(self) -> RateLimiter:
        """Counts requests; in Redis, if the settings say so, with the other processes."""
        from quantflux.accounts.limits import RateLimiter  # noqa: PLC0415

        workers = self.settings.server.workers
        return RateLimiter(_rates(self.settings), self.clock, self._shared_windows, shares=workers)

    @cached_property
    def budget(self) -> Budget:
        """Counts the computing that users start."""
        from quantflux.accounts.limits import Budget  # noqa: PLC0415

        wanted = self.settings.limits
        return Budget(wanted.work_seconds, wanted.budget_seconds, self.clock, self._shared_windows)

    @cached_property
    def _shared_windows(self) -> SharedWindows | None:
        from quantflux.accounts.limits import SharedWindows  # noqa: PLC0415

        if self.settings.limits.backend == "memory":
            return None
        return SharedWindows(self.settings.cache.url.get_secret_value(), self.clock)

    @cached_property
    def cache(self) -> CacheManager:
        """The cache of results; opens no connection before it is used."""
        from quantflux.cache.manager import CacheManager  # noqa: PLC0415
        from quantflux.cache.redis_backend import RedisBackend  # noqa: PLC0415

        wanted = self.settings.cache
        backend = RedisBackend(wanted.url.get_secret_value()) if wanted.backend == "redis" else None
        return CacheManager(
            backend, _cache_policies(self.settings), self.clock, memory_bytes=wanted.memory_bytes
        )

    @cached_property
    def jobs(self) -> Jobs:
        """The ledger of long work. Whoever serves starts a `Runner` on it."""
        from quantflux.jobs import Jobs  # noqa: PLC0415

        return Jobs(self.database, self.clock, self.settings.data_dir / "jobs")

    @cached_property
    def accounts(self) -> AuthManager:
        """Who asks and what they may do; built when first asked for."""
        from quantflux.accounts.manager import AuthManager  # noqa: PLC0415
        from quantflux.accounts.secrets import secret_file  # noqa: PLC0415
        from quantflux.accounts.tokens import JWTManager  # noqa: PLC0415

        keys = parse_signing_keys(self.settings.accounts.signing_keys.get_secret_value())
        if not keys:
            keys = {"own": secret_file(self.settings.data_dir / "secrets" / "signing")}
        jwt = JWTManager(keys, "quantflux", "quantflux-api", self.clock)
        return AuthManager(self.database, self.audit, jwt, self.clock, **_account_limits(self.settings))

    @property
    def users(self) -> Users:
        """Who there is, and in which role."""
        return self.accounts.users

    def open_source(self, name: str) -> Source:
        """Open a data vendor by name; the caller closes it.

        Raises
        ------
        InvalidRequest
            If no such source is installed.
        MissingDependency
            If the vendor's library is not.
        """
        options = {
            "akshare": self.settings.sources.akshare,
            "baostock": self.settings.sources.baostock,
            "tushare": self.settings.sources.tushare,
        }
        chosen = options[name].model_dump() if name in options else {}
        revealed = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in chosen.items()}
        return open_source(name, revealed, self.clock)

    def close(self) -> None:
        """Release files and connections."""
        if "cache" in self.__dict__:
            self.cache.close()
        if self.__dict__.get("_shared_windows") is not None:
            self.__dict__["_shared_windows"].close()
        if "audit" in self.__dict__:  # writes what waits, so before the database
            self.audit.close()
        if "database" in self.__dict__:
            self.database.close()
        self.ledger.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _rates(settings: Settings) -> Rates:
    from quantflux.accounts.limits import Rates, RouteKind  # noqa: PLC0415

    wanted = settings.limits
    user = {
        RouteKind.READ: wanted.reads_per_minute,
        RouteKind.WORK: wanted.work_per_minute,
        RouteKind.WRITE: wanted.writes_per_minute,
    }
    return Rates(user, wanted.logins_per_minute, wanted.address_per_minute, wanted.total_per_minute)


def _cache_policies(settings: Settings) -> Mapping[str, Policy]:
    from quantflux.cache.policies import standard_policies  # noqa: PLC0415

    wanted = settings.cache
    return standard_policies(
        realtime_seconds=wanted.realtime_seconds,
        hot_stocks_seconds=wanted.hot_stocks_seconds,
        results_seconds=wanted.results_seconds,
        user_queries_seconds=wanted.user_queries_seconds,
    )


def _panel_tier(settings: Settings, store: MarketStore, clock: Clock) -> PanelTier:
    return PanelTier(
        store,
        settings.panel_directory,
        clock=clock,
        max_bytes=settings.panels.max_bytes,
        check_seconds=settings.panels.check_seconds,
        source=_place(settings),
    )


def quality_directory(settings: Settings) -> Path:
    """Return the folder of the quality ledger."""
    return settings.data_dir / "quality"


def database_url(settings: Settings) -> str:
    """Return where our own tables live: a file in the data folder unless the settings name a server."""
    if url := settings.database.url.get_secret_value():
        return url
    file = settings.data_dir.absolute() / "quantflux.db"
    return f"sqlite:///{quote(str(file))}"


def _account_limits(settings: Settings) -> dict[str, Any]:
    wanted = {"access_seconds", "idle_seconds", "session_seconds", "max_sessions", "require_totp"}
    return settings.accounts.model_dump(include=wanted)


def _place(settings: Settings) -> str:
    """Say where the truth lives, so that what was made from another place is never taken for its own."""
    places: dict[str, Callable[[], str]] = {
        "memory": lambda: "",
        "columnar": lambda: str(settings.columnar_directory.absolute()),
        "influxdb": lambda: _influx_place(settings.store.influxdb),
        "mysql": lambda: (
            f"{settings.store.mysql.host}:{settings.store.mysql.port}/{settings.store.mysql.database}"
        ),
    }
    return places[settings.store.name]()


def _influx_place(influx: InfluxSettings) -> str:
    return "/".join(part for part in (influx.url, influx.org, influx.bucket, influx.database) if part)


def store_options(settings: Settings) -> dict[str, Any]:
    """Return what the chosen store's `open_store` takes, as plain values."""
    options: dict[str, Callable[[Settings], dict[str, Any]]] = {
        "columnar": _columnar_options,
        "influxdb": _influx_options,
        "mysql": _mysql_options,
        "memory": lambda _: {},
    }
    return options[settings.store.name](settings)


def _columnar_options(settings: Settings) -> dict[str, Any]:
    columnar = settings.store.columnar
    return {
        "path": settings.columnar_directory,
        "compression": columnar.compression_level,
        "lock_timeout": columnar.lock_timeout_seconds,
    }


def _influx_options(settings: Settings) -> dict[str, Any]:
    influx = settings.store.influxdb
    same = {
        "url",
        "dialect",
        "database",
        "org",
        "bucket",
        "username",
        "attempts",
        "connections",
        "compressed",
    }
    options: dict[str, Any] = influx.model_dump(include=same | {"batch_lines", "batch_bytes", "shard_days"})
    return options | {
        "token": influx.token.get_secret_value(),
        "password": influx.password.get_secret_value(),
        "timeouts": {
            "connect": influx.connect_timeout_seconds,
            "read": influx.read_timeout_seconds,
            "write": influx.write_timeout_seconds,
            "total": influx.total_timeout_seconds,
        },
        "breaker_rest": influx.breaker_rest_seconds,
        "dead_letter": settings.dead_letter_directory,
        "manifest": settings.manifest_directory,
        "verify": str(influx.ca_file) if influx.ca_file and influx.verify_tls else influx.verify_tls,
    }


def _mysql_options(settings: Settings) -> dict[str, Any]:
    mysql = settings.store.mysql
    options: dict[str, Any] = mysql.model_dump(
        include={"host", "port", "user", "database", "rounding", "minute_table", "pool_size"}
    )
    return options | {
        "password": mysql.password.get_secret_value(),
        "scale": mysql.price_decimals,
        "tls_ca": str(mysql.ca_file) if mysql.ca_file else None,
        "connect_timeout": mysql.connect_timeout_seconds,
        "read_timeout": mysql.read_timeout_seconds,
        "write_timeout": mysql.write_timeout_seconds,
        "lock_timeout": mysql.lock_timeout_seconds,
        "pool_timeout": mysql.pool_timeout_seconds,
    }
