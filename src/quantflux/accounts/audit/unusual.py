"""Unusual access: many refusals, a user's new address, log-ins at odd hours, bulk export."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from quantflux.accounts.audit.events import EXPORT, LOG_IN, AuditEvent
from quantflux.core.clock import SHANGHAI
from quantflux.core.hosts import subscriber_of
from quantflux.database.times import from_micros

_SECOND = 1_000_000
_HOUR = 3600 * _SECOND

LogIns = Callable[[str, int, int], Iterable[tuple[int, str]]]
"""Given a user, an entry's number and a count: time and address of that many log-ins before the entry."""


@dataclass(slots=True)
class _Habits:
    """Where a user has logged in from, and how often in each hour of Shanghai's day."""

    networks: OrderedDict[str, None] = field(default_factory=OrderedDict)
    hours: list[int] = field(default_factory=lambda: [0] * 24)

    def learn(self, at: int, address: str, most: int) -> None:
        self.networks[subscriber_of(address)] = None
        self.networks.move_to_end(subscriber_of(address))
        while len(self.networks) > most:
            self.networks.popitem(last=False)
        self.hours[hour_of(at)] += 1


@dataclass(slots=True)
class _Sum:
    """What was added up since `began`, and whether it was told."""

    began: int
    amount: int = 0
    told: bool = False


class UnusualAccess:
    """Watches events and raises others about them; remembers a bounded number of users and addresses.

    * `unusual.refusals`: `refusals` refused requests or log-ins of one actor, or from one address, in
      `refusal_seconds`; told once in that time.
    * `unusual.address`: a log-in from a network from which the user, who has logged in before, never did. A network is
      an IPv4 address, or the 64 bits of an IPv6 address that a provider assigns.
    * `unusual.hour`: a log-in more than two hours of the clock away from all of at least `hour_log_ins` earlier ones.
    * `unusual.export`: exports of one user within an hour that add up to `export_rows` or `export_bytes`; told once.

    Where and when a user has logged in is read from the log itself, so that a restart forgets nothing; sums are each
    process's own.

    Parameters
    ----------
    most : int
        Users, and addresses, that are remembered at once; the least recently seen go.
    """

    def __init__(
        self,
        *,
        refusals: int = 20,
        refusal_seconds: int = 300,
        hour_log_ins: int = 20,
        export_rows: int = 20_000_000,
        export_bytes: int = 2_000_000_000,
        most: int = 4096,
    ) -> None:
        self._refusals, self._refusal_window = refusals, refusal_seconds * _SECOND
        self._hour_log_ins = hour_log_ins
        self._exports = {"rows": export_rows, "bytes": export_bytes}
        self._most = most
        self._habits: OrderedDict[str, _Habits] = OrderedDict()
        self._sums: OrderedDict[tuple[str, str], _Sum] = OrderedDict()

    def look(self, seq: int, at: int, event: AuditEvent, log_ins: LogIns) -> list[AuditEvent]:
        """Take note of an event that was written as entry `seq`, and return what is unusual about it."""
        if event.action.startswith("unusual."):
            return []
        if event.outcome == "refused":
            return self._refused(at, event)
        if event.action == LOG_IN and event.outcome == "done":
            return self._logged_in(seq, at, event, log_ins)
        if event.action == EXPORT and event.outcome == "done":
            return self._exported(at, event)
        return []

    def _refused(self, at: int, event: AuditEvent) -> list[AuditEvent]:
        found = []
        times = _whole(event.details.get("times", 1))
        for kind, key in (("actor", event.actor), ("address", subscriber_of(event.address))):
            if key and self._reaches((kind, key), at, times, self._refusals, self._refusal_window):
                seconds = self._refusal_window // _SECOND
                found.append(
                    _raised("unusual.refusals", event, by=kind, at_least=self._refusals, seconds=seconds)
                )
        return found

    def _exported(self, at: int, event: AuditEvent) -> list[AuditEvent]:
        return [
            _raised("unusual.export", event, of=what, at_least=most, seconds=3600)
            for what, most in self._exports.items()
            if self._reaches((what, event.actor), at, _whole(event.details.get(what, 0)), most, _HOUR)
        ]

    def _logged_in(self, seq: int, at: int, event: AuditEvent, log_ins: LogIns) -> list[AuditEvent]:
        habits = self._habits.get(event.actor)
        if habits is None or self._strange(habits, at, event.address):
            # Other processes may have seen what this one has not: ask the log before raising anything.
            habits = _Habits()
            for earlier, address in reversed(list(log_ins(event.actor, seq, 500))):
                habits.learn(earlier, address, 64)
        found = [
            _raised(action, event, **details) for action, details in self._strange(habits, at, event.address)
        ]
        habits.learn(at, event.address, 64)
        self._habits[event.actor] = habits
        self._habits.move_to_end(event.actor)
        while len(self._habits) > self._most:
            self._habits.popitem(last=False)
        return found

    def _strange(self, habits: _Habits, at: int, address: str) -> list[tuple[str, dict[str, object]]]:
        found: list[tuple[str, dict[str, object]]] = []
        if habits.networks and subscriber_of(address) not in habits.networks:
            found.append(("unusual.address", {"known": len(habits.networks)}))
        hour = hour_of(at)
        near = sum(habits.hours[(hour + shift) % 24] for shift in range(-2, 3))
        if not near and sum(habits.hours) >= self._hour_log_ins:
            found.append(("unusual.hour", {"hour": hour, "zone": "Asia/Shanghai"}))
        return found

    def _reaches(self, key: tuple[str, str], at: int, amount: int, most: int, window: int) -> bool:
        """Add to a sum of fixed windows; return whether it reaches `most` now, for the first time."""
        held = self._sums.get(key)
        if held is None or not held.began <= at < held.began + window:
            held = self._sums[key] = _Sum(at)
        self._sums.move_to_end(key)
        while len(self._sums) > self._most:
            self._sums.popitem(last=False)
        held.amount += amount
        if held.amount < most or held.told:
            return False
        held.told = True
        return True


def hour_of(at: int) -> int:
    """Return the hour of Shanghai's clock.

    Examples
    --------
    >>> hour_of(1704153600000000)  # midnight UTC
    8
    """
    return from_micros(at).astimezone(SHANGHAI).hour


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _raised(action: str, event: AuditEvent, **details: object) -> AuditEvent:
    return AuditEvent(
        action,
        "done",
        event.actor,
        event.address,
        event.request_id,
        event.target,
        {**details, "after": event.action},
    )
