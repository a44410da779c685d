"""Lists in CSV files: what is read, and how a wrong line is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.core.lists import a_day, a_number, a_symbol, a_weight, read_list

COLUMNS = {"date": a_day, "symbol": a_symbol, "weight": a_weight}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_list(path, COLUMNS)
    return str(caught.value)


def test_columns_stand_in_any_order_and_symbols_in_any_spelling(tmp_path: Path) -> None:
    path = written(
        tmp_path, "\ufeffSymbol, weight,note,date\nsh600519,0.5,x,2024-01-02\n\n000001, 1 ,,20240103\n"
    )

    found = read_list(path, COLUMNS, {"since": a_day})

    assert found["symbol"] == ["600519.SH", "000001.SZ"]
    assert found["weight"] == [0.5, 1.0]
    assert found["date"] == [np.datetime64("2024-01-02"), np.datetime64("2024-01-03")]
    assert found["since"] == [None, None]


def test_the_first_wrong_lines_are_named(tmp_path: Path) -> None:
    path = written(
        tmp_path, "date,symbol,weight\n2024-01-02,600519.SH,1\nsoon,1,1.5\n2024-01-03,600519.SH,\n"
    )

    said = refusal(path)

    assert "line 3: date is 'soon'; valid is a day such as 2024-06-28" in said
    assert "line 3: symbol is '1'; valid is a symbol such as 600519.SH" in said
    assert "line 3: weight is '1.5'; valid is a weight from 0 to 1" in said
    assert "line 4: weight is ''; valid is a number" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,symbl,weight\n", "lacks the column symbol; found date, symbl, weight, valid are date, symbol, weight;"),
        ("", "lacks the column date; found nothing"),
        ("date,symbol,weight\n", "has no line under its header"),
    ],
)  # fmt: skip
def test_a_file_without_what_it_needs_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "none.csv")
    binary = tmp_path / "list.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as CSV" in refusal(binary)


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "x", ""])
def test_numbers_are_finite(text: str) -> None:
    with pytest.raises(ValueError, match="valid is a number"):
        a_number(text)
