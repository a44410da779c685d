"""Cells of stored values equal the panel's, whatever segments they lie in, and leave no page of the file in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.data.schema import DAILY
from quantflux.factors.stored import StoredValues
from quantflux.factors.stored import segments as segments_module
from tests.factors.stored.markets import EVERY_FAMILY, LATER, NAMES, Market, bars, expressions

MANY = expressions(
    {name: text for name, text in EVERY_FAMILY.items() if name != "endless"}
    | {f"change_{n}": f"close / delay(close, {n}) - 1" for n in range(1, 14)}
)

YOUNG = (*LATER, *(f"{300000 + i}.SZ" for i in range(12)))


@pytest.fixture
def stored(market: Market) -> StoredValues:
    """Values in two segments: the first has no column for most of the symbols that were listed later."""
    market.start(30)
    market.values(MANY)
    market.data.write(DAILY, bars([*NAMES, *YOUNG], range(30, 50)))
    stored = market.keeper.values(MANY)
    assert len(list(market.folder.glob("values/*/values-*.f4"))) == 2
    return stored


@pytest.mark.parametrize("stretch", [1, 20_000, 10**9], ids=["a row at once", "some rows", "whole segments"])
def test_cells_are_the_panels(stored: StoredValues, stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments_module, "_STRETCH", stretch)
    whole = stored.panel(stored.rows())
    chosen = np.random.default_rng(1).random(whole.shape) < 0.4
    chosen[[0, 7, 29, 49]] = False  # rows that nobody asks for
    row, column = np.nonzero(chosen)

    for _ in range(2):  # what was let go is read again
        found = stored.cells(row, column)

        assert found.dtype == np.float32
        assert found.shape == (len(row), len(MANY))
        for place, name in enumerate(whole):
            assert np.array_equal(found[:, place], whole[name][row, column], equal_nan=True), name
    assert np.isfinite(found[row >= 45]).mean() > 0.5


def test_columns_of_a_row_may_stand_in_any_order_and_twice(stored: StoredValues) -> None:
    column = np.array([5, 0, 5, 2, 1])

    found = stored.cells(np.full(5, 40), column)

    in_order = stored.cells(np.full(6, 40), np.arange(6))
    assert np.array_equal(found, in_order[column], equal_nan=True)
    assert stored.cells(np.array([], dtype=int), np.array([], dtype=int)).shape == (0, len(MANY))


@pytest.mark.parametrize(
    ("rows", "columns", "says"),
    [
        ([3, 2], [0, 0], "sorted by row"),
        ([3, 4], [0], r"shape \(2,\) and \(1,\)"),
        ([[3]], [[0]], "a row and a column each"),
        ([3, 50], [0, 0], "a row from 0 to 49, were from 3 to 50"),
        ([-1, 3], [0, 0], "a row from 0 to 49, were from -1 to 3"),
        ([3, 3], [0, -1], "a column from 0 to 29, were from -1 to 0"),
        ([3, 3], [0, 30], "a column from 0 to 29, were from 0 to 30"),
    ],
)
def test_places_that_are_none(stored: StoredValues, rows: Any, columns: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        stored.cells(np.array(rows), np.array(columns))


def test_pages_that_were_read_are_given_back(stored: StoredValues, market: Market) -> None:
    (folder,) = market.folder.glob("values/*")
    everywhere = np.indices((50, len(stored.symbols))).reshape(2, -1)

    stored.panel(stored.rows())
    held = resident(folder)
    stored.cells(*everywhere)

    assert held > 0
    assert resident(folder) == 0


def resident(folder: Path) -> int:
    """Return how many kilobytes of the values' files this process has in memory."""
    smaps = Path("/proc/self/smaps")
    if not smaps.exists():
        pytest.skip("only Linux tells what of a file is in memory")
    total, ours = 0, False
    for line in smaps.read_text().splitlines():
        first = line.split(maxsplit=1)[0]
        if not first.endswith(":"):
            ours = str(folder) in line and "values-" in line
        elif ours and first == "Rss:":
            total += int(line.split()[1])
    return total


def test_versions_are_those_of_the_data(stored: StoredValues, market: Market) -> None:
    assert stored.versions == {DAILY.name: market.data.version(DAILY)}
