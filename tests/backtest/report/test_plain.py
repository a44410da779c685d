"""The figures of a study as JSON: all of them, in plain values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from quantflux.backtest.report import as_plain, to_json
from quantflux.backtest.study import Study


@pytest.fixture(scope="module")
def read(busy: Study) -> dict[str, Any]:
    return dict(json.loads(to_json(busy)))


def test_it_reads_back_as_it_was(busy: Study, read: dict[str, Any]) -> None:
    assert read == as_plain(busy)


def test_figures_are_those_of_the_study(busy: Study, read: dict[str, Any]) -> None:
    assert read["performance"]["sharpe"] == busy.performance.sharpe
    assert read["luck"]["trials"] == 20
    assert [other["name"] for other in read["benchmarks"]] == [other.name for other in busy.benchmarks]
    assert read["benchmarks"][0]["comparison"]["beta"] == busy.benchmarks[0].comparison.beta
    assert list(read["months"].values()) == list(busy.months.values())
    assert all(len(month) == 7 for month in read["months"])
    assert read["drawdowns"][0]["depth"] == busy.falls[0].depth
    assert read["drawdowns"][0]["trough"] == str(busy.times[busy.falls[0].trough])
    np.testing.assert_array_equal(read["series"]["equity"], busy.equity)
    assert len(read["series"]["times"]) == len(busy.equity)


def test_rules_and_reasons_are_named(busy: Study, read: dict[str, Any]) -> None:
    assert busy.ladder is not None
    assert [rung["rule"] for rung in read["rules"]["rungs"]] == [
        rung.rule.value for rung in busy.ladder.rungs
    ]
    assert [one["reason"] for one in read["refusals"]] == [one.reason.name.lower() for one in busy.refusals]
    assert read["execution"]["fill"] == "open"
    assert read["verdict"] in {"convincing", "chance", "behind", "loss", "short"}


def test_what_is_not_finite_is_none(plain: Study) -> None:
    found = as_plain(plain)

    assert found["rules"]["rungs"] == []
    assert found["benchmarks"] == []
    json.dumps(found, allow_nan=False)
