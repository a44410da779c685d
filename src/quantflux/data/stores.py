"""Finds truth stores by entry point. Adding a store edits nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import MarketStore

GROUP = "quantflux.stores"


def store_names() -> list[str]:
    """Return the names of the installed stores."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def open_store(name: str, options: Mapping[str, Any], clock: Clock) -> MarketStore:
    """Open a store by its entry-point name.

    Parameters
    ----------
    name : str
        Such as "columnar".
    options : mapping
        Passed to the adapter's `open_store(clock=..., **options)`; each adapter documents its own.
    clock : Clock

    Raises
    ------
    InvalidRequest
        If no such store is installed.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise InvalidRequest(f"no store is called {name!r}; installed: {', '.join(sorted(found))}")
    store: MarketStore = found[name].load()(clock=clock, **options)
    return store
