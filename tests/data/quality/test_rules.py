"""Faults of every kind, planted in a clean market, are found: all of them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest
from quantflux.data.conform import conform
from quantflux.data.quality import EVERY_RULE, RULES, Adjustment, Checker, Context, Severity, latest_day, rule
from quantflux.data.schema import DAILY, MINUTE
from tests.data.quality.market import SYMBOLS, clean_daily, clean_minutes, sessions

CONTEXT = Context(DAILY, sessions(), latest=date(2025, 6, 30))
Plant = Callable[[pl.DataFrame, int], pl.DataFrame]


def _set(**values: object) -> Plant:
    """Put these values into row number n."""

    def plant(frame: pl.DataFrame, n: int) -> pl.DataFrame:
        here = pl.int_range(pl.len()) == n
        return frame.with_columns(
            pl.when(here).then(pl.lit(v, frame.schema[name])).otherwise(pl.col(name)).alias(name)
            for name, v in values.items()
        )

    return plant


def _scale(**factors: float) -> Plant:
    def plant(frame: pl.DataFrame, n: int) -> pl.DataFrame:
        here = pl.int_range(pl.len()) == n
        return frame.with_columns(
            pl.when(here).then(pl.col(name) * f).otherwise(pl.col(name)).alias(name)
            for name, f in factors.items()
        )

    return plant


def _repeat(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    return pl.concat([frame, frame.slice(n, 1)])


def _contradict(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    return pl.concat([frame, frame.slice(n, 1).with_columns(pl.col("volume") + 100)])


def _copy_previous(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    names = ["open", "high", "low", "close", "volume", "amount"]
    rows = frame.with_row_index()
    values = rows.row(n - 2, named=True)
    here = (pl.col("index") == n) | (pl.col("index") == n - 1)
    copied = [pl.when(here).then(pl.lit(values[c])).otherwise(pl.col(c)).alias(c) for c in names]
    return rows.with_columns(copied).drop("index")


def _jump(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    """Halve all prices of a symbol from row n on, as a split does, with the factor unchanged."""
    symbol = frame["symbol"][n]
    day = frame["trade_date"][n]
    here = (pl.col("symbol") == symbol) & (pl.col("trade_date") >= day)
    prices = ("open", "high", "low", "close")
    return frame.with_columns(
        [pl.when(here).then((pl.col(c) / 2).round(2)).otherwise(pl.col(c)).alias(c) for c in prices]
        + [pl.when(here).then(pl.col("volume") * 2).otherwise(pl.col("volume")).alias("volume")]
    )


def _drop(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    return frame.with_row_index().filter(pl.col("index") != n).drop("index")


@dataclass(frozen=True)
class Fault:
    rule: str
    plant: Plant
    found_at: int = 0
    """Row that is accused, counted from the planted one."""
    also: tuple[str, ...] = ()
    """Rules that the same fault must break as well."""


NAN, INF = float("nan"), float("inf")
FAULTS = (
    Fault("not_finite", _set(close=NAN)),
    Fault("not_finite", _set(open=INF)),
    Fault("not_finite", _set(high=-INF)),
    Fault("not_finite", _set(volume=None)),
    Fault("non_positive_price", _set(low=0.0)),
    Fault("non_positive_price", _set(open=-3.0)),
    Fault("negative_volume", _set(volume=-100.0)),
    Fault("absurd_value", _set(volume=1e300)),
    Fault("absurd_value", _set(high=1e9)),
    Fault("ohlc_order", _scale(low=1.2)),
    Fault("ohlc_order", _scale(high=0.8)),
    Fault("ohlc_order", _scale(close=1.1)),
    Fault("amount_without_volume", _set(volume=0.0)),
    Fault("bad_amount", _set(amount=-1.0)),
    Fault("bad_amount", _set(amount=INF)),
    Fault("bad_amount", _set(amount=NAN)),
    Fault("amount_scale", _scale(amount=100.0)),
    Fault("amount_scale", _scale(amount=0.001)),
    Fault("vwap_outside_range", _scale(amount=1.2)),
    Fault("bad_adj_factor", _set(adj_factor=0.0)),
    Fault("bad_adj_factor", _set(adj_factor=-2.0)),
    Fault("bad_adj_factor", _set(adj_factor=INF)),
    Fault("non_session", _set(trade_date=date(2023, 7, 1))),
    Fault("out_of_history", _set(trade_date=date(1989, 5, 4))),
    Fault("out_of_history", _set(trade_date=date(2025, 7, 1))),
    Fault("unreadable_key", _set(symbol=None)),
    Fault("unreadable_key", _set(trade_date=None)),
    Fault("duplicate_identical", _repeat),
    Fault("suspended", _set(volume=0.0, amount=0.0)),
    Fault("stale", _copy_previous),
    Fault("limit_breach", _jump),
    Fault("calendar_gap", _drop, found_at=1),
)
ROW_LOST = {"calendar_gap"}  # a row kept out leaves a hole, which the sequence rules rightly see


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.rule)
@pytest.mark.parametrize("at", [40, 700, 1500])
def test_a_planted_fault_is_found_and_nothing_else(fault: Fault, at: int) -> None:
    clean = clean_daily()
    symbol, day = clean["symbol"][at + fault.found_at], clean["trade_date"][at + fault.found_at]

    checked = Checker(CONTEXT).check(fault.plant(clean, at))

    mine = checked.findings.filter(pl.col("rule") == fault.rule)
    assert mine.height == 1
    if fault.rule not in {"non_session", "out_of_history", "unreadable_key"}:
        assert (mine["symbol"][0], mine["day"][0]) == (symbol, day)
    quarantines_row = rule(fault.rule).severity is Severity.QUARANTINE and not rule(fault.rule).cell
    hole = quarantines_row and fault.rule != "duplicate_identical"
    others = set(checked.findings["rule"]) - {fault.rule}
    assert others <= (ROW_LOST if hole else set())
    assert checked.quarantined_rows == int(quarantines_row)


def test_a_clean_market_has_no_findings() -> None:
    checked = Checker(CONTEXT).check(clean_daily())

    assert checked.findings.height == 0
    assert checked.kept.height == clean_daily().height


def test_conflicting_copies_are_all_kept_out() -> None:
    checked = Checker(CONTEXT).check(_contradict(clean_daily(), 700))

    conflicting = checked.findings.filter(pl.col("rule") == "duplicate_conflicting")
    assert conflicting.height == 2
    assert checked.quarantined_rows == 2


def test_every_rule_has_a_planted_fault() -> None:
    elsewhere = {
        "duplicate_conflicting",
        "off_grid",
        "adj_factor_falls",
        "unexplained_jump",
        "unreadable_cell",
    }

    assert {f.rule for f in FAULTS} | elsewhere == {r.id for r in RULES}


def test_quarantine_keeps_the_raw_row_and_a_bad_cell_keeps_the_row() -> None:
    frame = _set(amount=-5.0)(clean_daily(), 100)

    checked = Checker(CONTEXT).check(frame)

    assert checked.kept.height == frame.height
    kept = checked.kept.sort("symbol", "trade_date")
    assert kept["amount"][100] is None
    assert '"amount":-5.0' in checked.findings["raw"][0]


def test_a_split_with_its_factor_is_no_jump() -> None:
    frame = _jump(clean_daily(), 700)
    symbol, day = frame["symbol"][700], frame["trade_date"][700]
    here = (pl.col("symbol") == symbol) & (pl.col("trade_date") >= day)
    frame = frame.with_columns(pl.when(here).then(2.0).otherwise(1.0).alias("adj_factor"))

    findings = Checker(CONTEXT).check(frame).findings

    assert findings.height == 0


def test_a_jump_without_any_factor_is_unexplained() -> None:
    frame = _jump(clean_daily(), 700).drop("adj_factor")

    findings = Checker(CONTEXT).check(frame).findings

    assert findings["rule"].to_list() == ["unexplained_jump"]


def test_the_vendors_ex_right_close_explains_a_jump() -> None:
    frame = _jump(clean_daily(), 700).drop("adj_factor")
    before = pl.col("close").shift(1).over("symbol")
    split = (pl.col("symbol") == frame["symbol"][700]) & (pl.col("trade_date") == frame["trade_date"][700])
    frame = frame.with_columns(pl.when(split).then(before / 2).otherwise(before).alias("pre_close"))

    assert Checker(CONTEXT).check(frame).findings.height == 0


def test_a_falling_factor_is_flagged() -> None:
    frame = clean_daily(("600519.SH",))
    frame = frame.with_columns(pl.Series("adj_factor", [2.0] * 100 + [1.999] * (frame.height - 100)))

    findings = Checker(CONTEXT).check(frame).findings

    assert findings["rule"].to_list() == ["adj_factor_falls"]


def test_first_days_of_a_new_listing_have_no_limit() -> None:
    frame = clean_daily(("688981.SH",))
    doubled = pl.when(pl.int_range(pl.len()) >= 3).then(pl.col("close") * 2).otherwise(pl.col("close"))
    frame = frame.with_columns(
        doubled.alias("close"), doubled.alias("open"), doubled.alias("high"), doubled.alias("low")
    ).drop("amount")

    unknown_listing = Checker(CONTEXT).check(frame).findings
    old = Context(DAILY, sessions(), listed={"688981.SH": date(2020, 7, 16)})
    known_old = Checker(old).check(frame).findings

    assert unknown_listing.height == 0
    assert known_old["rule"].to_list() == ["limit_breach"]


@pytest.mark.parametrize(
    ("symbol", "day", "move", "breach"),
    [
        ("600519.SH", date(2024, 3, 5), 0.11, True),
        ("600519.SH", date(2024, 3, 5), 0.0999, False),
        ("300750.SZ", date(2024, 3, 5), 0.15, False),
        ("300750.SZ", date(2019, 3, 5), 0.15, True),
        ("920047.BJ", date(2024, 3, 5), 0.29, False),
        ("920047.BJ", date(2024, 3, 5), 0.32, True),
        ("600519.SH", date(1996, 3, 5), 0.40, False),
    ],
)
def test_limits_follow_board_and_date(symbol: str, day: date, move: float, breach: bool) -> None:
    days = sessions(date(day.year, 1, 2), date(day.year, 6, 1))
    close = [20.0 * (1 + (move if d >= day else 0)) for d in days.astype(object)]
    frame = pl.DataFrame(
        {"symbol": symbol, "trade_date": pl.Series(days).cast(pl.Date)}
        | dict.fromkeys(("open", "high", "low", "close"), close)
        | {"volume": [float(100 * n) for n in range(1, len(days) + 1)], "adj_factor": [1.0] * len(days)}
    )

    rules = Checker(CONTEXT).check(frame).findings["rule"].to_list()

    assert rules == (["limit_breach"] if breach else [])


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 2400), min_size=0, max_size=6, unique=True), st.integers(0, 5))
def test_batches_find_what_the_whole_finds(cuts: list[int], shift: int) -> None:
    frame = _drop(_copy_previous(_jump(clean_daily(), 700 + shift), 40), 1500).sort("trade_date", "symbol")
    days = frame["trade_date"].unique().sort()
    bounds = sorted({days[c % len(days)] for c in cuts})
    checker = Checker(CONTEXT)
    parts, lower = [], None
    for upper in [*bounds, None]:
        low = pl.lit(True) if lower is None else pl.col("trade_date") >= lower
        high = pl.lit(True) if upper is None else pl.col("trade_date") < upper
        part = frame.filter(low & high)
        if part.height:
            parts.append(checker.check(part).findings)
        lower = upper

    whole = Checker(CONTEXT).check(frame).findings

    assert pl.concat(parts).sort("rule", "symbol", "day").equals(whole.sort("rule", "symbol", "day"))


def test_adjusted_prices_are_not_asked_for_the_average_price() -> None:
    frame = clean_daily().with_columns(pl.col(c) * 0.37 for c in ("open", "high", "low", "close"))
    adjusted = Context(DAILY, sessions(), Adjustment.MULTIPLICATIVE)

    assert Checker(adjusted).check(frame).findings.height == 0


def test_minutes_off_the_grid_are_kept_out() -> None:
    bars = clean_minutes()
    moved = bars.with_row_index().with_columns(
        pl.when(pl.col("index") == 5)
        .then(pl.col("bar_time").dt.offset_by("-6h"))
        .when(pl.col("index") == 119)
        .then(pl.col("bar_time").dt.offset_by("30s"))
        .otherwise(pl.col("bar_time"))
        .alias("bar_time")
    )

    checked = Checker(Context(MINUTE, sessions())).check(moved.drop("index"))

    assert checked.findings["rule"].to_list() == ["off_grid", "off_grid"]
    assert checked.kept.height == bars.height - 2


def test_symbols_are_independent() -> None:
    whole = Checker(CONTEXT).check(_jump(clean_daily(), 700)).findings
    alone = [
        Checker(CONTEXT).check(_jump(clean_daily(), 700).filter(pl.col("symbol") == s)).findings
        for s in SYMBOLS
    ]

    assert pl.concat(alone).sort("rule", "symbol").equals(whole.sort("rule", "symbol"))


def test_rules_are_found_by_id() -> None:
    assert [rule(r.id) for r in EVERY_RULE] == list(EVERY_RULE)
    assert len({r.id for r in EVERY_RULE}) == len(EVERY_RULE)
    with pytest.raises(InvalidRequest, match="there are: unreadable_key"):
        rule("nonsense")


VALUES = st.one_of(
    st.floats(),
    st.none(),
    st.sampled_from([0.0, -0.0, 1e-300, 1e19, 2.0**63, 10.0, 10.01, 1000.0]),
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*SYMBOLS, None]),
            st.dates(date(1985, 1, 1), date(2045, 1, 1))
            | st.sampled_from([date(2024, 3, 5), date(2024, 3, 6), None]),
            *[VALUES] * 7,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_comes_in_only_storable_rows_are_kept(rows: list[tuple[object, ...]]) -> None:
    clock = FixedClock(datetime(2025, 6, 29, 3, tzinfo=UTC))
    names = ("symbol", "trade_date", "open", "high", "low", "close", "volume", "amount", "adj_factor")
    schema = {n: pl.Float64() for n in names} | {"symbol": pl.String(), "trade_date": pl.Date()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")

    checked = Checker(Context(DAILY, sessions(), latest=latest_day(DAILY, clock))).check(frame)

    stored = conform(DAILY, checked.kept.with_columns(pl.col("volume").cast(pl.Int64)).to_arrow(), clock)
    assert stored.num_rows + checked.quarantined_rows == frame.height
    quarantined = checked.findings.filter((pl.col("severity") == "quarantine") & (pl.col("cell") == ""))
    assert quarantined.height == checked.quarantined_rows
