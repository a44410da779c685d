"""A file that is damaged, hostile or something else gets one clear error, and nothing is stored."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantflux.core.clock import FixedClock
from quantflux.core.errors import QuantfluxError
from quantflux.data.adapters.memory import open_store
from quantflux.data.schema import DAILY
from quantflux.data.sources.files import inspect_file, run_import
from tests.data.quality.market import sessions
from tests.data.sources.files.vendors import WRITERS, market, write

HEAD = "symbol,trade_date,open,high,low,close,volume\n"
ROW = "600519.SH,2024-01-02,1700,1710.5,1690,1700,1000\n"


def _zip(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return packed.getvalue()


def _bomb() -> bytes:
    return (HEAD + ROW * 800_000).encode()


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.csv": (lambda: b"", "empty"),
    "blank.csv": (lambda: b"\n \n\n", "empty"),
    "header.csv": (HEAD.encode, "no rows"),
    "ragged.csv": ((HEAD + ROW * 3 + "600519.SH,2024-01-03,1\n").encode, "Row #5"),
    "long_row.csv": ((HEAD + ROW + ROW.strip().encode().decode() + ",1,2\n").encode, "Row #3"),
    "quote.csv": ((HEAD + '600519.SH,"2024-01-02,1700\n' + ROW).encode, "Row #2"),
    "junk.csv": (lambda: random.Random(1).randbytes(5000), "binary"),
    "latin.csv": (lambda: b"caf\xe9 \xff\xfa,b\n1,2\n" * 3, "neither UTF-8 nor GB18030"),
    "wide.csv": (lambda: b",".join([b"c"] * 10**6) + b"\n" + b",".join([b"1"] * 10**6), "65536 bytes"),
    "many_columns.csv": ((",".join(f"c{i}" for i in range(2000)) + "\n1\n").encode, "2000 columns"),
    "one_line.csv": (lambda: b"a" * 300_000, "65536 bytes"),
    "long_line.csv": (lambda: (HEAD + ROW).encode() + b"0" * (10 << 20) + b"\n", "line longer than"),
    "single_column.csv": (lambda: b"symbol\n600519.SH\n", "single column"),
    "twice.csv": ((HEAD.replace("open", "close") + ROW).encode, "more than one column 'close'"),
    "words.csv": ((HEAD + "600519.SH,2024-01-02,a,b,c,d,e\n" * 5).encode, "no readable open"),
    "decimal_comma.csv": (
        lambda: (HEAD + ROW.replace("1710.5", "1710;5")).replace(",", "|").replace(";", ",").encode(),
        "no readable high",
    ),
    "foreign.csv": (lambda: b"name,price\nx,1\n", "no layout fits"),
    "headless.csv": ((ROW * 3).encode, "no layout fits|more than one column"),
    "data.json": (lambda: b'[{"a": 1}]', "JSON"),
    "model.csv": (lambda: pickle.dumps({"a": 1}), "pickle"),
    "book.csv": (lambda: b"\xd0\xcf\x11\xe0" + b"\0" * 100, "Excel"),
    "short.parquet": (lambda: b"PAR1" + b"\0" * 50, "complete Parquet"),
    "cut.csv.gz": (lambda: gzip.compress((HEAD + ROW * 5000).encode())[:100], "damaged gzip"),
    "cut.zip": (lambda: _zip(a_csv=(HEAD + ROW).encode())[:60], "damaged zip"),
    "several.zip": (lambda: _zip(a_csv=HEAD.encode(), b_csv=HEAD.encode()), "exactly one file"),
    "none.zip": (_zip, "exactly one file"),
    "bomb.csv.gz": (lambda: gzip.compress(_bomb()), "100 times"),
    "bomb.zip": (lambda: _zip(a_csv=_bomb()), "100 times"),
    "nested.zip": (lambda: _zip(a_zip=_zip(a_csv=_bomb())), "binary|no kind"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(name: str, tmp_path: Path, clock: FixedClock) -> None:
    content, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(content())
    store = open_store(clock=clock)

    with pytest.raises(QuantfluxError, match=message) as caught:
        run_import(inspect_file(path), store, sessions=sessions(), clock=clock)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900
    assert store.span(DAILY) is None


def test_damage_late_in_a_file_stores_nothing(tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / "bars.csv"
    body = "".join(
        f"600519.SH,{1991 + n // 200}-01-{n % 28 + 1:02d},10,11,9,10,{n}\n" for n in range(1, 5000)
    )
    path.write_text(HEAD + body * 60)
    plan = inspect_file(path)
    with path.open("a") as handle:
        handle.write("600519.SH,2024-01-03,1\n")
    store = open_store(clock=clock)

    with pytest.raises(QuantfluxError, match="Expected 7 columns, got 3"):
        run_import(plan, store, sessions=sessions(), clock=clock)

    assert store.span(DAILY) is None


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_flipped_bytes_in_parquet_never_escape_as_foreign_errors(
    seed: int, tmp_path: Path, clock: FixedClock
) -> None:
    path = tmp_path / "bars.parquet"
    data = bytearray(write(WRITERS["tushare"](market().head(300)), path).read_bytes())
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(data[: chance.choice([len(data), len(data), chance.randrange(1, len(data))])]))

    store = open_store(clock=clock)

    try:
        run_import(inspect_file(path), store, sessions=sessions(), clock=clock)
    except QuantfluxError:
        assert store.span(DAILY) is None


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400), headed=st.booleans())
def test_arbitrary_bytes_are_refused_or_read_never_worse(
    data: bytes, headed: bool, tmp_path: Path, clock: FixedClock
) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes((HEAD + ROW).encode() + data if headed else data)

    try:
        report = run_import(inspect_file(path), open_store(clock=clock), sessions=sessions(), clock=clock)
    except QuantfluxError:
        return
    assert report.rows_stored + report.rows_quarantined == report.rows_read


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuantfluxError, match=r"absent\.csv is not a file"):
        inspect_file(tmp_path / "absent.csv")
