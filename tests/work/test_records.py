"""The shelf of records: what is kept is found again by its owner, and by nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quantflux.backtest.runs.record import RunRecord
from quantflux.core.errors import NotFound, StoreCorrupt
from quantflux.work.records import RecordShelf

RECORD = RunRecord(
    name="日内 Reversal/../x",
    made="2024-03-29T15:00:00+00:00",
    content={"policy": {"kind": "ranked", "top": 3}},
    folder="/elsewhere",
    seed=0,
    code={},
    data={},
    expressions={},
    files={},
    arrays={},
    metrics={"sharpe": None},
)
ONE, TWO = "user:1", "user:2"


@pytest.fixture
def shelf(tmp_path: Path) -> RecordShelf:
    return RecordShelf(tmp_path / "records")


def test_a_record_comes_back_with_its_study(shelf: RecordShelf) -> None:
    kept = shelf.keep(ONE, RECORD, {"name": "x", "sharpe": None})

    assert kept.startswith("Reversal-x-20240329150000-")
    assert shelf.read(kept, owner=ONE) == replace(RECORD, folder=".")
    assert json.loads(shelf.study(kept, owner=ONE)) == {"name": "x", "sharpe": None}
    assert shelf.owner_of(kept) == ONE


def test_nobody_else_sees_it(shelf: RecordShelf) -> None:
    kept = shelf.keep(ONE, RECORD, {})

    assert [each.id for each in shelf.entries(ONE)] == [kept]
    assert shelf.entries(TWO) == []
    for look in (shelf.read, shelf.study, shelf.owner_of):
        with pytest.raises(NotFound):
            look(kept, owner=TWO)
    assert [(each.id, each.owner) for each in shelf.entries()] == [(kept, ONE)]


def test_records_of_the_command_line_belong_to_nobody(shelf: RecordShelf, tmp_path: Path) -> None:
    RECORD.write(tmp_path / "records" / "by-hand.json")

    assert shelf.entries(ONE) == []
    assert [(each.id, each.owner) for each in shelf.entries()] == [("by-hand", "")]
    with pytest.raises(NotFound, match="was not kept"):
        shelf.study("by-hand")


@pytest.mark.parametrize(
    "name", ["../secret", "..", "", "secret", "a/../../secret", "user-2/x", "\0", "x" * 5000]
)
def test_an_id_is_no_path(shelf: RecordShelf, tmp_path: Path, name: str) -> None:
    shelf.keep(ONE, RECORD, {})
    RECORD.write(tmp_path / "secret.json")

    with pytest.raises(NotFound):
        shelf.read(name)


def test_a_damaged_record_is_called_so(shelf: RecordShelf, tmp_path: Path) -> None:
    kept = shelf.keep(ONE, RECORD, {})
    (tmp_path / "records" / "user-1" / f"{kept}.json").write_text("{")

    with pytest.raises(StoreCorrupt, match="is damaged"):
        shelf.read(kept)


def test_an_empty_shelf_is_no_error(shelf: RecordShelf) -> None:
    assert shelf.entries() == [] and shelf.entries(ONE) == []
