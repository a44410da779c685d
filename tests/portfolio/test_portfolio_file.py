"""What a portfolio file can say, and what it is told when it says something else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from quantflux.core.documents import parse_document
from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.files import example, portfolio_file_of, read_portfolio_file
from quantflux.portfolio.methods import METHODS
from quantflux.portfolio.portfolio_file import PortfolioFile, Range


def told(text: str, suffix: str = ".toml") -> PortfolioFile:
    return portfolio_file_of(parse_document(text, suffix, "my.toml"))


def test_the_example_is_a_portfolio_file() -> None:
    found = told(example())

    assert found.name == "Enhanced market" and found.method == "mean_variance"
    assert found.constraints.weights == Range(most=0.05)
    assert found.constraints.industries is not None and found.constraints.industries.relative


def test_every_method_may_be_named() -> None:
    for method in METHODS:
        assert told(f'capital = 1e6\nmethod = "{method}"').method == method


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(
        'name = "x"\ncapital = 1e6\ndate = 2024-03-29\nuniverse = ["sz000001"]\n'
        '[expected_returns]\nscore = "reversal_20"\n'
        "[constraints]\nweights = {least = 0.01, most = 0.2}\n"
        "[constraints.industries.limits]\nbank = 0.1\n"
    )
    (tmp_path / "two.yaml").write_text(
        "name: x\ncapital: 1e6\ndate: 2024-03-29\nuniverse: [sz000001]\nexpected_returns: {score: reversal_20}\n"
        "constraints:\n  weights: {least: 0.01, most: 0.2}\n  industries: {limits: {bank: 0.1}}\n"
    )

    one, two = (read_portfolio_file(tmp_path / name) for name in ("one.toml", "two.yaml"))

    assert one == two
    assert one.day == date(2024, 3, 29) and one.universe.symbols == ("000001.SZ",)


@pytest.mark.parametrize("day", ["2024-03-29", '"2024-03-29"'])
def test_a_day_may_stand_in_quotation_marks(day: str) -> None:
    assert told(f"capital = 1\ndate = {day}").day == date(2024, 3, 29)


def test_a_plain_sum_is_invested_exactly_and_a_plain_weight_is_the_most() -> None:
    found = told("capital = 1\n[constraints]\ninvested = 0.99\nweights = 0.1").constraints

    assert found.invested == Range(least=0.99, most=0.99) and found.weights == Range(most=0.1)


def test_a_file_without_a_name_is_called_as_it_is_called() -> None:
    assert told("capital = 1").name == "my"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "capital is missing; give the yuan to invest, or holdings with cash"),
        ("capital = 1\n[holdings]\ncash = 1", "capital and holdings are both given"),
        ("capital = 0", "capital: found 0; valid is above 0"),
        ('capital = 1\nmethod = "hpr"', 'method: found "hpr"; valid is one of'),
        ("capital = 1\n[constraints]\nnaems = 5", "constraints.naems: is unknown; did you mean names?"),
        ("capital = 1\n[constraints]\nweights = {least = 0.2, most = 0.1}", "least is 0.2 and most is 0.1"),
        ("capital = 1\n[constraints]\nweights = {}", "needs least, most, or both"),
        (
            "capital = 1\n[constraints.industries]\nrelative = true",
            "needs least, most, or limits of single ones",
        ),
        ('capital = 1\nbenchmark = "000300.SH"', "valid is equal, cap or FILE.csv"),
        ("capital = 1\n[expected_returns]\nhorizon = 5", "needs a score, values or a file"),
        (
            'capital = 1\n[expected_returns]\nscore = "size"\nvalues = {"600519" = 0.1}',
            "needs a score, values or a file; valid is one of the three",
        ),
        (
            '[holdings.shares]\n"600519" = 100\n"600519.SH" = 1',
            "holdings.shares: 600519.SH stands there twice",
        ),
        ('[holdings]\nfile = "a.csv"\nshares = {"600519" = 1}', "shares and file both say what is held"),
        ('[holdings.shares]\n"600519" = -1', "holdings.shares: found -1; valid is at least 0"),
        ('capital = 1\nuniverse = "some"', 'valid is "all", a list of symbols, or a table'),
        ('capital = 1\nuniverse = ["??"]', 'universe.1: found "??"; valid is a symbol such as 600519.SH'),
        (
            'capital = 1\n[[views]]\nsymbol = "600519.SH"\nexpected_return = 0.1',
            "views are used by the method black_",
        ),
        ('capital = 1\ndate = "soon"', 'date: found "soon"; valid is a day'),
        ("capital = 1\nuniverse = []", 'found an empty list; valid is "all"'),
        ("capital = 1\n[constraints]\nweights = {least = -0.1}", "least is -0.1; valid is from 0 to 1"),
        ("capital = 1\n[constraints]\ninvested = 1.5", "least is 1.5; valid is from 0 to 1"),
        ("capital = 1\n[risk]\nhalf_life = 20", "half_life is used by the model ewma only"),
        (
            'capital=1\nmethod="black_litterman"\n[[views]]\nsymbol="600519"\nbetter = ["000001"]\nexpected_return=1',
            "needs either symbol, or both better and worse",
        ),
        ("capital = 1\n[risk]\nwindow = 20", "risk.window: found 20; valid is at least 60"),
    ],
)
def test_mistakes_are_named_with_their_key(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        told(text)

    assert said in str(caught.value) and str(caught.value).startswith("my.toml: ")
