"""The report on a factor: complete, self-contained, in both languages, honest about noise, safe with any name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.factors import (
    EvaluationPlan,
    FactorReport,
    Industries,
    Verdict,
    evaluate_factor,
    research_panel,
)
from quantflux.factors.report import page_of, write_factor_report
from quantflux.factors.report.series import compounded, cumulated, thinned
from quantflux.factors.report.verdicts import TITLES, reason, remarks
from quantflux.pages import Words
from tests.factors.markets import market_of, random_panel
from tests.pages.reading import Reader, palettes, strings

NASTY = "</script><script>alert(1)</script>"
PLAN = EvaluationPlan(horizon=3, quantiles=4, decay=(1, 3, 8), least_names=5)


@pytest.fixture(scope="module")
def report() -> FactorReport:
    """Noise on a small market, with names that mean something to charts and to HTML."""
    market = market_of(research_panel(random_panel(150, 24)))
    rng = np.random.default_rng(4)
    values = rng.normal(size=market.chosen.shape)
    others = {"@paper": -values, NASTY: rng.normal(size=values.shape)}
    industries = Industries.of(["$up", "#1 & <b>steel</b>"] * 12)
    return evaluate_factor("$noise<i>", values, market, industries=industries, others=others, plan=PLAN)


@pytest.fixture(scope="module")
def page(report: FactorReport) -> Reader:
    return Reader(page_of(report).render())


def text(page: Reader, lang: str) -> str:
    return "".join(page.texts[lang])


def test_every_chart_has_its_place(page: Reader) -> None:
    places = set(page.ids) - {"lang", "theme", "page-data"}

    assert places == set(page.data["figures"])
    assert len(page.ids) == len(set(page.ids))
    assert places == {
        *("ic", "histogram", "decay", "ageing", "quantiles", "curves", "long-short", "turnover"),
        *("autocorrelation", "years", "years-net", "industries", "distribution", "coverage", "correlations"),
    }


def test_every_chart_draws_numbers(page: Reader) -> None:
    for name, figure in page.data["figures"].items():
        for trace in figure["data"]:
            drawn = trace["z"][0] if "z" in trace else trace["x" if trace.get("orientation") else "y"]
            assert any(isinstance(value, int | float) for value in drawn), (name, trace.get("name"))
            assert len(trace["x"]) == len(trace["z"] if "z" in trace else trace["y"]), name


def test_every_word_and_colour_that_charts_name_is_there(page: Reader) -> None:
    for named in strings(page.data["figures"]):
        if named.startswith("@"):
            assert set(page.data["words"][named[1:]]) == {"zh", "en"}
        elif named.startswith("$q:"):
            assert 0 <= float(named[3:]) <= 1
        elif named.startswith("$"):
            assert all(f"{named[1:]}:" in colours for colours in palettes()), named
        else:
            assert not named.startswith("#"), "no dates are shared"


def test_both_languages_say_as_much(page: Reader) -> None:
    zh, en = text(page, "zh"), text(page, "en")

    assert len(re.findall(r"[一-鿿]", zh)) > 400
    assert not re.search(r"[一-鿿]", en.replace("中文", ""))
    for told in ("RankIC", "$noise<i>", "ICIR"):
        assert told in zh
        assert told in en
    assert "not investment advice" in en
    assert "不构成投资建议" in zh


def test_the_page_needs_no_network(page: Reader) -> None:
    assert all(address.startswith("data:") for address in page.addresses)


def test_names_from_the_data_cannot_break_out_of_the_page(page: Reader, report: FactorReport) -> None:
    assert not any("alert(1)" in script and not script.startswith("{") for script in page.scripts)
    assert page.data["words"]["factor_1"]["en"] == "@paper"
    assert page.data["words"]["factor_2"]["zh"] == NASTY
    assert {page.data["words"][f"industry_{i}"]["en"] for i in range(2)} == {"$up", "#1 & <b>steel</b>"}
    banner = Reader(page_of(report, Words("<b>假</b>", "<b>fake</b>")).render())
    assert "<b>fake</b>" in text(banner, "en")


def test_noise_is_called_noise_and_its_twin_is_named(report: FactorReport, page: Reader) -> None:
    assert report.verdict is Verdict.NOISE
    assert "Noise: nothing here can be told from chance" in text(page, "en")
    assert "噪声" in text(page, "zh")
    assert "largely the same factor as @paper: rank correlation -1.00" in text(page, "en")
    assert "history: conclusions are shaky" in text(page, "en")


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_told_with_its_figures(report: FactorReport, verdict: Verdict) -> None:
    told = replace(report, verdict=verdict)

    why = reason(told)

    assert TITLES[verdict].zh in text(Reader(page_of(told).render()), "zh")
    if verdict is not Verdict.UNKNOWN:
        for words in why:
            assert f"{report.tradable.rank_ic_mean:+,.4f}" in words
    if verdict in (Verdict.WORKS, Verdict.UNSURE_GAIN, Verdict.COSTS):
        assert f"{100 * report.tradable.portfolios.net.annual:+.1f}%" in why.en


def test_what_was_lost_faded_or_bet_on_industries_is_remarked(report: FactorReport) -> None:
    fading = np.concatenate([np.full(100, 0.10), np.full(100, 0.05), np.full(100, 0.01)])
    tradable = replace(report.tradable, rank_ic=fading, rank_ic_mean=0.05, within_industries=0.01)
    paper = replace(report.paper, rank_ic_mean=0.10, t_value=9.0)
    told = replace(report, verdict=Verdict.WORKS, tradable=tradable, paper=paper, correlations=None)

    en = " ".join(remark.en for remark in remarks(told))

    assert "50% of the paper RankIC cannot be had" in en
    assert "was +0.1000 in the first third of the days and is +0.0100 in the last" in en
    assert "within them the RankIC is +0.0100" in en
    assert "without selling short" in en
    assert "same factor" not in en


def test_without_industries_and_other_factors_their_charts_are_left_out() -> None:
    market = market_of(research_panel(random_panel(150, 24)))
    values = np.random.default_rng(2).normal(size=market.chosen.shape)

    page = Reader(page_of(evaluate_factor("x", values, market, plan=PLAN)).render())

    assert not {"industries", "correlations"} & set(page.ids)
    assert set(page.ids) - {"lang", "theme", "page-data"} == set(page.data["figures"])
    assert "RankIC within industries" not in text(page, "en")


@pytest.mark.parametrize("fill", [np.nan, 1.0])
def test_a_factor_that_says_nothing_has_a_report_too(fill: float) -> None:
    market = market_of(research_panel(random_panel(90, 12)))

    page = Reader(
        page_of(evaluate_factor("x", np.full(market.chosen.shape, fill), market, plan=PLAN)).render()
    )

    assert "Too little to tell" in text(page, "en")


def test_it_is_written_where_it_was_asked_for(report: FactorReport, tmp_path: Path) -> None:
    target = tmp_path / "new" / "factor.html"

    write_factor_report(report, target)

    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert 4e6 < target.stat().st_size < 6e6  # Plotly itself is 4.8 MB


def test_curves_begin_where_their_numbers_do() -> None:
    returns = np.array([np.nan, 0.5, np.nan, -0.5])

    np.testing.assert_allclose(compounded(returns), [np.nan, 1.5, 1.5, 0.75])
    np.testing.assert_allclose(cumulated(returns), [np.nan, 0.5, 0.5, 0.0])


@pytest.mark.parametrize("count", [0, 1, 699, 1400, 1401, 9999])
def test_thinned_curves_keep_their_ends(count: int) -> None:
    rows: Any = thinned(count)

    assert len(rows) < 1402
    assert list(rows[:1]) + list(rows[-1:]) == ([0, count - 1] if count else [])
