"""The main job on a small synthetic market, and on data that lack most of what it has."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from quantflux.cli.demo.flow import minute_view, research
from quantflux.cli.demo.loading import LAST_DAY, MarketPlan, is_synthetic, own_folder, prepare
from quantflux.cli.demo.proposing import propose
from quantflux.cli.demo.results import Findings
from quantflux.cli.demo.teaching import teach
from quantflux.config import Settings
from quantflux.core.errors import InvalidRequest, MissingSystemLibrary, NotFound
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS, MINUTE, PREDICTIONS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.factors.choice import choose_factors, fields_for_choice
from quantflux.factors.market_data import load_market
from quantflux.learning.evaluation import Verdict
from quantflux.learning.models import families
from quantflux.platform import Platform
from quantflux.portfolio.service import Proposal
from tests.cli.demo.conftest import PLAN, silent


def test_everything_is_found(findings: Findings) -> None:
    names = [report.name for report in findings.reports]

    assert names == ["reversal_20", "momentum_12_1", "volatility_20", "low_turnover", "size", "value"]
    assert findings.study is not None
    assert [benchmark.name for benchmark in findings.study.benchmarks] == ["equal"]
    assert findings.study.ladder is not None
    assert findings.study.run.dividends.sum() > 0
    assert set(findings.planted) == {"reversal_20", "momentum_12_1", "low_turnover", "value"}
    assert findings.reports[0].tradable.rank_ic_mean > 0.03  # the strongest alpha that was planted
    assert findings.notes == ("short_history",)


def test_a_model_is_taught_beside_a_control_and_names_are_scored_by_it(
    platform: Platform, findings: Findings
) -> None:
    made, chosen = findings.taught.model, findings.taught.chosen

    assert made is not None and chosen is not None and made.control is not None
    assert set(made.explanation.names) == {report.name for report in findings.reports}
    assert made.evaluation.figures["label_rank_ic"] > made.control.figures["label_rank_ic"]
    assert made.control.verdict in {Verdict.NOISE, Verdict.UNKNOWN}
    tested = [fold.test for fold in made.folds]
    assert all(fold.train[1] < fold.test[0] for fold in made.folds)
    assert all(before[1] < after[0] for before, after in pairwise(tested))
    saved = platform.data.read(Query(PREDICTIONS))
    assert set(saved["trade_date"].to_pylist()) == {findings.overview.times[-1].item()}
    best = saved.sort_by([("rank_score", "ascending"), ("symbol", "ascending")])["symbol"][0].as_py()
    assert chosen.rows[0]["symbol"] == best
    industries = Counter(row["industry"] for row in chosen.rows)
    assert len(chosen.rows) == 10 and max(industries.values()) <= 2


def test_without_the_library_that_lightgbm_needs_the_model_is_a_linear_one(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder of its own, so that the model of the shared one stays what it is.
    own = shutil.copytree(platform.settings.data_dir, tmp_path / "own")
    found = families.import_module

    def missing(name: str) -> ModuleType:
        if name.endswith(".lightgbm"):
            raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
        return found(name)

    monkeypatch.setattr(families, "import_module", missing)

    with Platform.open(own_folder(Settings(), own)) as opened:
        taught = teach(
            opened.models,
            opened.scoring,
            choose_factors(fields_for_choice(opened.data)),
            load_market(opened.data),
        )

    assert taught.model is not None and taught.model.version.kind == "ridge"
    with pytest.raises(MissingSystemLibrary, match="apt-get install libgomp1"):
        families.learner("lightgbm", "regression", {}, 1)


def test_the_overview_counts_what_was_stored(platform: Platform, findings: Findings) -> None:
    daily = pa.concat_tables(SyntheticMarket(PLAN.seed, 60, PLAN.first_day, LAST_DAY).daily_tables())
    seen = findings.overview

    assert seen.rows == seen.basic_rows == daily.num_rows
    assert seen.traded.sum() == daily.num_rows
    assert seen.symbols == len(set(daily["symbol"].to_pylist()))
    assert seen.days == len(set(daily["trade_date"].to_pylist()))
    assert seen.minute_rows == platform.data.get_many(dataset=MINUTE, frequency="1min").to_arrow().num_rows


def test_the_look_at_minutes_adds_up(platform: Platform) -> None:
    view = minute_view(platform.data)

    assert view is not None
    assert view.share.sum() == pytest.approx(1)
    assert view.share[:10].mean() > 2 * view.share[100:110].mean()  # the open is busier than before lunch
    assert (view.symbols, view.days) == (3, 2)
    day = platform.data.get_stock_data(view.symbol, view.day, view.day).to_arrow()
    assert view.candles["volume"].sum() == day["volume"][0].as_py()
    assert len(view.candles["label"]) <= 48


@pytest.fixture
def bare(tmp_path: Path) -> Platform:
    """A user's own file: a few months of bars without amounts, factors, valuations, names or minutes."""
    platform = Platform.open(own_folder(Settings(), tmp_path / "own"))
    daily = pa.concat_tables(SyntheticMarket(3, 30, date(2025, 5, 6), date(2025, 12, 31)).daily_tables())
    platform.data.write(DAILY, daily.drop_columns(["amount", "adj_factor"]))
    return platform


