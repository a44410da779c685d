"""Fills a small file system with writes: `python -m tests.data.columnar.full_disk <mount point> <result>`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from quantflux.core.clock import FixedClock
from quantflux.core.errors import StoreFull
from quantflux.data.adapters.columnar import open_store
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY
from tests.data.conformance.samples import sample

SYMBOLS = [f"{600000 + n}.SH" for n in range(400)]


def main(mount: Path) -> dict[str, object]:
    """Write days until the disk is full, give it room, and go on; return what was seen."""
    root = mount / "store"
    store = open_store(clock=FixedClock(datetime(2041, 1, 1, tzinfo=UTC)), path=root)
    acked = refused = 0
    day = date(2023, 1, 1)
    while not refused:
        try:
            store.write(DAILY, sample(DAILY, SYMBOLS, [day + timedelta(days=acked)], seed=acked))
            acked += 1
        except StoreFull:
            refused += 1
    other = open_store(clock=FixedClock(datetime(2041, 1, 1, tzinfo=UTC)), path=root)
    after = other.read(Query(DAILY)).num_rows
    live = len(list(root.rglob("period=*/*")))
    subprocess.run(["mount", "-o", "remount,size=30m", str(mount)], check=True)
    store.write(DAILY, sample(DAILY, SYMBOLS, [day + timedelta(days=acked)], seed=acked))
    final = store.read(Query(DAILY)).num_rows
    return {
        "acked": acked * len(SYMBOLS),
        "after": after,
        "files": live,
        "final": final,
        "each": len(SYMBOLS),
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(Path(sys.argv[1]))))
