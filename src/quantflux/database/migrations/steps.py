"""What revisions are written with. Each step may be repeated: MySQL cannot take a half-done revision back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql.schema import SchemaItem

_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
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
