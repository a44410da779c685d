"""What was known of the reports on each day: one company by hand, and random ones against pandas.merge_asof."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quantflux.factors.fields.statements import ReportHistory
from tests.factors.fields.reports import BALANCE, INCOME, business_days, random_reports, written

A = ["600000.SH"]
PROFIT, EQUITY = "n_income_attr_p", "total_hldr_eqy_exc_min_int"

COMPANY = [
    ("2021-03-31", "1", "2021-04-28", 15.0),
    ("2021-06-30", "1", "2021-08-27", 45.0),
    ("2021-12-31", "1", "2022-03-30", 100.0),
    ("2022-03-31", "1", "2022-04-28", 20.0),
    ("2022-06-30", "1", "2022-08-30", 50.0),
    ("2022-09-30", "1", "2022-10-28", 80.0),  # a Friday
    ("2023-03-31", "1", "2023-04-28", 30.0),  # a Friday, the three days after it are holidays
    ("2022-12-31", "5", "2023-05-20", 120.0),  # late, on a Saturday
    ("2022-12-31", "1", "2023-07-10", 110.0),  # corrected
    ("2023-06-30", "1", "2023-08-30", 70.0),
    ("2022-06-30", "4", "2023-08-30", 60.0),  # restated beside it, after a merger
    ("2023-12-31", "1", "2024-03-29", 150.0),  # a Friday
    ("2022-12-31", "4", "2024-03-29", 125.0),
    ("2024-03-31", "1", "2024-04-26", 40.0),  # a Friday
]
NAN = np.nan
BY_DAY = [
    # day, four quarters, one year before
    ("2022-03-30", NAN, NAN),  # the half year of 2021 is the newest: its year before is not known
    ("2022-03-31", 100.0, NAN),
    ("2022-04-28", 100.0, NAN),
    ("2022-04-29", 20.0 + 100 - 15, NAN),
    ("2022-08-30", 105.0, NAN),
    ("2022-08-31", 50.0 + 100 - 45, NAN),
    ("2022-10-28", 105.0, NAN),
    ("2022-10-31", NAN, NAN),  # the third quarter of 2021 is missing
    ("2023-04-28", NAN, NAN),
    ("2023-05-04", NAN, 105.0),  # the year 2022 is not out yet; a year before, everything is known
    ("2023-05-19", NAN, 105.0),
    ("2023-05-22", 30.0 + 120 - 20, 105.0),
    ("2023-07-10", 130.0, 105.0),
    ("2023-07-11", 30.0 + 110 - 20, 105.0),
    ("2023-08-30", 120.0, 105.0),
    # The restated half year is not taken from an annual figure that does not hold the merger.
    ("2023-08-31", 70.0 + 110 - 50, 60.0 + 100 - 45),
    ("2024-03-29", 130.0, 115.0),
    ("2024-04-01", 150.0, 125.0),
    ("2024-04-26", 150.0, 125.0),
    ("2024-04-29", 40.0 + 150 - 30, 30.0 + 125 - 20),
    ("2024-06-28", 160.0, 135.0),
]


def trading_days() -> np.ndarray:
    days = business_days("2021-01-04", "2024-07-01")
    return days[~np.isin(days, np.array(["2023-05-01", "2023-05-02", "2023-05-03"], dtype="datetime64[D]"))]


def test_one_company_day_by_day() -> None:
    days = trading_days()
    history = ReportHistory(written(INCOME, PROFIT, COMPANY), days, A)
    got = np.hstack([history.trailing_year(PROFIT), history.trailing_year(PROFIT, previous_year=True)])

    written_out = pd.DataFrame(BY_DAY).set_index(0)
    written_out.index = pd.to_datetime(written_out.index)
    last = np.searchsorted(written_out.index.to_numpy(), days, side="right") - 1
    expected = np.vstack([written_out.to_numpy(), [NAN, NAN]])[last]
    np.testing.assert_array_equal(got, expected)


def test_levels_are_those_of_the_newest_period_whatever_was_announced_last() -> None:
    reports = [
        ("2022-09-30", "1", "2022-10-28", 10.0),
        ("2022-12-31", "1", "2023-03-30", 20.0),
        ("2022-09-30", "1", "2023-04-10", 12.0),  # an older period corrected
        ("2023-09-30", "1", "2023-10-30", 50.0),  # two quarters were skipped
        ("2022-09-30", "4", "2023-10-30", 14.0),
    ]
    days = business_days("2022-10-03", "2023-12-01")
    history = ReportHistory(written(BALANCE, EQUITY, reports), days, A)

    def at(day: str) -> list[float]:
        row = int(np.searchsorted(days, np.datetime64(day)))
        fields = history.level(EQUITY), history.average(EQUITY), history.level(EQUITY, previous_year=True)
        return [float(field[row, 0]) for field in fields]

    assert at("2022-10-28") == pytest.approx([NAN] * 3, nan_ok=True)
    assert at("2022-10-31") == pytest.approx([10.0, NAN, NAN], nan_ok=True)
    assert at("2023-03-31") == pytest.approx([20.0, 15.0, NAN], nan_ok=True)
    assert at("2023-04-11") == pytest.approx([20.0, 16.0, NAN], nan_ok=True)
    assert at("2023-10-31") == pytest.approx([50.0, 35.0, 14.0], nan_ok=True)


@pytest.mark.parametrize(
    ("same_day", "expected"),
    [
        ([("1", 9.0), ("5", 7.0)], 7.0),  # the corrected row bears the day of the first: 5 is what was said
        ([("5", 7.0), ("4", 8.0)], 8.0),
        ([("1", 9.0), ("4", 8.0)], 8.0),
        ([("1", 9.0), ("2", 1.0), ("3", 2.0), ("6", 3.0), ("11", 4.0), ("12", 5.0)], 9.0),
    ],
)
def test_of_reports_announced_on_one_day(same_day: list[tuple[str, float]], expected: float) -> None:
    reports = [("2022-12-31", kind, "2023-03-30", amount) for kind, amount in same_day]
    days = business_days("2023-03-27", "2023-04-05")

    for order in (reports, reports[::-1]):
        got = ReportHistory(written(BALANCE, EQUITY, order), days, A).level(EQUITY)
        assert got[-1, 0] == expected


def test_reports_announced_before_their_period_was_over_are_left_out() -> None:
    reports = [("2022-12-31", "1", "2023-03-30", 5.0), ("2023-06-30", "1", "2023-04-22", 6.0)]
    days = business_days("2023-03-27", "2023-07-05")

    history = ReportHistory(written(BALANCE, EQUITY, reports), days, A)

    assert history.premature == 1
    assert history.level(EQUITY)[-1, 0] == 5.0


def test_an_item_the_newest_report_does_not_tell_is_not_known() -> None:
    reports = [("2022-12-31", "1", "2023-03-30", 5.0), ("2023-03-31", "1", "2023-04-27", None)]
    days = business_days("2023-03-27", "2023-05-05")

    got = ReportHistory(written(BALANCE, EQUITY, reports), days, A).level(EQUITY)[:, 0]

    assert got[5] == 5.0
    assert np.isnan(got[-1])


@pytest.mark.parametrize(("comp_type", "expected"), [("1", NAN), ("2", 8.0), ("3", 8.0), ("4", 8.0)])
def test_only_financial_companies_may_leave_revenue_to_total_revenue(comp_type: str, expected: float) -> None:
    reports = [("2022-12-31", "1", "2023-03-30", 8.0)]
    rows = written(INCOME, "total_revenue", reports, comp_type=comp_type)
    days = business_days("2023-03-30", "2023-04-05")

    got = ReportHistory(rows, days, A).trailing_year("revenue", financials="total_revenue")

    assert got[-1, 0] == pytest.approx(expected, nan_ok=True)


def test_no_days_no_symbols_no_rows() -> None:
    rows = written(INCOME, PROFIT, COMPANY)
    none = business_days("2023-01-02", "2023-01-02")

    assert ReportHistory(rows, none, A).trailing_year(PROFIT).shape == (0, 1)
    assert ReportHistory(rows, trading_days(), []).trailing_year(PROFIT).shape == (len(trading_days()), 0)
    empty = ReportHistory(rows.slice(0, 0), trading_days(), A)
    assert np.isnan(empty.trailing_year(PROFIT)).all() and np.isnan(empty.average(PROFIT)).all()


class Oracle:
    """The same rules, one period at a time with `pandas.merge_asof`, for one column of random reports."""

    def __init__(self, rows: pa.Table, days: np.ndarray, symbols: list[str], column: str) -> None:
        frame = rows.to_pandas()
        frame["end_date"], frame["f_ann_date"] = (
            pd.to_datetime(frame[c]).astype("datetime64[s]") for c in ("end_date", "f_ann_date")
        )
        frame = frame[frame["report_type"].isin(["1", "4", "5"]) & (frame["f_ann_date"] > frame["end_date"])]
        frame = frame[frame["end_date"].dt.is_quarter_end]
        frame["rank"] = frame["report_type"].map({"1": 0, "5": 1, "4": 2})
        frame = frame.sort_values(["f_ann_date", "rank"])
        frame["told"] = (frame["f_ann_date"] - pd.Timestamp(0)).dt.days
        self.frame = frame[["symbol", "end_date", "report_type", "f_ann_date", "told", "rank", column]]
        self.column = column
        grid = pd.MultiIndex.from_product([pd.to_datetime(days), symbols], names=["day", "symbol"])
        self.grid = grid.to_frame(index=False).astype({"day": "datetime64[s]"})
        self.shape = (len(days), len(symbols))
        self.periods = pd.date_range("2017-12-31", "2023-12-31", freq="QE").astype("datetime64[s]").tolist()
        self.by_period = {p: self.as_of(p, self.frame) for p in self.periods}
        known = [self.by_period[p]["f_ann_date"].notna().to_numpy() for p in self.periods]
        self.newest = np.where(known, np.arange(len(self.periods))[:, None], -1).max(axis=0)

    def as_of(self, period: pd.Timestamp, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the row about a period that holds on each day for each symbol."""
        about = rows[rows["end_date"] == period].sort_values("f_ann_date", kind="stable")
        return pd.merge_asof(
            self.grid, about, left_on="day", right_on="f_ann_date", by="symbol", allow_exact_matches=False
        )

    def on_newest(self, of_period: Callable[[int], np.ndarray]) -> np.ndarray:
        result = np.full(len(self.grid), np.nan)
        for p in range(len(self.periods)):
            mine = self.newest == p
            if mine.any():
                result[mine] = of_period(p)[mine]
        return result.reshape(self.shape)

    def amount(self, p: int) -> np.ndarray:
        return self.by_period[self.periods[p]][self.column].to_numpy()

    def trailing(self, p: int) -> np.ndarray:
        period = self.periods[p]
        if period.month == 12:
            return self.amount(p)
        annual = self.by_period[pd.Timestamp(f"{period.year - 1}-12-31")]
        year_ago = self.periods[p - 4]
        own = self.as_of(year_ago, self.frame[self.frame["report_type"] != "4"])
        about = self.frame[self.frame["end_date"] == year_ago]
        base = annual[["day", "symbol", "f_ann_date"]].dropna().sort_values("f_ann_date", kind="stable")
        early = self.grid.merge(pd.merge_asof(base, about, on="f_ann_date", by="symbol"), how="left")
        order = [row["told"].fillna(0) * 3 + row["rank"].fillna(0) for row in (early, own)]
        later = (order[0] > order[1]).to_numpy()
        before = np.where(later, early[self.column], own[self.column])
        return self.amount(p) + (annual[self.column].to_numpy() - before)

    def mean_of_two(self, p: int) -> np.ndarray:
        before = np.full(len(self.grid), np.nan)
        open_ = np.ones(len(self.grid), dtype=bool)
        for q in range(p - 1, max(p - 5, -1), -1):
            row = self.by_period[self.periods[q]]
            told = row["f_ann_date"].notna().to_numpy() & open_
            before[told] = row[self.column].to_numpy()[told]
            open_ &= ~told
        return (self.amount(p) + before) / 2


