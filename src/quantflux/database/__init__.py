"""The database of our own tables: users, sessions, jobs, audit."""

from quantflux.database.engine import Database

__all__ = ["Database"]
