"""A market of two dozen companies over eighteen months, with money flow and chips of two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from quantflux.api.app import create_app
from quantflux.data.schema import (
    CHIP,
    CORPORATE_ACTIONS,
    DAILY,
    DAILY_BASIC,
    INSTRUMENTS,
    MONEYFLOW,
    Dataset,
)
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform
from tests.api.conftest import AsRole, clients_of, settings_in, with_cheap_passwords

FIRST, LAST, DAY = date(2023, 1, 3), date(2024, 6, 28), date(2024, 5, 31)
FLOW_DAYS = 40

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def v1_tables() -> dict[Dataset, list[pa.Table]]:
    market = SyntheticMarket(seed=3, companies=24, start=FIRST, end=LAST)
    daily, basic = map(list, zip(*market.tables(), strict=True))
    return {
        DAILY: daily,
        DAILY_BASIC: basic,
        INSTRUMENTS: [market.instruments()],
        CORPORATE_ACTIONS: [market.corporate_actions()],
        MONEYFLOW: [flows(pa.concat_tables(daily), MONEYFLOW)],
        CHIP: [flows(pa.concat_tables(daily), CHIP)],
    }


def flows(daily: pa.Table, dataset: Dataset) -> pa.Table:
    """Random rows of the last days of the two names that come first."""
    frame = daily.select(["symbol", "trade_date"]).to_pandas()
    names = sorted(frame["symbol"].unique())[:2]
    frame = frame[frame["symbol"].isin(names)].sort_values("trade_date").groupby("symbol").tail(FLOW_DAYS)
    random = np.random.default_rng(4)
    for name in dataset.value_names:
        frame[name] = random.uniform(1e4, 1e6, len(frame)).round(2)
    return pa.Table.from_pandas(frame, preserve_index=False).cast(dataset.schema)


@pytest.fixture(scope="session")
def platform(
    v1_tables: dict[Dataset, list[pa.Table]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    with Platform.open(settings_in(tmp_path_factory.mktemp("v1"))) as opened:
        for dataset, parts in v1_tables.items():
            for rows in parts:
                opened.data.write(dataset, rows)
        with_cheap_passwords(opened)
        yield opened


@pytest.fixture(scope="session")
def bars(v1_tables: dict[Dataset, list[pa.Table]]) -> pd.DataFrame:
    """Daily bars with adjusted closes and returns, straight from the tables that were written."""
    frame = pa.concat_tables(v1_tables[DAILY]).to_pandas()
    frame["trade_date"] = pd.to_datetime(frame["trade_date"])
    frame = frame.sort_values(["symbol", "trade_date"], ignore_index=True)
    frame["adjusted"] = frame["close"] * frame["adj_factor"]
    return frame


@pytest.fixture(scope="session")
def code(bars: pd.DataFrame) -> str:
    """A name that paid a dividend, so that adjustment shows, and traded from the first day on."""
    moved = bars.groupby("symbol")["adj_factor"].nunique()
    first = bars.groupby("symbol")["trade_date"].min()
    return str(next(name for name in moved.index[moved > 1] if first[name] == bars["trade_date"].min()))


@pytest.fixture(scope="session")
def as_role(platform: Platform) -> AsRole:
    """As in the tests around these, with one application for all of these tests."""
    return clients_of(create_app(platform), platform)


@pytest.fixture
def call(as_role: AsRole) -> Call:
    """Call a route as a researcher, and return its JSON once its status is as expected."""

    def made(method: str, path: str, body: Any = None, *, status: int = 200, role: str = "researcher") -> Any:
        answer = as_role(role).request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    return made


@pytest.fixture
def stock(call: Call) -> Call:
    """Return the data of a route of the first family."""

    def made(path: str, body: Any = None) -> Any:
        told = call("POST" if body is not None else "GET", f"/api/{path}", body)
        assert told["code"] == 200
        assert set(told) == {"code", "message", "data"}
        return told["data"]

    return made


@pytest.fixture
def factor(call: Call) -> Call:
    """Return what a route of the second family tells."""

    def made(path: str, body: Any = None, *, status: int = 200) -> Any:
        told = call("POST" if body is not None else "GET", f"/api/ml-factor/{path}", body, status=status)
        assert ("error" in told and "success" not in told) if status != 200 else told["success"] is True
        return told

    return made
