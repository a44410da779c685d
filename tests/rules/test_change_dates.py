"""Every change of every rule: what the book says the day before, and on the day. Written down here a second time."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from quantflux.rules.book import rules_on
from quantflux.rules.dated import Tables
from quantflux.rules.dividend_tax import dividend_tax_table
from quantflux.rules.fees import fee_tables
from quantflux.rules.limits import limit_tables
from quantflux.rules.lots import lot_tables
from quantflux.rules.price_cage import price_cage_tables
from quantflux.rules.sessions import session_tables
from quantflux.rules.settlement import settlement_tables
from quantflux.rules.ticks import tick_tables

FREE, FREE_5 = "first day without limit", "first 5 days without limit"
ISSUE = "first day -36 % to +44 % of it"
CALL, HOURS = (
    "call 09:15-09:25, 09:30-11:30, 13:00-15:00",
    "call 09:15-09:25, 09:30-11:30, 13:00-14:57, call 14:57-15:00",
)
HALF_UP = "rounded half up"
LOT = "100 by 100, most 1,000,000"
LATE = "15:05-15:30 at the close"

CHANGES = [
    ("price limit", "main", "1996-12-16", None, f"±10 %, {HALF_UP}"),
    ("price limit", "b_share", "1996-12-16", None, f"±10 %, {HALF_UP}"),
    ("price limit", "chinext", "2009-10-30", None, f"±10 %, {HALF_UP}"),
    ("price limit", "chinext", "2020-08-24", f"±10 %, {HALF_UP}", f"±20 %, {HALF_UP}"),
    ("price limit", "star", "2019-07-22", None, f"±20 %, {HALF_UP}"),
    ("price limit", "bse", "2021-11-15", None, "±30 %, cut off inward"),
    ("price limit, ST", "main", "1998-04-22", None, "±5 %"),
    ("price limit, ST", "main", "2026-07-06", "±5 %", "±10 %"),
    ("price limit, ST", "b_share", "1998-04-22", None, "±5 %"),
    ("price limit, ST", "b_share", "2026-07-06", "±5 %", "±10 %"),
    ("price limit, ST", "chinext", "2020-08-24", None, "±20 %"),
    ("price limit, ST", "star", "2019-07-22", None, "±20 %"),
    ("price limit, ST", "bse", "2021-11-15", None, "±30 %"),
    ("new listing", "main", "1990-12-19", None, FREE),
    ("new listing", "main", "2023-04-10", FREE, FREE_5),
    ("new listing", "chinext", "2009-10-30", None, FREE),
    ("new listing", "chinext", "2020-08-24", FREE, FREE_5),
    ("new listing", "star", "2019-07-22", None, FREE_5),
    ("new listing", "bse", "2021-11-15", None, FREE),
    ("new listing", "b_share", "1990-12-19", None, FREE),
    ("issue price", "main", "2014-01-01", None, ISSUE),
    ("issue price", "main", "2023-04-10", ISSUE, "no bound"),
    ("issue price", "chinext", "2014-01-01", None, ISSUE),
    ("issue price", "chinext", "2020-08-24", ISSUE, "no bound"),
    ("delisting", "main", "2020-12-31", None, FREE),
    ("delisting", "chinext", "2020-12-31", None, FREE),
    ("delisting", "star", "2020-12-31", None, FREE),
    ("delisting", "bse", "2021-11-15", None, FREE),
    ("delisting", "b_share", "2020-12-31", None, FREE),
    ("tick", "main", "1990-12-19", None, "0.01 CNY"),
    ("tick", "chinext", "2009-10-30", None, "0.01 CNY"),
    ("tick", "star", "2019-07-22", None, "0.01 CNY"),
    ("tick", "bse", "2021-11-15", None, "0.01 CNY"),
    ("tick", "b_share_sse", "1992-02-21", None, "0.001 USD"),
    ("tick", "b_share_szse", "1992-02-28", None, "0.01 HKD"),
    ("tick", "fund", "2003-03-03", None, "0.001 CNY"),
    ("lot", "main", "1990-12-19", None, LOT),
    ("lot", "chinext", "2009-10-30", None, LOT),
    ("lot", "chinext", "2020-08-24", LOT, "100 by 100, most 300,000, 150,000 at market"),
    ("lot", "star", "2019-07-22", None, "200 by 1, most 100,000, 50,000 at market"),
    ("lot", "bse", "2021-11-15", None, "100 by 1, most 1,000,000"),
    ("lot", "b_share", "1992-02-21", None, LOT),
    ("price cage", "star", "2019-07-22", None, "2 % off the best"),
    ("price cage", "chinext", "2020-08-24", None, "2 % off the best"),
    ("price cage", "chinext", "2023-04-10", "2 % off the best", "2 % or 10 ticks off the best"),
    ("price cage", "main", "2023-04-10", None, "2 % or 10 ticks off the best"),
    ("price cage", "bse", "2021-11-15", None, "5 % or 10 ticks off the best"),
    ("session", "SSE", "1990-12-19", None, CALL),
    ("session", "SSE", "2018-08-20", CALL, HOURS),
    ("session", "SZSE", "1990-12-19", None, CALL),
    ("session", "SZSE", "2006-07-01", CALL, HOURS),
    ("session", "BSE", "2021-11-15", None, HOURS),
    ("after hours", "star", "2019-07-22", None, LATE),
    ("after hours", "chinext", "2020-08-24", None, LATE),
    ("after hours", "main", "2026-07-06", None, LATE),
    ("settlement", "main", "1990-12-19", None, "T+0"),
    ("settlement", "main", "1995-01-01", "T+0", "T+1"),
    ("settlement", "chinext", "2009-10-30", None, "T+1"),
    ("settlement", "star", "2019-07-22", None, "T+1"),
    ("settlement", "bse", "2021-11-15", None, "T+1"),
    ("settlement", "b_share", "1992-02-21", None, "T+0"),
    ("settlement", "b_share", "2001-12-01", "T+0", "T+1"),
    ("settlement", "fund", "1998-04-07", None, "T+1"),
    ("stamp duty", "all", "1991-10-10", None, "0.3 % on either side"),
    ("stamp duty", "all", "1997-05-10", "0.3 % on either side", "0.5 % on either side"),
    ("stamp duty", "all", "1998-06-12", "0.5 % on either side", "0.4 % on either side"),
    ("stamp duty", "all", "2001-11-16", "0.4 % on either side", "0.2 % on either side"),
    ("stamp duty", "all", "2005-01-24", "0.2 % on either side", "0.1 % on either side"),
    ("stamp duty", "all", "2007-05-30", "0.1 % on either side", "0.3 % on either side"),
    ("stamp duty", "all", "2008-04-24", "0.3 % on either side", "0.1 % on either side"),
    ("stamp duty", "all", "2008-09-19", "0.1 % on either side", "buys 0 %, sales 0.1 %"),
    ("stamp duty", "all", "2023-08-28", "buys 0 %, sales 0.1 %", "buys 0 %, sales 0.05 %"),
    ("transfer fee", "all", "1990-12-19", None, "0.002 % on either side"),
    ("transfer fee", "all", "2015-08-01", "0.002 % on either side", "0.002 % on either side"),
    ("transfer fee", "all", "2022-04-29", "0.002 % on either side", "0.001 % on either side"),
    ("commission", "all", "2002-05-01", None, "at most 0.3 %, at least 5 yuan"),
    ("handling fee", "SSE", "2012-09-01", None, "0.00696 %, in commission"),
    ("handling fee", "SSE", "2015-08-01", "0.00696 %, in commission", "0.00487 %, in commission"),
    ("handling fee", "SSE", "2023-08-28", "0.00487 %, in commission", "0.00341 %, in commission"),
    ("handling fee", "SZSE", "2012-09-01", None, "0.00696 %, in commission"),
    ("handling fee", "SZSE", "2015-08-01", "0.00696 %, in commission", "0.00487 %, in commission"),
    ("handling fee", "SZSE", "2023-08-28", "0.00487 %, in commission", "0.00341 %, in commission"),
    ("handling fee", "BSE", "2021-11-15", None, "0.05 %, in commission"),
    ("handling fee", "BSE", "2022-12-01", "0.05 %, in commission", "0.025 %, in commission"),
    ("handling fee", "BSE", "2023-08-28", "0.025 %, in commission", "0.0125 %, in commission"),
    ("regulatory fee", "SSE", "2018-01-01", None, "0.002 %, in commission"),
    ("regulatory fee", "SZSE", "2018-01-01", None, "0.002 %, in commission"),
    ("dividend tax", "all", "1994-01-01", None, "20 %"),
    ("dividend tax", "all", "2005-06-13", "20 %", "10 %"),
    ("dividend tax", "all", "2013-01-01", "10 %", "20 % up to a month, 10 % up to a year, then 5 %"),
    (
        "dividend tax",
        "all",
        "2015-09-08",
        "20 % up to a month, 10 % up to a year, then 5 %",
        "20 % up to a month, 10 % up to a year, then 0 %",
    ),
]


@pytest.mark.parametrize(("rule", "scope", "day", "before", "after"), CHANGES)
def test_a_rule_changes_on_its_day(rule: str, scope: str, day: str, before: str | None, after: str) -> None:
    changed = date.fromisoformat(day)

    said = [
        {(entry.rule, entry.scope): entry for entry in rules_on(when)}.get((rule, scope))
        for when in (changed - timedelta(days=1), changed)
    ]

    assert (said[0].text if said[0] else None) == before
    assert said[1] is not None and (said[1].text, said[1].since) == (after, changed)
    if said[0]:
        assert said[0].until == changed - timedelta(days=1)


def test_no_row_is_without_its_test() -> None:
    tables: list[Tables] = [
        limit_tables(), tick_tables(), lot_tables(), price_cage_tables(), session_tables(), settlement_tables(),
        fee_tables(), {"dividend_tax": {"": dividend_tax_table()}},
    ]  # fmt: skip
    rows = sorted(
        (scope or "all", str(row.since))
        for file in tables
        for scopes in file.values()
        for scope, table in scopes.items()
        for row in table.rows
    )

    assert rows == sorted((scope, day) for _, scope, day, _, _ in CHANGES)
