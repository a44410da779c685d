"""Industries as of each day, under numbers that stay."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from quantflux.data.schema import INSTRUMENTS
from quantflux.factors.fields.industry import Industries, industries
from tests.factors.fields.reports import filled

DAYS = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")  # Monday to Friday
NAN = np.nan


def rows(*written: tuple[str, str, str | None, str | None]) -> pa.Table:
    """Rows of symbol, valid_from, industry, list_date."""
    return filled(
        INSTRUMENTS,
        symbol=[row[0] for row in written],
        valid_from=[date.fromisoformat(row[1]) for row in written],
        industry=[row[2] for row in written],
        list_date=[None if row[3] is None else date.fromisoformat(row[3]) for row in written],
    )


def named(found: Industries, column: int) -> list[str | None]:
    return [None if np.isnan(code) else found.labels[int(code)] for code in found.codes[:, column]]


def test_a_row_holds_until_the_next_one() -> None:
    table = rows(
        ("A", "2020-01-01", "steel", None),
        ("A", "2024-01-03", "coal", None),
        ("B", "2024-01-02", "banks", None),  # not listed before, as far as is known
        ("B", "2024-01-04", None, None),
        ("C", "2024-01-04", "", None),
        ("D", "2024-01-06", "steel", None),
        ("E", "2024-01-03", "steel", "2024-01-02"),  # listed on the day before its first row
    )

    found = industries(table, DAYS, ["A", "B", "C", "D", "E", "F"])

    assert named(found, 0) == ["steel", "steel", "coal", "coal", "coal"]
    assert named(found, 1) == [None, "banks", "banks", None, None]
    assert named(found, 2) == named(found, 3) == named(found, 5) == [None] * 5
    assert named(found, 4) == [None, "steel", "steel", "steel", "steel"]
    assert found.backdated == 1


def test_of_changes_between_two_trading_days_the_last_counts() -> None:
    table = rows(
        ("A", "2023-12-29", "steel", None),
        ("A", "2024-01-06", "coal", None),
        ("A", "2024-01-07", "banks", None),
    )
    monday = np.array(["2024-01-05", "2024-01-08"], dtype="datetime64[D]")

    assert named(industries(table, monday, ["A"]), 0) == ["steel", "banks"]


def test_numbers_stay_when_industries_appear_later_or_less_is_asked_for() -> None:
    early = [
        ("A", "2020-01-01", "steel", None),
        ("B", "2020-01-01", "coal", None),
        ("C", "2021-01-01", "arms", None),
    ]
    later = [("D", "2024-01-03", "air", None), ("A", "2024-01-04", "air", None)]

    before = industries(rows(*early), DAYS, ["A", "B", "C"])
    after = industries(rows(*early, *later), DAYS, ["A", "B", "C", "D"])
    part = industries(rows(*early, *later), DAYS[3:], ["A", "D"])

    assert before.labels == ("coal", "steel", "arms") == after.labels[:3]
    np.testing.assert_array_equal(after.codes[:3, :3], before.codes[:3])
    np.testing.assert_array_equal(part.codes, after.codes[3:, [0, 3]])


def test_no_rows() -> None:
    found = industries(rows(), DAYS, ["A"])

    assert found.labels == ()
    assert np.isnan(found.codes).all() and found.codes.shape == (5, 1)
