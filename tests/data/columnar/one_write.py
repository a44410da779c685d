"""A process that makes one write: `python -m tests.data.columnar.one_write <root>`; says "ok" or the error's name."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from quantflux.core.clock import FixedClock
from quantflux.core.errors import StoreError
from quantflux.data.adapters.columnar import open_store
from quantflux.data.schema import DAILY
from tests.data.columnar.conftest import DAYS, SYMBOLS
from tests.data.conformance.samples import bars


def batch() -> pa.Table:
    """Return rows that correct two files and begin two others."""
    return pa.concat_tables([bars(SYMBOLS[0], DAYS, 3.0), bars("000001.SZ", DAYS, 3.0)])


def main(root: str) -> str:
    """Write the batch and return how it went."""
    store = open_store(clock=FixedClock(datetime(2041, 1, 1, tzinfo=UTC)), path=root)
    try:
        store.write(DAILY, batch())
    except StoreError as error:
        return type(error).__name__
    finally:
        store.close()
    return "ok"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(main(sys.argv[1]))
