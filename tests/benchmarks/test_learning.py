"""The judge of the learning benchmark, against cases worked by hand, scipy, and the long way round."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.learning.judging import judge, newey_west_error
from benchmarks.learning.rivals.task import REACH, Span, Task
from benchmarks.rivals.protocol import Market
from scipy.stats import pearsonr, spearmanr

TASK = Task(sessions=60, train=20, valid=10, test=10)
NAMES = 15


def test_folds_of_the_standard_size_fill_its_days() -> None:
    folds = list(Task(sessions=3654, train=783, valid=261, test=261).folds())

    assert len(folds) == 10
    assert folds[0].test.first == 783 + 261
    assert folds[-1].test.last == 3653
    assert [b.test.first - a.test.last for a, b in pairwise(folds)] == [1] * 9


def test_no_label_of_one_span_reaches_into_the_next() -> None:
    for fold in TASK.folds():
        assert fold.train.last + REACH < fold.valid.first
        assert fold.valid.last + REACH < fold.test.first
        assert fold.train.last - fold.train.first + 1 == TASK.train - REACH


def test_tasks_are_read_as_they_were_written(tmp_path: Path) -> None:
    TASK.write(tmp_path / "task.json")

    assert Task.read(tmp_path / "task.json") == TASK
    assert next(TASK.folds()).test == Span(30, 39)


@pytest.fixture(name="market")
def a_market(tmp_path: Path) -> Market:
    close = 10 * np.exp(np.cumsum(np.random.default_rng(6).normal(0, 0.02, (TASK.sessions, NAMES)), axis=0))
    close[35:38, 2] = np.nan
    chosen = np.isfinite(close)
    chosen[:, 5] = False
    np.save(tmp_path / "close.npy", close)
    np.save(tmp_path / "chosen.npy", chosen)
    np.save(tmp_path / "sessions.npy", np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]"))
    (tmp_path / "symbols.json").write_text(json.dumps([f"{600000 + i}.SH" for i in range(NAMES)]))
    return Market(tmp_path)


def outcome_of(market: Market, day: int, column: int) -> float:
    close = market.field("close")[:, column]
    return float(close[day + 2] / close[day + 1] - 1)


def written(market: Market, predictions: np.ndarray, name: str) -> Path:
    row, column = np.nonzero(np.isfinite(predictions))
    table = {
        "trade_date": market.sessions[row],
        "symbol": np.array(market.symbols)[column],
        "prediction": predictions[row, column],
    }
    path = market.folder / f"{name}.parquet"
    pq.write_table(pa.table(table), path)
    return path


def test_correlations_are_those_of_scipy_on_the_cells_that_all_predicted(market: Market) -> None:
    good, bad = np.random.default_rng(1).normal(size=(2, TASK.sessions, NAMES))
    bad[40, 3] = np.nan  # one of the cells is left out by one rival: it counts for neither
    good[41] = 1.0  # no order on this day
    paths = {"good": written(market, good, "good"), "bad": written(market, bad, "bad")}

    found = judge(paths, market, TASK)

    wanted, cells = {}, 0
    for day in range(30, 58):  # the last two have no outcome
        names = [
            column
            for column in range(NAMES)
            if column != 5
            and (day, column) != (40, 3)
            and np.isfinite(market.field("close")[[day, day + 1, day + 2], column]).all()
        ]
        cells += len(names)
        if day != 41:
            outcomes = [outcome_of(market, day, column) for column in names]
            wanted[day] = (
                pearsonr(good[day, names], outcomes).statistic,
                spearmanr(good[day, names], outcomes).statistic,
            )
    assert found.cells == cells
    judged = found.rivals["good"]
    assert judged.predicted == cells + 1
    np.testing.assert_allclose(judged.ic, [pair[0] for pair in wanted.values()])
    np.testing.assert_allclose(judged.rank_ic, [pair[1] for pair in wanted.values()])
    means = found.means("good")
    second = [wanted[day][1] for day in range(40, 50) if day != 41]
    assert means.loc[2, "rank_ic"] == pytest.approx(np.mean(second))
    assert means.loc["all", "ic"] == pytest.approx(np.mean([pair[0] for pair in wanted.values()]))


def test_luck_is_noise_and_foresight_is_not(market: Market) -> None:
    close = market.field("close")
    outcome = np.full(close.shape, np.nan)
    outcome[:-2] = close[2:] / close[1:-1] - 1
    foresight = np.where(np.isfinite(outcome), outcome, 0.0)
    noise = np.random.default_rng(2).normal(size=(7, *close.shape))
    runs = {f"foresight {i}": foresight + 1e-9 * noise[i] for i in (1, 2)}
    runs |= {f"luck {i}": noise[1 + i] for i in (1, 2, 3)} | {f"more luck {i}": noise[4 + i] for i in (1, 2)}
    paths = {label: written(market, predictions, label) for label, predictions in runs.items()}

    found = judge(paths, market, TASK)

    assert list(found.rivals) == list(paths)
    ic = {label: each.rank_ic.mean() for label, each in found.rivals.items()}
    assert ic["foresight 1"] > 0.99 > abs(ic["luck 1"])
    lucky, seeing = ["luck 1", "luck 2", "luck 3"], ["foresight 1", "foresight 2"]
    assert found.difference(seeing, lucky).words.endswith("different by more than noise")
    assert found.difference(lucky, ["more luck 1", "more luck 2"]).words.endswith("equal within noise")
    assert found.difference(lucky, lucky).t == 0.0
    daily = found.rank_ic(lucky)
    np.testing.assert_allclose(daily, sum(found.rivals[run].rank_ic for run in lucky) / 3)


def test_who_leaves_cells_out_is_not_judged(market: Market) -> None:
    predictions = np.random.default_rng(3).normal(size=(TASK.sessions, NAMES))
    predictions[:, 7] = np.nan

    with pytest.raises(RuntimeError, match="short predicted"):
        judge({"short": written(market, predictions, "short")}, market, TASK)


def test_the_error_of_a_mean_is_that_of_the_weighted_autocovariances() -> None:
    values = np.convolve(np.random.default_rng(4).normal(size=300), [1.0, 0.8, 0.5], mode="valid")
    count, lags = len(values), 3

    found = newey_west_error(values, lags)

    away = values - values.mean()
    # The long way round: the sum over all pairs of days not further apart than the lags.
    total = sum(
        (1 - abs(i - j) / (lags + 1)) * away[i] * away[j]
        for i in range(count)
        for j in range(count)
        if abs(i - j) <= lags
    )
    assert found == pytest.approx(np.sqrt(total) / count)
    assert newey_west_error(values, 0) == pytest.approx(values.std() / np.sqrt(count))
