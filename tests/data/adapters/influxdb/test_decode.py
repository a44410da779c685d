"""Answers in every shape InfluxDB gives them, and in shapes it gives when something broke."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import (
    AccessDenied,
    InvalidRequest,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
)
from quantflux.data.adapters.influxdb.decode import json_answer, parquet_answer
from quantflux.data.adapters.influxdb.errors import NotThere

TYPES = {
    "time": pa.int64(),
    "close": pa.float64(),
    "volume": pa.int64(),
    "name": pa.string(),
    "on": pa.date32(),
}


def answer(*series: dict[str, Any], more: bool = False) -> bytes:
    """Return a chunked reply: a line for each series, all but the last marked partial."""
    lines = []
    for i, one in enumerate(series):
        result: dict[str, Any] = {"statement_id": 0, "series": [one]}
        if more or i < len(series) - 1:
            result["partial"] = True
        lines.append(json.dumps({"results": [result]}, separators=(",", ":"), ensure_ascii=False))
    return "".join(line + "\n" for line in lines).encode()


def sliced(body: bytes, size: int) -> Iterator[bytes]:
    return (body[i : i + size] for i in range(0, len(body), size))


def decoded(body: bytes, size: int = 1 << 20) -> list[dict[str, Any]]:
    return [row for table in json_answer(sliced(body, size), TYPES) for row in table.to_pylist()]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_values_of_every_type_however_the_body_arrives(size: int) -> None:
    columns = ["time", "close", "volume", "name", "on"]
    first = [1704153600000000000, 0.1, 2**63 - 1, 'a "b" \\ c', "2024-01-02"]
    second = [-1, None, None, None, None]
    body = answer({"name": "m", "columns": columns, "values": [first, second]})

    rows = decoded(body, size)

    assert list(rows[0].values())[:4] == first[:4]
    assert rows[0]["on"].isoformat() == "2024-01-02"
    assert rows[1] == {"time": -1, "close": None, "volume": None, "name": None, "on": None}


def test_text_is_told_apart_from_what_it_looks_like() -> None:
    texts = ["null", "", "true", "],[", "a],[b],[", "\\u003c", "<&>", "\u2028", "]]", '"values":[[', "1"]
    body = answer({"name": "m", "columns": ["time", "name"], "values": [[i, t] for i, t in enumerate(texts)]})

    assert [row["name"] for row in decoded(body)] == texts
    escaped = body.replace(b"<", b"\\u003c").replace("\u2028".encode(), b"\\u2028")
    assert [row["name"] for row in decoded(escaped)] == texts


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0")),
        min_size=1,
        max_size=20,
    )
)
def test_any_text_is_decoded_as_json_says(texts: list[str]) -> None:
    values = [[i, t] for i, t in enumerate(texts)]
    for ascii_only in (False, True):
        line = {"results": [{"series": [{"name": "m", "columns": ["time", "name"], "values": values}]}]}
        body = json.dumps(line, separators=(",", ":"), ensure_ascii=ascii_only).encode() + b"\n"
        assert [row["name"] for row in decoded(body)] == texts


def test_an_answer_without_rows() -> None:
    assert decoded(b'{"results":[{"statement_id":0}]}\n') == []
    assert decoded(b'{"results":[{"statement_id":0,"series":[]}]}\r\n') == []


def test_parts_are_joined_until_the_last_says_it_is_the_last() -> None:
    parts = [{"name": "m", "columns": ["time", "close"], "values": [[i, float(i)]]} for i in range(3)]

    assert [row["time"] for row in decoded(answer(*parts))] == [0, 1, 2]
    with pytest.raises(StoreCorrupt, match="rows are missing"):
        decoded(answer(*parts, more=True))


def test_a_series_that_says_partial_in_the_last_part_was_cut_off() -> None:
    series = {"name": "m", "columns": ["time", "close"], "values": [[1, 1.0]], "partial": True}

    with pytest.raises(StoreCorrupt, match="rows are missing"):
        decoded(answer(series))


def test_an_answer_cut_at_any_byte_is_never_taken_for_whole() -> None:
    parts = [{"name": "m", "columns": ["time", "close"], "values": [[i, float(i)]]} for i in range(2)]
    body = answer(*parts)

    for cut in range(len(body)):
        with pytest.raises(StoreCorrupt):
            decoded(body[:cut])
    assert len(decoded(body)) == 2


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("max-select-buckets limit exceeded: (2000/1000)", InvalidRequest),
        ("database not found: quantflux", NotThere),
        ("retention policy not found: x", NotThere),
        ("default retention policy not set for: x", NotThere),
        ("error authorizing query: reader not authorized to execute statement", AccessDenied),
        ("query-timeout limit exceeded", StoreUnavailable),
        ("engine is closed", StoreUnavailable),
        ("something new", StoreError),
    ],
)
def test_errors_inside_an_answer(message: str, kind: type[Exception]) -> None:
    good = answer({"name": "m", "columns": ["time", "close"], "values": [[1, 1.0]]}, more=True)
    bad = json.dumps({"results": [{"statement_id": 0, "error": message}]}).encode() + b"\n"

    with pytest.raises(kind, match=r"InfluxDB says"):
        decoded(bad)
    with pytest.raises(kind, match=r"InfluxDB says"):
        decoded(good + bad)


@pytest.mark.parametrize(
    "body", [b"not json\n", b'{"results":[{"series":[{"columns":["time"],"values":[[x]]}]}]}\n']
)
def test_what_is_not_an_answer_is_refused(body: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        decoded(body)


def parquet(rows: int) -> bytes:
    columns = {
        "iox::measurement": ["m"] * rows,
        "time": pa.array(range(rows), pa.timestamp("ns")),
        "name": pa.array(["x"] * rows).dictionary_encode(),
        "close": [0.1] * rows,
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_parquet_answers_come_in_the_types_asked_for() -> None:
    (table,) = parquet_answer(sliced(parquet(3), 100), TYPES)

    assert table.schema.names == ["time", "name", "close"]
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64()]
    assert table.column("time").to_pylist() == [0, 1, 2]


def test_a_parquet_answer_cut_at_any_byte_is_refused() -> None:
    body = parquet(3)

    for cut in range(1, len(body), 13):
        with pytest.raises(StoreCorrupt):
            list(parquet_answer(iter([body[:cut]]), TYPES))
