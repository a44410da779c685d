"""The statements that make v1's tables, and our own few beside them.

Used to lay out an empty database, and by tests and benchmarks to make v1's as it was. An existing table is never
altered: the store reads whatever variant it finds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from quantflux.core.errors import InvalidRequest
from quantflux.data.adapters.mysql.tables import ADJUSTMENTS, CORPORATE_ACTIONS

COMMITS, VERSIONS = "quantflux_commits", "quantflux_versions"
"""Our own tables: one row per committed write, and the row per dataset that orders the writers."""

BYTEWISE = {"mariadb": "utf8mb4_nopad_bin", "mysql": "utf8mb4_0900_bin"}
"""Collations under which keys are equal only when their bytes are: no case folding, no ignored trailing spaces."""

_SHORTHAND = {
    2: {"PRICE": "DECIMAL(10,2)", "AMOUNT": "DECIMAL(20,2)"},
    4: {"PRICE": "DECIMAL(10,4)", "AMOUNT": "DECIMAL(20,4)"},
}

_SERIES = {f"stock_{minutes}min_history" for minutes in (5, 15, 30, 60)}
"""Baostock bars of longer periods, made like `stock_1min_history`."""

_CORPORATE_ACTIONS = [
    "ts_code VARCHAR(20) NOT NULL",
    "ex_date DATE NOT NULL",
    "cash DOUBLE NOT NULL",
    "shares DOUBLE NOT NULL",
    "rights_shares DOUBLE",
    "rights_price DOUBLE",
    "record_date DATE",
    "pay_date DATE",
    "PRIMARY KEY (ts_code, ex_date)",
]

_STATEMENT_HEAD = (
    "ts_code: VARCHAR(20)",
    "end_date ann_date f_ann_date: VARCHAR(8)",
    "report_type comp_type end_type: VARCHAR(10)",
)
_PER_SHARE = {"basic_eps", "diluted_eps"}


@cache
def v1_tables() -> Mapping[str, Mapping[str, Any]]:
    """Return the description of each of v1's market tables: `key`, `columns` and, where it has them, `indexes`."""
    text = files(__package__).joinpath("v1_schema.toml").read_text(encoding="utf-8")
    known: dict[str, Mapping[str, Any]] = tomllib.loads(text)
    known |= dict.fromkeys(_SERIES, known["stock_1min_history"])
    text = files("quantflux.data").joinpath("statements.toml").read_text(encoding="utf-8")
    for section in tomllib.loads(text).values():
        eps = [f"{name}: DECIMAL(10,4)" for name in section["fields"] if name in _PER_SHARE]
        amounts = " ".join(name for name in section["fields"] if name not in _PER_SHARE)
        columns = [*_STATEMENT_HEAD, *eps, f"{amounts}: DECIMAL(20,4)", "update_flag: VARCHAR(1)"]
        known[section["v1_table"]] = {"key": ["ts_code", "end_date"], "columns": columns}
    return known


def quoted(name: str) -> str:
    """Return an identifier in backticks. Only names out of our own tables ever come here."""
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise InvalidRequest(f"{name!r} is not an identifier of ours")
    return f"`{name}`"


def _definitions(columns: list[str], key: list[str], scale: int) -> Iterator[str]:
    for line in columns:
        names, _, kind = line.partition(": ")
        for name in names.split():
            null = " NOT NULL" if name in key and "NOT NULL" not in kind else ""
            yield f"{quoted(name)} {_SHORTHAND[scale].get(kind, kind)}{null}"


def create_table(name: str, *, scale: int = 2, collation: str = "utf8mb4_general_ci") -> str:
    """Return the statement that makes one of v1's tables, or the table of corporate actions beside them.

    Parameters
    ----------
    scale : {2, 4}
        Decimals of the prices in the daily table: v1's two variants.
    collation : str
        v1 took the server's default, which folds case.

    Examples
    --------
    >>> create_table("stock_company").splitlines()[1]
    '  `ts_code` VARCHAR(20) NOT NULL,'
    """
    if name == CORPORATE_ACTIONS.name:
        return _create(name, _CORPORATE_ACTIONS, collation)
    known = v1_tables()
    if name not in known:
        raise InvalidRequest(f"v1 has no table {name!r}; it has: {', '.join(sorted(known))}")
    if scale not in _SHORTHAND:
        raise InvalidRequest(f"scale must be 2 or 4, was {scale}")
    table = known[name]
    lines = [
        *_definitions(table["columns"], table["key"], scale),
        f"PRIMARY KEY ({', '.join(map(quoted, table['key']))})",
        *(
            f"KEY {quoted(i)} ({', '.join(map(quoted, columns))})"
            for i, columns in table.get("indexes", {}).items()
        ),
    ]
    return _create(name, lines, collation)


def create_own_tables(collation: str) -> tuple[str, ...]:
    """Return the statements that make our own tables: versions, commits and exact adjustment factors."""
    key = "VARCHAR(64) NOT NULL"
    return (
        _create(VERSIONS, [f"dataset {key}", "version BIGINT NOT NULL", "PRIMARY KEY (dataset)"], collation),
        _create(
            COMMITS,
            [
                f"dataset {key}",
                "version BIGINT NOT NULL",
                "first_day DATE NOT NULL",
                "last_day DATE NOT NULL",
                "row_count BIGINT NOT NULL",
                "batch CHAR(32) NOT NULL",
                "committed_at DATETIME(6) NOT NULL",
                "PRIMARY KEY (dataset, version)",
                "UNIQUE KEY batch_of_write (batch)",
            ],
            collation,
        ),
        _create(
            ADJUSTMENTS,
            [
                "ts_code VARCHAR(20) NOT NULL",
                "trade_date DATE NOT NULL",
                "adj_factor DOUBLE",
                "PRIMARY KEY (ts_code, trade_date)",
            ],
            collation,
        ),
    )


def create_day_index(table: str, time: str) -> str:
    """Return the statement that adds the index v1 lacks: by day first."""
    return f"CREATE INDEX {quoted('quantflux_day')} ON {quoted(table)} ({quoted(time)}, {quoted('ts_code')})"


def _create(name: str, lines: list[str], collation: str) -> str:
    body = ",\n  ".join(lines)
    charset = f"ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation}"
    return f"CREATE TABLE IF NOT EXISTS {quoted(name)} (\n  {body}\n) {charset}"
