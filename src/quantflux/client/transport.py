"""How a call becomes an answer.

1. The call gets the caller's credentials, and a key if it is one that changes something (`Idempotency-Key`).
2. An answer that was read before is asked for by its entity tag; 304 gives the kept bytes.
3. A token that has run out is renewed once, and the call sent again.
4. What the server could not do now is sent again after a pause, if that cannot do it twice (`retries.py`).
5. Any other refusal is raised as the error of `core.errors` that it stands for (`failures.py`).
"""

from __future__ import annotations

import dataclasses
import io
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import polars as pl

from quantflux.client.calls import Call
from quantflux.client.credentials import Credentials
from quantflux.client.etags import AnswerCache, Kept
from quantflux.client.failures import NOTHING_DONE, problem_of, refusal, seconds
from quantflux.client.retries import Retries
from quantflux.client.wire import Lost, Reply, Wire
from quantflux.core.errors import QuantfluxError

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"

_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
_AGAIN = frozenset({429, 503})
_AGAIN_BY_CODE = frozenset({"outcome_unknown", "idempotency_in_progress"})


class Transport:
    """Sends calls for one caller. Safe to use from threads.

    Parameters
    ----------
    wire : Wire
    credentials : Credentials
    retries : Retries
    cache : AnswerCache
    """

    def __init__(self, wire: Wire, credentials: Credentials, retries: Retries, cache: AnswerCache) -> None:
        self.wire = wire
        self.credentials = credentials
        self.retries = retries
        self.cache = cache

    def document(self, call: Call) -> Any:
        """Return the JSON document of an answer."""
        reply = self.send(call)
        found = self._parsed(reply, call)
        self.credentials.observe(call, found)
        return found

    def nothing(self, call: Call) -> None:
        """Send a call whose answer has no content."""
        self.send(call)

    def begun(self, call: Call) -> tuple[bool, Any]:
        """Return whether the work was only begun (202), and the document: the job, or what the work gave."""
        reply = self.send(call)
        return reply.status == 202, self._parsed(reply, call)

    def table(self, call: Call) -> pl.DataFrame:
        """Return rows, page after page until the last."""
        frames = []
        following: str | None = None
        while True:
            query = call.query if following is None else {**call.query, "after": following}
            reply = self.send(dataclasses.replace(call, query=query), ARROW)
            frames.append(self._frame(reply, call))
            following = next_value(reply.headers.get("link"), "after")
            if following is None:
                return frames[0] if len(frames) == 1 else pl.concat(frames, rechunk=True)

    def send(self, call: Call, accept: str = JSON) -> Reply:
        """Send a call until it is answered.

        Raises
        ------
        QuantfluxError
            The class of `core.errors` that a local caller would get; `ServerUnreachable` if there is no answer.
        """
        self.credentials.check(call)
        target, content = call.target, call.content
        headers = {"Accept": accept}
        if content is not None:
            headers["Content-Type"] = JSON
        if call.keyed:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        place = f"{accept} {target}"
        kept = self.cache.get(place) if call.method == "GET" else None
        if kept is not None:
            headers["If-None-Match"] = kept.tag
        reply = self._until_answered(call, target, headers, content)
        if reply.status == 304 and kept is not None:
            return Reply(200, kept.headers, kept.body)
        if call.method == "GET" and reply.status == 200 and "etag" in reply.headers:
            self.cache.keep(place, Kept(reply.headers["etag"], reply.headers, reply.content))
        return reply

    def _until_answered(
        self, call: Call, target: str, headers: dict[str, str], content: bytes | None
    ) -> Reply:
        attempt, renewed = 1, False
        while True:
            name, value = self.credentials.header()
            failure: QuantfluxError
            try:
                reply = self.wire.exchange(call.method, target, {**headers, name: value}, content)
            except Lost as lost:
                failure = lost
                again, asked = call.repeatable or not lost.sent, None
            else:
                if reply.status < 400:
                    return reply
                if reply.status == 401 and not renewed and self.credentials.renew(value):
                    renewed = True
                    continue
                asked_for = f"{call.method} {target.partition('?')[0]}"
                failure = refusal(reply.status, reply.headers, reply.content, asked_for, self.wire.url)
                again, asked = _again(call, reply), seconds(reply.headers.get("retry-after"))
            pause = self.retries.pause(attempt, asked) if again else None
            if pause is None:
                raise failure
            self.retries.sleep(pause)
            attempt += 1

    def _parsed(self, reply: Reply, call: Call) -> Any:
        try:
            return orjson.loads(reply.content)
        except orjson.JSONDecodeError:
            raise self._foreign(reply, call) from None

    def _frame(self, reply: Reply, call: Call) -> pl.DataFrame:
        if not reply.headers.get("content-type", "").startswith(ARROW):
            raise self._foreign(reply, call)
        return pl.read_ipc_stream(io.BytesIO(reply.content))

    def _foreign(self, reply: Reply, call: Call) -> QuantfluxError:
        kind = reply.headers.get("content-type", "nothing that says what it is")
        return QuantfluxError(
            f"{self.wire.url} answered {reply.status} to {call.method} {call.path} with {kind}, not as quantflux does. "
            "Is it a quantflux server?"
        )


def next_value(link: str | None, parameter: str) -> str | None:
    """Return where the next page begins, of a Link header. Only the value is taken, never an address.

    Examples
    --------
    >>> next_value('</api/v2/bars?limit=5&after=600519.SH%405>; rel="next"', "after")
    '600519.SH@5'
    """
    found = _NEXT.search(link or "")
    values = parse_qs(urlsplit(found[1]).query).get(parameter) if found else None
    return values[0] if values else None


def _again(call: Call, reply: Reply) -> bool:
    code = problem_of(reply.content).get("code")
    if code in NOTHING_DONE:
        return True
    return call.repeatable and (reply.status in _AGAIN or code in _AGAIN_BY_CODE)
