"""Fills a small file system with factor values: `python -m tests.factors.stored.full_disk <mount point> <result>`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from quantflux.core.errors import StoreFull
from quantflux.data.schema import DAILY
from quantflux.factors.stored import appending
from tests.factors.stored.markets import NAMES, Market, bars, expressions

WANTED = expressions({f"f{n}": f"ts_mean(close, {n})" for n in range(2, 12)})


def main(mount: Path) -> dict[str, object]:
    """Append days until the disk is full, give it room, and go on; return what was seen."""
    appending.CHECKPOINT_ROWS = 64
    market = Market(mount).start(20)
    good = market.values(WANTED)
    refused = 0
    while not refused:
        market.data.write(DAILY, bars(NAMES, range(len(good), len(good) + 20)))
        try:
            market.keeper.update(WANTED)
        except StoreFull:
            refused += 1
        else:
            good = market.values(WANTED)
    (stored,) = market.keeper.stored_sets()
    left = len(list(mount.glob("values/*/*")))
    named = len(stored[0].segments) + len(stored[0].states) + 2
    subprocess.run(["mount", "-o", "remount,size=30m", str(mount)], check=True)
    found, expected = market.values(WANTED), market.computed_anew(WANTED)
    same = all(np.array_equal(found[n], expected[n], equal_nan=True) for n in expected)
    return {
        "days": len(good),
        "kept": len(stored[0].days),
        "litter": left - named,
        "final": len(found),
        "same": same,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(Path(sys.argv[1]))))
