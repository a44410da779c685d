"""Typed settings, where each value came from, and the manager that reloads them."""

from quantflux.config.settings import Settings
from quantflux.config.stores import StoreSettings

__all__ = ["Settings", "StoreSettings"]
