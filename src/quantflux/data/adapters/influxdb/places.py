"""Makes the place where a measurement lives: database and retention policy, or bucket and mapping."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from quantflux.core.errors import AccessDenied, StoreError
from quantflux.data.adapters.influxdb.dialects import Dialect, Template
from quantflux.data.adapters.influxdb.errors import NotThere, Refused, answer_error
from quantflux.data.adapters.influxdb.transport import Transport
from quantflux.data.schema import TimeKind, datasets

logger = logging.getLogger(__name__)

SHARD_DAYS: Mapping[TimeKind, int] = {TimeKind.DAY: 364, TimeKind.MINUTE: 28}
"""Length of a shard unless set otherwise. Measured, see docs/stores.md: shorter ones take more disk and open more files
for the history of one symbol, longer ones are slower for one day of the whole market."""

COMMIT_SHARD_DAYS = 3_640
"""The commit log is small and read whole."""


class Places:
    """Knows the settings of each measurement's place and makes it before the first write.

    Parameters
    ----------
    settings : mapping
        What templates may name: database, org, bucket.
    shard_days : mapping
        Length of a shard by measurement, where it is not the default of its kind.
    """

    def __init__(
        self,
        dialect: Dialect,
        transport: Transport,
        settings: Mapping[str, Any],
        shard_days: Mapping[str, int],
    ) -> None:
        self._dialect = dialect
        self._transport = transport
        self._settings = settings
        self._shard_days = {name: SHARD_DAYS[data.kind] for name, data in datasets().items()} | dict(
            shard_days
        )
        self._made: set[str] = set()
        self._lock = threading.Lock()

    def settings(self, measurement: str) -> dict[str, Any]:
        """Return all settings for requests about a measurement."""
        days = self._shard_days.get(measurement, COMMIT_SHARD_DAYS)
        own = {"measurement": measurement, "policy": measurement, "shard_hours": days * 24}
        return {**self._settings, **own, "shard_seconds": days * 86_400}

    def source(self, measurement: str) -> str:
        """Return how the measurement is named in FROM."""
        return self._dialect.source.format_map(self.settings(measurement))

    def make(self, measurement: str) -> None:
        """Make the place, once in the life of this object. What exists is left as it is."""
        with self._lock:
            if measurement in self._made:
                return
            settings = self.settings(measurement)
            try:
                for template in self._dialect.prepare:
                    settings |= self._make(template, settings)
            except AccessDenied as exc:
                # Credentials that may only write suffice where an administrator has made the place before.
                logger.info("may not create the place of %s, taking it as made: %s", measurement, exc)
            self._made.add(measurement)

    def forget(self) -> None:
        """Make every place again when it is next needed: somebody dropped one."""
        with self._lock:
            self._made.clear()

    def _make(self, template: Template, settings: Mapping[str, Any]) -> dict[str, Any]:
        try:
            reply = self._transport.call(template.fill(settings), _document)
            _raise_errors(reply)
        except StoreError as exc:
            if any(words in str(exc).lower() for words in template.fine):
                return {}
            if isinstance(exc, Refused):  # the caller would take it for a refusal of its rows
                raise StoreError(
                    f"InfluxDB did not make a place for {settings['measurement']}: {exc.reason}"
                ) from exc
            raise
        return {name: _at(reply, path) for name, path in template.keep.items()}


def _document(response: httpx.Response, chunks: Iterator[bytes]) -> Any:
    body = b"".join(chunks)
    return json.loads(body) if body.strip() else {}


def _raise_errors(reply: Any) -> None:
    """Raise what an InfluxQL reply with status 200 says went wrong."""
    for result in reply.get("results", ()) if isinstance(reply, dict) else ():
        if "error" in result:
            raise answer_error(str(result["error"]))


def _at(reply: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            reply = reply[step]
        except (KeyError, IndexError, TypeError) as exc:
            raise NotThere(f"InfluxDB's reply has no {'.'.join(map(str, path))}: {str(reply)[:200]}") from exc
    return reply
