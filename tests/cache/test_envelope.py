"""What the shared tier keeps comes back whole, or not at all."""

from __future__ import annotations

import pickle
import random
import struct

import pytest
import zstandard

from quantflux.cache.envelope import COMPRESS_ABOVE, Sealed, seal, unseal


@pytest.mark.parametrize("size", [0, 1, COMPRESS_ABOVE, COMPRESS_ABOVE + 1, 200_000])
@pytest.mark.parametrize("filling", [b"\x00", None], ids=["alike", "random"])
def test_what_was_sealed_comes_back(size: int, filling: bytes | None) -> None:
    value = filling * size if filling is not None else random.Random(size).randbytes(size)

    assert unseal("k", seal("k", value, 1_700_000_000_000_000, 12.5)) == Sealed(
        value, 1_700_000_000_000_000, 12.5
    )


def test_big_alike_values_shrink_and_random_ones_do_not_grow_by_more_than_the_header() -> None:
    assert len(seal("k", b"7" * 100_000, 0, 1.0)) < 200
    assert len(seal("k", random.Random(1).randbytes(100_000), 0, 1.0)) == 100_000 + 40


@pytest.mark.parametrize("size", [30, 5000])
def test_no_flipped_bit_goes_unseen(size: int) -> None:
    blob = seal("k", b"abc" * (size // 3), 0, 1.0)
    for place in range(0, len(blob)):
        for bit in (0, 7):
            broken = bytearray(blob)
            broken[place] ^= 1 << bit
            assert unseal("k", bytes(broken)) is None, place


def test_no_truncated_or_prolonged_value_passes() -> None:
    blob = seal("k", b"value of some length", 0, 1.0)

    assert [n for n in range(len(blob)) if unseal("k", blob[:n]) is not None] == []
    assert unseal("k", blob + b"\0") is None


def test_a_value_moved_to_another_key_is_foreign() -> None:
    assert unseal("l", seal("k", b"v", 0, 1.0)) is None


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"qfc",
        pickle.dumps({"a": 1}),
        b"qfc\x00" + b"\xff" * 100,
        zstandard.compress(b"x" * 5000),
        b"0" * 10**6,
    ],
)
def test_foreign_bytes_are_nothing(blob: bytes) -> None:
    assert unseal("k", blob) is None


def test_a_future_format_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantflux.cache.envelope.FORMAT", 2)
    blob = seal("k", b"value", 0, 1.0)
    monkeypatch.undo()

    assert unseal("k", blob) is None


def test_a_frame_that_would_unpack_to_more_than_its_header_says_is_never_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import hashlib

    bomb = zstandard.compress(b"\0" * 50_000_000)
    header = struct.pack("<4sBB2xqII", b"qfc\x00", 1, 1, 0, 1000, 10)
    digest = hashlib.blake2b((1).to_bytes(4, "little") + b"k" + header + bomb, digest_size=16).digest()

    def explode() -> None:
        raise AssertionError("it was unpacked")

    monkeypatch.setattr("quantflux.cache.envelope.zstandard.ZstdDecompressor", explode)
    assert unseal("k", header + digest + bomb) is None
