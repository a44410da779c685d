"""What is written into the shared tier: a header, a checksum and the value, compressed where that pays.

Layout, little-endian: magic (4 bytes), format (1), flags (1), two zero bytes, time of making (int64, microseconds since
1970 UTC), life (uint32, milliseconds), length of the value (uint32), BLAKE2b-128 over key, header and body (16), body.
The checksum covers the key, so a value that was copied under another key is as foreign as random bytes.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import zstandard

FORMAT = 1
"""Raise it when the layout changes: values of other formats are misses."""

COMPRESS_ABOVE = 1024
"""Bytes from which a value is compressed; below, zstd saves less than a network packet holds anyway."""

LARGEST = 256_000_000
"""Bytes of the largest value; a header that promises more is a lie meant to exhaust memory."""

_MAGIC = b"qfc\x00"
_HEADER = struct.Struct("<4sBB2xqII")
_DIGEST_BYTES = 16
_COMPRESSED = 1
_LEVEL = 3
_MOST_MILLISECONDS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value out of its envelope: when it was made (microseconds since 1970 UTC), and how many seconds it lives."""

    value: bytes
    made: int
    life: float


def seal(key: str, value: bytes, made: int, life: float) -> bytes:
    """Return the bytes to be kept under `key`.

    Examples
    --------
    >>> unseal("k", seal("k", b"value", made=5, life=2.0))
    Sealed(value=b'value', made=5, life=2.0)
    >>> unseal("another", seal("k", b"value", made=5, life=2.0)) is None
    True
    """
    body, flags = value, 0
    if len(value) > COMPRESS_ABOVE:
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(value)
        if len(packed) < len(value):
            body, flags = packed, _COMPRESSED
    milliseconds = min(max(int(life * 1000), 1), _MOST_MILLISECONDS)
    header = _HEADER.pack(_MAGIC, FORMAT, flags, made, milliseconds, len(value))
    return b"".join((header, _digest(key, header, body), body))


def unseal(key: str, blob: bytes) -> Sealed | None:
    """Return what `seal` was given, or None for anything that it did not make for this key."""
    start = _HEADER.size + _DIGEST_BYTES
    if len(blob) < start or not blob.startswith(_MAGIC):
        return None
    _, number, flags, made, milliseconds, size = _HEADER.unpack_from(blob)
    if number != FORMAT or size > LARGEST:
        return None
    header, body = blob[: _HEADER.size], blob[start:]
    if _digest(key, header, body) != blob[_HEADER.size : start]:
        return None
    value = _expanded(body, size) if flags & _COMPRESSED else body
    if value is None or len(value) != size:
        return None
    return Sealed(value, made, milliseconds / 1000)


def _digest(key: str, header: bytes, body: bytes) -> bytes:
    name = key.encode()
    check = hashlib.blake2b(len(name).to_bytes(4, "little") + name + header, digest_size=_DIGEST_BYTES)
    check.update(body)
    return check.digest()


def _expanded(body: bytes, size: int) -> bytes | None:
    try:
        # The frame itself names its length; what does not agree with our header is refused before it is unpacked.
        if zstandard.frame_content_size(body) != size:
            return None
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError:
        return None
