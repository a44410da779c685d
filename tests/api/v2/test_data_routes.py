"""What is stored and whether it can be trusted, over HTTP."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from quantflux.core.errors import StoreUnavailable
from quantflux.data.quality import EVERY_RULE, FINDING_SCHEMA
from quantflux.data.schema import DAILY, INSTRUMENTS, Dataset, datasets
from quantflux.platform import Platform
from tests.api.conftest import AsRole

API = "/api/v2/data"
HELD = {
    "symbol": "600519.SH",
    "trade_date": "2024-03-04",
    "open": 10.0,
    "high": 9.0,
    "low": 9.5,
    "close": 9.8,
    "volume": 100,
    "amount": 980.0,
    "adj_factor": 1.0,
}


@pytest.fixture(scope="module")
def client(as_role: AsRole) -> TestClient:
    return as_role("viewer")


@pytest.fixture
def findings(platform: Platform) -> list[int]:
    """Three findings of one run, the first a quarantined row that can be let in; its number, and the run's."""
    rows = [
        ("600519.SH", "2024-03-04", "ohlc_order", "quarantine", json.dumps(HELD)),
        ("600519.SH", "2024-03-05", "jump", "flag", None),
        ("000001.SZ", "2024-03-05", "jump", "flag", None),
    ]
    frame = pl.DataFrame(
        [
            {
                "symbol": symbol,
                "day": date.fromisoformat(day),
                "at": day,
                "rule": rule,
                "severity": severity,
                "cell": "",
                "source_row": i,
                "detail": "odd",
                "raw": raw,
            }
            for i, (symbol, day, rule, severity, raw) in enumerate(rows)
        ]
    ).select(pl.col(name).cast(kind) for name, kind in FINDING_SCHEMA.items())
    run = platform.ledger.begin(DAILY.name, "import", "2024.csv", {"rows": 3})
    platform.ledger.record(run, DAILY.name, "2024.csv", frame)
    platform.ledger.finish(run, {"rows_stored": 2})
    found = platform.ledger.findings(DAILY.name, run=run)
    return [found.filter(pl.col("severity") == "quarantine")["finding"].item(), run]


def test_status_tells_versions_spans_and_panels(
    client: TestClient, platform: Platform, market_tables: dict[Dataset, pa.Table]
) -> None:
    client.get(f"/api/v2/bars/{market_tables[DAILY]['symbol'][0].as_py()}")  # builds a panel

    body = client.get(f"{API}/status").json()

    by_name = {d["name"]: d for d in body["datasets"]}
    days = market_tables[DAILY]["trade_date"].to_pylist()
    assert list(by_name) == list(datasets())
    assert by_name[DAILY.name]["first"] == str(min(days)) and by_name[DAILY.name]["last"] == str(max(days))
    assert (
        by_name[DAILY.name]["version"] == by_name[DAILY.name]["panel_version"] == platform.data.version(DAILY)
    )
    assert by_name[INSTRUMENTS.name]["panel_version"] is None and by_name["predictions"]["version"] == 0
    assert body["panels"]["bytes"] > 0
    assert str(platform.settings.data_dir) not in json.dumps(body)


def test_coverage_counts_the_rows(client: TestClient, market_tables: dict[Dataset, pa.Table]) -> None:
    body = client.get(f"{API}/coverage?format=rows").json()["data"]

    stored = [row for row in body if row["symbol"] != HELD["symbol"]]  # another test lets that row in
    found = {name: [row[name] for row in stored] for name in body[0]}
    frame = market_tables[DAILY].to_pandas().groupby("symbol")["trade_date"].agg(["min", "max", "count"])
    assert found["symbol"] == frame.index.tolist() and found["rows"] == frame["count"].tolist()
    assert found["first"] == frame["min"].astype(str).tolist()


def test_data_routes_need_their_own_permission(anonymous: TestClient, as_role: AsRole) -> None:
    paths = ("status", "coverage", "quality/runs", "quality/rules", "quality/counts", "quality/findings")

    assert {anonymous.get(f"{API}/{path}").status_code for path in paths} == {401}
    assert {as_role("auditor").get(f"{API}/{path}").status_code for path in paths} == {200}


def test_rules_are_all_told(client: TestClient) -> None:
    found = client.get(f"{API}/quality/rules").json()["items"]

    assert [item["id"] for item in found] == [rule.id for rule in EVERY_RULE]


