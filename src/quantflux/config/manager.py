"""Holds the settings in force, reloads them, and tells subscribers what changed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from quantflux.config.catalogue import Setting, catalogue, similar, value_of
from quantflux.config.files import fingerprint
from quantflux.config.loading import ConfigRequest, Loaded, load, user_file
from quantflux.config.problems import Origin
from quantflux.config.serving import CacheSettings
from quantflux.config.settings import Settings
from quantflux.config.stores import StoreSettings
from quantflux.config.watcher import Watcher
from quantflux.core.errors import ConfigError, NotFound

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What a reload did.

    Attributes
    ----------
    changed : tuple of str
        Keys whose value differs from before.
    needs_restart : tuple of str
        Those of them that take effect only after a restart.
    error : ConfigError or None
        Why nothing was changed.
    generation : int
        Of the settings now in force.
    """

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    error: ConfigError | None
    generation: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """One setting, its value in force, and where that came from."""

    setting: Setting
    value: Any
    origin: Origin

    @property
    def shown(self) -> str:
        """The value as people may see it."""
        return self.setting.shown(self.value)


Subscriber = Callable[[Settings, ReloadReport], None]


@dataclass(frozen=True, slots=True)
class _State:
    """What one assignment swaps, so that no reader sees half of it."""

    loaded: Loaded
    generation: int


class ConfigManager:
    """The settings of a process.

    Take `current` once per unit of work and use that: it is immutable, and a reload replaces it whole.

    Parameters
    ----------
    request : ConfigRequest, optional
        Which file, environment and overrides.
    environ : mapping, optional
        Environment variables; those of the process when left out.

    Raises
    ------
    ConfigError
        Listing every problem.

    Examples
    --------
    >>> manager = ConfigManager(ConfigRequest(overrides=("cache.results_seconds=60",)), environ={})
    >>> manager.current.cache.results_seconds, str(manager.explain("cache.results_seconds").origin)
    (60, '--set')
    """

    def __init__(
        self, request: ConfigRequest | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._request = request or ConfigRequest()
        self._environ = os.environ if environ is None else environ
        self._lock = threading.RLock()
        self._subscribers: Mapping[object, Subscriber] = {}
        self._fingerprint = self._look()
        self._state = _State(load(self._request, self._environ), 1)
        self._at_start = self.current
        self._error: ConfigError | None = None
        if self.loaded.path is not None:
            # From now on this file is the one: if it goes away, settings stay and do not fall to defaults.
            self._request = replace(self._request, path=self.loaded.path.absolute())

    @property
    def current(self) -> Settings:
        """The settings in force."""
        return self._state.loaded.settings

    @property
    def loaded(self) -> Loaded:
        """The settings in force, with the origin of each."""
        return self._state.loaded

    @property
    def generation(self) -> int:
        """1 at first, one more after each reload that changed something."""
        return self._state.generation

    @property
    def last_error(self) -> ConfigError | None:
        """Why the last reload was refused; None when it succeeded."""
        return self._error

    @property
    def pending_restart(self) -> tuple[str, ...]:
        """Keys that differ from what the process started with and take effect only after a restart."""
        return _needing_restart(_changed(self._at_start, self.current))

    def get_database_config(self, env: str = "production") -> StoreSettings:
        """Return the truth store's settings as they would be in an environment.

        Raises
        ------
        ConfigError
            If the settings are not valid for that environment.
        """
        return self._settings_of(env).store

    def get_cache_config(self, env: str = "production") -> CacheSettings:
        """Return the cache's settings as they would be in an environment.

        Raises
        ------
        ConfigError
            If the settings are not valid for that environment.
        """
        return self._settings_of(env).cache

    def explain(self, key: str) -> Explanation:
        """Return what is known about a setting.

        Raises
        ------
        NotFound
            Naming the keys that look like it.
        """
        setting = catalogue().get(key)
        if setting is None:
            raise NotFound(_unknown(key))
        loaded = self.loaded
        return Explanation(setting, loaded.value(key), loaded.origin(key))

    def explain_all(self) -> tuple[Explanation, ...]:
        """Return what is known about every setting, all from one snapshot."""
        loaded = self.loaded
        return tuple(Explanation(s, loaded.value(k), loaded.origin(k)) for k, s in catalogue().items())

    def reload(self) -> ReloadReport:
        """Read everything again and swap it in whole, or keep what is in force and say why.

        Subscribers are called, in the order of their subscription, if a value changed.
        """
        with self._lock:
            before = self._state
            try:
                loaded = load(self._request, self._environ)
            except ConfigError as exc:
                self._error = exc
                logger.error("configuration not reloaded, the previous one stays in force: %s", exc)
                return ReloadReport((), (), exc, before.generation)
            self._error = None
            changed = _changed(before.loaded.settings, loaded.settings)
            report = ReloadReport(changed, _needing_restart(changed), None, before.generation + bool(changed))
            self._state = _State(loaded, report.generation)
            if changed:
                logger.info("configuration reloaded, changed: %s", ", ".join(changed))
                self._notify(loaded.settings, report)
            if report.needs_restart:
                logger.warning("restart to apply: %s", ", ".join(report.needs_restart))
            return report

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback(settings, report)` after each reload with changes; return how to end that."""
        ticket = object()
        with self._lock:
            # Replaced, not changed, so that a subscriber may leave while all are being told.
            self._subscribers = {**self._subscribers, ticket: callback}

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = {t: s for t, s in self._subscribers.items() if t is not ticket}

        return unsubscribe

    def watch(self, interval: float = 1.0) -> Watcher:
        """Start a thread that reloads when the user file changes; `stop` it, or use it as a context manager.

        Parameters
        ----------
        interval : float
            Seconds between two looks. A change is acted on when two looks in a row find the same content.
        """
        return Watcher(self._look, self._fingerprint, self.reload, interval).start()

    def _look(self) -> str:
        path = user_file(self._request, self._environ)
        return "no file" if path is None else f"{path.absolute()} {fingerprint(path)}"

    def _settings_of(self, env: str) -> Settings:
        return load(replace(self._request, environment=env), self._environ).settings

    def _notify(self, settings: Settings, report: ReloadReport) -> None:
        for subscriber in self._subscribers.values():
            try:
                subscriber(settings, report)
            except Exception:
                logger.exception("a subscriber of the configuration failed; the others are still told")


def _changed(before: Settings, after: Settings) -> tuple[str, ...]:
    return tuple(key for key in catalogue() if value_of(before, key) != value_of(after, key))


def _needing_restart(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys if catalogue()[key].restart)


def _unknown(key: str) -> str:
    inside = [k for k in catalogue() if k.startswith(f"{key}.")]
    if inside:
        return f"{key} is a section; its settings: {', '.join(inside)}"
    near = similar(key, catalogue())
    hint = f"did you mean {' or '.join(near)}?" if near else "`quantflux config show` lists them all."
    return f"no setting is called {key!r}; {hint}"
