"""Records: what they keep, how they travel, and what is told when something is not as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import quantflux
from quantflux.backtest.runs.record import (
    Difference,
    RunRecord,
    array_digest,
    code_state,
    compared,
    content_digest,
)
from quantflux.core.errors import InvalidRequest

RECORD = RunRecord(
    name="一 strategy",
    made="2024-01-02T10:00:00+08:00",
    content={"policy": {"kind": "orders", "file": "o.csv"}},
    folder="runs",
    seed=3,
    code={"quantflux": "0.1.0", "source": "aa"},
    data={"stock_daily_data": 4},
    expressions={"score.factors.1": {"text": "close", "digest": "d" * 32}},
    files={"o.csv": "ff"},
    arrays={"cash": "c0", "positions": "p0"},
    metrics={"sharpe": 1.25, "sortino": None},
)


def test_a_record_survives_its_file_and_moves_with_its_run_file(tmp_path: Path) -> None:
    record = replace(RECORD, folder=str(tmp_path / "here" / "runs"))
    record.write(tmp_path / "here" / "out" / "record.json")
    (tmp_path / "here").rename(tmp_path / "there")

    found = RunRecord.read(tmp_path / "there" / "out" / "record.json")

    assert Path(found.folder).resolve() == (tmp_path / "there" / "runs").resolve()
    assert replace(found, folder="") == replace(RECORD, folder="")
    assert "一" in (tmp_path / "there" / "out" / "record.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"code": {"quantflux": "0.1.0", "source": "bb"}}, Difference("code", "source", "aa", "bb")),
        ({"data": {"stock_daily_data": 5}}, Difference("data", "stock_daily_data", "4", "5")),
        ({"files": {"o.csv": "00"}}, Difference("file", "o.csv", "ff", "00")),
        ({"data": {}}, Difference("data", "stock_daily_data", "4", "nothing")),
        (
            {"expressions": {"score.factors.1": {"text": "open", "digest": "e" * 32}}},
            Difference("expression", "score.factors.1", "close [dddddddddddd]", "open [eeeeeeeeeeee]"),
        ),
    ],
)
def test_a_cause_alone_leaves_a_replay_identical(change: dict[str, object], difference: Difference) -> None:
    found = compared(RECORD, replace(RECORD, **change))  # type: ignore[arg-type]

    assert found.differences == (difference,)
    assert found.is_identical


def test_a_result_that_differs_is_told_after_its_cause() -> None:
    now = replace(RECORD, arrays={"cash": "c0", "positions": "p1"}, data={"stock_daily_data": 5})

    found = compared(RECORD, now)

    assert [(each.kind, each.what) for each in found.differences] == [
        ("data", "stock_daily_data"),
        ("result", "positions"),
    ]
    assert not found.is_identical


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no record of a run"),
        ("[1]", "it has no format"),
        ('{"format": 99}', "its format is not 1, the one that this release reads"),
        ('{"format": 1, "name": "x"}', "it lacks arrays, code, content"),
        (json.dumps({**json.loads(RECORD.to_json()), "arrays": 3}), "its arrays is no table"),
    ],
)
def test_what_is_no_record_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        RunRecord.from_json(text, "r.json")

    assert str(caught.value).startswith("r.json: this is no record of a run")
    assert said in str(caught.value)


def test_equal_arrays_of_another_kind_are_not_equal() -> None:
    values = np.arange(6.0)

    digests = [
        array_digest(each)
        for each in (
            values,
            values.astype(np.float32),
            values.reshape(2, 3),
            values.reshape(3, 2),
            values + 1e-12,
        )
    ]

    assert len(set(digests)) == 5
    assert array_digest(np.asfortranarray(values.reshape(2, 3))) == digests[2]
    assert array_digest(values[::-1][::-1]) == digests[0]


def test_the_name_alone_makes_no_other_strategy() -> None:
    one = {"name": "a", "policy": {"top": 5}}

    assert content_digest(one) == content_digest({"policy": {"top": 5}, "name": "b"})
    assert content_digest(one) != content_digest({"name": "a", "policy": {"top": 6}})


def test_the_code_is_told_by_version_and_by_content() -> None:
    found = code_state()

    assert found["quantflux"] == quantflux.__version__
    assert found["numpy"] == np.__version__
    assert len(found["source"]) == 64 and found["numba"] and found["python"]
