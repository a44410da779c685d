"""Flipped bytes, cut and missing files: noticed and named, never read as data, and the rest is still served."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from quantflux.core.errors import StoreCorrupt
from quantflux.data.adapters.columnar import ColumnarStore
from quantflux.data.contract import Query, Span
from quantflux.data.schema import DAILY
from tests.data.columnar.conftest import DAYS, SYMBOLS

Reopen = Callable[[], ColumnarStore]


def flip(path: Path, offset: int, mask: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= mask
    path.write_bytes(content)


def harmless_or_noticed(reopen: Reopen, rows: pa.Table) -> bool:
    """Whether damage was noticed; wrong rows, symbols or spans fail the test."""
    store = reopen()
    noticed = 0
    for look, truth in (
        (lambda: store.read(Query(DAILY)), rows),
        (lambda: store.symbols(DAILY), sorted(SYMBOLS)),
        (lambda: store.span(DAILY), Span(DAYS[0], DAYS[-1])),
    ):
        try:
            assert look() == truth
        except StoreCorrupt as error:
            noticed += bool(error.path)
    store.close()
    return noticed > 0


def flip_bytes(reopen: Reopen, root: Path, rows: pa.Table, times: int, seed: int) -> dict[str, int]:
    """Flip one byte at a time anywhere below `root`; return how often it was noticed by kind of file."""
    rng = random.Random(seed)
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.stat().st_size)
    noticed: dict[str, int] = {}
    for _ in range(times):
        path = rng.choice(files)
        offset, mask = rng.randrange(path.stat().st_size), rng.randrange(1, 256)
        flip(path, offset, mask)
        found = harmless_or_noticed(reopen, rows)
        flip(path, offset, mask)
        kind = "data" if "period=" in str(path) else "log"
        noticed[kind] = noticed.get(kind, 0) + found
        noticed[f"{kind} in all"] = noticed.get(f"{kind} in all", 0) + 1
        if kind == "data":
            assert found, f"a flipped byte at {offset} of {path.name} went unnoticed"
    assert not harmless_or_noticed(reopen, rows)
    return noticed


def test_no_flipped_byte_is_read_as_data(reopen: Reopen, root: Path, rows: pa.Table) -> None:
    noticed = flip_bytes(reopen, root, rows, times=60, seed=3)

    assert noticed["data"] == noticed["data in all"] > 0


@pytest.mark.slow
def test_no_flipped_byte_of_1000_is_read_as_data(reopen: Reopen, root: Path, rows: pa.Table) -> None:
    noticed = flip_bytes(reopen, root, rows, times=1000, seed=4)

    assert noticed["data"] == noticed["data in all"] > 0


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_cut_file_is_named(reopen: Reopen, root: Path, rows: pa.Table, kept: float) -> None:
    path = next(root.rglob("period=2023/*.parquet"))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])

    with pytest.raises(StoreCorrupt, match=path.name) as caught:
        reopen().read(Query(DAILY))

    assert caught.value.path == str(path)


def test_a_missing_file_is_named(reopen: Reopen, root: Path, rows: pa.Table) -> None:
    path = next(root.rglob("period=2023/*.parquet"))
    path.unlink()

    with pytest.raises(StoreCorrupt, match=path.name):
        reopen().read(Query(DAILY))


def test_files_exchanged_under_their_names_are_noticed(reopen: Reopen, root: Path, rows: pa.Table) -> None:
    one, other = sorted(root.rglob("period=2023/*.parquet"))[:2]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)

    with pytest.raises(StoreCorrupt):
        reopen().read(Query(DAILY))


def test_other_years_are_served_beside_a_damaged_file(reopen: Reopen, root: Path, rows: pa.Table) -> None:
    for path in root.rglob("period=2023/*.parquet"):
        flip(path, 10, 255)
    store = reopen()

    found = store.read(Query(DAILY, start=date(2024, 1, 1)))

    assert found.num_rows == sum(day.year == 2024 for day in DAYS) * len(SYMBOLS)
    with pytest.raises(StoreCorrupt):
        store.read(Query(DAILY, end=date(2023, 12, 31)))


def test_other_symbols_are_served_beside_a_damaged_file(reopen: Reopen, root: Path, rows: pa.Table) -> None:
    store = reopen()
    damaged = next(root.rglob("period=2023/*.parquet"))
    flip(damaged, 10, 255)

    served, named = [], []
    for symbol in SYMBOLS:
        try:
            served.append(store.read(Query(DAILY, (symbol,))).num_rows)
        except StoreCorrupt as error:
            named.append(error.path)

    assert set(served) == {len(DAYS)}
    assert set(named) == {str(damaged)}


def test_an_entry_of_another_program_is_refused(reopen: Reopen, root: Path, rows: pa.Table) -> None:
    foreign = rows.slice(0, 1).append_column("period", pa.array(["2023"]))
    write_deltalake(root / DAILY.name, foreign, mode="append")

    with pytest.raises(StoreCorrupt, match="never wrote"):
        reopen().read(Query(DAILY))
