"""Corporate actions of every vendor become the same rows, from its library or from a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidData, InvalidRequest, SourceChanged, Unsupported
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import MarketStore, Query, Span
from quantflux.data.quality import Ledger
from quantflux.data.schema import CORPORATE_ACTIONS
from quantflux.data.sources.akshare import AkshareSource
from quantflux.data.sources.baostock import BaostockSource
from quantflux.data.sources.contract import CanFetchActions, Source
from quantflux.data.sources.files import import_actions
from quantflux.data.sources.files.action_rows import ACTION_LAYOUTS, action_rows
from quantflux.data.sources.sync import sync
from quantflux.data.sources.tushare import TushareSource
from tests.data.quality.market import sessions
from tests.data.sources.fakes import END, EX_DAY, START, SYMBOLS, FakeAkshare, FakeBaostock, FakeTushare

MOUTAI = "600519.SH"
NAMES = ("ex_date", "cash", "shares", "rights_shares", "rights_price")
# What the fakes tell: ten shares give one bonus share, two from reserves and 5 yuan.
TEN_GIVE_THREE = (EX_DAY, 0.5, 0.3, 0.0, 0.0)
RIGHTS = (date(2024, 5, 10), 0.0, 0.0, 0.2, 7.5)


@pytest.fixture
def now() -> FixedClock:
    return FixedClock(datetime(2024, 7, 1, tzinfo=UTC))


@pytest.fixture
def store(now: FixedClock) -> MarketStore:
    return open_store(clock=now)


def akshare(now: FixedClock, fake: FakeAkshare | None = None) -> AkshareSource:
    return AkshareSource(clock=now, module=fake or FakeAkshare(), sleep=now.advance)


def tushare(now: FixedClock) -> TushareSource:
    return TushareSource(clock=now, token="secret", module=FakeTushare(), sleep=now.advance)


def baostock(now: FixedClock, fake: FakeBaostock | None = None) -> BaostockSource:
    return BaostockSource(clock=now, module=fake or FakeBaostock(), sleep=now.advance)


VENDORS = [
    pytest.param(akshare, [TEN_GIVE_THREE, RIGHTS], id="akshare"),
    pytest.param(tushare, [TEN_GIVE_THREE], id="tushare"),
    pytest.param(baostock, [TEN_GIVE_THREE], id="baostock"),
]


@pytest.mark.parametrize(("opened", "expected"), VENDORS)
def test_actions_are_canonical(
    opened: Callable[[FixedClock], Source], expected: list[tuple[object, ...]], now: FixedClock
) -> None:
    source = opened(now)
    assert isinstance(source, CanFetchActions)

    batch = source.corporate_actions(MOUTAI, START, END)

    assert batch.rows.select(NAMES).rows() == expected
    assert batch.rows.columns == CORPORATE_ACTIONS.schema.names
    assert batch.rows["record_date"][0] == date(2024, 2, 29)
    span = batch.span("ex_date")
    assert span is not None and span.first == EX_DAY


@pytest.mark.parametrize(("opened", "expected"), VENDORS)
def test_a_share_without_actions_is_empty(
    opened: Callable[[FixedClock], Source], expected: list[tuple[object, ...]], now: FixedClock
) -> None:
    source = opened(now)
    assert isinstance(source, CanFetchActions)

    batch = source.corporate_actions("000001.SZ", START, END)

    assert batch.rows.height == 0
    assert batch.rows.columns == CORPORATE_ACTIONS.schema.names


def test_baostock_is_asked_for_every_year(now: FixedClock) -> None:
    fake = FakeBaostock()

    baostock(now, fake).corporate_actions(MOUTAI, date(2022, 5, 1), date(2024, 1, 31))

    assert [arguments["year"] for _, arguments in fake.faults.calls] == ["2022", "2023", "2024"]


def test_cells_that_are_no_amounts_mean_that_the_vendor_changed(now: FixedClock) -> None:
    fake = FakeAkshare()
    fake.rename = {"派息": "公告日期", "公告日期": "派息"}

    with pytest.raises(SourceChanged, match=r"3 of 3 rows for 600519\.SH hold cells that are no dates"):
        akshare(now, fake).corporate_actions(MOUTAI, START, END)


@pytest.mark.parametrize(("opened", "expected"), VENDORS)
def test_a_sync_stores_them_and_a_second_one_changes_nothing(
    opened: Callable[[FixedClock], Source],
    expected: list[tuple[object, ...]],
    store: MarketStore,
    now: FixedClock,
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path, now)

    def run() -> tuple[int, int, list[str]]:
        report = sync(
            opened(now),
            store,
            SYMBOLS,
            START,
            END,
            dataset=CORPORATE_ACTIONS,
            sessions=sessions(),
            clock=now,
            ledger=ledger,
        )
        return report.fetched, report.rows_stored, report.empty

    first, version = run(), store.version(CORPORATE_ACTIONS)
    second = run()

    assert first == (3, len(expected), ["000001.SZ", "300750.SZ"])
    assert second == (3, 0, ["000001.SZ", "300750.SZ"])
    assert store.version(CORPORATE_ACTIONS) == version
    assert pl.DataFrame(store.read(Query(CORPORATE_ACTIONS))).select(NAMES).rows() == expected


def test_a_vendor_without_actions_is_refused(store: MarketStore, now: FixedClock) -> None:
    class BarsOnly:
        name = "bars only"

    with pytest.raises(Unsupported, match="bars only has no corporate actions"):
        sync(
            BarsOnly(),  # type: ignore[arg-type]
            store,
            SYMBOLS,
            START,
            END,
            dataset=CORPORATE_ACTIONS,
            sessions=sessions(),
            clock=now,
        )


def test_two_plans_on_one_day_are_added_up_and_one_told_twice_counts_once() -> None:
    told = {"symbol": ["600519.SH"] * 3, "ex_date": ["20240301"] * 3, "shares": [0.0] * 3}
    told |= {"cash": [0.5, 0.5, 0.5], "progress": ["实施"] * 3, "told": ["20231231", "20231231", "20230930"]}

    read = action_rows(pl.DataFrame(told), ACTION_LAYOUTS["tushare"])

    assert read.rows.select(NAMES[:3]).rows() == [(date(2024, 3, 1), 1.0, 0.0)]


def test_a_plan_with_a_date_is_still_a_plan() -> None:
    told = {"symbol": ["600519.SH"], "ex_date": ["20240301"], "cash": [0.5], "progress": ["股东大会通过"]}

    read = action_rows(pl.DataFrame(told), ACTION_LAYOUTS["tushare"])

    assert (read.rows.height, read.planned) == (0, 1)


def test_unreadable_rows_are_left_out_and_counted() -> None:
    cells = {
        "symbol": ["sh.600519", "nonsense", "sh.600519", "sh.600519", "sh.600519"],
        "ex_date": ["2024-03-01", "2024-03-01", "March", "2024-04-01", "2024-05-01"],
        "cash": ["0.5", "0.5", "0.5", "a lot", "-1"],
        "shares": ["", "0", "0", "0", "0"],
    }

    read = action_rows(pl.DataFrame(cells), ACTION_LAYOUTS["baostock"])

    assert read.rows.select(NAMES[:3]).rows() == [(date(2024, 3, 1), 0.5, 0.0)]
    assert (read.planned, read.unreadable) == (0, 4)


def csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


FILES = {
    "tushare": (
        "ts_code,end_date,ann_date,div_proc,stk_div,cash_div,cash_div_tax,record_date,ex_date,pay_date\n"
        "600519.SH,20231231,20240220,实施,0.3,0.45,0.5,20240229,20240301,20240301\n"
        "600519.SH,20231231,20240110,预案,0.3,0.45,0.5,,,\n"
    ),
    "baostock": (
        "code,dividPlanDate,dividRegistDate,dividOperateDate,dividPayDate,dividCashPsBeforeTax,dividStocksPs,"
        "dividReserveToStockPs\n"
        "sh.600519,2024-02-20,2024-02-29,2024-03-01,2024-03-01,0.5,0.1,0.2\n"
        "sh.600519,2024-02-20,,,,,,\n"
    ),
    "canonical": ("symbol,ex_date,cash,shares\n600519.SH,2024-03-01,0.5,0.3\n600519.SH,2024-06-03,0,0\n"),
    "sina": (
        "公告日期,送股,转增,派息,进度,除权除息日,股权登记日,红股上市日\n"
        "2024-02-20,1,2,5,实施,2024-03-01,2024-02-29,2024-03-01\n"
        "2024-06-20,0,0,3,预案,,,\n"
    ),
}


@pytest.mark.parametrize("layout", FILES)
def test_files_of_every_layout_are_recognised(
    layout: str, store: MarketStore, now: FixedClock, tmp_path: Path
) -> None:
    path = csv(tmp_path / "actions.csv", FILES[layout])
    symbol = "600519" if layout == "sina" else None

    report = import_actions(path, store, clock=now, symbol=symbol)
    again = import_actions(path, store, clock=now, symbol=symbol)

    assert report.layout == ACTION_LAYOUTS[layout].title
    assert (report.rows_read, report.planned, report.rows_refused) == (2, 1, 0)
    assert (report.stored, report.unchanged, report.span) == (1, 0, Span(EX_DAY, EX_DAY))
    assert (again.stored, again.unchanged) == (0, 1)
    found = pl.DataFrame(store.read(Query(CORPORATE_ACTIONS)))
    assert found.select("symbol", *NAMES).rows() == [(MOUTAI, *TEN_GIVE_THREE)]


def test_rights_issues_come_from_a_file(store: MarketStore, now: FixedClock, tmp_path: Path) -> None:
    text = (
        "公告日期,配股方案,配股价格,基准股本,除权日,股权登记日\n2024-05-01,2,7.5,1000,2024-05-10,2024-05-09\n"
    )

    import_actions(csv(tmp_path / "rights.csv", text), store, clock=now, symbol="sh600519")

    found = pl.DataFrame(store.read(Query(CORPORATE_ACTIONS)))
    assert found.select(NAMES).rows() == [RIGHTS]


def test_what_goes_ex_later_is_still_a_plan(store: MarketStore, now: FixedClock, tmp_path: Path) -> None:
    text = "symbol,ex_date,cash,shares\n600519.SH,2024-07-02,0.5,0\n600519.SH,2024-07-03,0.5,0\n"

    report = import_actions(csv(tmp_path / "actions.csv", text), store, clock=now)

    assert (report.stored, report.planned) == (1, 1)


def test_a_dry_run_stores_nothing(store: MarketStore, now: FixedClock, tmp_path: Path) -> None:
    report = import_actions(csv(tmp_path / "a.csv", FILES["tushare"]), store, clock=now, dry_run=True)

    assert report.stored == 1
    assert store.span(CORPORATE_ACTIONS) is None


def test_files_that_are_something_else_are_refused(
    store: MarketStore, now: FixedClock, tmp_path: Path
) -> None:
    with pytest.raises(
        InvalidRequest, match=r"bars.csv is no file of corporate actions; it has: symbol, close"
    ):
        import_actions(csv(tmp_path / "bars.csv", "symbol,close\n600519.SH,1\n"), store, clock=now)
    with pytest.raises(InvalidRequest, match="names no symbol; say whose actions they are with --symbol"):
        import_actions(csv(tmp_path / "sina.csv", FILES["sina"]), store, clock=now)
    text = "symbol,ex_date,cash,shares\n600519.SH,someday,0.5,0\n"
    with pytest.raises(InvalidData, match="no readable corporate action; nothing was stored"):
        import_actions(csv(tmp_path / "bad.csv", text), store, clock=now)
