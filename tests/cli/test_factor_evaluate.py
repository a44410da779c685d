"""`quantflux factor evaluate`: the table, JSON, reports, and what is refused."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from quantflux.config import Settings
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform
from tests.cli.test_factor import Command, factor, flat  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def judged_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a year of thirty companies and their industries."""
    folder = tmp_path_factory.mktemp("judged") / "data"
    market = SyntheticMarket(seed=5, companies=30, start=date(2023, 1, 3), end=date(2023, 12, 29))
    with Platform.open(Settings(data_dir=folder)) as platform:
        for rows in market.daily_tables():
            platform.data.write(DAILY, rows)
        platform.data.write(INSTRUMENTS, market.instruments())
    return folder


@pytest.fixture
def folder(judged_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(judged_folder, tmp_path / "data")


def test_factors_are_judged_side_by_side(factor: Command) -> None:  # noqa: F811
    answer = factor("evaluate", "reversal_20", "alpha158.ROC20", "--horizon", "10", "--quantiles", "3")

    header, *rows = answer.out.splitlines()
    assert flat(header).startswith("factor RankIC paper tradable ICIR t long-short after costs")
    assert [row.split()[0] for row in rows] == ["reversal_20", "ROC20"]
    assert "10 days held, 3 quantiles" in flat(answer.err)


def test_a_factor_of_which_less_is_better_is_turned_round(factor: Command) -> None:  # noqa: F811
    factor("define", "fallen", "close / delay(close, 20) - 1", "--better", "less")

    answer = factor("evaluate", "reversal_20", "fallen")

    first, second = (row.split()[1:3] for row in answer.out.splitlines()[1:])
    assert first == second  # 1 - x and -(x - 1)
    assert "turned round, as less of it is better: fallen" in flat(answer.err)


def test_json_holds_both_variants_and_no_nan(factor: Command) -> None:  # noqa: F811
    answer = factor("evaluate", "reversal_20", "--json")

    (found,) = json.loads(answer.out, parse_constant=pytest.fail)
    assert found["name"] == "reversal_20"
    assert found["plan"]["horizon"] == 5
    assert isinstance(found["tradable"]["rank_ic_mean"], float)
    assert found["correlations"] is None


def test_a_report_is_written_with_the_factors_it_is_held_against(
    factor: Command,  # noqa: F811
    tmp_path: Path,
) -> None:
    target = tmp_path / "report.html"

    factor("evaluate", "reversal_20", "--against", "alpha158.ROC20,alpha158.STD20", "--report", str(target))

    page = target.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "STD20" in page


def test_several_reports_go_into_a_folder(factor: Command, tmp_path: Path) -> None:  # noqa: F811
    factor("evaluate", "reversal_20", "alpha158.ROC20", "--report", str(tmp_path / "reports"))

    assert sorted(p.name for p in (tmp_path / "reports").iterdir()) == ["ROC20.html", "reversal_20.html"]


def test_what_is_refused(factor: Command) -> None:  # noqa: F811
    several = factor("evaluate", "reversal_20", "alpha158.ROC20", "--against", "size", code=1)
    unknown = factor("evaluate", "reversal_21", code=1)
    short = factor("evaluate", "reversal_20", "--start", "2023-12-01", code=1)

    assert "--against compares one factor with others, 2 were named" in flat(several.err)
    assert "no factor is called 'reversal_21'; similar: reversal_20" in flat(unknown.err)
    assert "needs at least 10 symbols and 60 days" in flat(short.err)
