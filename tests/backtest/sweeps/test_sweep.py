"""Sweeps: every set as if it were run alone, in any number of processes, whatever becomes of the others."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.backtest.metrics import daily_returns, deflated_sharpe
from quantflux.backtest.runs.files import run_of_values
from quantflux.backtest.runs.run_file import RunFile
from quantflux.backtest.sweeps.grid import parameter_sets
from quantflux.backtest.sweeps.output import sweep_page, to_csv, to_json
from quantflux.backtest.sweeps.sweep import Sweep
from quantflux.config import Settings
from quantflux.platform import Platform
from tests.backtest.example_market import market_folder

TWO_FACTORS: dict[str, Any] = {
    "name": "two factors",
    "start": "2023-02-01",
    "score": ["reversal_20", {"factor": "ts_std(close / delay(close, 1), 20)", "orientation": -1}],
    "policy": {"kind": "ranked", "top": 6, "least": 2},
    "sweep": {"score.factors.1.weight": [1, 4], "schedule": ["weekly", "monthly"], "capital": [1e6]},
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = shutil.copytree(market_folder(tmp_path_factory), tmp_path_factory.mktemp("sweep") / "data")
    with Platform.open(Settings(data_dir=folder)) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(platform: Platform) -> Sweep:
    return platform.backtests.sweep(two_factors(), processes=1)


def two_factors(**changes: Any) -> RunFile:
    return run_of_values({**TWO_FACTORS, **changes}, "run.toml")


def ratio(sweep: Sweep) -> list[float]:
    return [each.measured.performance.sharpe for each in sweep.results if each.measured is not None]


def test_each_set_is_what_it_is_alone(platform: Platform, found: Sweep) -> None:
    sets = {each.number: each for each in parameter_sets(two_factors())}

    assert len(found.done) == 4
    for each in found.done:
        alone = platform.backtests.run(sets[each.number].run, ladder=False).study
        assert each.measured is not None
        np.testing.assert_array_equal(each.measured.equity, alone.equity)
        assert each.measured.performance == alone.performance
        assert (each.measured.turnover, each.measured.cost_drag) == (alone.turnover, alone.cost_drag)
    assert len({each.measured.equity[-1] for each in found.done if each.measured}) == 4


def test_the_best_comes_first_and_is_deflated_by_the_number_of_sets(found: Sweep) -> None:
    ratios = ratio(found)
    variance = np.var([r / 244**0.5 for r in ratios], ddof=1)
    best = found.done[0]

    assert ratios == sorted(ratios, reverse=True)
    assert best.measured is not None
    assert best.deflated == pytest.approx(deflated_sharpe(daily_returns(best.measured.equity), 4, variance))


def test_processes_change_nothing(platform: Platform, found: Sweep) -> None:
    told: list[int] = []

    several = platform.backtests.sweep(
        two_factors(), processes=2, progress=lambda done, total: told.append(done)
    )

    assert [each.number for each in several.results] == [each.number for each in found.results]
    for one, two in zip(several.results, found.results, strict=True):
        assert one.measured is not None and two.measured is not None
        np.testing.assert_array_equal(one.measured.equity, two.measured.equity)
        assert one.deflated == two.deflated
    assert several.processes == 2
    assert several.shared_bytes > 5 * 484 * 30 * 8
    assert several.process_bytes > 1e6
    assert told == [0, 0, 1, 2, 3, 4]
    assert not list(platform.backtests.folder.glob("sweep-*"))


def test_a_set_that_fails_is_told_and_the_others_stay(platform: Platform) -> None:
    run = two_factors(sweep={"policy.least": [2, 500], "policy.top": [5, 6]})

    sweep = platform.backtests.sweep(run, processes=1)

    assert [each.number for each in sweep.failed] == [3, 4]
    assert len(sweep.done) == 2
    assert all("policy.least" in each.problem for each in sweep.failed)
    assert [each.measured for each in sweep.results[2:]] == [None, None]


def test_a_sweep_that_is_stopped_keeps_what_is_done(platform: Platform) -> None:
    told: list[int] = []

    sweep = platform.backtests.sweep(
        two_factors(),
        processes=1,
        progress=lambda done, total: told.append(done),
        cancelled=lambda: bool(told) and told[-1] >= 2,
    )

    assert [each.number for each in sweep.failed] == [3, 4]
    assert {each.problem for each in sweep.failed} == {"not run"}


def test_every_set_is_a_trial(platform: Platform) -> None:
    before = platform.backtests.trials()
    run = two_factors(sweep={"capital": [3e6, 4e6, 5e6]})

    platform.backtests.sweep(run, processes=1)
    platform.backtests.sweep(run, processes=1)

    assert platform.backtests.trials() == before + 3


def test_csv_and_json_hold_all_sets(found: Sweep) -> None:
    failed = replace(found.results[-1], measured=None, problem='no, "really"', deflated=float("nan"))
    sweep = replace(found, results=(*found.results[:-1], failed))

    rows = list(csv.DictReader(io.StringIO(to_csv(sweep))))
    told = json.loads(to_json(sweep), parse_constant=pytest.fail)

    assert [float(row["sharpe"]) for row in rows[:-1]] == ratio(sweep)
    assert (rows[-1]["sharpe"], rows[-1]["problem"]) == ("", 'no, "really"')
    assert set(rows[0]) >= {"set", "score.factors.1.weight", "schedule", "turnover", "cost_drag"}
    assert told["failed"] == 1
    assert [each["sharpe"] for each in told["results"][:-1]] == ratio(sweep)
    assert told["results"][-1]["sharpe"] is None


def test_the_page_names_every_set_and_has_a_map_over_two_keys(platform: Platform, tmp_path: Path) -> None:
    run = two_factors(name="<a> & b", sweep={"policy.top": [5, 6], "policy.least": [2, 500]})

    page = sweep_page(platform.backtests.sweep(run, processes=1))

    assert set(page.figures) == {"curves", "heat"}
    grid = page.figures["heat"]["data"][0]
    assert [page.words[key[1:]].en for key in grid["x"] + grid["y"]] == ["5", "6", "2", "500"]
    assert [[value is None for value in row] for row in grid["z"]] == [[False, False], [True, True]]
    page.write(tmp_path / "sweep.html")
    html = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert "Sweep: &lt;a&gt; &amp; b" in html
    assert html.count("policy.least = 500") >= 2
