"""The HTTP forms of InfluxDB 1.x, 2.x and 3, as data.

A dialect says where lines are written, where InfluxQL is asked, in what form answers come, and which calls make a
place for a dataset. `{name}` in any text is filled in from the store's settings; a text that is nothing but
`{name}` keeps the setting's type. A new version of InfluxDB is a new entry of `DIALECTS`, not a new branch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from quantflux.core.errors import InvalidRequest
from quantflux.data.adapters.influxdb.decode import json_answer, parquet_answer

Settings = Mapping[str, Any]
Decoder = Callable[[Iterator[bytes], Mapping[str, pa.DataType]], Iterator[pa.Table]]


@dataclass(frozen=True)
class Request:
    """One HTTP request, ready to send."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    document: Any = None
    content: bytes | None = None


@dataclass(frozen=True)
class Template:
    """A request with places to fill in.

    Attributes
    ----------
    fine : tuple of str
        Words in a refusal that mean the thing is already there.
    keep : mapping
        Settings to take from the JSON reply: name to the path of the value in it.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    document: Any = None
    fine: tuple[str, ...] = ()
    keep: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)

    def fill(self, settings: Settings, content: bytes | None = None) -> Request:
        """Return the request with every `{name}` replaced."""
        return Request(
            self.method,
            self.path,
            filled(self.params, settings),
            filled(self.headers, settings),
            None if self.form is None else filled(self.form, settings),
            None if self.document is None else filled(self.document, settings),
            content,
        )


def filled(template: Any, settings: Settings) -> Any:
    """Return `template` with `{name}` replaced in every text of it.

    Examples
    --------
    >>> filled({"db": "{database}", "every": ["{seconds}"]}, {"database": "market", "seconds": 60})
    {'db': 'market', 'every': [60]}
    """
    if isinstance(template, str):
        whole = template[1:-1]
        if template == f"{{{whole}}}" and whole in settings:
            return settings[whole]
        return template.format_map(settings)
    if isinstance(template, Mapping):
        return {key: filled(value, settings) for key, value in template.items()}
    if isinstance(template, tuple | list):
        return [filled(value, settings) for value in template]
    return template


@dataclass(frozen=True)
class Dialect:
    """One family of InfluxDB servers.

    Attributes
    ----------
    source : str
        How a measurement is named in FROM.
    prepare : tuple of Template
        Calls that make a place for a dataset; each is harmless when repeated.
    write, query : Template
        `query` is filled with the statement as `{statement}` and its values as `{values}`.
    values_as_text : bool
        Whether `{values}` is a JSON text, or an object in a request that is JSON as a whole.
    decode : function
        Turns the reply into Arrow tables.
    authorization : str
        The header that carries a token; user and password travel as HTTP basic authentication.
    needs : tuple of str
        Options that must be given.
    """

    name: str
    source: str
    prepare: tuple[Template, ...]
    write: Template
    query: Template
    decode: Decoder
    authorization: str
    values_as_text: bool = True
    needs: tuple[str, ...] = ()

    def ask(self, statement: str, values: Mapping[str, Any], settings: Settings) -> Request:
        """Return the request that asks one InfluxQL statement with bound values."""
        bound = json.dumps(values) if self.values_as_text else dict(values)
        return self.query.fill({**settings, "statement": statement, "values": bound})


_EXISTS = ("already exists", "already taken", "conflict", "same orgid, db, and rp exists")
_PLAIN_TEXT = {"Content-Type": "text/plain; charset=utf-8"}

_ONE = Dialect(
    name="1",
    source='"{policy}"."{measurement}"',
    prepare=(
        Template("POST", "/query", form={"q": 'CREATE DATABASE "{database}"'}),
        Template(
            "POST",
            "/query",
            form={
                "q": 'CREATE RETENTION POLICY "{policy}" ON "{database}" DURATION INF REPLICATION 1'
                " SHARD DURATION {shard_hours}h"
            },
            fine=_EXISTS,
        ),
    ),
    write=Template(
        "POST",
        "/write",
        params={"db": "{database}", "rp": "{policy}", "precision": "ns"},
        headers=_PLAIN_TEXT,
    ),
    query=Template(
        "POST",
        "/query",
        params={"db": "{database}", "epoch": "ns", "chunked": "true"},
        headers={"Accept": "application/json"},
        form={"q": "{statement}", "params": "{values}"},
    ),
    decode=json_answer,
    authorization="Token {token}",
)

# Each bucket is the default of a database name of its own: SHOW TAG VALUES of 2.x looks at the default bucket of a
# database only, whatever its FROM says.
_TWO = Dialect(
    name="2",
    source='"{policy}"."{measurement}"',
    prepare=(
        Template("GET", "/api/v2/orgs", params={"org": "{org}"}, keep={"org_id": ("orgs", 0, "id")}),
        Template(
            "POST",
            "/api/v2/buckets",
            document={
                "orgID": "{org_id}",
                "name": "{bucket}.{policy}",
                "retentionRules": [
                    {"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": "{shard_seconds}"}
                ],
            },
            fine=_EXISTS,
        ),
        Template(
            "GET",
            "/api/v2/buckets",
            params={"org": "{org}", "name": "{bucket}.{policy}"},
            keep={"bucket_id": ("buckets", 0, "id")},
        ),
        Template(
            "POST",
            "/api/v2/dbrps",
            document={
                "orgID": "{org_id}",
                "bucketID": "{bucket_id}",
                "database": "{database}.{policy}",
                "retention_policy": "{policy}",
                "default": True,
            },
            fine=_EXISTS,
        ),
    ),
    write=Template(
        "POST",
        "/api/v2/write",
        params={"org": "{org}", "bucket": "{bucket}.{policy}", "precision": "ns"},
        headers=_PLAIN_TEXT,
    ),
    query=Template(
        "POST",
        "/query",
        params={"db": "{database}.{policy}", "org": "{org}", "epoch": "ns", "chunked": "true"},
        headers={"Accept": "application/json"},
        form={"q": "{statement}", "params": "{values}"},
    ),
    decode=json_answer,
    authorization="Token {token}",
    needs=("org", "token"),
)

_THREE = Dialect(
    name="3",
    source='"{measurement}"',
    prepare=(Template("POST", "/api/v3/configure/database", document={"db": "{database}"}, fine=_EXISTS),),
    write=Template(
        "POST",
        "/api/v3/write_lp",
        params={"db": "{database}", "precision": "nanosecond", "accept_partial": "false"},
        headers=_PLAIN_TEXT,
    ),
    query=Template(
        "POST",
        "/api/v3/query_influxql",
        headers={"Accept": "application/vnd.apache.parquet"},
        document={"db": "{database}", "q": "{statement}", "format": "parquet", "params": "{values}"},
    ),
    decode=parquet_answer,
    authorization="Bearer {token}",
    values_as_text=False,
    needs=("token",),
)

DIALECTS: Mapping[str, Dialect] = {d.name: d for d in (_ONE, _TWO, _THREE)}


def dialect(name: str) -> Dialect:
    """Return a dialect by name, or say which there are."""
    if name not in DIALECTS:
        raise InvalidRequest(
            f"no InfluxDB dialect is called {name!r}; there are: {', '.join(sorted(DIALECTS))}"
        )
    return DIALECTS[name]
