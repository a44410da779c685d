"""Run files carried out: against a reference in pandas, without hindsight, and the same again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from quantflux.backtest.runs.files import read_run_file, run_of_values
from quantflux.backtest.runs.run_file import RunFile
from quantflux.backtest.service import Backtester
from quantflux.config import Settings
from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol
from quantflux.data.schema import DAILY
from quantflux.platform import Platform
from tests.backtest.example_market import EXAMPLES, market_folder

FALL = "1 - close / delay(close, 20)"
NO_RULES = ["suspension", "limits", "settlement", "lots", "volume", "slippage", "fees", "dividend_tax"]
RANKED: dict[str, Any] = {
    "name": "fallen",
    "start": "2023-02-01",
    "end": "2023-12-29",
    "score": FALL,
    "policy": {"kind": "ranked", "top": 6},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose data nobody changes; trials are written to it."""
    folder = shutil.copytree(market_folder(tmp_path_factory), tmp_path_factory.mktemp("shared") / "data")
    with Platform.open(Settings(data_dir=folder)) as platform:
        yield platform


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Platform]:
    """A platform of a test's own."""
    folder = shutil.copytree(market_folder(tmp_path_factory), tmp_path / "data")
    with Platform.open(Settings(data_dir=folder)) as opened:
        yield opened


def run_of(changes: Mapping[str, Any] | None = None, folder: Path = Path()) -> RunFile:
    return run_of_values({**RANKED, **(changes or {})}, "run.toml", folder)


def bars(platform: Platform) -> dict[str, pd.DataFrame]:
    """Adjusted opens and closes, and where there was a bar."""
    raw = platform.data.panel(["open", "close", "adj_factor"])
    index, columns = pd.DatetimeIndex(raw.times.astype("datetime64[ns]")), raw.symbols.tolist()
    frames = {name: pd.DataFrame(raw[name], index, columns) for name in raw}
    return {name: frames[name] * frames["adj_factor"] for name in ("open", "close")}


def reference(platform: Platform, top: int, capital: float) -> pd.Series:
    """A world without rules: the best by score at the end of each month, in equal parts, from the next open on."""
    prices = bars(platform)
    opens, closes = prices["open"], prices["close"]
    value = closes.ffill()
    score = 1 - closes / closes.shift(20)
    months = closes.index.to_period("M")
    last_of_month = closes.index[:-1][months[:-1] != months[1:]]
    decisions = [day for day in last_of_month if day >= pd.Timestamp("2023-02-01")]
    cash, shares, pending, equity = capital, pd.Series(0.0, closes.columns), None, {}
    for day in closes.index:
        if pending is not None:
            price = opens.loc[day].fillna(value.shift(1).loc[day])
            worth = cash + (shares * price).sum()
            shares = pd.Series(0.0, closes.columns)
            shares[pending] = worth / top / price[pending]
            cash = worth - (shares * price).sum()
        pending = list(score.loc[day].nlargest(top).index) if day in decisions else None
        equity[day] = cash + (shares * value.loc[day]).sum()
    return pd.Series(equity)


def test_a_run_without_rules_equals_a_reference_in_pandas(shared: Platform) -> None:
    run = run_of(
        {
            "universe": {"seasoned": False, "special_treatment": True},
            "execution": {"without": NO_RULES},
            "capital": 1e9,
        }
    )

    study = shared.backtests.run(run, ladder=False).study

    expected = reference(shared, top=6, capital=1e9).loc[str(study.times[0]) :]
    assert study.times[0] == np.datetime64("2023-02-28")
    np.testing.assert_allclose(study.equity, expected.to_numpy(), rtol=1e-7)


def test_what_comes_later_changes_nothing_before(shared: Platform) -> None:
    whole, cut = (
        shared.backtests.run(run_of({"end": end, "schedule": "weekly"}), ladder=False).study.run
        for end in ("2023-12-29", "2023-07-12")
    )

    rows = len(cut.times)
    np.testing.assert_array_equal(whole.equity[:rows], cut.equity)
    assert whole.log.wanted[: len(cut.log)].tolist() == cut.log.wanted.tolist()


def test_the_history_before_the_start_is_used_but_not_traded(shared: Platform) -> None:
    run = run_of({"start": "2023-03-15", "schedule": "daily"})

    study = shared.backtests.run(run, ladder=False).study

    assert study.times[0] == np.datetime64("2023-03-15")
    assert study.run.times[0] < np.datetime64("2023-01-01")
    assert study.run.log.row.min() == study.run.first + 1


