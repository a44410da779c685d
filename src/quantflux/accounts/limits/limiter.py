"""`RateLimiter`: whether a request may go on, by user, address, kind and in total.

Each limit of each user and address is a key of sliding windows of a minute (`windows.py`). Asking Redis at every
request would cost more than most answers do, so requests are leased in blocks:

1. A request takes one from the lease of each of its keys (`check`). That is all, for all but a few requests.
2. An empty lease is renewed (`_renew`): as many as fit the window are counted at once, in this process and, if there is
   one, in Redis. Blocks begin with one and double while they are used up, up to 1/50 of the limit.
3. A lease from Redis ends after ten seconds; what is left of it stays counted. So nobody is let in more often than the
   limit says, and somebody whose requests are spread over many processes is refused early by at most a block each.
4. A key without room is closed for as long as it must be, at most a second: those who attack are refused by what this
   process knows.
5. While Redis fails, this process goes on with what it has counted itself, up to its share of the limit.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

from quantflux.accounts.limits.kinds import Allowance, Rates, RouteKind
from quantflux.accounts.limits.shared import SharedWindows
from quantflux.accounts.limits.windows import Counts, MemoryWindows, room, wait
from quantflux.core.clock import Clock
from quantflux.core.hosts import subscriber_of

WINDOW = 60
"""Seconds of a window: the rates are by the minute."""

_LEASE_SECONDS = 10.0
_LONGEST_CLOSED = 1.0


@dataclass(slots=True)
class _Lease:
    """What one key may still be used for without asking.

    Attributes
    ----------
    name, key : str
        Of the limit, and of its windows.
    limit : int
    left : int
        Requests that were counted and not yet made.
    block : int
        How many were counted at once the last time.
    spare : int
        Requests that the window had room for after that.
    ends : float
        When what is left lapses; this and the others on the clock that never steps back.
    closed_until, opens_at : float
        Until when nothing is given without looking, and when there will be room.
    resets_at : float
        When the window ends.
    """

    name: str
    key: str
    limit: int
    left: int = 0
    block: int = 0
    spare: int = 0
    ends: float = math.inf
    closed_until: float = 0.0
    opens_at: float = 0.0
    resets_at: float = 0.0


class RateLimiter:
    """Counts requests.

    Parameters
    ----------
    rates : Rates
    clock : Clock
    shared : SharedWindows or None
        Where processes and hosts share their counts; None: this process counts for itself.
    shares : int
        Processes among which the limits are divided while `shared` fails.
    most : int
        Users and addresses that are remembered at once.

    Examples
    --------
    >>> from quantflux.core.clock import SystemClock
    >>> rates = Rates({kind: 2 for kind in RouteKind}, logins=2, address=100, total=1000)
    >>> limiter = RateLimiter(rates, SystemClock())
    >>> [limiter.check(RouteKind.READ, "user:7", "203.0.113.9").allowed for _ in range(3)]
    [True, True, False]
    """

    def __init__(
        self,
        rates: Rates,
        clock: Clock,
        shared: SharedWindows | None = None,
        *,
        shares: int = 1,
        most: int = 100_000,
    ) -> None:
        self._rates = rates
        self._clock = clock
        self._shared = shared
        self._shares = max(shares, 1)
        self._own = MemoryWindows(clock, most)
        self._most = most
        self._leases: OrderedDict[tuple[str, str], _Lease] = OrderedDict()
        self._lock = threading.Lock()

    def apply(self, rates: Rates) -> None:
        """Take over other rates. What was counted stays counted."""
        with self._lock:
            self._rates = rates
            self._leases.clear()

    def check(self, kind: RouteKind, user: str, address: str) -> Allowance:
        """Count a request if it may go on. One that is refused is counted nowhere.

        Parameters
        ----------
        kind : RouteKind
        user : str
            Whoever was authenticated; empty: nobody, and the address alone is counted.
        address : str
            Of the client; an IPv6 address counts as its network of 64 bits.
        """
        place = subscriber_of(address)
        now = self._clock.monotonic()
        with self._lock:
            near = self._lease("address", place)
            total = self._lease("total", "")
            asked = [near, total]
            if kind is RouteKind.LOGIN:
                asked.insert(0, self._lease("login", place))
            elif user:
                asked.insert(0, self._lease(kind.value, user))
            for lease in asked:
                if (lease.left < 1 or now >= lease.ends) and not self._renew(lease, now):
                    return _refusal(lease, now)
            for lease in asked:
                lease.left -= 1
            return _permission(asked[0], now)

    def _lease(self, name: str, whom: str) -> _Lease:
        found = self._leases.get((name, whom))
        if found is None:
            found = _Lease(name, f"{name}:{whom}", self._limit_of(name))
            self._leases[name, whom] = found
            if len(self._leases) > self._most:
                self._leases.popitem(last=False)
        return found

    def _limit_of(self, name: str) -> int:
        fixed = {"address": self._rates.address, "total": self._rates.total, "login": self._rates.logins}
        return fixed[name] if name in fixed else self._rates.user[RouteKind(name)]

    def _renew(self, lease: _Lease, now: float) -> bool:
        """Lease another block; return False if there is no room."""
        if now < lease.closed_until:
            return False
        used = lease.block - lease.left
        lease.left = 0
        most = max(lease.limit // 50, 1)
        lease.block = min(max(2 * used if used == lease.block else used, 1), most)
        for _ in range(3):  # somebody else may take what was seen to be free
            counts, limit, from_shared = self._counts(lease)
            free = room(counts, limit, WINDOW)
            if free < 1:
                break
            amount = min(lease.block, free)
            if (
                from_shared
                and self._shared is not None
                and not self._shared.add(lease.key, limit, WINDOW, amount)
            ):
                continue
            self._own.add(lease.key, WINDOW, amount)
            lease.left, lease.block, lease.spare = amount, amount, free - amount
            lease.ends = now + _LEASE_SECONDS if from_shared else math.inf
            lease.resets_at = now + counts.ends
            return True
        lease.opens_at = now + wait(counts, limit, WINDOW)
        lease.closed_until = min(lease.opens_at, now + _LONGEST_CLOSED)
        return False

    def _counts(self, lease: _Lease) -> tuple[Counts, int, bool]:
        """Return the counts that leave least room, the limit that holds for them, and whether Redis was heard."""
        own = self._own.counts(lease.key, WINDOW)
        if self._shared is None:
            return own, lease.limit, False
        shared = self._shared.counts(lease.key, WINDOW)
        if shared is None:
            return own, max(lease.limit // self._shares, 1), False
        return min(own, shared, key=lambda counts: room(counts, lease.limit, WINDOW)), lease.limit, True


def _refusal(lease: _Lease, now: float) -> Allowance:
    seconds = max(math.ceil(lease.opens_at - now), 1)
    return Allowance(False, lease.limit, 0, seconds, seconds, lease.name)


def _permission(lease: _Lease, now: float) -> Allowance:
    reset = max(math.ceil(lease.resets_at - now), 0)
    return Allowance(True, lease.limit, lease.spare + lease.left, reset, 0, lease.name)
