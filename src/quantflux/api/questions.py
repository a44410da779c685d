"""What a question is, and the work of answering it under one version of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import quantflux
from quantflux.accounts.permissions import Permission
from quantflux.api.answers import Form
from quantflux.cache.policies import OwnedKey
from quantflux.platform import Platform


@dataclass(frozen=True)
class Question:
    """What is asked, in one form: equal questions have equal answers for as long as the data stay the same.

    Attributes
    ----------
    kind : {"hot_stocks", "user_queries"}
        Of the cache, which decides how long the answer lives.
    text : str
        The request without the ways in which the same can be said differently.
    form : Form
    datasets : tuple of str
        What the answer is made from.
    permission : Permission
        What one needs to ask: nothing else about the caller may change the answer.
    following : str
        The parameter that asks for the next page.
    stock : str
        The symbol that this is a read of, for the count of those that are read often; empty if it is of none or many.
    """

    kind: str
    text: str
    form: Form
    datasets: tuple[str, ...]
    permission: Permission = Permission.MARKET_READ
    following: str = "after"
    stock: str = ""

    @cached_property
    def key(self) -> OwnedKey:
        """What the cache knows it by. The answer is the same for all who have the permission that the route asks."""
        hashed = blake2b(f"{self.form}\n{self.text}".encode(), digest_size=20).hexdigest()
        return OwnedKey.of(self.permission, hashed)


@dataclass(frozen=True, slots=True)
class Found:
    """A body, and where the next page begins; empty if there is none."""

    body: bytes
    next: str = ""

    @property
    def value(self) -> bytes:
        """What is kept: where the next page begins, a line feed, the body."""
        return self.next.encode() + b"\n" + self.body


class MovedOnError(Exception):
    """The data changed while an answer was computed."""


class Work:
    """A computation that one caller brings; whoever asks first has theirs done for all.

    Attributes
    ----------
    began : bool
        Whether it was this one.
    """

    def __init__(
        self, platform: Platform, datasets: tuple[str, ...], version: str, compute: Callable[[], Found]
    ) -> None:
        self._platform, self._datasets, self._version = platform, datasets, version
        self._compute = compute
        self.began = False

    def __call__(self) -> bytes:
        """Compute, and return the value to keep if the data stood still meanwhile."""
        self.began = True
        found = self._compute()
        if current_version(self._platform, self._datasets) != self._version:
            raise MovedOnError
        return found.value


def current_version(platform: Platform, datasets: tuple[str, ...]) -> str:
    """Return the versions of datasets, and of what writes the answers, as one text."""
    return version_text([platform.data.state(name) for name in datasets])


def version_text(states: Sequence[tuple[str, int]]) -> str:
    """Return states of datasets as one text."""
    # Another release may write the same data otherwise, and the shared tier and callers outlive this one.
    return ",".join([quantflux.__version__, *(f"{identity}:{version}" for identity, version in states)])
