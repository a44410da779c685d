"""The portfolio files of the documentation are such files, and the doctor's example says what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantflux.platform import Platform
from quantflux.portfolio.constraints import GroupBounds, NoTrade
from quantflux.portfolio.doctor import diagnose
from quantflux.portfolio.files import read_portfolio_file
from quantflux.portfolio.holdings import read_holdings
from quantflux.portfolio.problem import Problem

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples" / "portfolio"


@pytest.mark.parametrize("path", sorted(p for p in EXAMPLES.iterdir() if p.suffix in {".toml", ".yaml"}))
def test_examples_can_be_read(path: Path) -> None:
    assert read_portfolio_file(path).name


def test_a_simple_example_is_solved(market: Platform) -> None:
    case = market.portfolios.prepare(read_portfolio_file(EXAMPLES / "steady.yaml"), EXAMPLES)

    assert 0 < market.portfolios.optimise(case).portfolio.statistics.names <= 40


def test_the_holdings_are_whole_shares_of_known_symbols() -> None:
    assert read_holdings(EXAMPLES / "holdings.csv")["688001.SH"] == 1237


def test_the_conflict_of_the_documentation_is_told_as_it_says() -> None:
    symbols = ("600000.SH", "600001.SH", "600519.SH")
    tried = Problem(
        symbols,
        current=np.array([0.05, 0.03, 0.0]),
        constraints=[GroupBounds(["bank", "bank", "food"], upper={"bank": 0.05}), NoTrade(symbols[:2])],
    )

    told = str(diagnose(tried))

    assert told in (DOCS / "portfolio.md").read_text(encoding="utf-8")
