"""Panels, aggregates, the calendar, instruments and datasets over HTTP, against pandas and the calendar itself."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from quantflux.core.calendar import TradingCalendar
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, DAILY_BASIC, INSTRUMENTS, Dataset, datasets
from tests.api.conftest import AsRole

API = "/api/v2"


@pytest.fixture(scope="module")
def client(as_role: AsRole) -> TestClient:
    return as_role("viewer")


@pytest.fixture(scope="module")
def daily(market_tables: dict[Dataset, pa.Table]) -> pd.DataFrame:
    frame = market_tables[DAILY].to_pandas()
    frame["trade_date"] = frame["trade_date"].astype(str)
    return frame.sort_values(["symbol", "trade_date"], ignore_index=True)


def got(client: TestClient, path: str, **query: object) -> dict[str, Any]:
    response = client.get(f"{API}{path}", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_panel_is_what_pandas_pivots(client: TestClient, daily: pd.DataFrame) -> None:
    found = got(client, "/panels", fields="close,amount", start="2024-02-01", end="2024-03-29")

    inside = daily[daily["trade_date"].between("2024-02-01", "2024-03-29")]
    for field in ("close", "amount"):
        pivot = inside.pivot_table(index="trade_date", columns="symbol", values=field)
        assert found["times"] == pivot.index.tolist() and found["symbols"] == pivot.columns.tolist()
        np.testing.assert_array_equal(np.array(found["fields"][field], dtype=float), pivot.to_numpy())


def test_a_panel_in_arrow_is_the_long_table(client: TestClient, daily: pd.DataFrame) -> None:
    body = client.get(f"{API}/panels?fields=close", headers={"Accept": "application/vnd.apache.arrow.stream"})

    table = pa.ipc.open_stream(body.content).read_all()
    assert table["close"].to_pylist() == daily["close"].tolist()


def test_a_panel_of_another_dataset(client: TestClient, market_tables: dict[Dataset, pa.Table]) -> None:
    found = got(
        client, "/panels", dataset=DAILY_BASIC.name, fields="pb", start="2024-03-04", end="2024-03-04"
    )

    rows = market_tables[DAILY_BASIC].to_pandas().astype({"trade_date": str})
    expected = rows[rows["trade_date"] == "2024-03-04"].sort_values("symbol")["pb"]
    assert found["fields"]["pb"][0] == [None if np.isnan(v) else v for v in expected]


def test_a_panel_that_is_too_large_is_refused_before_it_is_read(client: TestClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("quantflux.api.v2.panels.MAX_CELLS", 100)

    response = client.get(f"{API}/panels?fields=close,open")

    assert response.status_code == 422
    assert "8 symbols x 2 fields are more than the 100 values" in response.json()["detail"]


def test_aggregates_are_what_pandas_groups(client: TestClient, daily: pd.DataFrame) -> None:
    functions = ("first", "last", "min", "max", "sum", "mean", "count", "std")
    measures = [{"name": f, "column": "close", "function": f} for f in functions]

    body = client.post(f"{API}/aggregates", json={"period": "month", "measures": measures}).json()["columns"]

    month = daily["trade_date"].str[:7] + "-01"
    grouped = daily.groupby(["symbol", month])["close"].agg(list(functions)).reset_index()
    assert body["symbol"] == grouped["symbol"].tolist()
    assert body["period_start"] == grouped["trade_date"].tolist()
    for name in functions:
        np.testing.assert_allclose(np.array(body[name], dtype=float), grouped[name], rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"period": "decade"}, "'day', 'week', 'month' or 'year'"),
        ({"measures": []}, "at least 1 item"),
        ({"measures": [{"name": "a", "column": "profit", "function": "sum"}]}, "profit"),
        ({"measures": [{"name": "a b;", "column": "close", "function": "sum"}]}, "pattern"),
        ({"measures": [{"name": "symbol", "column": "close", "function": "sum"}]}, "a name of its own"),
        ({"measures": [{"name": "a", "column": "close", "function": "sum"}] * 2}, "a name of its own"),
        ({"dataset": "../stock"}, "No dataset is called"),
        ({"symbols": ["600519.SH"] * 501}, "at most 500 items"),
        ({"symbols": ["../x"]}, "is not a symbol"),
        ({"start": "2024-03-01", "end": "2024-02-01"}, "start must not be after end"),
        ({"extra": 1}, "Extra inputs are not permitted"),
    ],
)
def test_aggregates_that_make_no_sense_are_refused(
    client: TestClient, change: dict[str, object], told: str
) -> None:
    body = {"period": "month", "measures": [{"name": "a", "column": "close", "function": "sum"}], **change}

    response = client.post(f"{API}/aggregates", json=body)

    assert response.status_code in (404, 422) and told in response.json()["detail"]


def test_minutes_in_great_number_are_not_aggregated(client: TestClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("quantflux.api.v2.aggregates.sessions_between", lambda *_: 8000)
    symbols = [f"{600000 + i}.SH" for i in range(100)]
    body = {"dataset": "stock_minute_data", "symbols": symbols, "period": "day"}

    response = client.post(
        f"{API}/aggregates",
        json=body | {"measures": [{"name": "a", "column": "close", "function": "sum"}]},
    )

    assert response.status_code == 422 and "10,000,000 rows" in response.json()["detail"]


def test_sessions_are_the_calendars(client: TestClient) -> None:
    found = got(client, "/calendar", start="1990-12-01", end="2025-12-31", exchange="SZSE")

    expected = TradingCalendar.for_exchange("SZSE").sessions("1990-12-01", "2025-12-31").astype(str).tolist()
    assert found["sessions"] == expected
    assert found["published_until"] == str(TradingCalendar.for_exchange("SZSE").published_until)


def test_a_day_knows_its_neighbours(client: TestClient) -> None:
    found = got(client, "/calendar/2024-02-09")  # the eve of the year of the dragon

    assert (found["is_session"], found["previous"], found["next"]) == (False, "2024-02-08", "2024-02-19")
    first = got(client, "/calendar/1990-12-19")
    assert first["is_session"] and first["previous"] is None
    assert got(client, "/calendar/2031-01-02")["provisional"]


def test_minutes_of_a_session_are_240_and_none_on_a_holiday(client: TestClient) -> None:
    closes = got(client, "/calendar/2024-02-08/minutes")["closes"]

    assert len(closes) == 240
    assert [closes[i] for i in (0, 119, 120, 239)] == [
        f"2024-02-08T{t}:00+08:00" for t in ("09:31", "11:30", "13:01", "15:00")
    ]
    assert got(client, "/calendar/2024-02-09/minutes")["closes"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/calendar?exchange=NYSE", 422),
        ("/calendar?start=1900-01-01&end=2200-12-31", 422),
        ("/calendar?start=2024-02-02&end=2024-02-01", 422),
        ("/calendar/0001-01-01", 422),
        ("/calendar/9999-12-31", 422),
        ("/calendar/today", 422),
        ("/calendar/2024-02-08/minutes?minutes=7", 422),
        ("/calendar/2024-02-30", 422),
        ("/instruments/600999.SH", 404),
        ("/instruments/..%2f..%2fetc", 404),
        ("/instruments/x", 422),
        ("/instruments?board=moon", 422),
        ("/instruments?limit=1001", 422),
        ("/instruments?offset=-1", 422),
        ("/instruments?text=a&on=2024-01-02", 422),
        ("/instruments?text=", 422),
        ("/datasets/secrets", 404),
        ("/datasets/secrets/rows", 404),
        ("/datasets/stock_daily_basic/rows?fields=x", 422),
        ("/datasets/stock_daily_basic/rows?symbols=600999.SH", 404),
        ("/panels?dataset=instruments", 422),
        ("/panels?dataset=stock_daily_basic&adjust=forward", 422),
        ("/panels?dataset=stock_daily_basic&frequency=1w", 422),
        ("/cross-sections/2024-03-04?dataset=stock_minute_data", 422),
        ("/cross-sections/never", 422),
    ],
)
def test_what_is_not_there_or_makes_no_sense(client: TestClient, path: str, status: int) -> None:
    response = client.get(f"{API}{path}")

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_instruments_page_by_page_are_the_stored_ones(
    client: TestClient, market_tables: dict[Dataset, pa.Table]
) -> None:
    path, symbols = f"{API}/instruments?limit=3", []
    while path:
        response = client.get(path)
        symbols += [item["symbol"] for item in response.json()["items"]]
        path = response.links.get("next", {}).get("url", "")

    rows = market_tables[INSTRUMENTS].to_pandas()
    assert symbols == sorted(rows.sort_values("valid_from").groupby("instrument_id")["symbol"].last())


def test_instruments_are_filtered_by_all_that_is_given(
    client: TestClient, market_tables: dict[Dataset, pa.Table]
) -> None:
    now = market_tables[INSTRUMENTS].to_pandas().sort_values("valid_from").groupby("instrument_id").last()
    industry, board = now["industry"].iloc[0], now["board"].iloc[0]

    found = got(client, "/instruments", industry=industry, board=board, exchange="SSE")["items"]

    wanted = now[(now["industry"] == industry) & (now["board"] == board) & now["symbol"].str.endswith(".SH")]
    assert [item["symbol"] for item in found] == sorted(wanted["symbol"])


def test_instruments_are_found_by_code_and_by_name(
    client: TestClient, market_tables: dict[Dataset, pa.Table]
) -> None:
    row = market_tables[INSTRUMENTS].to_pylist()[0]

    for text in (row["symbol"], row["symbol"][:6], row["name"]):
        assert got(client, "/instruments", text=text)["items"][0]["instrument_id"] == row["instrument_id"]
    history = got(client, f"/instruments/{row['symbol']}")
    assert history["instrument"]["instrument_id"] == row["instrument_id"]
    assert history["history"][0]["valid_from"] == str(row["valid_from"])


def test_instruments_of_a_day_before_the_first_are_none(client: TestClient) -> None:
    assert got(client, "/instruments", on="1991-01-02")["total"] == 0


def test_every_dataset_is_described(client: TestClient) -> None:
    found = got(client, "/datasets")["items"]

    assert [item["name"] for item in found] == list(datasets())
    assert got(client, "/datasets/stock_daily_data")["key"] == ["symbol", "trade_date"]


@pytest.mark.parametrize("dataset", [DAILY_BASIC, CORPORATE_ACTIONS, INSTRUMENTS, DAILY])
def test_rows_of_every_kind_of_dataset_page_by_page_are_all(
    client: TestClient, market_tables: dict[Dataset, pa.Table], dataset: Dataset
) -> None:
    path, parts = f"{API}/datasets/{dataset.name}/rows?limit=101&format=arrow", []
    while path:
        response = client.get(path)
        parts.append(pa.ipc.open_stream(response.content).read_all().replace_schema_metadata())
        path = response.links.get("next", {}).get("url", "")

    whole = (
        market_tables[dataset].select(dataset.schema.names).sort_by([(k, "ascending") for k in dataset.key])
    )
    read = pa.concat_tables(parts, promote_options="permissive").cast(whole.schema)
    pd.testing.assert_frame_equal(read.to_pandas(), whole.to_pandas())


def test_rows_of_one_symbol_name_it_in_every_row(client: TestClient, daily: pd.DataFrame) -> None:
    symbol = str(daily["symbol"].iloc[0])

    found = got(client, f"/datasets/{DAILY.name}/rows", symbols=symbol, limit=3)

    assert found["columns"]["symbol"] == [symbol] * 3 and found["next"] == f"{symbol}@3"


def test_an_empty_dataset_has_no_rows(client: TestClient) -> None:
    assert got(client, "/datasets/predictions/rows")["rows"] == 0
    body = client.get(f"{API}/datasets/predictions/rows?format=csv").content
    assert pd.read_csv(io.BytesIO(body)).columns.tolist() == [
        f.name for f in datasets()["predictions"].schema
    ]
