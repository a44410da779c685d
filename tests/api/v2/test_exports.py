"""Large answers: who may have them, what is in them, what the audit log says, and how little memory they take."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from quantflux.api.answers import Form
from quantflux.api.v2.exports import Export, _stored
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, Dataset
from quantflux.platform import Platform
from tests.api.conftest import AsRole, settings_in
from tests.data.market_tables import daily_bars

API = "/api/v2/exports"


@pytest.fixture(scope="module")
def client(as_role: AsRole) -> TestClient:
    return as_role("researcher")


@pytest.fixture(scope="module")
def daily(market_tables: dict[Dataset, pa.Table]) -> pd.DataFrame:
    frame = market_tables[DAILY].to_pandas()
    frame["trade_date"] = frame["trade_date"].astype(str)
    return frame.sort_values(["symbol", "trade_date"], ignore_index=True)


def test_who_may_only_read_pages_is_refused(as_role: AsRole, anonymous: TestClient) -> None:
    assert as_role("viewer").get(f"{API}/bars").status_code == 403
    assert as_role("trader").get(f"{API}/datasets/{DAILY.name}").status_code == 403
    assert anonymous.get(f"{API}/bars").status_code == 401


@pytest.mark.parametrize("path", [f"{API}/bars", f"{API}/datasets/{DAILY.name}"])
def test_an_export_is_every_row(client: TestClient, daily: pd.DataFrame, path: str) -> None:
    csv = pd.read_csv(io.BytesIO(client.get(path).content))
    arrow = pa.ipc.open_stream(client.get(f"{path}?format=arrow").content).read_all().to_pandas()

    for frame in (csv, arrow.astype({"trade_date": str})):
        ordered = frame.sort_values(["symbol", "trade_date"], ignore_index=True)[list(daily.columns)]
        pd.testing.assert_frame_equal(ordered, daily, check_dtype=False)


def test_adjusted_prices_are_exported_symbol_by_symbol(client: TestClient, daily: pd.DataFrame) -> None:
    body = client.get(f"{API}/bars?adjust=backward&fields=close&start=2024-03-01").content

    frame = pd.read_csv(io.BytesIO(body))
    rows = daily[daily["trade_date"] >= "2024-03-01"].reset_index(drop=True)
    assert frame["symbol"].tolist() == rows["symbol"].tolist()
    np.testing.assert_allclose(frame["close"], rows["close"] * rows["adj_factor"], rtol=1e-12)


def test_an_export_is_a_file_with_a_name(client: TestClient) -> None:
    headers = client.get(f"{API}/datasets/instruments?format=arrow").headers

    assert headers["content-disposition"] == 'attachment; filename="instruments.arrows"'
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/bars?format=columns", 422, "format=csv or format=arrow"),
        ("/bars?symbols=600999.SH", 404, "600999.SH"),
        ("/bars?symbols=600999.SH&adjust=forward", 404, "600999.SH"),
        ("/bars?start=2024-02-02&end=2024-02-01", 422, "start must not be after end"),
        ("/datasets/..%2f..%2fquantflux.db", 404, ""),
        ("/datasets/quantflux.db", 404, "No dataset is called"),
        ("/datasets/instruments?fields=secret", 422, "no column 'secret'"),
    ],
)
def test_what_is_wrong_is_said_before_the_stream_begins(
    client: TestClient, path: str, status: int, told: str
) -> None:
    response = client.get(f"{API}{path}")

    assert response.status_code == status and told in response.text


def test_an_export_is_audited_with_what_was_taken(client: TestClient, platform: Platform) -> None:
    body = client.get(f"{API}/bars?fields=close&end=2024-01-31").content
    platform.audit.flush()

    event = platform.audit.entries(action="data.export", limit=1000)[-1].event

    assert (event.outcome, event.actor, event.target) == ("done", "some-researcher", DAILY.name)
    assert event.details["rows"] == len(body.splitlines()) - 1
    assert event.details["bytes"] == len(body)


def test_an_export_that_breaks_off_is_audited_as_failed(
    client: TestClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = platform.store.iter_batches

    def broken(query: Query, rows: int) -> Iterator[pa.RecordBatch]:
        yield next(iter(batches(query, 10)))
        raise OSError("the disk is gone")

    monkeypatch.setattr(platform.store, "iter_batches", broken)
    with pytest.raises(OSError, match="gone"):
        client.get(f"{API}/bars")
    platform.audit.flush()

    event = platform.audit.entries(action="data.export", limit=1000)[-1].event
    assert event.outcome == "failed" and event.details["rows"] == 10


def resident() -> int:
    """Bytes of this process that no file backs."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("form", [Form.CSV, Form.ARROW])
def test_memory_stays_flat_however_much_is_exported(tmp_path: Path, form: Form) -> None:
    """Five thousand symbols over three years, 3.7 million rows: 170 MB of Arrow and more of CSV."""
    symbols = [f"{600000 + i:06d}.SH" for i in range(5000)]
    with Platform.open(settings_in(tmp_path)) as platform:
        for year in (2021, 2022, 2023):
            platform.data.write(DAILY, daily_bars(symbols, date(year, 1, 4), 245))
        query = Query(DAILY)
        export = Export(DAILY.name, query.schema, _stored(platform, query))
        pieces = export.pieces(form)
        for _ in range(20):
            next(pieces)
        early = highest = resident()
        for _ in pieces:
            highest = max(highest, resident())

    assert export.rows == 3 * 245 * 5000 and export.size > 170_000_000
    assert highest - early < 60_000_000
