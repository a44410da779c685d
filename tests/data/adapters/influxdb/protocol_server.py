"""An HTTP server that knows the wire forms of InfluxDB 2.x and 3, and objects to anything else.

It stores nothing: it checks every path, parameter, header and body against the documented form, keeps what was
written, and gives the answers that a test has laid out for a statement. What breaks the form is answered with
status 418 and listed in `objections`, which must be empty in the end.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

ORG, ORG_ID, BUCKET_ID, TOKEN = "desk", "28f52ff130a62dbb", "db1a7234544f4bd5", "s3cret"


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(self.body.decode(), strict_parsing=True).items()}


@dataclass(frozen=True)
class Reply:
    """What to answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(status: int, document: Any) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


class Objection(Exception):  # noqa: N818 - what it is called in the list of them
    """The request breaks the form."""


def expect(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise Objection(f"{what}: expected {wanted!r}, found {found!r}")


class ProtocolServer:
    """Base of both servers: listens, checks the credentials, hands over to `handle`."""

    authorization = ""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.objections: list[str] = []
        self.written: list[str] = []
        self.answers: dict[str, bytes] = {}
        self.refusals: list[Reply] = []
        self.place_refusals: list[Reply] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def handle(self, call: Call) -> Reply:
        raise NotImplementedError

    def write(self, call: Call) -> Reply:
        """Take lines, or refuse them with the next reply laid out in `refusals`."""
        expect(call.headers.get("content-type"), "text/plain; charset=utf-8", "Content-Type of lines")
        if self.refusals:
            return self.refusals.pop(0)
        self.written += call.body.decode().splitlines()
        return Reply(204)

    def answer(self, statement: str, values: dict[str, Any], nothing: bytes) -> bytes:
        self.asked.append((statement, values))
        return next((body for part, body in self.answers.items() if part in statement), nothing)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                query = parse_qs(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
                params = {k: v[0] for k, v in query.items()}
                headers = {k.lower(): v for k, v in self.headers.items()}
                call = Call(self.command, url.path, params, headers, self.rfile.read(length))
                reply = outer._reply(call)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if reply.status != 204:
                    self.wfile.write(reply.body)

            do_GET = do_POST = _serve  # noqa: N815 - named by http.server

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
                return

        return Handler

    def _reply(self, call: Call) -> Reply:
        self.calls.append(call)
        if call.path != "/ping" and call.headers.get("authorization") != self.authorization:
            return json_reply(401, {"code": "unauthorized", "message": "unauthorized access"})
        try:
            expect(call.headers.get("accept-encoding"), "identity", "Accept-Encoding")
            return self.handle(call)
        except (Objection, ValueError, KeyError) as exc:
            self.objections.append(f"{call.method} {call.path}: {exc}")
            return json_reply(418, {"message": str(exc)})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class InfluxDB2(ProtocolServer):
    """The forms of InfluxDB 2.x, as 2.7.12 was seen to take and give them."""

    authorization = f"Token {TOKEN}"

    def __init__(self) -> None:
        super().__init__()
        self.buckets: dict[str, int] = {}
        self.mappings: dict[tuple[str, str], str] = {}

    def handle(self, call: Call) -> Reply:
        routes: dict[tuple[str, str], Callable[[Call], Reply]] = {
            ("GET", "/ping"): lambda _: Reply(
                204, headers={"X-Influxdb-Version": "v2.7.12", "X-Influxdb-Build": "OSS"}
            ),
            ("GET", "/api/v2/orgs"): self._orgs,
            ("POST", "/api/v2/buckets"): self._make_bucket,
            ("GET", "/api/v2/buckets"): self._find_bucket,
            ("POST", "/api/v2/dbrps"): self._map,
            ("POST", "/api/v2/write"): self._write,
            ("POST", "/query"): self._query,
        }
        if (call.method, call.path) not in routes:
            raise Objection("no such path")
        return routes[call.method, call.path](call)

    def _orgs(self, call: Call) -> Reply:
        expect(dict(call.params), {"org": ORG}, "parameters")
        return json_reply(200, {"orgs": [{"id": ORG_ID, "name": ORG}]})

    def _make_bucket(self, call: Call) -> Reply:
        expect(call.headers["content-type"], "application/json", "Content-Type")
        if self.place_refusals:
            return self.place_refusals.pop()
        document = call.document
        (rule,) = document.pop("retentionRules")
        shard = rule.pop("shardGroupDurationSeconds")
        expect(rule, {"type": "expire", "everySeconds": 0}, "retention rule")
        expect(type(shard), int, "type of shardGroupDurationSeconds")
        expect((set(document), document["orgID"]), ({"orgID", "name"}, ORG_ID), "bucket")
        if document["name"] in self.buckets:
            return json_reply(
                422, {"code": "conflict", "message": f"bucket with name {document['name']} already exists"}
            )
        self.buckets[document["name"]] = shard
        return json_reply(201, {"id": BUCKET_ID, **document})

    def _find_bucket(self, call: Call) -> Reply:
        expect((set(call.params), call.params["org"]), ({"org", "name"}, ORG), "parameters")
        found = [{"id": BUCKET_ID, "name": n} for n in self.buckets if n == call.params["name"]]
        return (
            json_reply(200, {"buckets": found}) if found else json_reply(404, {"message": "bucket not found"})
        )

    def _map(self, call: Call) -> Reply:
        document = call.document
        key = document.pop("database"), document.pop("retention_policy")
        expect(document, {"orgID": ORG_ID, "bucketID": BUCKET_ID, "default": True}, "mapping")
        if key in self.mappings:
            reason = "another DBRP mapping with same orgID, db, and rp exists"
            return json_reply(400, {"code": "invalid", "message": reason})
        self.mappings[key] = BUCKET_ID
        return json_reply(201, {"id": "1", **document})

    def _write(self, call: Call) -> Reply:
        expect(set(call.params), {"org", "bucket", "precision"}, "parameters")
        expect((call.params["org"], call.params["precision"]), (ORG, "ns"), "org and precision")
        expect(call.params["bucket"] in self.buckets, True, f"bucket {call.params['bucket']} exists")
        return self.write(call)

    def _query(self, call: Call) -> Reply:
        expect(call.headers["content-type"], "application/x-www-form-urlencoded", "Content-Type")
        expect(call.headers["accept"], "application/json", "Accept")
        rest = {k: v for k, v in call.params.items() if k != "db"}
        expect(rest, {"org": ORG, "epoch": "ns", "chunked": "true"}, "parameters")
        expect(set(call.form), {"q", "params"}, "form")
        known = {database for database, _ in self.mappings} | {"market.quantflux_commits"}
        expect(call.params["db"] in known, True, f"a mapping of {call.params['db']} exists")
        body = self.answer(
            call.form["q"], json.loads(call.form["params"]), b'{"results":[{"statement_id":0}]}\n'
        )
        return Reply(200, body, {"Content-Type": "application/json"})


class InfluxDB3(ProtocolServer):
    """The forms of InfluxDB 3 Core, as its documentation gives them."""

    authorization = f"Bearer {TOKEN}"

    def __init__(self) -> None:
        super().__init__()
        self.databases: set[str] = set()

    def handle(self, call: Call) -> Reply:
        routes: dict[tuple[str, str], Callable[[Call], Reply]] = {
            ("GET", "/ping"): lambda _: Reply(200, b'{"version":"3.2.1"}', {"x-influxdb-version": "3.2.1"}),
            ("POST", "/api/v3/configure/database"): self._make,
            ("POST", "/api/v3/write_lp"): self._write,
            ("POST", "/api/v3/query_influxql"): self._query,
        }
        if (call.method, call.path) not in routes:
            raise Objection("no such path")
        return routes[call.method, call.path](call)

    def _make(self, call: Call) -> Reply:
        expect(set(call.document), {"db"}, "document")
        if self.place_refusals:
            return self.place_refusals.pop()
        if call.document["db"] in self.databases:
            return Reply(409, b"attempted to create a resource that already exists")
        self.databases.add(call.document["db"])
        return Reply(200)

    def _write(self, call: Call) -> Reply:
        wanted = {"precision": "nanosecond", "accept_partial": "false"}
        expect({k: v for k, v in call.params.items() if k != "db"}, wanted, "parameters")
        expect(call.params["db"] in self.databases, True, "database exists")
        return self.write(call)

    def _query(self, call: Call) -> Reply:
        expect(call.headers["content-type"], "application/json", "Content-Type")
        document = call.document
        expect((set(document), document["format"]), ({"db", "q", "format", "params"}, "parquet"), "document")
        if document["db"] not in self.databases:
            return Reply(404, b'{"error":"database not found"}')
        return Reply(200, self.answer(document["q"], document["params"], b""))
