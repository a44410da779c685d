"""An audit of daily bars sets the steps of the factor beside the corporate actions that are stored."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.adapters.memory import MemoryStore, open_store
from quantflux.data.contract import Query
from quantflux.data.quality import Adjustment, Ledger, audit_dataset, judge_ex_dates
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY
from tests.data.conformance.samples import bars, changed
from tests.data.quality.market import sessions

DAYS = [date(2024, 1, day) for day in (2, 3, 4, 5, 8)]
UNEXPLAINED, UNSHOWN = "factor_step_unexplained", "corporate_action_unshown"


@pytest.fixture
def store(clock: FixedClock) -> MemoryStore:
    """13.00 yuan; on the third day ten shares give three and 5 yuan, (13.00 - 0.50) / 1.3 = 9.62."""
    store = open_store(clock=clock)
    daily = bars("600519.SH", DAYS, [13.0, 13.0, 9.62, 9.62, 9.62])
    store.write(DAILY, changed(daily, adj_factor=[1.0, 1.0, *[13.0 / 9.62] * 3]))
    return store


def act(store: MemoryStore, day: date, cash: float, shares: float) -> None:
    row = {"symbol": "600519.SH", "ex_date": day, "cash": cash, "shares": shares}
    store.write(CORPORATE_ACTIONS, pa.Table.from_pylist([row], schema=CORPORATE_ACTIONS.schema))


def found(store: MemoryStore) -> list[tuple[str, date]]:
    return judge_ex_dates(store, Query(DAILY)).select("rule", "day").rows()


def test_a_store_without_actions_is_not_judged(store: MemoryStore) -> None:
    assert found(store) == []


def test_an_action_that_explains_its_step_is_no_finding(store: MemoryStore) -> None:
    act(store, DAYS[2], 0.5, 0.3)

    assert found(store) == []


def test_a_step_and_an_action_that_do_not_meet_are_both_named(store: MemoryStore) -> None:
    act(store, DAYS[1], 0.5, 0.3)

    assert found(store) == [(UNSHOWN, DAYS[1]), (UNEXPLAINED, DAYS[2])]
    details = judge_ex_dates(store, Query(DAILY))["detail"].to_list()
    assert details[0] == "cash=0.5, shares=0.3, rights_shares=0.0, rights_price=0.0"
    assert details[1] == "step=1.351351, explained=1.0"


def test_steps_before_the_first_stored_action_are_not_judged(store: MemoryStore) -> None:
    act(store, DAYS[3], 0.5, 0.0)

    assert found(store) == [(UNSHOWN, DAYS[3])]


def test_an_audit_counts_them_and_writes_them_down(
    store: MemoryStore, clock: FixedClock, tmp_path: Path
) -> None:
    act(store, DAYS[1], 0.5, 0.3)
    ledger = Ledger(tmp_path, clock)

    report = audit_dataset(store, DAILY, sessions=sessions(), clock=clock, ledger=ledger)

    assert (report.count(UNEXPLAINED), report.count(UNSHOWN)) == (1, 1)
    assert report.rows == len(DAYS)
    assert ledger.findings(DAILY.name, rule=UNSHOWN)["symbol"].to_list() == ["600519.SH"]


def test_prices_that_a_vendor_adjusted_cannot_be_judged(store: MemoryStore, clock: FixedClock) -> None:
    act(store, DAYS[1], 0.5, 0.3)

    report = audit_dataset(
        store, DAILY, sessions=sessions(), clock=clock, adjustment=Adjustment.MULTIPLICATIVE
    )

    assert (report.count(UNEXPLAINED), report.count(UNSHOWN)) == (0, 0)
