"""The tables of our own database, on one `metadata`."""

from quantflux.database.tables import accounts, audit, jobs, requests
from quantflux.database.tables.base import metadata

__all__ = ["accounts", "audit", "jobs", "metadata", "requests"]