def test_bare_bars_go_as_far_as_they_can(bare: Platform) -> None:
    with bare:
        found = research(bare, "own", silent(), synthetic=False)

    assert {r.name for r in found.reports} == {
        "reversal_20",
        "volatility_20",
        "price_volume_20",
        "small_value_traded_20",
    }
    assert set(found.choice.omitted) == {"momentum_12_1", "value"}
    assert found.notes == ("short_history", "already_adjusted", "no_instruments", "no_basics", "no_amount")
    assert found.planted == {}
    assert found.minutes is None
    assert found.taught.model is None and "trading days, 250 are needed" in found.taught.why
    assert found.study is not None
    assert np.isfinite(found.study.performance.annual_return)
    proposed = found.proposed
    assert proposed.notes == ("shrunk_risk", "no_industry_bounds", "equal_benchmark")
    assert proposed.proposal is not None
    assert proposed.proposal.case.problem.risk is not None
    assert not proposed.proposal.case.problem.risk.factors
    _check_portfolio(proposed.proposal, found)


def test_the_portfolio_keeps_its_limits(findings: Findings) -> None:
    proposed = findings.proposed

    assert proposed.proposal is not None
    problem, weights = proposed.proposal.case.problem, proposed.proposal.portfolio.weights
    assert proposed.notes == ("shrunk_risk",)  # two years of sixty names are too few for a factor model
    assert problem.benchmark is not None
    labels = np.array([proposed.proposal.case.industries[i] for i in proposed.proposal.case.places])
    for label in set(labels.tolist()):
        apart = (weights - problem.benchmark)[labels == label].sum()
        assert abs(apart) < 0.02 + 1e-5
    assert proposed.prices
    _check_portfolio(proposed.proposal, findings)


def test_with_names_and_days_enough_the_risk_is_that_of_factors(tmp_path: Path) -> None:
    market = SyntheticMarket(5, 120, date(2023, 1, 3), date(2025, 12, 31))
    with Platform.open(own_folder(Settings(), tmp_path)) as platform:
        for daily, basic in market.tables():
            platform.data.write(DAILY, daily)
            platform.data.write(DAILY_BASIC, basic)
        platform.data.write(INSTRUMENTS, market.instruments())
        choice = choose_factors(fields_for_choice(platform.data))

        proposed = propose(platform.data, platform.factors, choice, load_market(platform.data))

    assert proposed.proposal is not None
    assert not {"shrunk_risk", "no_industry_bounds"} & set(proposed.notes)
    risk = proposed.proposal.case.problem.risk
    assert risk is not None
    assert {"market", "style_size"} < set(risk.factors)
    assert proposed.proposal.active_risk is not None
    parts = proposed.proposal.active_risk
    assert sum(parts.factors.values()) + parts.specific == pytest.approx(1)


def _check_portfolio(proposal: Proposal, found: Findings) -> None:
    problem, weights = proposal.case.problem, proposal.portfolio.weights
    assert problem.risk is not None
    assert problem.benchmark is not None
    assert problem.expected_returns is not None
    covariance = problem.risk.covariance()
    apart = weights - problem.benchmark
    assert np.datetime64(proposal.case.day) == found.overview.times[-1]
    assert weights.sum() == pytest.approx(1)
    assert weights.max() <= max(0.03, 4 / found.overview.traded[-1]) + 1e-6
    assert np.sqrt(apart @ covariance @ apart * 244) < 0.05 + 1e-5
    assert problem.expected_returns @ weights > problem.expected_returns @ problem.benchmark
    lots, orders = proposal.lots, proposal.orders
    assert (lots.shares[lots.shares > 0] >= 100).all()
    spent = float(np.nansum(lots.shares * lots.prices)) + sum(order.fees for order in orders.orders)
    assert orders.cash_after == pytest.approx(10_000_000 - spent, abs=0.01)
    assert 0 <= orders.cash_after < 200_000


def test_without_the_days_for_a_risk_model_there_is_no_portfolio(findings: Findings, bare: Platform) -> None:
    with bare:
        loaded = load_market(bare.data, "2025-10-09")

        proposed = propose(bare.data, bare.factors, findings.choice, loaded)

    assert proposed.proposal is None
    assert proposed.why == f"the data have {len(loaded.raw)} trading days, 61 are needed"


def test_what_the_data_refuse_is_told(findings: Findings, bare: Platform) -> None:
    with bare:
        loaded = load_market(bare.data)

        proposed = propose(bare.data, bare.factors, findings.choice, loaded)  # valuations are not there

    assert proposed.proposal is None
    assert "'pb' is read from stock_daily_basic" in proposed.why


def test_a_folder_without_bars_says_how_to_bring_some(tmp_path: Path) -> None:
    with (
        Platform.open(own_folder(Settings(), tmp_path)) as empty,
        pytest.raises(NotFound, match="data import FILE"),
    ):
        research(empty, "empty", silent(), synthetic=False)


def test_too_few_names_cannot_be_compared(tmp_path: Path) -> None:
    with Platform.open(own_folder(Settings(), tmp_path)) as platform:
        market = SyntheticMarket(3, 4, date(2025, 5, 6), date(2025, 12, 31))
        platform.data.write(DAILY, pa.concat_tables(market.daily_tables()))

        with pytest.raises(InvalidRequest, match="at least 10 symbols and 60 days, found 4 symbols"):
            research(platform, "few", silent(), synthetic=False)


def test_an_old_demonstration_is_replaced_and_marked(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    prepare(folder, MarketPlan(seed=1))
    (folder / "left-over").write_text("old")

    prepare(folder, MarketPlan(seed=2))

    assert [path.name for path in folder.iterdir()] == ["SYNTHETIC.json"]
    assert json.loads((folder / "SYNTHETIC.json").read_text())["seed"] == 2
    assert is_synthetic(folder)


def test_real_data_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious.parquet").write_text("years of work")

    with pytest.raises(InvalidRequest, match="did not make"):
        prepare(tmp_path, MarketPlan())

    assert (tmp_path / "precious.parquet").read_text() == "years of work"
    with pytest.raises(InvalidRequest, match="is a file"):
        prepare(tmp_path / "precious.parquet", MarketPlan())
