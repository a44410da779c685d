"""When a request is sent again, and how long that waits."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_sleeps = threading.Event()  # never set: waiting for it sleeps


def _sleep(seconds: float) -> None:
    _sleeps.wait(seconds)


@dataclass(frozen=True)
class Retries:
    """A pause before each repetition, drawn evenly from nothing to a bound that doubles (full jitter).

    Attributes
    ----------
    attempts : int
        How often a request is sent in all.
    first, most : float
        Seconds: the bound before the first repetition, and the largest one.
    patience : float
        Seconds: if the server asks for a longer pause than this, its refusal is raised at once.
    sleep, random : callable
        For tests.
    """

    attempts: int = 5
    first: float = 0.2
    most: float = 5.0
    patience: float = 30.0
    sleep: Callable[[float], None] = field(default=_sleep, repr=False)
    random: Callable[[], float] = field(default=random.random, repr=False)

    def pause(self, attempt: int, asked: float | None) -> float | None:
        """Return the seconds to wait after an attempt; None if no more are made.

        Parameters
        ----------
        attempt : int
            Counted from 1.
        asked : float or None
            What the server asked for in Retry-After; the pause is never shorter.

        Examples
        --------
        >>> retries = Retries(attempts=3, random=lambda: 0.5)
        >>> retries.pause(1, None), retries.pause(2, None), retries.pause(3, None)
        (0.1, 0.2, None)
        >>> retries.pause(1, 2.0), retries.pause(1, 3600.0)
        (2.1, None)
        """
        if attempt >= self.attempts or (asked or 0.0) > self.patience:
            return None
        return (asked or 0.0) + self.random() * min(self.most, self.first * 2.0 ** (attempt - 1))
