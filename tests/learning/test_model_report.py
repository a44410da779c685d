"""The report on a model: complete, self-contained, in both languages, honest about noise, safe with any name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from quantflux.learning.evaluation import TITLES, Evaluation, TopPlan, Verdict, judge
from quantflux.learning.explanation import Explanation
from quantflux.learning.report import ModelReport, model_page, write_model_report
from quantflux.learning.report.remarks import remarks
from quantflux.learning.training import FoldResult
from quantflux.pages import Words
from tests.learning.small_market import HORIZON, knowing, market, noise, outcomes
from tests.pages.reading import Reader, palettes, strings

NASTY = "</script><script>alert(1)</script>"
PLAN = TopPlan(top=6, buffer=2)
DAY = np.datetime64("2022-01-04")


@dataclass
class Step:
    """A fold as the report asks for it."""

    number: int
    train: tuple[np.datetime64, np.datetime64]
    test: tuple[np.datetime64, np.datetime64]
    cells: int = 4000
    rounds: int = 80
    valid_ic: float = float("nan")
    test_ic: float = 0.031


def folds() -> list[Step]:
    return [
        Step(i, (DAY + 50 * i, DAY + 50 * i + 99), (DAY + 50 * i + 105, DAY + 50 * i + 154)) for i in range(3)
    ]


def explanation() -> Explanation:
    names = ("@paper", NASTY, "$up", "ts_mean(rank(close), 20) - a formula that is much too long for a chart")
    return Explanation(names, 0.0, np.array([0.6, 0.1, 0.05, 0.05]), np.array([0.9, -0.9, 0.0, np.nan]), 500)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    data = market()
    return judge(knowing(data), data, outcomes(data), horizon=HORIZON, name="$model<i>", top=PLAN, trials=3)


@pytest.fixture(scope="module")
def report(found: Evaluation) -> ModelReport:
    data = market()
    scores = np.where(np.isnan(knowing(data)), np.nan, noise(data, 4))
    control = judge(scores, data, outcomes(data), horizon=HORIZON, top=None)
    about = [(Words("类型", "Kind"), "lightgbm <b>")]
    return ModelReport("$model<i>", about, found, folds(), explanation(), control)


@pytest.fixture(scope="module")
def page(report: ModelReport) -> Reader:
    return Reader(model_page(report, Words("合成数据", "synthetic data")).render())


def classes() -> Evaluation:
    data = market()
    labels = outcomes(data)
    came = np.where(np.isnan(labels), np.nan, (labels > 0).astype(float))
    score = 1 / (1 + np.exp(-250 * knowing(data)))
    probabilities = np.stack([1 - score, score], axis=2)
    return judge(
        score, data, came, horizon=HORIZON, task="classification", probabilities=probabilities, top=None
    )


def text(page: Reader, lang: str) -> str:
    return "".join(page.texts[lang])


def test_a_fold_of_the_training_is_one_of_the_report(report: ModelReport) -> None:
    step = FoldResult(1, (DAY, DAY + 9), (DAY + 20, DAY + 29), 100, 7, 0.5, 0.05, 0.04)

    assert f">{DAY + 20} – {DAY + 29}</span></td>" in model_page(replace(report, folds=[step])).sections


def test_every_chart_has_its_place(page: Reader) -> None:
    places = set(page.ids) - {"lang", "theme", "page-data"}

    assert places == set(page.data["figures"])
    assert len(page.ids) == len(set(page.ids))
    assert places == {
        *("ic", "years", "quantiles", "curves", "folds", "equity", "excess", "calibration", "importance")
    }


def test_every_chart_draws_numbers(page: Reader) -> None:
    for name, figure in page.data["figures"].items():
        for trace in figure["data"]:
            drawn = trace["x" if trace.get("orientation") else "y"]
            assert any(isinstance(value, int | float) for value in drawn), (name, trace.get("name"))
            other = trace["y" if trace.get("orientation") else "x"]
            shown = page.data["dates"][other[1:]] if isinstance(other, str) else other
            assert len(shown) == len(drawn), (name, trace.get("name"))


def test_every_word_colour_and_date_that_charts_name_is_there(page: Reader) -> None:
    for named in strings(page.data["figures"]):
        if named.startswith("@"):
            assert set(page.data["words"][named[1:]]) == {"zh", "en"}
        elif named.startswith("$q:"):
            assert 0 <= float(named[3:]) <= 1
        elif named.startswith("$"):
            assert all(f"{named[1:]}:" in colours for colours in palettes()), named
        elif named.startswith("#"):
            assert named[1:] in page.data["dates"]


def test_both_languages_say_as_much(page: Reader) -> None:
    zh, en = text(page, "zh"), text(page, "en")

    assert len(re.findall(r"[一-鿿]", zh)) > 400
    assert not re.search(r"[一-鿿]", en.replace("中文", ""))
    for told in ("RankIC", "$model<i>", "ICIR"):
        assert told in zh
        assert told in en
    assert "synthetic data" in en
    assert "not investment advice" in en


def test_the_page_needs_no_network(page: Reader) -> None:
    assert all(address.startswith("data:") for address in page.addresses)


def test_names_from_the_data_cannot_break_out_of_the_page(page: Reader) -> None:
    assert not any("alert(1)" in script and not script.startswith("{") for script in page.scripts)
    words = page.data["words"]
    assert words["feature_0"]["en"] == "@paper"
    assert words["feature_2"]["zh"] == "$up"
    assert "<" not in words["feature_1"]["en"]
    assert words["feature_3"]["en"] == "ts_mean(rank(close), 20…"


def test_what_was_found_is_told_with_its_figures(page: Reader, found: Evaluation) -> None:
    en = text(page, "en")

    assert TITLES[Verdict.FOUND].en in en
    assert f"{found.significance.mean:+.4f}" in en
    assert "best of 3 models" in en
    assert "shuffled labels the same training finds a RankIC of" in en
    assert "It leans on one feature: @paper is 75% of all contributions" in en
    assert "conclusions are shaky" in en


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_page(report: ModelReport, found: Evaluation, verdict: Verdict) -> None:
    made = Reader(model_page(replace(report, evaluation=replace(found, verdict=verdict))).render())

    assert TITLES[verdict].en in text(made, "en")
    assert TITLES[verdict].zh in text(made, "zh")


def test_noise_is_called_noise(report: ModelReport) -> None:
    assert report.control is not None
    bare = ModelReport("noise", [], report.control, [])

    made = Reader(model_page(bare).render())

    assert "Noise: nothing here can be told from chance" in text(made, "en")
    assert "噪声" in text(made, "zh")
    assert set(made.data["figures"]) == {"ic", "years", "quantiles", "curves", "calibration"}
    assert "folds" not in text(made, "en")


def test_classes_show_how_far_their_probabilities_can_be_believed() -> None:
    told = classes()

    made = Reader(model_page(ModelReport("classes", [], told, [])).render())

    assert "reliability" in made.data["figures"]
    assert [trace["name"] for trace in made.data["figures"]["reliability"]["data"]] == [
        *("@class_0", "@class_1", "@perfect")
    ]
    assert told.reliability is not None
    useless = replace(told.reliability, log_loss=told.reliability.log_loss_of_shares + 1)
    said = remarks(ModelReport("classes", [], replace(told, reliability=useless), []))
    assert any("probabilities are of no use" in remark.en for remark in said)


def test_leaks_fading_and_losses_are_remarked(report: ModelReport, found: Evaluation) -> None:
    fading = np.concatenate([np.full(100, 0.10), np.full(100, 0.05), np.full(100, 0.01)])
    tradable = replace(found.factor.tradable, rank_ic=fading, rank_ic_mean=0.05)
    paper = replace(found.factor.paper, rank_ic_mean=0.10)
    assert found.calibration is not None
    bold = replace(found.calibration, slope=0.4, slope_error=0.05)
    told = replace(
        report,
        evaluation=replace(
            found, factor=replace(found.factor, tradable=tradable, paper=paper), calibration=bold
        ),
        control=found,
    )

    en = " ".join(remark.en for remark in remarks(told))

    assert "Beware: with shuffled labels the same training still finds" in en
    assert "50% of the paper RankIC cannot be had" in en
    assert "was +0.1000 in the first third of the days and is +0.0100 in the last" in en
    assert "of every 1 that it predicts 0.40 comes" in en


def test_the_strongest_feature_stands_highest_in_the_colour_of_its_direction(page: Reader) -> None:
    drawn = page.data["figures"]["importance"]

    assert drawn["layout"]["yaxis"]["categoryarray"][-1] == "@feature_0"
    raises, lowers, depends = drawn["data"]
    assert [trace["name"] for trace in (raises, lowers, depends)] == ["@raises", "@lowers", "@depends"]
    assert raises["x"] == [None, None, None, 75.0]
    assert lowers["x"] == [None, None, 12.5, None]
    assert depends["x"] == [6.25, 6.25, None, None]


def test_it_is_written_where_it_was_asked_for(report: ModelReport, tmp_path: Path) -> None:
    target = tmp_path / "new" / "model.html"

    write_model_report(report, target)

    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert 4e6 < target.stat().st_size < 6e6  # Plotly itself is 4.8 MB