@pytest.mark.parametrize("seed", range(4))
def test_random_reports_are_known_as_merge_asof_knows_them(seed: int) -> None:
    symbols = [f"{600000 + i}.SH" for i in range(6)]
    days = business_days("2021-06-01", "2024-06-01")[::5]
    rows = random_reports(seed, INCOME, [PROFIT])
    history = ReportHistory(rows, days, symbols)
    oracle = Oracle(rows, days, symbols, PROFIT)

    got = {
        "level": history.level(PROFIT),
        "level_prev": history.level(PROFIT, previous_year=True),
        "average": history.average(PROFIT),
        "trailing": history.trailing_year(PROFIT),
        "trailing_prev": history.trailing_year(PROFIT, previous_year=True),
    }
    expected = {
        "level": oracle.on_newest(oracle.amount),
        "level_prev": oracle.on_newest(lambda p: oracle.amount(p - 4)),
        "average": oracle.on_newest(oracle.mean_of_two),
        "trailing": oracle.on_newest(oracle.trailing),
        "trailing_prev": oracle.on_newest(lambda p: oracle.trailing(p - 4)),
    }

    for name, values in expected.items():
        np.testing.assert_array_equal(got[name], values, err_msg=name)
        assert np.isfinite(values).mean() > 0.05, f"the reports put {name} to no test"


