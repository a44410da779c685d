"""Windows that processes and hosts share: in Redis, counted by the library `limits` in one atomic script a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError
from redis.retry import Retry

from quantflux.accounts.limits.windows import Counts
from quantflux.core.clock import Clock

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_SHORTEST_REST, _LONGEST_REST = 1.0, 15.0


class SharedWindows:
    """Windows in Redis. Every call answers None while Redis does not: the caller then counts for itself.

    After a failure Redis is left alone for a second, then two, up to 15, so that requests do not wait for it.

    Parameters
    ----------
    url : str
        A `redis://` or `rediss://` address.
    clock : Clock
    timeout : float
        Longest wait for an answer, in seconds. The event loop waits with it.
    """

    def __init__(
        self, url: str, clock: Clock, *, timeout: float = 0.05, prefix: str = "quantflux:limits"
    ) -> None:
        # The client's own retries would wait for seconds. One at once: the connection may be from before a restart.
        retry = Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,))
        self._storage = RedisStorage(
            url,
            key_prefix=prefix,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=retry,  # type: ignore[arg-type]  # handed to the client as it is
        )
        self._clock = clock
        self._rest = 0.0
        self._again_at = 0.0

    @property
    def resting(self) -> bool:
        """Whether Redis failed a moment ago and is not asked."""
        return self._rest > 0 and self._clock.monotonic() < self._again_at

    def counts(self, key: str, seconds: int) -> Counts | None:
        """Return what was counted of a key."""
        found = self._asked(lambda: self._storage.get_sliding_window(key, seconds))
        if found is None:
            return None
        previous, weighs, current, expires = found
        # Redis keeps the present window for two lengths; a key that nobody has counted yet begins now.
        return Counts(previous, weighs, current, expires - seconds if current or expires else float(seconds))

    def add(self, key: str, limit: int, seconds: int, amount: int) -> bool | None:
        """Count `amount`, or nothing and return False if that would exceed the limit."""
        return self._asked(lambda: self._storage.acquire_sliding_window_entry(key, limit, seconds, amount))

    def close(self) -> None:
        """Close the connections."""
        self._storage.storage.close()

    def _asked(self, question: Callable[[], _Answer]) -> _Answer | None:
        if self.resting:
            return None
        try:
            answer = question()
        except (RedisError, OSError) as failure:
            if not self._rest:
                logger.warning(
                    "rate limits: Redis fails (%s); each process counts for itself", type(failure).__name__
                )
            self._rest = min(max(2 * self._rest, _SHORTEST_REST), _LONGEST_REST)
            self._again_at = self._clock.monotonic() + self._rest
            return None
        if self._rest:
            logger.warning("rate limits: Redis answers again; processes share their counts")
            self._rest = 0.0
        return answer
