"""The report on a backtest: complete, self-contained, in both languages, honest about luck, safe with any name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.backtest.execution import Rule
from quantflux.backtest.metrics import Luck
from quantflux.backtest.orders import Reason
from quantflux.backtest.report import backtest_page, comparison_page, write_backtest_report
from quantflux.backtest.report.texts import COSTS, FILLS, REASONS, RULES
from quantflux.backtest.report.verdicts import TITLES, Verdict, reason, remarks, rule_cost, verdict_of
from quantflux.backtest.study import Study, study_of
from quantflux.core.errors import InvalidRequest
from quantflux.pages import Words
from tests.backtest.markets import venue
from tests.backtest.report.conftest import NASTY
from tests.pages.reading import Reader, palettes, strings

CHARTS = {
    *(
        "equity",
        "excess",
        "drawdown",
        "rolling-sharpe",
        "rolling-volatility",
        "rolling-beta",
        "ladder",
        "costs",
    ),
    *("exposure", "names", "industries", "trips"),
}


@pytest.fixture(scope="module")
def page(busy: Study) -> Reader:
    return Reader(backtest_page(busy, Words("合成", "SYNTHETIC")).render())


def text(page: Reader, lang: str) -> str:
    return "".join(page.texts[lang])


def places(page: Reader) -> set[str]:
    assert len(page.ids) == len(set(page.ids))
    return set(page.ids) - {"lang", "theme", "page-data"}


def assert_names_what_is_there(page: Reader) -> None:
    """Every word, colour and date that a chart names is on the page."""
    for name in strings(page.data["figures"]):
        if name.startswith("@"):
            assert set(page.data["words"][name[1:]]) == {"zh", "en"}
        elif name.startswith("$") and not name.startswith("$q:"):
            assert all(f"{name[1:]}:" in colours for colours in palettes()), name
        elif name.startswith("#"):
            assert name[1:] in page.data["dates"]


def assert_draws_numbers(page: Reader) -> None:
    for name, figure in page.data["figures"].items():
        for trace in figure["data"]:
            values = trace["x" if trace.get("orientation") == "h" else "z" if "z" in trace else "y"]
            assert any(v is not None for v in values), (name, trace.get("name"))
            if isinstance(trace["x"], str):
                assert len(page.data["dates"][trace["x"][1:]]) == len(trace["y"])


def test_every_chart_has_its_place_and_draws_what_is_there(page: Reader) -> None:
    assert places(page) == set(page.data["figures"]) == CHARTS
    assert_names_what_is_there(page)
    assert_draws_numbers(page)


def test_a_study_without_benchmark_industries_and_rules_is_shown_without_them(plain: Study) -> None:
    page = Reader(backtest_page(plain).render())

    assert (
        places(page)
        == set(page.data["figures"])
        == CHARTS - {"excess", "rolling-beta", "ladder", "industries"}
    )
    assert_names_what_is_there(page)
    assert_draws_numbers(page)
    assert "enchmark a year" not in text(page, "en")
    assert "Rules that were left out: suspensions, price limits" in text(page, "en")


def test_the_page_needs_no_network(page: Reader) -> None:
    assert all(address.startswith("data:") for address in page.addresses)


def test_both_languages_say_as_much(page: Reader) -> None:
    zh, en = text(page, "zh"), text(page, "en")

    assert len(re.findall(r"[一-鿿]", zh)) > 800
    assert not re.search(r"[一-鿿]", en.replace("中文", ""))
    assert "SYNTHETIC" in en and "合成" in zh
    assert "not investment advice" in en and "不构成投资建议" in zh


def test_names_from_data_are_text_and_nothing_else(page: Reader) -> None:
    assert NASTY not in "".join(page.scripts[:1] + page.scripts[-1:])
    assert not any("alert(1)" in script and not script.startswith("{") for script in page.scripts)
    assert "$noise<i>" in text(page, "en")
    assert NASTY in text(page, "en")
    words = page.data["words"]
    # Plotly reads tags in labels; it must see them escaped.
    assert words["benchmark_1"]["en"] == "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
    assert {words[f"industry_{i}"]["zh"] for i in range(4)} >= {"$up", "@real"}


def test_the_key_numbers_are_those_of_the_study(busy: Study) -> None:
    whole = backtest_page(busy)
    html = whole.header + whole.sections

    assert busy.comparison is not None
    for value in (busy.performance.annual_return, busy.comparison.excess_return):
        assert f"{100 * value:+.1f}%" in html
    for fall in busy.falls[:3]:
        assert f"{-100 * fall.depth:.1f}%" in html
        assert str(busy.times[fall.trough]) in html
    assert f"{busy.costs.commission:,.0f}" in html


def test_the_ladder_chart_falls_from_ideal_to_real(busy: Study, page: Reader) -> None:
    trace = page.data["figures"]["ladder"]["data"][0]

    assert trace["y"][0] == "@ideal" and trace["y"][-1] == "@real"
    assert trace["measure"] == ["absolute", *["relative"] * len(Rule), "total"]
    assert sum(trace["x"][:-1]) == pytest.approx(trace["x"][-1], abs=0.01)
    assert trace["x"][-1] == pytest.approx(100 * busy.performance.annual_return, abs=0.001)


def test_curves_begin_at_one_and_end_where_the_account_does(busy: Study, page: Reader) -> None:
    strategy = next(t for t in page.data["figures"]["equity"]["data"] if t["name"] == "@strategy")

    assert strategy["y"][0] == 1
    assert strategy["y"][-1] == pytest.approx(1 + busy.performance.total_return, abs=1e-4)
    assert page.data["dates"]["days"][-1] == str(busy.times[-1])


def test_every_rule_reason_fill_and_cost_has_a_name() -> None:
    assert set(RULES) == set(Rule)
    assert set(REASONS) == set(Reason) - {Reason.FILLED, Reason.DELISTED}
    assert {str(fill) for fill in FILLS} == {"open", "close", "vwap"}
    assert set(COSTS) == {"commission", "stamp_duty", "transfer_fee", "slippage", "dividend_tax"}
    assert set(TITLES) == set(Verdict)


def test_what_a_rule_costs_is_said_in_words() -> None:
    assert rule_cost(Rule.LIMITS, 0.018) == Words("涨跌停每年拖累 1.80%", "Price limits cost 1.80% a year")


def judged(study: Study, deflated: float, annual: float = 0.1, excess: float = 0.05) -> Study:
    """The same study with another outcome."""
    assert study.benchmark is not None
    chance = Luck(20, 0.99, 1.0, deflated, 900.0)
    mine = replace(study.performance, annual_return=annual, total_return=annual)
    beside = replace(study.benchmark.comparison, excess_return=excess)
    return replace(
        study, performance=mine, benchmarks=(replace(study.benchmark, comparison=beside, luck=chance),)
    )


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict.CONVINCING, {"deflated": 0.97}),
        (Verdict.CHANCE, {"deflated": 0.94}),
        (Verdict.CHANCE, {"deflated": float("nan")}),
        (Verdict.BEHIND, {"deflated": 0.97, "excess": -0.01}),
        (Verdict.LOSS, {"deflated": 0.97, "annual": -0.01}),
    ],
)
def test_the_verdict(busy: Study, verdict: Verdict, outcome: dict[str, float]) -> None:
    found = judged(busy, **outcome)

    assert verdict_of(found) is verdict
    assert TITLES[verdict].zh in backtest_page(found).header
    assert reason(found).en


def test_less_than_a_year_is_too_short_for_a_verdict(busy: Study) -> None:
    assert verdict_of(replace(busy, performance=replace(busy.performance, days=243))) is Verdict.SHORT


def test_the_reason_counts_the_trials(busy: Study) -> None:
    ahead = judged(busy, 0.9)

    assert "5.0% ahead" in reason(ahead).en
    assert "given 20 trials, the probability that this is not chance is 90.0%" in reason(ahead).en
    assert "计入 20 次试验" in reason(ahead).zh


def test_remarks_name_the_dearest_rules_and_the_record_needed(busy: Study) -> None:
    found = " ".join(remark.en for remark in remarks(judged(busy, 0.8)))

    assert busy.ladder is not None
    dearest = max(busy.ladder.rungs, key=lambda rung: abs(rung.cost))
    assert f"cost {100 * dearest.cost:.2f}% a year" in found
    assert "about 3.7 years of such a record are needed" in found
    assert "Less than three years" in found


def test_a_short_run_without_trades_makes_a_page(busy: Study) -> None:
    run = busy.run
    still = study_of(
        replace(
            run,
            first=len(run.times) - 3,
            cash=run.equity,
            positions=np.zeros(len(run.times)),
            log=run.log.where(np.zeros(len(run.log), dtype=bool)),
            holdings=replace(run.holdings, offsets=np.zeros(len(run.times) + 1, dtype=np.int64)),
        ),
        venue(),
    )

    page = Reader(backtest_page(still).render())

    assert places(page) == set(page.data["figures"]) == {"equity", "drawdown", "costs", "exposure", "names"}
    assert "Every order was filled in full" in text(page, "en")


def test_the_report_is_written_where_it_is_asked_for(plain: Study, tmp_path: Path) -> None:
    write_backtest_report(plain, tmp_path / "new" / "report.html")

    assert (tmp_path / "new" / "report.html").stat().st_size > 1e6


def test_strategies_are_compared(busy: Study, plain: Study) -> None:
    page = Reader(comparison_page([busy, plain]).render())

    assert places(page) == set(page.data["figures"]) == {"equity", "drawdown", "correlation"}
    assert_names_what_is_there(page)
    assert_draws_numbers(page)
    assert "<th>$noise&lt;i&gt;</th><th>plain</th>" in comparison_page([busy, plain]).sections
    matrix: Any = page.data["figures"]["correlation"]["data"][0]["z"]
    gains = [np.diff(s.equity) / s.equity[:-1] for s in (busy, plain)]
    assert matrix[0][1] == pytest.approx(np.corrcoef(gains)[0, 1], abs=1e-3)
    assert matrix[0][0] == 1


def test_many_strategies_stand_one_below_the_other(busy: Study) -> None:
    many = [replace(busy, name=f"set {i}") for i in range(9)]

    page = comparison_page(many)

    assert page.sections.count("<tr>") == 10
    assert page.figures["equity"]["data"][8]["line"]["dash"] == "dash"


def test_strategies_of_other_days_are_said_to_be_so(busy: Study, plain: Study) -> None:
    late = study_of(replace(plain.run, first=200), venue(), name="late")

    assert "different days" in comparison_page([busy, late]).sections
    assert "different days" not in comparison_page([busy, plain]).sections


def test_strategies_need_names_of_their_own(busy: Study) -> None:
    with pytest.raises(InvalidRequest, match="names of their own"):
        comparison_page([busy, busy])
    with pytest.raises(InvalidRequest, match="nothing to compare"):
        comparison_page([])


def test_a_loss_is_not_called_chance_and_costs_are_said_to_be_left_out(busy: Study, plain: Study) -> None:
    assert "chance" not in reason(judged(busy, 0.01, annual=-0.1)).en
    assert "chance" not in reason(judged(busy, 0.01, excess=-0.1)).en
    assert "a year before costs" in reason(plain).en
    assert "annual return before costs" in backtest_page(plain).header
    assert "a year after costs" in reason(busy).en
