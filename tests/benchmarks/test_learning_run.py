"""The learning benchmark on markets of a few names: ours alone, and beside Qlib where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from benchmarks.learning.judging import judge
from benchmarks.learning.market import write_scene
from benchmarks.learning.ours_driver import OurWorkflow
from benchmarks.learning.rivals.running import FEATURES, PREDICTING, TRAINING, LearningDriver, predictions_of
from benchmarks.learning.rivals.task import SEEDS, Task
from benchmarks.learning.walk_forward import FIRST, PATIENT, measure_walk_forward
from benchmarks.rivals.protocol import Market
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.rivals.rival import ROOT

QLIB = ROOT / ".venv-rivals" / "bin" / "python"


def test_our_workflow_predicts_the_universe_in_the_folds_that_the_judge_expects(tmp_path: Path) -> None:
    size, task = FIRST
    write_scene(size, tmp_path / "market", tmp_path / "installation")
    market, written = Market(tmp_path / "market"), predictions_of(tmp_path / "ours", SEEDS[0])
    driver = LearningDriver(OurWorkflow(market, task, tmp_path / "installation"), written.parent)

    driver.compute()

    assert set(driver.parts) == {FEATURES, TRAINING, PREDICTING}
    assert [rounds.shape for _, rounds in driver.answer()] == [(1, 2)]
    found = pq.read_table(written)
    assert found.num_rows == np.load(market.folder / "chosen.npy")[140:].sum()
    judgement = judge({"ours": written}, market, task)
    assert judgement.cells == judgement.rivals["ours"].predicted
    driver.drop()


@pytest.mark.slow
@pytest.mark.skipif(not QLIB.exists(), reason="make bench-learning makes the rivals' environment")
def test_ours_and_qlib_are_found_equal_within_noise(tmp_path: Path) -> None:
    report = RivalReport("test")
    task = Task(sessions=500, train=250, valid=90, test=80)

    measure_walk_forward(40, task, tmp_path, QLIB, report, say=lambda text: None)

    times, parts, worth = report.tables
    assert isinstance(times, Table) and [row.label for row in times.rows] == [OURS, PATIENT, "Qlib"]
    assert times.agreement[PATIENT] == "the same predictions, bit for bit, in 4 of 4 runs"
    assert all(row.peak > 0 for row in times.rows)
    assert len(parts.markdown()) > 4
    assert "equal within noise" in worth.note
