"""`Budget`: costly work is estimated before it starts, and counted against what its owner may start in an hour."""

from __future__ import annotations

import math
import threading

from quantflux.accounts.limits.shared import SharedWindows
from quantflux.accounts.limits.windows import MemoryWindows, room, wait
from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, LimitReached

_HOUR = 3600
_UNITS = 100
"""Windows count whole numbers: hundredths of a second."""


class Budget:
    """Seconds of computing that each owner may start.

    Parameters
    ----------
    request_seconds : float
        Most that one request may be estimated to take.
    hour_seconds : float
        Most that an owner's requests of an hour may add up to.
    clock : Clock
    shared : SharedWindows or None
        Where processes share their sums; while it fails, each goes on with its own.

    Examples
    --------
    >>> from quantflux.core.clock import SystemClock
    >>> budget = Budget(60, 100, SystemClock())
    >>> budget.spend("user:7", 60)
    >>> budget.left("user:7")
    40.0
    """

    def __init__(
        self, request_seconds: float, hour_seconds: float, clock: Clock, shared: SharedWindows | None = None
    ) -> None:
        self._request, self._hour = request_seconds, hour_seconds
        self._own = MemoryWindows(clock)
        self._shared = shared
        self._lock = threading.Lock()

    def apply(self, request_seconds: float, hour_seconds: float) -> None:
        """Take over other limits. What was spent stays spent."""
        self._request, self._hour = request_seconds, hour_seconds

    def spend(self, owner: str, seconds: float) -> None:
        """Count work that is about to start.

        Parameters
        ----------
        owner : str
        seconds : float
            How long it is estimated to take.

        Raises
        ------
        InvalidRequest
            If that is more than one request may take, or no number from 0 on.
        LimitReached
            If it does not fit what is left of the owner's hour. Nothing was counted.
        """
        if not 0 <= seconds < math.inf:
            raise InvalidRequest(f"the estimate of a request's work is a number of seconds, was {seconds}")
        most = min(self._request, self._hour)  # what exceeds a whole hour's sum never fits
        if seconds > most:
            setting = "limits.work_seconds" if most == self._request else "limits.budget_seconds"
            raise InvalidRequest(
                f"the request is estimated to take {seconds:.0f} s of computing; one may take at most "
                f"{most:g} s ({setting}). Ask for fewer symbols, days or factors."
            )
        amount = math.ceil(seconds * _UNITS)
        if amount == 0:
            return
        key, limit = f"budget:{owner}", int(self._hour * _UNITS)
        with self._lock:
            counts = self._own.counts(key, _HOUR)
            shared = self._shared.counts(key, _HOUR) if self._shared is not None else None
            if shared is not None and room(shared, limit, _HOUR) < room(counts, limit, _HOUR):
                counts = shared
            free = room(counts, limit, _HOUR)
            if free < amount or not self._counted(key, limit, amount, heard=shared is not None):
                raise LimitReached(
                    f"the request is estimated to take {seconds:.0f} s of computing, and {max(free, 0) / _UNITS:.0f} s "
                    f"are left of the {self._hour:g} s that one may start in an hour (limits.budget_seconds)",
                    wait(counts, limit, _HOUR, amount) or 1.0,
                )

    def left(self, owner: str) -> float:
        """Return the seconds that an owner may still start now."""
        key, limit = f"budget:{owner}", int(self._hour * _UNITS)
        free = room(self._own.counts(key, _HOUR), limit, _HOUR)
        shared = self._shared.counts(key, _HOUR) if self._shared is not None else None
        if shared is not None:
            free = min(free, room(shared, limit, _HOUR))
        return max(free, 0) / _UNITS

    def _counted(self, key: str, limit: int, amount: int, *, heard: bool) -> bool:
        if heard and self._shared is not None and self._shared.add(key, limit, _HOUR, amount) is False:
            return False
        self._own.add(key, _HOUR, amount)
        return True
