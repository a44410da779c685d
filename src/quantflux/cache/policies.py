"""How long entries of each kind live, and whom they may be shown to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from quantflux.core.errors import InvalidRequest

REALTIME = "realtime"
HOT_STOCKS = "hot_stocks"
RESULTS = "results"
USER_QUERIES = "user_queries"


@dataclass(frozen=True, slots=True)
class Policy:
    """The life of one kind of entry.

    Parameters
    ----------
    seconds : float
        No answer is ever older than this.
    fresh : float
        Part of a life, between 0 and 1. The first reader after it still gets the old value at once, and a new one is
        computed behind their back.
    jitter : float
        Each life is shortened by a random part of up to this much, so that what was made together does not end
        together.
    private : bool
        Answers depend on who asks: their keys must be made with `OwnedKey.of`.

    Raises
    ------
    InvalidRequest
        If a number is out of range.
    """

    seconds: float
    fresh: float = 0.8
    jitter: float = 0.1
    private: bool = False

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InvalidRequest(f"A policy needs seconds > 0, found {self.seconds}.")
        if not 0 < self.fresh <= 1:
            raise InvalidRequest(f"A policy needs 0 < fresh <= 1, found {self.fresh}.")
        if not 0 <= self.jitter < 1:
            raise InvalidRequest(f"A policy needs 0 <= jitter < 1, found {self.jitter}.")

    def life(self, chance: float) -> float:
        """Return the seconds that an entry lives, `chance` being a random number in [0, 1).

        Examples
        --------
        >>> Policy(100).life(0.0), Policy(100).life(0.5)
        (100.0, 95.0)
        """
        return self.seconds * (1.0 - self.jitter * chance)


def standard_policies(
    *,
    realtime_seconds: float = 300.0,
    hot_stocks_seconds: float = 1800.0,
    results_seconds: float = 3600.0,
    user_queries_seconds: float = 900.0,
) -> Mapping[str, Policy]:
    """Return the policies of the four kinds that the platform keeps.

    Examples
    --------
    >>> sorted(standard_policies())
    ['hot_stocks', 'realtime', 'results', 'user_queries']
    """
    return {
        REALTIME: Policy(realtime_seconds),
        HOT_STOCKS: Policy(hot_stocks_seconds),
        RESULTS: Policy(results_seconds),
        USER_QUERIES: Policy(user_queries_seconds, private=True),
    }


class OwnedKey(str):
    """A key that begins with whom the answer is for, so that nobody else can ever hit it.

    Examples
    --------
    >>> OwnedKey.of("u7", "watchlist") == OwnedKey.of("u", "7watchlist")
    False
    """

    __slots__ = ()

    @classmethod
    def of(cls, owner: str, key: str) -> Self:
        """Return the key of what `owner` (a user's id, or a role where that is all the answer depends on) may see.

        Raises
        ------
        InvalidRequest
            If the owner is empty.
        """
        if not owner:
            raise InvalidRequest("A private cache key needs an owner, found an empty one.")
        return cls(f"{len(owner)}:{owner}:{key}")
