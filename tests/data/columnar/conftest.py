"""A small columnar store with two years, four files and a log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.adapters.columnar import ColumnarStore, open_store
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY
from tests.data.conformance.samples import sample

SYMBOLS = tuple(f"{600000 + n}.SH" for n in range(12))
DAYS = tuple(date(2023, 12, 1) + timedelta(days=n) for n in range(0, 60, 2))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def reopen(root: Path, clock: FixedClock) -> Callable[[], ColumnarStore]:
    """Opens the store anew, as another process would."""
    return lambda: open_store(clock=clock, path=root, lock_timeout=5.0)


@pytest.fixture
def store(reopen: Callable[[], ColumnarStore]) -> ColumnarStore:
    return reopen()


@pytest.fixture
def rows(store: ColumnarStore) -> pa.Table:
    """Rows stored by four writes, and what a read of all gives."""
    table = sample(DAILY, SYMBOLS, DAYS)
    for start in range(0, table.num_rows, table.num_rows // 4):
        store.write(DAILY, table.slice(start, table.num_rows // 4))
    return store.read(Query(DAILY))