def weighted_by_risk(start: str, window: int) -> RunFile:
    policy = {"top": 6, "weighting": "inverse_volatility", "optimiser": {"window": window, "risk": "sample"}}
    return run_of({"start": start, "schedule": "quarterly", "policy": {"kind": "ranked", **policy}})


def test_an_optimiser_has_its_whole_window_before_the_start(shared: Platform) -> None:
    study = shared.backtests.run(weighted_by_risk("2023-02-01", 200), ladder=False).study

    assert np.count_nonzero(study.run.times < np.datetime64("2023-02-01")) >= 200


def test_an_optimiser_without_history_is_refused_on_its_day(shared: Platform) -> None:
    run = weighted_by_risk("2022-01-10", 200)

    with pytest.raises(
        InvalidRequest, match=r"at the close of 2022-03-31, 0 of 6 picked names can be measured"
    ):
        shared.backtests.run(run, ladder=False)


@pytest.mark.parametrize("path", sorted(p for p in EXAMPLES.iterdir() if p.suffix in {".toml", ".yaml"}))
def test_the_examples_run(shared: Platform, path: Path) -> None:
    found = shared.backtests.run(read_run_file(path), ladder=False)

    assert found.study.times[0] >= np.datetime64("2023-02-01")
    assert found.study.run.log.filled.any()
    assert np.isfinite(found.study.equity).all()


def test_weights_are_held_from_the_open_after_their_date(shared: Platform, tmp_path: Path) -> None:
    # 2023-03-04 is a Saturday: decided at the close of the Friday before
    (tmp_path / "w.csv").write_text("date,symbol,weight\n2023-03-04,000001.SZ,0.5\n", encoding="utf-8")
    policy = {"kind": "weights", "file": "w.csv"}

    run = shared.backtests.run(by_hand(policy, tmp_path), ladder=False).study.run

    first = run.times[run.log.row[0]]
    assert (run.times[run.first], first) == (np.datetime64("2023-03-03"), np.datetime64("2023-03-06"))
    assert run.symbols[run.log.column[0]] == "000001.SZ"
    weight = run.weights_at(int(run.log.row[0]))[run.log.column[0]]
    assert weight == pytest.approx(0.5, abs=0.02)


def test_orders_are_traded_on_their_date(shared: Platform, tmp_path: Path) -> None:
    lines = "date,symbol,shares,limit\n2023-03-06,000001.SZ,500,\n2023-03-07,000001.SZ,100,0.01\n"
    (tmp_path / "o.csv").write_text(lines, encoding="utf-8")

    run = shared.backtests.run(by_hand({"kind": "orders", "file": "o.csv"}, tmp_path), ladder=False).study.run

    filled = run.log.filled_only()
    assert run.times[filled.row].tolist() == [np.datetime64("2023-03-06").item()]
    assert filled.filled.tolist() == [500.0]  # the limit of the second is never reached


def by_hand(policy: Mapping[str, Any], folder: Path) -> RunFile:
    small = {"name": "by hand", "start": "2023-02-01", "benchmark": "none", "capital": 1e6}
    values = {**small, "policy": policy}
    return run_of_values(values, "run.toml", folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2023-03-06,000001.SZ,0.7\n2023-03-06,000002.SZ,0.4\n", "2023-03-06 add up to 1.1; valid is at most 1"),
        ("2021-03-06,000001.SZ,0.7\n", "no date of 1 lies within 2023-02-01 .. 2023-12-29"),
        ("2023-03-06,600519.SH,0.7\n", "holds no row of 600519.SH"),
    ],
)  # fmt: skip
def test_lists_that_fit_nothing_are_refused(shared: Platform, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "w.csv").write_text("date,symbol,weight\n" + text, encoding="utf-8")

    with pytest.raises((InvalidRequest, UnknownSymbol)) as caught:
        shared.backtests.run(by_hand({"kind": "weights", "file": "w.csv"}, tmp_path))

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"score": "reversal_2"}, NotFound, "score.factors.1: no factor is called 'reversal_2'; similar: reversal_20"),
        ({"score": "close / "}, InvalidRequest, "score.factors.1: "),
        ({"score": "lead(close, 1) / close"}, InvalidRequest, "score.factors.1: "),
        ({"universe": {"where": "clos > 1"}}, InvalidRequest, "universe.where: unknown field 'clos'"),
        ({"universe": ["600519.SH"]}, UnknownSymbol, "600519.SH"),
        ({"universe": {"where": "close < 0"}}, InvalidRequest, "the universe is empty"),
        ({"start": "2031-01-05", "end": None}, InvalidRequest, "the bars reach from 2022-01-04 to 2023-12-29"),
        ({"policy": {"kind": "ranked", "top": 5, "least": 500}}, InvalidRequest, "policy.least"),
        ({"benchmark": "000300.SH"}, NotFound, "benchmark 000300.SH has no daily bars here"),
    ],
)  # fmt: skip
def test_what_the_data_do_not_allow_is_refused(
    shared: Platform, changes: Mapping[str, Any], kind: type[Exception], said: str
) -> None:
    values = {key: value for key, value in {**RANKED, **changes}.items() if value is not None}

    with pytest.raises(kind) as caught:
        shared.backtests.run(run_of_values(values, "run.toml"))

    assert said in str(caught.value)


