"""Rows as JSON, CSV and Arrow, read back by pandas and pyarrow."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.api.answers import Form, encode, form_of, iso_day, iso_instants, stream
from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.data.bars import Bars, Provenance
from quantflux.data.schema import DAILY, MINUTE

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]")
SHANGHAI = ZoneInfo("Asia/Shanghai")
MISSING = [np.nan, np.inf, -np.inf]


def bars(codes: np.ndarray | None = None) -> Bars:
    columns = {"close": np.array([9.2, np.nan, 0.1 + 0.2]), "volume": np.array([1, 2, 2**53])}
    stamps = DAYS.astype(np.int32)
    return Bars(DAILY, ("000001.SZ", "600519.SH"), codes, stamps, columns, Provenance(DAILY.name, 3, "panel"))


def minute_bars() -> Bars:
    first = pd.Timestamp("2024-01-02 09:31", tz="Asia/Shanghai")
    stamps = np.array([(first + pd.Timedelta(minutes=i)).value // 1000 for i in range(3)])
    return Bars(
        MINUTE, ("600519.SH",), None, stamps, {"close": np.arange(3.0)}, Provenance(MINUTE.name, 1, "store")
    )


def panel() -> Panel:
    values = np.array([[1.5, np.nan], [np.nan, np.nan], [3.0, 1e-9]])
    return Panel(DAYS, ["000001.SZ", "600519.SH"], {"close": values})


def test_columns_hold_every_value_with_all_its_digits_and_null_for_nan() -> None:
    body = json.loads(encode(Form.COLUMNS, bars(), {"symbol": "000001.SZ", "version": 3}))

    assert body == {
        "symbol": "000001.SZ",
        "version": 3,
        "rows": 3,
        "columns": {
            "trade_date": ["2024-01-02", "2024-01-03", "2024-01-04"],
            "close": [9.2, None, 0.30000000000000004],
            "volume": [1, 2, 2**53],
        },
    }


def test_rows_and_columns_say_the_same_of_many_symbols() -> None:
    many = bars(np.array([0, 0, 1]))

    columns = json.loads(encode(Form.COLUMNS, many))["columns"]
    rows = json.loads(encode(Form.ROWS, many))["data"]

    assert columns["symbol"] == ["000001.SZ", "000001.SZ", "600519.SH"]
    assert rows == [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("form", list(Form))
def test_no_form_ever_writes_nan_or_infinity(form: Form) -> None:
    table = pa.table({"day": pa.array(DAYS), "value": MISSING, "whole": [1, 2, 3]})

    body = encode(form, table)

    if form.is_json:
        assert json.loads(body, parse_constant=pytest.fail)
    if form is Form.CSV:
        assert pd.read_csv(io.BytesIO(body), keep_default_na=False)["value"].tolist() == ["", "", ""]
    if form is Form.ARROW:
        assert pa.ipc.open_stream(body).read_all()["value"].null_count == 3


def test_csv_read_by_pandas_is_the_bars() -> None:
    read = pd.read_csv(
        io.BytesIO(encode(Form.CSV, bars(np.array([0, 0, 1])))),
        parse_dates=["trade_date"],
    )

    expected = bars(np.array([0, 0, 1])).to_pandas()
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)


def test_arrow_read_by_pyarrow_is_the_table_with_its_types_and_facts() -> None:
    read = pa.ipc.open_stream(encode(Form.ARROW, bars(), {"version": 3})).read_all()

    assert json.loads(read.schema.metadata[b"quantflux"]) == {"version": 3}
    stored = bars().to_arrow()
    assert read.equals(stored.cast(pa.schema([field.with_nullable(True) for field in stored.schema])))


def test_instants_carry_the_offset_of_shanghai() -> None:
    body = json.loads(encode(Form.COLUMNS, minute_bars()))

    assert body["columns"]["bar_time"][0] == "2024-01-02T09:31:00+08:00"
    csv = pd.read_csv(io.BytesIO(encode(Form.CSV, minute_bars())))
    assert csv["bar_time"].tolist() == body["columns"]["bar_time"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2_200_000_000_000_000), min_size=1, max_size=5))
def test_instants_read_back_as_they_were_and_as_zoneinfo_writes_them(stamps: list[int]) -> None:
    texts = iso_instants(np.array(stamps))

    moments = [datetime.fromtimestamp(s // 10**6, UTC).replace(microsecond=s % 10**6) for s in stamps]
    assert texts == [moment.astimezone(SHANGHAI).isoformat() for moment in moments]


@settings(deadline=None)
@given(st.integers(0, 2_200_000_000 // 60))
def test_whole_minutes_are_written_as_zoneinfo_writes_them(minute: int) -> None:
    expected = datetime.fromtimestamp(minute * 60, UTC).astimezone(SHANGHAI).isoformat()

    assert iso_instants(np.array([minute * 60_000_000])) == [expected]


def test_summer_time_of_1991_is_nine_hours_ahead() -> None:
    opening = datetime(1991, 4, 15, 0, 30, tzinfo=UTC)  # 09:30 in Shanghai

    assert iso_instants(np.array([int(opening.timestamp()) * 10**6])) == ["1991-04-15T09:30:00+09:00"]


@pytest.mark.parametrize("day", ["1900-01-01", "1970-01-01", "1990-12-19", "2200-12-31"])
def test_days_are_iso(day: str) -> None:
    assert iso_day(int(np.datetime64(day).astype(int))) == day


def test_panel_is_a_matrix_in_columns_and_long_elsewhere() -> None:
    body = json.loads(encode(Form.COLUMNS, panel()))

    assert body == {
        "times": ["2024-01-02", "2024-01-03", "2024-01-04"],
        "symbols": ["000001.SZ", "600519.SH"],
        "fields": {"close": [[1.5, None], [None, None], [3.0, 1e-9]]},
    }
    assert [row["close"] for row in json.loads(encode(Form.ROWS, panel()))["data"]] == [1.5, 3.0, 1e-9]
    assert pa.ipc.open_stream(encode(Form.ARROW, panel())).read_all().equals(panel().to_arrow())


def test_panel_that_is_a_view_of_some_columns_is_written_too() -> None:
    values = np.arange(12.0).reshape(3, 4)[:, ::2]

    body = json.loads(encode(Form.COLUMNS, Panel(DAYS, ["A", "B"], {"close": values})))

    assert body["fields"]["close"] == [[0, 2], [4, 6], [8, 10]]


def test_panel_of_minutes_says_when() -> None:
    times = np.array(["2024-01-02T09:31"], dtype="datetime64[s]")

    body = json.loads(encode(Form.COLUMNS, Panel(times, ["A"], {"close": np.array([[1.0]])})))

    assert body["times"] == ["2024-01-02T09:31:00+08:00"]


def test_nulls_of_every_type_stay_nulls() -> None:
    table = pa.table(
        {
            "text": pa.array(["a", None]),
            "whole": pa.array([1, None]),
            "flag": pa.array([True, None]),
            "day": pa.array([None, DAYS[0].item()], pa.date32()),
            "at": pa.array([None, 0], pa.timestamp("us", tz="Asia/Shanghai")),
        }
    )

    body = json.loads(encode(Form.COLUMNS, table))

    assert body["columns"] == {
        "text": ["a", None],
        "whole": [1, None],
        "flag": [True, None],
        "day": [None, "2024-01-02"],
        "at": [None, "1970-01-01T08:00:00+08:00"],
    }
    assert encode(Form.CSV, table).splitlines()[2] == b',,,2024-01-02,"1970-01-01T08:00:00+08:00"'


def test_no_rows_is_an_answer_in_every_form() -> None:
    empty = bars().to_arrow().slice(0, 0)

    assert json.loads(encode(Form.COLUMNS, empty))["columns"]["close"] == []
    assert json.loads(encode(Form.ROWS, empty))["data"] == []
    assert encode(Form.CSV, empty) == b"symbol,trade_date,close,volume\n"
    assert pa.ipc.open_stream(encode(Form.ARROW, empty)).read_all().num_rows == 0


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_texts_that_a_spreadsheet_would_run_are_disarmed_in_csv_alone(text: str) -> None:
    table = pa.table({"name": [text, "平安银行"], "value": [-1.0, -2.0]})

    read = pd.read_csv(io.BytesIO(encode(Form.CSV, table)))

    assert read["name"].tolist() == ["'" + text, "平安银行"]
    assert read["value"].tolist() == [-1.0, -2.0]
    assert json.loads(encode(Form.COLUMNS, table))["columns"]["name"][0] == text


def test_csv_quotes_what_would_break_its_cells() -> None:
    table = pa.table({"name": ['a,"b"\nc']})

    assert pd.read_csv(io.BytesIO(encode(Form.CSV, table)))["name"].tolist() == ['a,"b"\nc']


def test_stream_gives_a_piece_for_each_batch_and_together_the_whole() -> None:
    table = pa.table({"value": np.arange(10.0)})
    batches = table.to_batches(max_chunksize=3)

    for form in (Form.CSV, Form.ARROW):
        pieces = list(stream(form, table.schema, batches))

        assert len(pieces) == len(batches) + 1
        whole = b"".join(pieces)
        read = pa.ipc.open_stream(whole).read_all() if form is Form.ARROW else pd.read_csv(io.BytesIO(whole))
        assert read["value"].to_numpy().tolist() == list(range(10))


def test_stream_of_json_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="format=csv or format=arrow"):
        list(stream(Form.ROWS, pa.schema([]), []))


@pytest.mark.parametrize(
    ("wanted", "accept", "form"),
    [
        (None, None, Form.COLUMNS),
        (None, "*/*", Form.COLUMNS),
        (None, "text/csv", Form.CSV),
        (None, "application/vnd.apache.arrow.stream, application/json;q=0.5", Form.ARROW),
        (None, "application/json;q=0.5, text/csv;q=0.8", Form.CSV),
        (None, "text/csv;q=0, application/json;q=0.1", Form.COLUMNS),
        (None, "image/png", Form.COLUMNS),
        (None, "text/csv;q=rubbish", Form.COLUMNS),
        ("rows", "text/csv", Form.ROWS),
    ],
)
def test_form_is_chosen_by_parameter_then_by_accept(
    wanted: str | None, accept: str | None, form: Form
) -> None:
    assert form_of(wanted, accept) is form


def test_unknown_form_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match="columns, rows, csv, arrow"):
        form_of("xml")


def test_arrow_pages_of_one_request_have_one_schema_whatever_is_null() -> None:
    whole = Bars(
        DAILY,
        ("000001.SZ",),
        None,
        DAYS.astype(np.int32),
        {"close": np.array([1.0, 2.0, 3.0])},
        Provenance(DAILY.name, 3, "panel"),
    )
    schemas = [pa.ipc.open_stream(encode(Form.ARROW, rows)).schema for rows in (whole, bars().part(0, 3))]

    assert schemas[0].field("close") == schemas[1].field("close") == pa.field("close", pa.float64())
    assert all(field.nullable for field in schemas[0])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "＝1+1", "＋1", "－1", "＠A1"])
def test_texts_that_a_spreadsheet_would_compute_are_disarmed(text: str) -> None:
    body = encode(Form.CSV, pa.table({"name": [text, "plain"]})).decode()

    assert pd.read_csv(io.StringIO(body))["name"].tolist() == [f"'{text}", "plain"]
