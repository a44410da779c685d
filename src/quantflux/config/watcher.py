"""A thread that notices when a file has changed and has come to rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from quantflux.core.errors import InvalidRequest

logger = logging.getLogger(__name__)

PATIENCE = 4
"""Polls after which a file that never rests is taken as it is: a busy writer may not keep a good file out."""


class Watcher:
    """Polls a fingerprint and calls `on_change` when it differs from the one last acted on.

    A new fingerprint must be seen by two polls in a row, because a file that is still being written may be
    valid TOML that ends too early. Use it as a context manager, or call `stop`.

    Parameters
    ----------
    fingerprint : callable
        Returns a text that changes with the file's content.
    seen : str
        The fingerprint of what is already in force.
    on_change : callable
    interval : float
        Seconds between two polls, above 0.
    """

    def __init__(
        self, fingerprint: Callable[[], str], seen: str, on_change: Callable[[], object], interval: float
    ) -> None:
        if not interval > 0:
            raise InvalidRequest(f"a watcher polls every so many seconds, more than 0; found {interval}")
        self._fingerprint = fingerprint
        self._seen = seen
        self._on_change = on_change
        self._interval = interval
        self._candidate = seen
        self._waited = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quantflux-config-watcher", daemon=True)

    def start(self) -> Self:
        """Begin to poll."""
        self._thread.start()
        return self

    def stop(self, timeout: float = 10.0) -> None:
        """End the thread and wait for it; harmless when it has ended, or is the thread that asks."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread is polling."""
        return self._thread.is_alive()

    def poll(self) -> bool:
        """Look once; return whether `on_change` was called."""
        found = self._fingerprint()
        if found == self._seen:
            self._candidate, self._waited = found, 0
            return False
        rested = found == self._candidate
        self._candidate = found
        self._waited += 1
        if not rested and self._waited < PATIENCE:
            return False
        # Set before the call: content that changes while it is read differs from it and comes up again.
        self._seen, self._waited = found, 0
        self._on_change()
        return True

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.poll()
            except Exception:
                logger.exception("the configuration watcher failed once and goes on")

    def __enter__(self) -> Self:
        """Start, if not yet started."""
        return self if self.alive else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
