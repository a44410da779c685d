"""The tables of our own database, on one `metadata`."""

from quantflux.database.tables.base import metadata

__all__ = ["metadata"]
