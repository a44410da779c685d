"""The report: complete, self-contained, in both languages, safe with any name."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from quantflux.cli.demo.report import page_of, write_report
from quantflux.cli.demo.report.portfolio import limit_words
from quantflux.cli.demo.report.texts import CHART_WORDS, FACTOR_NAMES, FACTOR_WORDS, NOTES, PORTFOLIO_NOTES
from quantflux.cli.demo.results import Findings, Proposed
from quantflux.factors.libraries import load_library
from tests.pages.reading import Reader, palettes, strings


@pytest.fixture(scope="module")
def page(findings: Findings) -> Reader:
    return Reader(page_of(findings).render())


@pytest.fixture(scope="module")
def data(page: Reader) -> dict[str, Any]:
    return page.data


def test_every_chart_has_its_place(page: Reader, data: dict[str, Any]) -> None:
    places = set(page.ids) - {"lang", "theme", "page-data"}

    assert places == set(data["figures"])
    assert len(page.ids) == len(set(page.ids))
    assert {"equity", "excess", "ladder", "costs", "rolling", "decay", "profile", "candles"} < places
    assert {"industries", "risk_parts", "active_parts"} < places
    assert sum(place.startswith("quantiles-") for place in places) == 6


def test_every_chart_draws_numbers(data: dict[str, Any]) -> None:
    for name, figure in data["figures"].items():
        for trace in figure["data"]:
            across = "x" if trace.get("orientation") == "h" else "y"
            drawn = [v for v in trace.get(across, trace.get("close", [])) if v is not None]
            assert drawn, (name, trace.get("name"))
            if isinstance(trace["x"], str):
                assert len(data["dates"][trace["x"][1:]]) == len(trace["y"])
            else:
                assert len(trace["x"]) == len(trace.get("y", trace.get("close")))


def test_every_word_colour_and_date_that_charts_name_is_there(data: dict[str, Any]) -> None:
    for text in strings(data["figures"]):
        if text.startswith("@"):
            assert set(data["words"][text[1:]]) == {"zh", "en"}
        elif text.startswith("$"):
            assert all(f"{text[1:]}:" in colours for colours in palettes()), text


def test_the_page_needs_no_network(page: Reader) -> None:
    assert all(address.startswith("data:") for address in page.addresses)
    assert "Content-Security-Policy" in files("quantflux.pages").joinpath("template.html").read_text()


def test_both_languages_say_as_much(page: Reader) -> None:
    zh, en = "".join(page.texts["zh"]), "".join(page.texts["en"])

    assert len(re.findall(r"[一-鿿]", zh)) > 500
    assert not re.search(r"[一-鿿]", en.replace("中文", ""))
    for word in ("SYNTHETIC", "RankIC"):
        assert word in zh
        assert word in en
    assert "not investment advice" in en
    assert "不构成投资建议" in zh


def test_own_data_carry_no_synthetic_banner_but_their_notes(findings: Findings) -> None:
    own = replace(
        findings,
        overview=replace(findings.overview, synthetic=False),
        planted={},
        study=None,
        proposed=Proposed(None, (), (), "<b>no</b> days"),
        minutes=None,
        notes=tuple(NOTES),
    )

    page = Reader(page_of(own).render())
    en = "".join(page.texts["en"])

    assert "SYNTHETIC" not in en
    assert "planted" not in en
    assert all(words.en in en for words in NOTES.values())
    assert "The history is too short" in en
    assert "These data do not allow a portfolio" in en
    assert not {"equity", "costs", "industries", "active_parts", "profile", "candles"} & set(page.ids)


def test_what_the_portfolio_did_without_and_its_limits_are_told_in_both_languages(findings: Findings) -> None:
    proposed = replace(findings.proposed, notes=tuple(PORTFOLIO_NOTES), prices=())

    page = Reader(page_of(replace(findings, proposed=proposed)).render())
    zh, en = "".join(page.texts["zh"]), "".join(page.texts["en"])

    assert all(words.en in en and words.zh in zh for words in PORTFOLIO_NOTES.values())
    assert "every weight at most " in en
    assert "每只权重不高于 " in zh


def test_limits_of_industries_keep_the_industry_outside_the_languages() -> None:
    html = limit_words("industry <银行> against the benchmark at least -2 %")

    page = Reader(f"<p>{html}</p>")
    assert "".join(page.texts["zh"]) == "行业  比基准不低于 -2 %"
    assert "".join(page.texts["en"]) == "industry  against the benchmark at least -2 %"
    assert "&lt;银行&gt;" in html


def test_names_from_the_data_cannot_break_out_of_the_page(findings: Findings) -> None:
    assert findings.minutes is not None
    nasty = "</script><script>alert(1)</script>"

    page = Reader(page_of(replace(findings, minutes=replace(findings.minutes, symbol=nasty))).render())

    assert not any("alert(1)" in script and not script.startswith("{") for script in page.scripts)


def test_it_is_written_where_it_was_asked_for(findings: Findings, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"

    write_report(findings, target)

    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert 4e6 < target.stat().st_size < 7e6  # Plotly itself is 4.8 MB


def test_every_factor_has_a_name_and_words() -> None:
    every = {factor.id for factor in load_library("classic")}

    assert every == set(FACTOR_NAMES) == set(FACTOR_WORDS)
    assert {f"factor_{name}" for name in every} < set(CHART_WORDS)
