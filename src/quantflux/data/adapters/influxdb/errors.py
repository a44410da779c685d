"""What InfluxDB and the network say, in our words.

Three tables, most specific first: failures of the connection, statuses of the reply, and messages. Whether a
request had been sent when the connection failed decides between "nothing was done" and "outcome unknown".
"""

from __future__ import annotations

import json
import re

import httpx

from quantflux.core.errors import AccessDenied, InvalidRequest, StoreError, StoreFull, StoreUnavailable


class Refused(StoreError):  # noqa: N818 - named like the tree in core.errors
    """The server read the request and refused it: the caller splits, skips or gives up.

    Attributes
    ----------
    status : int
    reason : str
        The server's words.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"InfluxDB refused the request ({status}): {reason}")
        self.status = status
        self.reason = reason


class NotThere(StoreError):  # noqa: N818 - as above
    """The database, retention policy or measurement does not exist (yet)."""


class Lost(StoreUnavailable):
    """The connection failed or the server answered 5xx.

    Attributes
    ----------
    maybe_applied : bool
        Whether the request may have taken effect all the same.
    """

    def __init__(self, message: str, *, maybe_applied: bool) -> None:
        super().__init__(message)
        self.maybe_applied = maybe_applied


NEVER_SENT: tuple[type[httpx.HTTPError], ...] = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before the first byte of the request. All other transport failures leave the outcome open."""

_MESSAGES: tuple[tuple[str, type[StoreError | InvalidRequest]], ...] = (
    (r"no space left|disk (is )?full|file too large", StoreFull),
    (r"(database|retention policy|bucket|measurement|table|dbrp.*) not found", NotThere),
    (r"default retention policy not set|could not find (bucket|database)|table .* does not exist", NotThere),
    (
        r"unauthori[sz]ed|not authorized|authorization failed|forbidden|requires admin|permission",
        AccessDenied,
    ),
    (r"unable to parse authentication|token required", AccessDenied),
    (r"max-select-\w+|max-row-limit|too many (points|series|buckets)", InvalidRequest),
    (r"query-timeout|query timed? ?out|max-concurrent-queries|killed|interrupted", StoreUnavailable),
    (r"engine (is )?closed|shard is disabled|shutdown|timeout", StoreUnavailable),
)
"""What the server's words mean, the first match counts. Anything else is a plain `StoreError`."""


def answer_error(message: str) -> StoreError | InvalidRequest:
    """Return the error that a message of the server stands for."""
    for pattern, kind in _MESSAGES:
        if re.search(pattern, message, re.IGNORECASE):
            return kind(f"InfluxDB says: {message}")
    return StoreError(f"InfluxDB says: {message}")


def connection_error(error: httpx.HTTPError, address: str) -> Lost:
    """Return the error that a failure of the connection stands for."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    sent = not isinstance(error, NEVER_SENT)
    words = "lost the connection to" if sent else "cannot reach"
    return Lost(f"{words} InfluxDB at {address} ({what})", maybe_applied=sent)


def status_error(status: int, body: bytes, address: str) -> StoreError | InvalidRequest:
    """Return the error that a reply other than 2xx stands for."""
    reason = reason_of(body) or f"status {status}"
    if status in (401, 403):
        return AccessDenied(f"InfluxDB at {address} refused the credentials or their rights: {reason}")
    if status >= 500 or status == 429:
        if isinstance(answer_error(reason), StoreFull):
            return StoreFull(f"InfluxDB at {address} has no space left: {reason}")
        maybe = "timeout" in reason.lower()
        return Lost(f"InfluxDB at {address} answered {status}: {reason}", maybe_applied=maybe)
    if status == 404:
        return NotThere(f"InfluxDB at {address} answered 404: {reason}")
    return Refused(status, reason)


def reason_of(body: bytes) -> str:
    """Return the message in an error body: JSON of any version of InfluxDB, or plain text.

    Examples
    --------
    >>> reason_of(b'{"error":"partial write: field type conflict"}')
    'partial write: field type conflict'
    >>> reason_of(b'{"code":"invalid","message":"bad line"}')
    'bad line'
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        return _shortened(text)
    if not isinstance(document, dict):
        return _shortened(text)
    words = [str(document[k]) for k in ("error", "message") if document.get(k)]
    details = document.get("data")
    if isinstance(details, list):
        words += [str(d.get("error_message")) for d in details if isinstance(d, dict)]
    return _shortened("; ".join(words) or text)


def _shortened(text: str, most: int = 600) -> str:
    """Return a message without its middle: the server repeats the offending line, however long."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"
