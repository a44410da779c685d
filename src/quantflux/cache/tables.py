"""Tables and plain bytes as cached values: Arrow IPC, never pickle, so that reading a value runs no code."""

from __future__ import annotations

import pyarrow as pa

from quantflux.core.errors import InvalidRequest

_BYTES, _TABLE = b"b", b"t"


def to_value(data: pa.Table | pa.RecordBatch | bytes) -> bytes:
    """Return what is kept: Arrow's stream format or the bytes themselves, and one letter that says which.

    Raises
    ------
    InvalidRequest
        If it is neither a table nor bytes.

    Examples
    --------
    >>> from_value(to_value(b"as it is"))
    b'as it is'
    >>> from_value(to_value(pa.table({"close": [10.5, None]}))).column("close").to_pylist()
    [10.5, None]
    """
    if isinstance(data, bytes):
        return data + _BYTES
    if not isinstance(data, pa.Table | pa.RecordBatch):
        raise InvalidRequest(f"An Arrow table or bytes can be cached, found {type(data).__name__}.")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write(data)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream + _TABLE


def from_value(value: bytes) -> pa.Table | bytes:
    """Return what `to_value` was given; a record batch comes back as a table."""
    if value[-1:] == _BYTES:
        return value[:-1]
    with pa.ipc.open_stream(pa.py_buffer(value).slice(0, len(value) - 1)) as reader:
        return reader.read_all()
