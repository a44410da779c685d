"""Brings a database to the newest schema, once, however many processes start at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from quantflux.core.errors import ConfigError, StoreUnavailable

_LOCK = "quantflux.schema"
_POSTGRESQL_LOCK = 7_316_504_119
"""Any number; advisory locks of PostgreSQL have no names."""


def upgrade(connection: Connection, wait_seconds: float) -> None:
    """Run the revisions that a database does not have yet.

    Parameters
    ----------
    connection : Connection
        In a transaction: on SQLite one that already holds the write lock.

    Raises
    ------
    ConfigError
        If the database has a revision that this quantflux does not know.
    StoreUnavailable
        If another process is still changing the schema.
    """
    scripts = revisions()
    with _locked(connection, wait_seconds):
        context = MigrationContext.configure(connection)
        present = context.get_current_revision()
        known = {revision.revision for revision in scripts.walk_revisions()}
        if present is not None and present not in known:
            raise ConfigError(
                f"the database's schema {present} was made by a newer quantflux; newest known here is "
                f"{scripts.get_current_head()}. Install that version, or restore a copy from before the upgrade."
            )
        missing = [r for r in scripts.iterate_revisions("head", present or "base") if r.revision != present]
        for revision in reversed(missing):
            with Operations.context(context):
                revision.module.upgrade()
            context.stamp(scripts, revision.revision)


def revisions() -> ScriptDirectory:
    """Return the revisions that come with the package."""
    return ScriptDirectory(str(Path(__file__).parent))


@contextmanager
def _locked(connection: Connection, wait_seconds: float) -> Iterator[None]:
    # MySQL commits at every change of the schema, so that a transaction keeps nobody out there.
    if connection.dialect.name == "mysql":
        until = time.monotonic() + max(wait_seconds, 60)
        # A second at a time: a connection gives up on a server that does not answer for longer.
        while connection.execute(text("SELECT GET_LOCK(:name, 1)"), {"name": _LOCK}).scalar() != 1:
            if time.monotonic() > until:
                raise StoreUnavailable("Another process is changing the database's schema; retry later.")
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK})
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _POSTGRESQL_LOCK})
    yield
