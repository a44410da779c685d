"""Dated tables: what they answer, and how a wrong file is refused."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import numpy as np
import pytest

from quantflux.core.errors import ConfigError, NotFound
from quantflux.rules.dated import ALL, scoped, tables_of


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


GOOD = """
[[fee]]
from = 2020-01-01
rate = 0.5
source = "law"

[[fee]]
from = 2021-01-01
rate = 1
source = "another law"
"""


def problems(text: str, **columns: type) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        tables_of(text, {"fee": columns or {"rate": float}}, "fees.toml")
    return list(caught.value.problems)


def test_a_row_holds_from_its_day_until_the_next() -> None:
    table = tables_of(GOOD, {"fee": {"rate": float}}, "fees.toml")["fee"][ALL]

    assert table.on(date(2019, 12, 31)) is None
    assert [table.on(date(2020, 1, 1))["rate"], table.on(date(2020, 12, 31))["rate"]] == [0.5, 0.5]
    assert table.on(date(2021, 1, 1)).source == "another law"
    assert table.change_after(date(2020, 12, 31)) == date(2021, 1, 1)
    assert table.change_after(date(2021, 1, 1)) is None


def test_many_days_are_asked_at_once_whatever_their_unit() -> None:
    table = tables_of(GOOD, {"fee": {"rate": float}}, "fees.toml")["fee"][ALL]
    moments = np.array(
        [["2019-12-31T23:59:59", "2020-01-01T00:00:00"], ["2020-12-31T23:59:59", "2021-06-01T12:00:00"]]
    )

    found = table.over(moments.astype("datetime64[s]"), "rate", before=-1.0)

    assert found.tolist() == [[-1.0, 0.5], [0.5, 1.0]]


def test_tables_of_scopes_know_which_there_are() -> None:
    tables = tables_of(GOOD.replace("fee]]", "fee.SSE]]"), {"fee": {"rate": float}}, "fees.toml")["fee"]

    assert scoped(tables, "SSE").rows[0]["rate"] == 0.5
    with pytest.raises(NotFound, match="no rule is known for 'BSE'; known: SSE"):
        scoped(tables, "BSE")


FIRST = "row 1 (from 2020-01-01)"
NO_SOURCE = f'{FIRST}: needs source = "...", who says so'
NO_DAY = "row 1: needs the day from which it holds, such as from = 2024-01-02, found"
LATER = "must be later than the row before it (2020-01-01)"
NUMBER = "a number of at least 0"


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ('source = "law"', "", NO_SOURCE),
        ('"law"', '"  "', NO_SOURCE),
        ("2021", "2020", f"row 2 (from 2020-01-01): {LATER}"),
        ("2021", "2019", f"row 2 (from 2019-01-01): {LATER}"),
        ("from = 2020-01-01", "", f"{NO_DAY} None"),
        ("2020-01-01", '"2020-01-01"', f"{NO_DAY} '2020-01-01'"),
        ("2020-01-01", "2020-01-01T09:30:00", f"{NO_DAY} datetime.datetime(2020, 1, 1, 9, 30)"),
        ("rate = 0.5", "rate = 0.5\nrates = 1", f"{FIRST}: unknown key 'rates'; known: from, rate, source"),
        ("rate = 0.5", "", f"{FIRST}: needs rate ({NUMBER})"),
        ("rate = 0.5", "rate = -0.5", f"{FIRST}: rate must be {NUMBER}, was -0.5"),
        ("rate = 0.5", "rate = nan", f"{FIRST}: rate must be {NUMBER}, was nan"),
        ("rate = 0.5", "rate = true", f"{FIRST}: rate must be {NUMBER}, was True"),
    ],
)
def test_a_wrong_row_is_refused(right: str, wrong: str, problem: str) -> None:
    assert problems(GOOD.replace(right, wrong)) == [f"fees.toml: fee: {problem}"]


@pytest.mark.parametrize("text", ["fee = 3", "fee = []", "fee = [3]"])
def test_what_is_no_list_of_rows_is_refused(text: str) -> None:
    rows = "must be a list of rows, written as [[table]] or [[table.scope]]"

    assert problems(text) == [f"fees.toml: fee: {rows}"]


@pytest.mark.parametrize(
    ("kind", "good", "bad", "wanted"),
    [
        (int, "3", "3.0", "a whole number of at least 0"),
        (bool, "true", "1", "true or false"),
        (str, '"x"', "1", "a text"),
        (list, "[1, 2.5]", '["x"]', "a list of numbers of at least 0"),
        (Side, '"buy"', '"hold"', "'buy' or 'sell'"),
    ],
)
def test_a_value_must_be_of_the_kind_declared(kind: type, good: str, bad: str, wanted: str) -> None:
    row = '[[fee]]\nfrom = 2020-01-01\nsource = "law"\nside = '

    value = tables_of(row + good, {"fee": {"side": kind}}, "fees.toml")["fee"][ALL].rows[0]["side"]

    assert isinstance(value, tuple if kind is list else kind)
    (problem,) = problems(row + bad, side=kind)
    assert f"side must be {wanted}, was" in problem


def test_every_problem_of_a_file_is_told_at_once_and_by_its_place() -> None:
    text = (
        GOOD.replace("[[fee]]", "[[fee.SSE]]").replace('source = "law"', "") + "[[duty]]\nfrom = 2020-01-01\n"
    )

    with pytest.raises(ConfigError) as caught:
        tables_of(text, {"fee": {"rate": float}, "tax": {"rate": float}}, "fees.toml")

    assert caught.value.problems == (
        "fees.toml: there is no table 'tax'",
        "fees.toml: unknown table 'duty'; known: fee, tax",
        'fees.toml: fee.SSE: row 1 (from 2020-01-01): needs source = "...", who says so',
    )


def test_what_is_not_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fees.toml is not TOML: .*line 1"):
        tables_of("fee = = 3", {"fee": {"rate": float}}, "fees.toml")
