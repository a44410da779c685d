"""The page about models: its model files are such files, and its Python runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from quantflux.config import Settings
from quantflux.config.settings import FactorSettings
from quantflux.core.documents import parse_document
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.learning.specification import ModelSpec
from quantflux.platform import Platform

PAGE = Path(__file__).parents[2] / "docs" / "learning.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """Two years of fifteen invented companies."""
    market = SyntheticMarket(seed=7, companies=15, start=date(2022, 1, 4), end=date(2023, 12, 29))
    with Platform.open(Settings(data_dir=tmp_path / "data", factors=FactorSettings(threads=1))) as opened:
        for daily, basic in market.tables():
            opened.data.write(DAILY, daily)
            opened.data.write(DAILY_BASIC, basic)
        opened.data.write(INSTRUMENTS, market.instruments())
        yield opened
    shutil.rmtree(tmp_path / "data")


def test_model_files_are_model_files() -> None:
    told = [parse_document(block).into(ModelSpec).id for block in blocks("toml")]
    assert told == ["reversal_5d", "two_of_a_kind"]


def test_python_runs_and_says_what_it_says(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reversal_5d.toml").write_text(blocks("toml")[0], encoding="utf-8")
    found: dict[str, object] = {"platform": platform}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), found)

    assert str(found["space_of"]("lightgbm").searched["num_leaves"]) in PAGE.read_text(encoding="utf-8")  # type: ignore[operator]
    assert found["result"].trials[0].parameters == {"num_leaves": 31, "learning_rate": 0.05}  # type: ignore[attr-defined]
    assert found["old"].features.names == ("v1.momentum_20d", "v1.roe_ttm")  # type: ignore[attr-defined]
