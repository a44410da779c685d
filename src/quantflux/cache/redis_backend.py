"""The backend on Redis, or anything that speaks its protocol."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from quantflux.cache.backend import BackendUse, KindUse, Lock, Refused, Unreachable

PREFIX = "qf1"
"""Every key of ours begins with it and a colon. The number belongs to the layout of keys."""

TIMEOUT = 0.1
"""Seconds for a connection, and for each answer. A healthy Redis on a local network needs one millisecond."""

_BATCH = 500

# EVAL of a few bytes costs less than a script's hash that may be unknown after a restart.
_EXTEND = (
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) end return 0"
)
_RELEASE = "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0"

_EVICTING = ("allkeys-lru", "allkeys-lfu", "allkeys-random")

logger = logging.getLogger(__name__)


class RedisBackend:
    """Keeps entries under `qf1:<kind>:<digest>` and locks under `qf1:lock:<digest>`.

    One retry, and only where the connection broke: one kept open may have died with a Redis that has been restarted
    since. A time-out is not tried again, for the next attempt would cost as much.

    Parameters
    ----------
    url : str
        `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS.
    connections : int
        Most of them at once.
    timeout : float
        Seconds for a connection, and for each answer.

    Raises
    ------
    ValueError
        If the address is none of Redis.
    """

    name = "redis"

    def __init__(self, url: str, *, connections: int = 16, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        self._place = f"{parts.hostname}:{parts.port or 6379}{parts.path}"
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            max_connections=connections,
            protocol=2,
            driver_info=None,  # or each new connection would pay another round trip to introduce itself
        )

    def get(self, kind: str, digest: str) -> bytes | None:
        """Return what is kept, or None; a value of a foreign type counts as None."""
        with self._translated():
            return _value(_guarded(self._client.get, _entry(kind, digest)))

    def claim(self, kind: str, digest: str, lock: Lock, seconds: float) -> tuple[bool, bytes | None]:
        """Try to take a lock that ends by itself after `seconds`; return whether that worked, and what is kept."""
        with self._translated():
            steps = self._client.pipeline(transaction=False)
            steps.set(_lock(lock), lock.token, nx=True, px=_milliseconds(seconds))
            steps.get(_entry(kind, digest))  # after the lock: whoever had it before has written by now
            taken, kept = steps.execute(raise_on_error=False)
            if isinstance(taken, Exception):
                raise taken
            return bool(taken), _value(kept)

    def extend(self, lock: Lock, seconds: float) -> None:
        """Let a lock live `seconds` from now, if it is still ours."""
        with self._translated():
            self._client.eval(_EXTEND, 1, _lock(lock), lock.token, str(_milliseconds(seconds)))

    def put(self, kind: str, digest: str, blob: bytes, seconds: float, lock: Lock | None) -> None:
        """Keep bytes for `seconds`, then give a lock back."""
        with self._translated():
            steps = self._client.pipeline(transaction=False)
            steps.set(_entry(kind, digest), blob, px=_milliseconds(seconds))
            if lock is not None:
                steps.eval(_RELEASE, 1, _lock(lock), lock.token)
            for answer in steps.execute(
                raise_on_error=False
            ):  # raised by the client, it would lose its first word
                if isinstance(answer, Exception):
                    raise answer

    def release(self, lock: Lock) -> None:
        """Give a lock back, if it is still ours."""
        with self._translated():
            self._client.eval(_RELEASE, 1, _lock(lock), lock.token)

    def ping(self) -> None:
        """Do nothing, successfully."""
        with self._translated():
            self._client.ping()

    def use(self) -> BackendUse:
        """Count what is kept. Walks over every key."""
        entries: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        foreign = brokers = 0
        with self._translated():
            for batch in self._batches("*"):
                ours = [key for key in batch if key.startswith(f"{PREFIX}:".encode())]
                foreign += len(batch) - len(ours)
                brokers += sum(key.startswith(b"_kombu.") for key in batch)
                steps = self._client.pipeline(transaction=False)
                for key in ours:
                    steps.strlen(key)
                for key, size in zip(ours, steps.execute(raise_on_error=False), strict=True):
                    kind = key.split(b":")[1].decode(errors="replace")
                    if kind != "lock" and isinstance(size, int):
                        entries[kind] += 1
                        sizes[kind] += size
            memory: dict[str, Any] = self._client.info("memory")
            statistics: dict[str, Any] = self._client.info("stats")
        return BackendUse(
            {kind: KindUse(entries[kind], sizes[kind]) for kind in sorted(entries)},
            foreign,
            int(memory["used_memory"]),
            int(memory.get("maxmemory", 0)),
            int(statistics.get("evicted_keys", 0)),
            _advice(memory, brokers),
        )

    def clear(self, kind: str | None) -> int:
        """Remove every entry of ours, or those of one kind, and return how many."""
        removed = 0
        with self._translated():
            for batch in self._batches(f"{PREFIX}:{kind or '*'}:*"):
                entries = [key for key in batch if not key.startswith(f"{PREFIX}:lock:".encode())]
                if entries:
                    removed += int(self._client.unlink(*entries))
        return removed

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def _batches(self, pattern: str) -> Iterator[list[bytes]]:
        cursor = 0
        while True:
            cursor, keys = self._client.scan(cursor, match=pattern, count=_BATCH)
            if keys:
                yield [key if isinstance(key, bytes) else key.encode() for key in keys]
            if not cursor:
                return

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the client's errors into ours, most specific first. Messages name the place, never the password."""
        try:
            yield
        except redis.ResponseError as exc:
            if str(exc).startswith("MASTERDOWN"):
                raise Unreachable(f"Redis at {self._place} has lost its primary.", "loading") from exc
            raise Refused(f"Redis at {self._place} refused: {_first_words(exc)}.", _refusal(exc)) from exc
        except redis.BusyLoadingError as exc:
            raise Unreachable(f"Redis at {self._place} is still loading its data.", "loading") from exc
        except redis.AuthenticationError as exc:
            raise Unreachable(f"Redis at {self._place} refused the credentials.", "denied") from exc
        except (redis.TimeoutError, TimeoutError) as exc:
            raise Unreachable(f"Redis at {self._place} did not answer in time.", "timeout") from exc
        except (redis.RedisError, OSError) as exc:
            raise Unreachable(f"Redis at {self._place} cannot be reached.", "connection") from exc


def _entry(kind: str, digest: str) -> str:
    return f"{PREFIX}:{kind}:{digest}"


def _lock(lock: Lock) -> str:
    return f"{PREFIX}:lock:{lock.key}"


def _milliseconds(seconds: float) -> int:
    return max(int(seconds * 1000), 1)


def _guarded(call: Any, key: str) -> Any:
    try:
        return call(key)
    except redis.ResponseError as exc:
        return exc


def _value(answer: Any) -> bytes | None:
    """Return the bytes of an answer; a list or hash under our key is somebody else's, and as good as nothing."""
    if isinstance(answer, Exception):
        if str(answer).startswith("WRONGTYPE"):
            return None
        raise answer
    return answer if isinstance(answer, bytes) else None


def _refusal(exc: Exception) -> str:
    if isinstance(exc, redis.ReadOnlyError):
        return "readonly"
    if isinstance(exc, redis.OutOfMemoryError):
        return "full"
    if isinstance(exc, NoPermissionError):
        return "denied"
    return "misconfigured" if str(exc).startswith("MISCONF") else "refused"


def _first_words(exc: Exception) -> str:
    return str(exc).split(".")[0][:200]


def _advice(memory: dict[str, Any], brokers: int) -> tuple[str, ...]:
    """Say what about a Redis is unwise for a cache."""
    told = []
    policy = str(memory.get("maxmemory_policy", ""))
    if not int(memory.get("maxmemory", 0)):
        told.append("maxmemory is not set, so the cache may grow until the machine has no memory left")
    elif policy and policy not in _EVICTING:
        told.append(
            f"maxmemory-policy is {policy}; a cache wants allkeys-lru, or it stops taking entries when full"
        )
    if brokers:
        told.append(
            f"it also holds {brokers} keys of a task queue; a queue must not share memory with a cache: give it a "
            "Redis of its own with maxmemory-policy noeviction and appendonly yes"
        )
    return tuple(told)