def test_runs_counts_and_findings_are_the_ledgers(client: TestClient, findings: list[int]) -> None:
    number, run = findings

    runs = client.get(f"{API}/quality/runs?dataset={DAILY.name}").json()["items"]
    counts = client.get(f"{API}/quality/counts?run={run}").json()["items"]
    found = client.get(f"{API}/quality/findings?run={run}&rule=ohlc_order").json()["items"]

    assert runs[0]["run"] == run and runs[0]["facts"] == {"rows": 3, "rows_stored": 2}
    assert {(c["rule"], c["findings"]) for c in counts} == {("jump", 2), ("ohlc_order", 1)}
    assert [f["finding"] for f in found] == [number] and json.loads(found[0]["raw"]) == HELD


def test_findings_page_by_page_and_filtered(client: TestClient, findings: list[int]) -> None:
    path, seen = f"{API}/quality/findings?run={findings[1]}&limit=2", []
    while path:
        response = client.get(path)
        seen += [(f["symbol"], f["day"]) for f in response.json()["items"]]
        path = response.links.get("next", {}).get("url", "")

    assert seen == [("000001.SZ", "2024-03-05"), ("600519.SH", "2024-03-04"), ("600519.SH", "2024-03-05")]
    narrow = f"{API}/quality/findings?run={findings[1]}&symbols=sh600519&start=2024-03-05&severity=flag"
    assert [f["day"] for f in client.get(narrow).json()["items"]] == ["2024-03-05"]


@pytest.mark.parametrize(
    "query",
    ["rule=nonsense", "severity=mild", "dataset=../x", "symbols=..", "run=0", "start=x", "limit=5000"],
)
def test_findings_that_cannot_be_are_refused(client: TestClient, query: str) -> None:
    assert client.get(f"{API}/quality/findings?{query}").status_code in (404, 422)


def test_a_release_is_an_operators_is_audited_and_is_read_at_once(
    as_role: AsRole, platform: Platform, findings: list[int]
) -> None:
    body = {"dataset": DAILY.name, "findings": [findings[0]], "reason": "the exchange confirms it"}
    for role in ("viewer", "researcher", "trader", "auditor"):
        assert as_role(role).post(f"{API}/quality/releases", json=body).status_code == 403
    operator = as_role("operator")

    response = operator.post(f"{API}/quality/releases", json=body)

    assert response.status_code == 201 and response.json()["rows"] == 1
    bars = operator.get("/api/v2/bars/600519.SH").json()
    assert bars["columns"]["high"] == [9.0] and bars["version"] == response.json()["version"]
    event = platform.audit.entries(action="data.release", limit=10)[-1].event
    assert (event.outcome, event.actor, event.target) == ("done", "some-operator", DAILY.name)
    assert event.details["findings"] == [findings[0]] and event.details["reason"] == body["reason"]


def test_without_a_record_nothing_is_released(
    as_role: AsRole, platform: Platform, findings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise StoreUnavailable("the audit log cannot be written")

    operator = as_role("operator")  # logs in, which is audited too
    version = platform.data.version(DAILY)
    monkeypatch.setattr(platform.audit, "record", down)
    body = {"dataset": DAILY.name, "findings": [findings[0]], "reason": "the exchange confirms it"}

    response = operator.post(f"{API}/quality/releases", json=body)

    assert response.status_code == 503
    assert platform.data.version(DAILY) == version


def test_a_release_sent_twice_with_a_key_is_done_once(
    as_role: AsRole, platform: Platform, findings: list[int]
) -> None:
    body = {"dataset": DAILY.name, "findings": [findings[0]], "reason": "the exchange confirms it"}
    key = {"Idempotency-Key": f"release-{findings[0]}-{findings[1]}"}

    answers = [as_role("operator").post(f"{API}/quality/releases", json=body, headers=key) for _ in range(2)]

    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert platform.data.version(DAILY) == answers[0].json()["version"]


@pytest.mark.parametrize(
    "change", [{"findings": [999_999]}, {"findings": []}, {"reason": ""}, {"dataset": "x"}, {"more": 1}]
)
def test_a_release_that_makes_no_sense_is_refused(
    as_role: AsRole, findings: list[int], change: dict[str, object]
) -> None:
    body = {"dataset": DAILY.name, "findings": [findings[0]], "reason": "the exchange confirms it", **change}

    assert as_role("operator").post(f"{API}/quality/releases", json=body).status_code in (404, 422)