def test_an_index_is_a_benchmark(platform: Platform) -> None:
    days = platform.data.panel(["close"], symbols=["000002.SZ"]).times
    level = np.full(len(days), 100.0)
    level[days > np.datetime64("2023-06-30")] = 110.0
    columns = dict.fromkeys(("open", "high", "low", "close"), level)
    rows = {"symbol": ["000300.SH"] * len(days), "trade_date": days, **columns, "volume": [1] * len(days)}
    platform.data.write(DAILY, pa.table(rows))

    study = platform.backtests.run(run_of({"benchmark": "000300.SH"}), ladder=False).study

    assert study.benchmark is not None
    assert study.benchmark.name == "000300.SH"
    assert study.benchmark.performance.total_return == pytest.approx(0.1)
    assert "000300.SH" not in study.run.symbols


def test_trials_are_strategies_and_not_runs(platform: Platform) -> None:
    backtests = platform.backtests

    first = backtests.run(run_of(), ladder=False)
    backtests.run(run_of({"name": "another name"}), ladder=False)
    second = backtests.run(run_of({"schedule": "weekly"}), ladder=False)
    backtests.replay(second.record)

    assert backtests.trials() == 2
    assert (first.study.luck.trials, second.study.luck.trials) == (1, 2)


def test_a_replay_is_identical_until_something_changes(platform: Platform, tmp_path: Path) -> None:
    platform.factors.registry.define("mine", FALL)
    done = platform.backtests.run(run_of({"score": "mine"}), ladder=False)

    same = platform.backtests.replay(done.record)

    assert same.is_identical and same.differences == ()

    platform.factors.registry.define("mine", "close / delay(close, 20) - 1")
    other = platform.backtests.replay(done.record)

    assert not other.is_identical
    assert next((each.kind, each.what) for each in other.differences) == ("expression", "score.factors.1")


def test_a_replay_tells_changed_data(platform: Platform) -> None:
    done = platform.backtests.run(run_of(), ladder=False)
    row = platform.data.get_stock_data("000002.SZ", "2023-05-09", "2023-05-09").to_arrow()
    volume = row.schema.get_field_index("volume")
    platform.data.write(
        DAILY, row.set_column(volume, "volume", pa.array([7], row.schema.field("volume").type))
    )

    found = platform.backtests.replay(done.record)

    assert ("data", "stock_daily_data") in [(each.kind, each.what) for each in found.differences]


def test_several_runs_read_the_data_once(shared: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []
    original = Backtester._preparation

    def counted(self: Backtester) -> Any:
        loaded.append(self)
        return original(self)

    monkeypatch.setattr(Backtester, "_preparation", counted)

    one, two = shared.backtests.compare([run_of(), run_of({"name": "b", "schedule": "weekly"})], ladder=False)

    assert len(loaded) == 1
    assert one.study.run.times is two.study.run.times


def test_a_policy_of_its_own_is_shown_what_it_asks_for(shared: Platform, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "class Mine:\n"
        "    def decide(self, view):\n"
        "        gain = np.where(view['chosen'][-1], view['gain'][-1], -np.inf)\n"
        "        weights = np.zeros(len(gain))\n"
        "        weights[np.argsort(-np.nan_to_num(gain, nan=-np.inf), kind='stable')[:6]] = 1 / 6\n"
        "        return weights\n",
        encoding="utf-8",
    )
    own = {"kind": "python", "class": "mine.py:Mine", "fields": {"gain": FALL}}
    values = {key: value for key, value in RANKED.items() if key != "score"} | {"policy": own}

    mine = shared.backtests.run(run_of_values(values, "run.toml", tmp_path), ladder=False)
    ranked = shared.backtests.run(run_of(), ladder=False)

    np.testing.assert_allclose(mine.study.equity, ranked.study.equity, rtol=1e-12)
    assert set(mine.record.files) == {"mine.py"}
    assert mine.record.expressions["policy.fields.gain"] == ranked.record.expressions["score.factors.1"]
