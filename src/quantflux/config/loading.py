"""Builds settings from layers: defaults, environment file, user file, variables, overrides; later wins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from quantflux.config.catalogue import value_of
from quantflux.config.layers import (
    CHOOSES_FILE,
    Entry,
    Layer,
    file_layer,
    override_layer,
    variable_layer,
)
from quantflux.config.problems import DEFAULT, Origin, Problem, configuration_error
from quantflux.config.rules import complaints
from quantflux.config.settings import ENVIRONMENTS, Settings
from quantflux.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ConfigRequest:
    """Where to look for settings, as a command line or a test asks for it.

    Attributes
    ----------
    path : Path or None
        The user file. None: the file named by QUANTFLUX_CONFIG, else `./quantflux.toml`, else
        `~/.config/quantflux/config.toml`, else none.
    environment : str or None
        Chosen before all else. None: `environment` of the overrides, of QUANTFLUX_ENV, of the user file, else
        "development".
    overrides : tuple of str
        `KEY=VALUE` texts; they win over everything.
    """

    path: Path | None = None
    environment: str | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """Settings, the origin of every value that is not a default, and the user file that was read."""

    settings: Settings
    origins: Mapping[str, Origin]
    path: Path | None

    def origin(self, key: str) -> Origin:
        """Return where the value of a key came from."""
        return self.origins.get(key, DEFAULT)

    def value(self, key: str) -> Any:
        """Return the value of a dotted key."""
        return value_of(self.settings, key)


def user_file(request: ConfigRequest, environ: Mapping[str, str]) -> Path | None:
    """Return the user file to read: the one named, else the first that exists in the usual places."""
    named = request.path or (Path(environ[CHOOSES_FILE]) if environ.get(CHOOSES_FILE) else None)
    if named is not None:
        return named
    home = Path(environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    return next((p for p in (Path("quantflux.toml"), home / "quantflux" / "config.toml") if p.exists()), None)


def load(request: ConfigRequest | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read, check and merge every source of settings.

    Parameters
    ----------
    request : ConfigRequest, optional
    environ : mapping, optional
        Environment variables; those of the process when left out.

    Raises
    ------
    ConfigError
        Listing every problem of every source, or, where the sources are right in themselves, everything that
        is wrong between their settings.
    """
    request = request or ConfigRequest()
    environ = os.environ if environ is None else environ
    path = user_file(request, environ)
    user = file_layer(path, Origin("file", str(path))) if path is not None else Layer()
    variables = variable_layer(environ)
    overrides = override_layer(request.overrides)
    chosen = _environment(request, [overrides, variables, user])
    layers = [_environment_layer(str(chosen.value)), user, variables, overrides, Layer((chosen,))]
    problems = [problem for layer in layers for problem in layer.problems]
    if problems:
        raise configuration_error(problems)
    return _merged(layers, path)


def _environment(request: ConfigRequest, by_rank: list[Layer]) -> Entry:
    """Return the choice of environment, with its origin: it decides which shipped file is read."""
    if request.environment is not None:
        if request.environment not in ENVIRONMENTS:
            known = ", ".join(ENVIRONMENTS)
            raise ConfigError(f"no environment is called {request.environment!r}; valid is one of {known}")
        return Entry("environment", request.environment, Origin("override", "--env"))
    for layer in by_rank:
        for entry in layer.entries:
            if entry.key == "environment":
                return entry
    return Entry("environment", Settings().environment, DEFAULT)


def _environment_layer(name: str) -> Layer:
    resource = files("quantflux.config").joinpath("environments", f"{name}.toml")
    with as_file(resource) as path:
        return file_layer(path, Origin("environment file", f"{name}.toml"))


def _merged(layers: list[Layer], path: Path | None) -> Loaded:
    winners = {entry.key: entry for layer in layers for entry in layer.entries}
    tree: dict[str, Any] = {}
    for key, entry in winners.items():
        *parents, leaf = key.split(".")
        branch = tree
        for part in parents:
            branch = branch.setdefault(part, {})
        branch[leaf] = entry.value
    settings = Settings.model_validate(tree)
    origins = {k: e.origin for k, e in winners.items() if e.origin is not DEFAULT}
    loaded = Loaded(settings, MappingProxyType(origins), path)
    found = [Problem(_blame(loaded, key), key, text) for key, text in complaints(settings)]
    if found:
        raise configuration_error(found)
    return loaded


def _blame(loaded: Loaded, key: str) -> Origin:
    """Return the origin to show beside a complaint; an unset key is laid at the user file's door."""
    origin = loaded.origin(key)
    return Origin("file", str(loaded.path)) if origin is DEFAULT and loaded.path else origin