@pytest.mark.parametrize("seed", range(3))
def test_what_is_announced_later_changes_nothing_before(seed: int) -> None:
    symbols = [f"{600000 + i}.SH" for i in range(6)]
    days = business_days("2021-01-04", "2024-06-01")
    rows = random_reports(seed, INCOME, [PROFIT])

    def values(table: pa.Table) -> list[np.ndarray]:
        history = ReportHistory(table, days, symbols)
        return [
            history.level(PROFIT),
            history.average(PROFIT),
            history.trailing_year(PROFIT),
            history.trailing_year(PROFIT, previous_year=True),
        ]

    whole = values(rows)
    for t in range(5, len(days), 97):
        earlier = rows.filter(pc.less(rows["f_ann_date"], pa.scalar(days[t].item())))
        for one, other in zip(values(earlier), whole, strict=True):
            np.testing.assert_array_equal(one[: t + 1], other[: t + 1])


def test_a_part_of_the_days_and_symbols_has_the_same_values() -> None:
    symbols = [f"{600000 + i}.SH" for i in range(6)]
    days = business_days("2021-01-04", "2024-06-01")
    rows = random_reports(9, INCOME, [PROFIT])
    whole = ReportHistory(rows, days, symbols).trailing_year(PROFIT)

    part = ReportHistory(rows, days[200:300], symbols[2:4]).trailing_year(PROFIT)

    np.testing.assert_array_equal(part, whole[200:300, 2:4])
    assert np.isfinite(part).any()
