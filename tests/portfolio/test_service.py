"""From a portfolio file to weights, lots and orders, on a small synthetic market."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quantflux.core.documents import parse_document
from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol
from quantflux.platform import Platform
from quantflux.portfolio.constraints import Liquidity
from quantflux.portfolio.files import portfolio_file_of
from quantflux.portfolio.portfolio_file import PortfolioFile
from quantflux.portfolio.preparation import Case
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.report import page_of
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.service import PortfolioService, Proposal
from tests.portfolio.markets import COMPANIES, LAST

RISK = "[risk]\nwindow = 120\n"
SMALL = 'capital = 1e7\nmethod = "minimum_variance"\n' + RISK


@pytest.fixture
def service(market: Platform) -> PortfolioService:
    return market.portfolios


def told(text: str) -> PortfolioFile:
    return portfolio_file_of(parse_document(text))


def solved(service: PortfolioService, text: str, folder: Path = Path()) -> Proposal:
    return service.optimise(service.prepare(told(text), folder))


def bars(platform: Platform) -> pl.DataFrame:
    return platform.data.get_many(None, "2023-01-01", LAST).to_polars()


def test_prices_and_returns_are_those_of_the_bars(service: PortfolioService, market: Platform) -> None:
    case = service.prepare(told(SMALL))

    rows = bars(market).sort("trade_date")
    last = rows.filter(pl.col("trade_date") == LAST)
    closes = dict(zip(last["symbol"], last["close"], strict=True))
    assert case.day == LAST
    for symbol, price in zip(case.symbols, case.prices, strict=True):
        assert price == closes[symbol]
    assert case.problem.risk is not None
    symbol = case.symbols[0]
    one = rows.filter(pl.col("symbol") == symbol).tail(121)
    adjusted = (one["close"] * one["adj_factor"]).to_numpy()
    moves = adjusted[1:] / adjusted[:-1] - 1
    assert case.problem.risk.volatilities[0] == pytest.approx(
        moves.std(), rel=0.02
    )  # shrunk towards equal ones


def test_limits_of_a_year_become_limits_of_a_day(service: PortfolioService) -> None:
    found = solved(
        service,
        SMALL.replace("minimum_variance", "mean_variance")
        + "[parameters]\nrisk_aversion = 0.0\n[expected_returns]\nscore = 'reversal_20'\n"
        "[constraints]\nrisk = 0.22\nweights = 0.3\n",
    )

    assert found.portfolio.statistics.risk == pytest.approx(0.22 / np.sqrt(244), rel=1e-4)
    assert "risk: risk at most 22 % a year" in found.binding


def test_industries_stay_near_the_benchmark(service: PortfolioService) -> None:
    found = solved(
        service,
        'benchmark = "cap"\n'
        + SMALL
        + "[constraints]\n[constraints.industries]\nleast = -0.02\nmost = 0.02\nrelative = true\n",
    )

    case, benchmark = found.case, found.case.problem.benchmark
    assert benchmark is not None and benchmark.sum() == pytest.approx(1)
    apart = found.portfolio.weights - benchmark
    labels = np.array([case.industries[i] for i in case.places])
    for label in set(labels.tolist()):
        assert abs(apart[labels == label].sum()) <= 0.02 + 1e-6


def test_a_cap_weighted_benchmark_weighs_by_capitalisation(
    service: PortfolioService, market: Platform
) -> None:
    case = service.prepare(told('benchmark = "cap"\n' + SMALL))

    basic = market.data.get_many(None, LAST, LAST, dataset="stock_daily_basic").to_polars()
    caps = dict(zip(basic["symbol"], basic["total_mv"], strict=True))
    expected = np.array([caps[symbol] for symbol in case.problem.symbols])
    assert case.problem.benchmark == pytest.approx(expected / expected.sum())


def test_what_is_held_is_the_capital_and_is_traded_from(service: PortfolioService, tmp_path: Path) -> None:
    case = service.prepare(told(SMALL))
    first, second = case.symbols[:2]
    (tmp_path / "held.csv").write_text(f"symbol,shares\n{first},10137\n{second},2000\n")

    found = solved(
        service,
        SMALL.replace("capital = 1e7\n", "") + '[holdings]\nfile = "held.csv"\ncash = 500_000\n'
        "[constraints]\nweights = 0.1\n[costs]\nholding_days = 60\n[parameters]\nrisk_aversion = 5.0\n",
        tmp_path,
    )

    held = dict(zip(found.case.symbols, found.case.held, strict=True))
    assert (held[first], held[second]) == (10137, 2000)
    value = 500_000 + found.case.held @ found.case.prices
    assert found.case.value == pytest.approx(value)
    orders = found.orders
    signed = sum(order.shares * order.price for order in orders.orders)
    assert orders.cash_after == pytest.approx(500_000 - signed - orders.fees)
    assert orders.cash_after >= 0 and orders.cash_after == pytest.approx(found.lots.cash, abs=1e-4)
    assert orders.after.tolist() == found.lots.shares.tolist()
    assert found.portfolio.statistics.cost is not None


def test_lists_may_stand_in_the_file_itself(service: PortfolioService, tmp_path: Path) -> None:
    first, second = service.prepare(told(SMALL)).symbols[:2]
    (tmp_path / "held.csv").write_text(f"symbol,shares\n{first},10137\n{second},2000\n")
    (tmp_path / "expected.csv").write_text(f"symbol,expected_return\n{second},0.244\n")
    plain = SMALL.replace("capital = 1e7\n", "")
    short = first.partition(".")[0]
    inside = f'[holdings]\nshares = {{"{short}" = 10137, "{second}" = 2000}}\ncash = 500_000\n'
    inside += f'[expected_returns.values]\n"{second}" = 0.244\n'
    beside = '[holdings]\nfile = "held.csv"\ncash = 500_000\n[expected_returns]\nfile = "expected.csv"\n'

    one, two = (service.prepare(told(plain + each), tmp_path) for each in (inside, beside))

    assert one.held.tolist() == two.held.tolist() and one.held.any()
    assert one.problem.expected_returns is not None and two.problem.expected_returns is not None
    assert one.problem.expected_returns.tolist() == two.problem.expected_returns.tolist()


def test_names_outside_the_universe_are_sold(service: PortfolioService, tmp_path: Path) -> None:
    case = service.prepare(told(SMALL))
    outside, *inside = case.symbols
    (tmp_path / "held.csv").write_text(f"symbol,shares\n{outside},1000\n")
    listed = ", ".join(f'"{symbol}"' for symbol in inside[:12])
    for method in ("minimum_variance", "equal"):
        found = solved(
            service,
            f'method = "{method}"\nuniverse = [{listed}]\n{RISK}[holdings]\nfile = "held.csv"\ncash = 1e6\n',
            tmp_path,
        )

        assert [(o.symbol, o.shares) for o in found.orders.orders if o.shares < 0] == [(outside, -1000)]
        assert set(found.portfolio.held()) <= set(inside[:12])


def suspended(case: Case, column: int) -> Case:
    stopped = case.barriers.suspended.copy()
    stopped[column] = True
    return replace(case, barriers=replace(case.barriers, suspended=stopped))


def test_what_cannot_be_traded_is_refused_with_its_reason(service: PortfolioService) -> None:
    case = service.prepare(told(SMALL + "[constraints]\nweights = 0.2\ntradable = false\n"))
    wanted = int(np.argmax(service.optimise(case).lots.shares * case.prices))

    found = service.optimise(suspended(case, wanted))

    assert found.lots.shares[wanted] == 0
    (refusal,) = found.orders.refusals
    assert (refusal.symbol, refusal.ordered, str(refusal.barrier)) == (case.symbols[wanted], 0, "suspended")


def test_names_that_may_not_be_traded_keep_their_weight(service: PortfolioService, tmp_path: Path) -> None:
    case = service.prepare(told(SMALL))
    symbol = case.symbols[3]
    (tmp_path / "held.csv").write_text(f"symbol,shares\n{symbol},20000\n")

    found = solved(
        service,
        f'method = "minimum_variance"\n{RISK}[holdings]\nfile = "held.csv"\ncash = 1e6\n'
        f'[constraints]\nweights = 0.1\nno_trade = ["{symbol}"]\n',
        tmp_path,
    )

    place = found.case.symbols.index(symbol)
    assert found.lots.shares[place] == 20000
    assert found.portfolio.weights[place] == pytest.approx(
        20000 * found.case.prices[place] / found.case.value
    )
    assert any("held and not to be traded" in note for note in found.case.notes)


def test_a_formula_divides_what_is_left_by_names_that_stay(service: PortfolioService, tmp_path: Path) -> None:
    symbols = service.prepare(told(SMALL)).symbols[:6]
    listed = ", ".join(f'"{symbol}"' for symbol in symbols)
    (tmp_path / "held.csv").write_text(f"symbol,shares\n{symbols[0]},20000\n")

    found = solved(
        service,
        f'method = "equal"\nuniverse = [{listed}]\n{RISK}[holdings]\nfile = "held.csv"\ncash = 1e6\n'
        f'[constraints]\nno_trade = ["{symbols[0]}"]\n',
        tmp_path,
    )

    kept = 20000 * found.case.prices[0] / found.case.value
    assert found.portfolio.weights == pytest.approx(np.full(5, (1 - kept) / 5))
    assert found.lots.shares[0] == 20000 and found.orders.refusals == ()
    assert f"{kept:.1%} of the value is held and stays as it is; the method divides the rest" in found.notes


def test_nothing_is_left_for_a_formula_where_every_name_stays(service: PortfolioService) -> None:
    symbols = service.prepare(told(SMALL)).symbols[:2]
    listed = ", ".join(f'"{symbol}"' for symbol in symbols)
    text = f'capital = 1e6\nmethod = "equal"\nuniverse = [{listed}]\n{RISK}[constraints]\nno_trade = [{listed}]\n'

    with pytest.raises(InvalidRequest, match="no name of the universe can be bought on 2024-03-29"):
        service.prepare(told(text))


def test_lots_keep_the_largest_weight_and_say_what_else_they_break(service: PortfolioService) -> None:
    found = solved(
        service,
        'benchmark = "cap"\n'
        + SMALL.replace("1e7", "3e5")
        + "[constraints]\nweights = 0.1\n[constraints.industries]\nleast = -0.01\nmost = 0.01\nrelative = true\n",
    )

    assert found.lots.weights.max() <= 0.1
    (note,) = (note for note in found.notes if note.startswith("rounded to whole lots: "))
    assert "industry bounds: " in note and note in found.to_dict()["notes"]


def test_amounts_are_averaged_over_the_days_that_liquidity_asks_for(
    service: PortfolioService, market: Platform
) -> None:
    case = service.prepare(told(SMALL.replace("120", "60") + "[constraints.liquidity]\nwindow = 200\n"))

    (limit,) = (each for each in case.problem.constraints if isinstance(each, Liquidity))
    days = sorted(set(bars(market)["trade_date"]))[-200:]
    rows = bars(market).filter((pl.col("symbol") == case.symbols[0]) & pl.col("trade_date").is_in(days))
    assert np.asarray(limit.daily_amount)[0] == pytest.approx(rows["amount"].sum() / 200)


def test_a_whole_covariance_of_many_names_is_said_to_be_slow(service: PortfolioService) -> None:
    case = service.prepare(told(SMALL))
    symbols = [f"{600000 + i}.SH" for i in range(1001)]
    many = RiskModel(tuple(symbols), dense=np.eye(1001))

    slow = replace(case, risk=many, problem=Problem(symbols, risk=many)).slow

    assert case.slow is None
    assert slow is not None and "'shrunk' is a whole covariance, with which 1,001 names take minutes" in slow


def test_a_benchmark_that_no_risk_is_known_of_is_refused(
    service: PortfolioService, market: Platform, tmp_path: Path
) -> None:
    day = sorted(set(bars(market)["trade_date"]))[-1]
    known = set(service.prepare(told(SMALL)).symbols)
    young = [symbol for symbol in market.data.symbols() if symbol not in known]
    assert young, "the market needs a name with a short history"
    (tmp_path / "index.csv").write_text(f"symbol,weight\n{young[0]},1.0\n")

    with pytest.raises(InvalidRequest, match=r"knows too little of every name of index\.csv"):
        service.prepare(told(f'date = {day}\nbenchmark = "index.csv"\n' + SMALL), tmp_path)


def locked_day(platform: Platform) -> tuple[date, str]:
    """The last day on which a main-board name closed 10 % up, and the name."""
    moves = (
        bars(platform)
        .sort("symbol", "trade_date")
        .with_columns(
            before=pl.col("close").shift(1).over("symbol"), step=pl.col("adj_factor").diff().over("symbol")
        )
        .filter(pl.col("symbol").str.contains("^(60|00)") & (pl.col("step") == 0))
        .filter(pl.col("close") == (pl.col("before") * 1.1 + 1e-9).round(2))
        .filter(pl.col("trade_date") > date(2023, 5, 15))
        .sort("trade_date")
    )
    return moves["trade_date"][-1], moves["symbol"][-1]


@pytest.mark.parametrize("method", ["equal", "minimum_variance"])
def test_a_name_at_its_upper_limit_is_not_bought(
    service: PortfolioService, market: Platform, method: str
) -> None:
    day, symbol = locked_day(market)
    others = [other for other in market.data.symbols() if other != symbol][:6]
    listed = ", ".join(f'"{each}"' for each in (symbol, *others))

    found = solved(
        service, f'date = {day}\ncapital = 1e6\nmethod = "{method}"\nuniverse = [{listed}]\n{RISK}'
    )

    assert symbol not in found.portfolio.held()
    assert any(note == f"not to be bought: {symbol}" for note in found.case.notes)
    assert symbol not in {order.symbol for order in found.orders.orders}


def test_a_clash_with_the_method_is_diagnosed_too(service: PortfolioService) -> None:
    case = service.prepare(
        told(
            SMALL.replace("minimum_variance", "mean_variance")
            + "[parameters]\nmax_risk = 0.05\n[expected_returns]\nscore = 'reversal_20'\n"
        )
    )

    found = service.diagnose(case)

    assert not found.feasible and found.verified
    assert "risk: risk at most 5 % a year" in str(found)


def test_limits_are_priced(service: PortfolioService) -> None:
    found = solved(service, SMALL + "[constraints]\nweights = 0.06\n")

    (price,) = service.prices(found)

    assert price.words == "every weight at most 6 %" and price.names > 1
    assert price.risk is not None and price.risk < 0


def test_views_and_scenarios_reach_their_methods(service: PortfolioService) -> None:
    symbols = service.prepare(told(SMALL)).symbols
    viewed = solved(
        service,
        'capital = 1e6\nmethod = "black_litterman"\nbenchmark = "cap"\n'
        + RISK
        + f'[[views]]\nsymbol = "{symbols[0]}"\nexpected_return = 2.0\nconfidence = 0.9\n',
    )
    tails = solved(service, 'capital = 1e6\nmethod = "cvar"\n' + RISK + "[constraints]\nweights = 0.2\n")

    benchmark = viewed.case.problem.benchmark
    assert benchmark is not None and viewed.portfolio.weights[0] > benchmark[0]
    assert tails.portfolio.method == "cvar" and tails.portfolio.weights.max() <= 0.2 + 1e-6


def test_an_expression_can_make_the_universe(service: PortfolioService, market: Platform) -> None:
    found = service.prepare(told(SMALL + '[universe]\nwhere = "close > delay(close, 20)"\n'))

    rows = bars(market).sort("trade_date").with_columns(adjusted=pl.col("close") * pl.col("adj_factor"))
    risen = set()
    for symbol, group in rows.group_by("symbol"):
        closes = group["adjusted"].to_list()
        if len(closes) > 20 and closes[-1] > closes[-21]:
            risen.add(symbol[0])
    assert 0 < len(found.symbols) < COMPANIES
    assert set(found.symbols) <= risen


def test_expectations_can_come_from_a_file(service: PortfolioService, tmp_path: Path) -> None:
    symbols = service.prepare(told(SMALL)).symbols
    (tmp_path / "expected.csv").write_text(f"symbol,expected_return\n{symbols[1]},0.244\n")

    case = service.prepare(
        told(
            SMALL.replace("minimum_variance", "mean_variance")
            + '[expected_returns]\nfile = "expected.csv"\n[parameters]\nrisk_aversion = 3.0\n'
        ),
        tmp_path,
    )

    assert case.problem.expected_returns is not None
    assert case.problem.expected_returns[1] == pytest.approx(0.001)
    assert np.count_nonzero(case.problem.expected_returns) == 1
    count = len(case.symbols)
    assert f"{count - 1} of {count} names are not in expected.csv: their expected return is 0" in case.notes


def test_what_is_written_is_plain_and_complete(service: PortfolioService) -> None:
    found = solved(service, 'benchmark = "equal"\n' + SMALL + "[constraints]\nweights = 0.1\n")

    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))

    assert plain["date"] == "2024-03-29"
    assert sum(row["amount"] for row in plain["lots"]) + plain["cash"] + plain["fees"] == pytest.approx(
        1e7, abs=1
    )
    assert sum(plain["risk"]["names"].values()) == pytest.approx(1)
    html = page_of(found).render()
    assert plain["lots"][0]["symbol"] in html and "Where the risk comes from" in html


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (
            SMALL + "[constraints.industries.limits]\nBanks = 0.1\n",
            InvalidRequest,
            "constraints.industries.limits: Banks",
        ),
        (
            SMALL + "[constraints.exposures]\nmost = 0.1\n",
            InvalidRequest,
            "has no factors; use factor or statistical",
        ),
        (SMALL.replace("120", "400"), InvalidRequest, "risk.window asks for 400 days"),
        ("date = 1990-01-01\n" + SMALL, NotFound, "no bars on 1990-01-01; the first is 2022-10-10"),
        (SMALL + '[parameters]\nrisk_aversion = "high"\n', InvalidRequest, "risk_aversion must be a number"),
        (SMALL + "[parameters]\nrisk_aversion = true\n", InvalidRequest, "risk_aversion must be a number"),
        ("date = 2024-03-30\n" + SMALL, NotFound, "the last day before it with bars is 2024-03-29"),
        ('universe = ["600519.SH"]\n' + SMALL, UnknownSymbol, "universe.symbols"),
        (
            SMALL + '[expected_returns]\nscore = "reversl_20"\n',
            NotFound,
            "expected_returns.score.1: no factor is called",
        ),
        (
            SMALL + '[expected_returns]\nscore = "lead(close, 1)"\n',
            InvalidRequest,
            "expected_returns.score.1",
        ),
        (
            SMALL + '[universe]\nwhere = "close < 0"\n',
            InvalidRequest,
            "universe: no name may be held on 2024-03-29",
        ),
        ('benchmark = "index.csv"\n' + SMALL, InvalidRequest, "index.csv: there is no such file"),
        (
            SMALL.replace("capital = 1e7", "") + "[holdings]\ncash = 0\n",
            InvalidRequest,
            "nothing is held and there is no cash",
        ),
        (SMALL + '[constraints]\nno_trade = ["600519.SH"]\n', UnknownSymbol, "constraints.no_trade"),
        (SMALL + "[parameters]\naversion = 3\n", InvalidRequest, "its parameters are risk_aversion"),
    ],
)
def test_what_the_data_cannot_give_is_refused(
    service: PortfolioService, text: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        solved(service, text)

    assert said in str(caught.value)


def test_the_day_before_knows_nothing_of_the_day_after(service: PortfolioService, market: Platform) -> None:
    days = sorted(set(bars(market)["trade_date"]))
    before = days[-2]

    case = service.prepare(told(f"date = {before}\n" + SMALL))

    assert isinstance(before, date) and case.day == before
    rows = bars(market).filter(pl.col("trade_date") == before)
    closes = dict(zip(rows["symbol"], rows["close"], strict=True))
    assert all(price == closes[symbol] for symbol, price in zip(case.symbols, case.prices, strict=True))
