"""Bars over HTTP against the tables that were stored, cut and counted by pandas."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from quantflux.data.schema import DAILY, MINUTE, Dataset
from quantflux.data.sessions import instants
from quantflux.platform import Platform
from tests.api.conftest import AsRole

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTES_OF = "600001.SH"


@pytest.fixture(scope="module")
def client(as_role: AsRole) -> TestClient:
    return as_role("viewer")


@pytest.fixture(scope="module")
def daily(market_tables: dict[Dataset, pa.Table]) -> pd.DataFrame:
    frame = market_tables[DAILY].to_pandas()
    frame["trade_date"] = frame["trade_date"].astype(str)
    return frame.sort_values(["symbol", "trade_date"], ignore_index=True)


@pytest.fixture(scope="module")
def symbol(daily: pd.DataFrame) -> str:
    return str(daily["symbol"].iloc[0])


@pytest.fixture(scope="module")
def minutes(platform: Platform) -> pd.DataFrame:
    """Two whole days of 2024 and one of the summer of 1991, in which Shanghai was an hour ahead."""
    days = [date(1991, 4, 15), date(2024, 3, 4), date(2024, 3, 5)]
    stamps = instants(np.array([(d - date(1970, 1, 1)).days for d in days], dtype=np.int32)).reshape(-1)
    close = np.arange(len(stamps)) + 1.0
    table = pa.table(
        {
            "symbol": pa.array([MINUTES_OF] * len(stamps)),
            "bar_time": pa.array(stamps).view(MINUTE.kind.arrow),
            **dict.fromkeys(("open", "high", "low", "close"), pa.array(close)),
            "volume": pa.array(np.arange(len(stamps)), pa.int64()),
            "amount": pa.array(close),
        }
    )
    platform.data.write(MINUTE, table)
    return table.to_pandas()


def columns(client: TestClient, path: str, **query: object) -> dict[str, list[object]]:
    response = client.get(f"/api/v2{path}", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, list[object]] = response.json()["columns"]
    return found


def nulled(frame: pd.DataFrame) -> dict[str, list[object]]:
    return {name: [None if v != v else v for v in frame[name].tolist()] for name in frame.columns}


def test_nobody_reads_without_logging_in(anonymous: TestClient, symbol: str) -> None:
    for path in (f"/bars/{symbol}", f"/bars?symbols={symbol}", "/cross-sections/2024-03-04"):
        assert anonymous.get(f"/api/v2{path}").status_code == 401


def test_who_may_not_read_markets_is_refused(as_role: AsRole, symbol: str) -> None:
    assert as_role("auditor").get(f"/api/v2/bars/{symbol}").status_code == 403


def test_bars_of_a_symbol_are_the_stored_rows(client: TestClient, daily: pd.DataFrame, symbol: str) -> None:
    found = columns(client, f"/bars/{symbol}", start="2024-02-01", end="2024-03-29")

    inside = (daily["symbol"] == symbol) & daily["trade_date"].between("2024-02-01", "2024-03-29")
    assert found == nulled(daily[inside].drop(columns="symbol"))


def test_every_spelling_of_a_symbol_has_the_same_answer_and_tag(client: TestClient, symbol: str) -> None:
    code, market = symbol.split(".")
    answers = [client.get(f"/api/v2/bars/{text}") for text in (symbol, code, f"{market.lower()}{code}")]

    assert len({a.content for a in answers}) == len({a.headers["etag"] for a in answers}) == 1


def test_forward_adjusted_prices_are_price_by_factor_over_the_last_factor(
    client: TestClient, daily: pd.DataFrame
) -> None:
    spread = daily.groupby("symbol")["adj_factor"].nunique()
    changed = str(spread.idxmax())
    rows = daily[daily["symbol"] == changed]

    found = columns(client, f"/bars/{changed}", fields="close,volume", adjust="forward")

    expected = rows["close"] * rows["adj_factor"] / rows["adj_factor"].iloc[-1]
    assert spread.max() > 1
    np.testing.assert_allclose(np.array(found["close"], dtype=float), expected, rtol=1e-12)
    assert found["volume"] == rows["volume"].tolist()


def test_weeks_are_what_pandas_folds(client: TestClient, daily: pd.DataFrame, symbol: str) -> None:
    found = columns(client, f"/bars/{symbol}", frequency="1w", end="2024-03-29")

    rows = daily[(daily["symbol"] == symbol) & (daily["trade_date"] <= "2024-03-29")].copy()
    week = pd.to_datetime(rows["trade_date"]).dt.to_period("W-SUN")
    folded = rows.groupby(week).agg({"trade_date": "last", "high": "max", "close": "last", "volume": "sum"})
    assert {name: found[name] for name in folded} == nulled(folded)


@pytest.mark.parametrize("form", ["csv", "arrow", "rows"])
def test_other_forms_hold_the_same_rows(
    client: TestClient, daily: pd.DataFrame, symbol: str, form: str
) -> None:
    response = client.get(f"/api/v2/bars/{symbol}", params={"format": form, "fields": "close,amount"})

    if form == "csv":
        frame = pd.read_csv(io.BytesIO(response.content))
    elif form == "arrow":
        frame = pa.ipc.open_stream(response.content).read_all().to_pandas()
        frame["trade_date"] = frame["trade_date"].astype(str)
    else:
        frame = pd.DataFrame(response.json()["data"]).assign(symbol=symbol)
    expected = daily[daily["symbol"] == symbol][list(frame.columns)].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)


def test_many_symbols_page_by_page_are_all_rows(client: TestClient, daily: pd.DataFrame) -> None:
    wanted = sorted(daily["symbol"].unique())[:5]
    path, rows = f"/api/v2/bars?symbols={','.join(reversed(wanted))}&fields=close&limit=97&format=rows", []
    while path:
        response = client.get(path)
        rows += response.json()["data"]
        path = response.links.get("next", {}).get("url", "")

    expected = daily[daily["symbol"].isin(wanted)][["symbol", "trade_date", "close"]]
    assert rows == expected.to_dict("records")


def test_one_symbol_page_by_page_never_repeats_its_name(client: TestClient, symbol: str) -> None:
    first = client.get(f"/api/v2/bars/{symbol}", params={"limit": 7}).json()
    second = client.get(f"/api/v2/bars/{symbol}", params={"limit": 7, "after": first["next"]}).json()

    assert first["rows"] == second["rows"] == 7
    assert "symbol" not in second["columns"] and second["symbol"] == symbol
    assert first["columns"]["trade_date"][-1] < second["columns"]["trade_date"][0]


def test_a_cross_section_is_the_day(client: TestClient, daily: pd.DataFrame) -> None:
    found = columns(client, "/cross-sections/2024-03-04", fields="close")

    expected = daily[daily["trade_date"] == "2024-03-04"][["symbol", "trade_date", "close"]]
    assert found == nulled(expected)
    assert columns(client, "/cross-sections/2024-03-03")["close"] == []  # a Sunday


def test_a_write_is_in_the_next_answer(client: TestClient, platform: Platform, daily: pd.DataFrame) -> None:
    last = str(sorted(daily["symbol"].unique())[-1])
    before = client.get(f"/api/v2/bars/{last}", params={"fields": "close"})
    row = platform.data.get_stock_data(last).to_arrow().slice(0, 1)
    changed = row.set_column(5, "close", row["high"]).set_column(4, "low", row["low"])

    platform.data.write(DAILY, changed)
    after = client.get(
        f"/api/v2/bars/{last}", params={"fields": "close"}, headers={"If-None-Match": before.headers["etag"]}
    )

    assert after.status_code == 200
    assert after.json()["version"] == before.json()["version"] + 1
    platform.data.write(DAILY, row)


def test_naive_instants_are_shanghai_time(client: TestClient, minutes: pd.DataFrame) -> None:
    path = f"/bars/{MINUTES_OF}"
    spans = [
        {"start": "2024-03-04T09:31", "end": "2024-03-04T09:33"},
        {"start": "2024-03-04T01:31:00Z", "end": "2024-03-04T01:33:00Z"},
        {"start": "2024-03-04T10:31:00+09:00", "end": "2024-03-04 09:33"},
    ]

    found = [columns(client, path, frequency="1min", **span)["bar_time"] for span in spans]

    assert found == [[f"2024-03-04T09:{m}:00+08:00" for m in (31, 32, 33)]] * 3


def test_a_plus_sign_that_was_not_encoded_is_understood(client: TestClient, minutes: pd.DataFrame) -> None:
    response = client.get(
        f"/api/v2/bars/{MINUTES_OF}?frequency=1min&start=2024-03-04T10:31:00+09:00&end=2024-03-04T09:31"
    )

    assert response.json()["columns"]["bar_time"] == ["2024-03-04T09:31:00+08:00"]


def test_minutes_of_the_summer_of_1991_are_nine_hours_ahead(
    client: TestClient, minutes: pd.DataFrame
) -> None:
    found = columns(
        client, f"/bars/{MINUTES_OF}", frequency="60min", start="1991-04-15", end="1991-04-15T11:30"
    )

    assert found["bar_time"] == ["1991-04-15T10:30:00+09:00", "1991-04-15T11:30:00+09:00"]
    moments = [datetime.fromisoformat(str(text)).astimezone(SHANGHAI).hour for text in found["bar_time"]]
    assert moments == [10, 11]


@pytest.mark.parametrize("text", ["1991-09-15T01:30", "1991-04-14T02:30"])
def test_instants_that_stand_twice_or_never_on_the_clock_are_bounds_like_others(
    client: TestClient, minutes: pd.DataFrame, text: str
) -> None:
    assert client.get(f"/api/v2/bars/{MINUTES_OF}?frequency=1min&end={text}").status_code == 200


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("start=2024-03-05&end=2024-03-04", "start must not be after end"),
        ("start=1800-01-01", "1900-01-01 .. 2200-12-31"),
        ("end=9999-12-31", "1900-01-01 .. 2200-12-31"),
        ("start=0001-01-01T00:00:00%2B08:00", "1900-01-01 .. 2200-12-31"),
        ("start=yesterday", "ISO 8601"),
        ("limit=100001", "100000"),
        ("limit=0", "greater than or equal to 1"),
        ("limit=1000000000", "100000"),
        ("frequency=2min", "1min, 5min"),
        ("adjust=sideways", "none, forward, backward"),
        ("fields=close,profit", "it has: open"),
        ("fields=,", "names separated by commas"),
        ("format=xml", "columns, rows, csv, arrow"),
        ("as_of=2024-01-02", "or an instant"),
        ("as_of=tomorrow", "ISO 8601"),
        ("as_of=999999", "version"),
        ("anchor=1700-01-01&adjust=forward", "1900-01-01"),
        ("after=600519.SH", "600519.SH@244"),
        ("page=2", "No query parameter is called 'page'"),
        ("start=2024-01-02&start=2024-01-03", "more than once"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    client: TestClient, symbol: str, query: str, told: str
) -> None:
    response = client.get(f"/api/v2/bars/{symbol}?{query}")

    assert response.status_code == 422
    assert told in response.json()["detail"]


def test_the_caps_are_stated(client: TestClient) -> None:
    many = ",".join(f"{600000 + i}.SH" for i in range(501))

    refused = client.get(f"/api/v2/bars?symbols={many}")

    assert refused.status_code == 422 and "501 symbols were named, one request may name 500" in refused.text
    assert client.get(f"/api/v2/bars?symbols={many}0000,{many}{many}{many}").status_code == 422
    assert "1 to 500 symbols" in client.get("/api/v2/bars").json()["detail"]


def test_unknown_symbols_are_named_with_similar_ones(client: TestClient, symbol: str) -> None:
    response = client.get("/api/v2/bars/600999.SH")

    assert response.status_code == 404
    assert response.json()["code"] == "unknown_symbol" and response.json()["symbols"] == ["600999.SH"]
    assert client.get(f"/api/v2/bars?symbols={symbol},600999.SH").status_code == 404


def test_as_of_shows_the_rows_of_that_version(
    client: TestClient, platform: Platform, daily: pd.DataFrame
) -> None:
    symbol = str(daily["symbol"].iloc[-1])
    version = platform.data.version(DAILY)
    row = platform.data.get_stock_data(symbol).to_arrow().slice(0, 1)
    platform.data.write(DAILY, row.set_column(2, "open", row["low"]))

    then = columns(client, f"/bars/{symbol}", as_of=version)["open"][0]
    now = columns(client, f"/bars/{symbol}")["open"][0]
    platform.data.write(DAILY, row)

    assert (then, now) == (row["open"][0].as_py(), row["low"][0].as_py())


def evil_symbols() -> list[str]:
    """Two hundred spellings that no exchange gave."""
    roots = [
        "..",
        "../..",
        "....//",
        "..\\..",
        "/etc/passwd",
        "%2e%2e",
        "%252e%252e",
        "a/../../b",
        "~root",
        "C:\\",
    ]
    marks = [
        "\n",
        "\r\n",
        "\t",
        "\u2025",
        "\uff0f",
        "\u202e",
        "\u00a0",
        "\u2028",
        "\x7f",
        "'",
        '"',
        ";",
        "|",
    ]
    marks += [
        "`",
        "$(id)",
        "${IFS}",
        "<script>",
        "{{7*7}}",
        "%s",
        "%n",
        "*",
        "?",
        "#",
        "\\",
        "\ud7ff",
        "\U0001f4a3",
    ]
    numbers = [
        "\uff16\uff10\uff10\uff15\uff11\uff19",
        "\u0666\u0660\u0660\u0665\u0661\u0669",
        "6e5",
        "0x258",
        "-1",
    ]
    numbers += ["600519.0", "1" * 300, "600519" * 50, "NaN", "inf", "null", "None", "undefined", "600519.XX"]
    numbers += [
        "600519.SH.SZ",
        "60051.SH",
        "6005190.SH",
        "600519.",
        ".SH",
        "SH",
        "SH.",
        "600519_SH",
        "600519,SH",
    ]
    made = [*roots, *(r + "/600519.SH" for r in roots), *("600519.SH/" + r for r in roots), *numbers]
    made += [f"600519.SH{mark}" for mark in marks] + [f"{mark}600519.SH" for mark in marks]
    made += [f"6005{mark}19.SH" for mark in marks] + [f"600519{mark}.SH" for mark in marks]
    made += [f"{n}{m}" for n in numbers[:8] for m in marks[:9]]
    return made


def test_there_are_two_hundred_evil_spellings() -> None:
    assert len(set(evil_symbols())) >= 200


@pytest.mark.parametrize("where", ["path", "query"])
def test_evil_spellings_are_refused_and_touch_nothing(
    client: TestClient, platform: Platform, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.parse import quote

    def explodes(*_: object, **__: object) -> None:
        raise AssertionError("the store was asked")

    before = sorted(Path(platform.settings.data_dir).rglob("*"))
    monkeypatch.setattr(platform.data, "get_stock_data", explodes)
    monkeypatch.setattr(platform.data, "get_many", explodes)
    answers: dict[str, int] = {}
    for text in evil_symbols():
        part = quote(text, safe="")
        path = f"/api/v2/bars/{part}" if where == "path" else f"/api/v2/bars?symbols={part}"
        answers[text] = client.get(path).status_code

    assert {text: code for text, code in answers.items() if code not in (404, 422)} == {}
    assert sorted(Path(platform.settings.data_dir).rglob("*")) == before


def test_every_route_of_market_data_has_an_example(api: FastAPI) -> None:
    document = api.openapi()
    ours = (
        "bars",
        "cross-sections",
        "panels",
        "aggregates",
        "calendar",
        "instruments",
        "datasets",
        "exports",
        "data",
    )
    lacking = []
    for path, methods in document["paths"].items():
        if not path.startswith(tuple(f"/api/v2/{name}" for name in ours)):
            continue
        for method, operation in methods.items():
            good = next(r for code, r in operation["responses"].items() if code in ("200", "201"))
            for content in good["content"].values():
                named = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
                schema = document["components"]["schemas"].get(named, {})
                if "example" in content or "examples" in schema:
                    break
            else:
                lacking.append(f"{method} {path}")

    assert lacking == []


@pytest.mark.parametrize("path", ["/bars", "/datasets/stock_daily_basic/rows", "/exports/bars"])
def test_an_unknown_symbol_is_told_on_every_page(as_role: AsRole, symbol: str, path: str) -> None:
    asked = {"symbols": f"{symbol},999999.SH"} | (
        {"adjust": "forward"} if "exports" in path else {"limit": 5}
    )

    response = as_role("researcher").get(f"/api/v2{path}", params=asked)

    assert response.status_code == 404 and response.json()["symbols"] == ["999999.SH"]
