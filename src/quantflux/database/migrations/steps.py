"""What revisions are written with. Each step may be repeated: MySQL cannot take a half-done revision back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql.schema import SchemaItem

logger = logging.getLogger(__name__)

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
"""Texts compare byte by byte, as on the other databases."""

Identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Counted up by the database. SQLite does that for INTEGER alone."""


def make_table(name: str, *items: SchemaItem, indexes: Mapping[str, Sequence[str]] | None = None) -> None:
    """Create a table and its indexes, whichever of them are not there yet.

    Parameters
    ----------
    indexes : mapping of str to sequence of str
        Columns by name of index.
    """
    found = sa.inspect(op.get_bind())
    if name not in found.get_table_names():
        op.create_table(name, *items, **_MYSQL)
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(name)}
    for index, columns in (indexes or {}).items():
        if index not in present:
            op.create_index(index, name, list(columns))


def forbid_changes(name: str) -> None:
    """Have the database itself refuse UPDATE and DELETE on a table: the second lock, beside the grants.

    A MySQL user without the right to make triggers gets a warning instead; PostgreSQL is left to its grants.
    """
    connection = op.get_bind()
    for verb in ("UPDATE", "DELETE"):
        trigger, message = f"{name}_no_{verb.lower()}", f"{name} is only ever appended to"
        if connection.dialect.name == "sqlite":
            raised = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            op.execute(f"CREATE TRIGGER IF NOT EXISTS {trigger} BEFORE {verb} ON {name} {raised}")
        elif connection.dialect.name == "mysql":
            raised = f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'"
            try:
                op.execute(f"DROP TRIGGER IF EXISTS {trigger}")
                op.execute(f"CREATE TRIGGER {trigger} BEFORE {verb} ON {name} FOR EACH ROW {raised}")
            except sa.exc.DBAPIError as failure:
                logger.warning(
                    "no trigger keeps others from changing %s (%s); let the grants do it", name, failure.orig
                )
