"""What may be asked of a family of models, and the check of what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from quantflux.core.errors import InvalidRequest


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds, both allowed."""

    default: int | None
    low: int
    high: int = 2**31 - 1

    def valid(self, value: Any) -> bool:
        """Say whether a value is one."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low}" + (f" to {self.high}" if self.high < 2**31 - 1 else "")


@dataclass(frozen=True)
class Number:
    """A number between two bounds, both allowed."""

    default: float | None
    low: float
    high: float = float("inf")

    def valid(self, value: Any) -> bool:
        """Say whether a value is one."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and value < float("inf")

    def __str__(self) -> str:
        return f"a number from {self.low:g}" + (f" to {self.high:g}" if self.high < float("inf") else "")


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    default: str | None
    words: tuple[str, ...]

    def valid(self, value: Any) -> bool:
        """Say whether a value is one."""
        return value in self.words

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


@dataclass(frozen=True)
class Sizes:
    """A list of whole numbers of at least 1."""

    default: tuple[int, ...]

    def valid(self, value: Any) -> bool:
        """Say whether a value is one."""
        return isinstance(value, list | tuple) and 0 < len(value) <= 10 and all(map(Whole(1, 1).valid, value))

    def __str__(self) -> str:
        return "a list of up to 10 whole numbers of at least 1"


@dataclass(frozen=True)
class Tables:
    """A list of tables with some keys, of which the first is needed."""

    default: tuple[Mapping[str, Any], ...]
    keys: tuple[str, ...]

    def valid(self, value: Any) -> bool:
        """Say whether a value is one."""
        return isinstance(value, list | tuple) and all(
            isinstance(each, Mapping) and self.keys[0] in each and set(each) <= set(self.keys)
            for each in value
        )

    def __str__(self) -> str:
        return f"a list of tables with {self.keys[0]} and, if wanted, {', '.join(self.keys[1:])}"


Parameter = Whole | Number | Choice | Sizes | Tables


def checked(
    kind: str,
    given: Mapping[str, Any],
    known: Mapping[str, Parameter],
    aliases: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return all parameters of a family: those given, and the defaults of the others.

    Parameters
    ----------
    kind : str
        The family, for messages.
    given : mapping
    known : mapping
    aliases : mapping, optional
        Other usual names.

    Raises
    ------
    InvalidRequest
        If a name is unknown, stands twice or has a value that is not allowed.

    Examples
    --------
    >>> checked("ridge", {}, {"alpha": Number(0.1, 0.0)})
    {'alpha': 0.1}
    >>> checked("ridge", {"alfa": 1}, {"alpha": Number(0.1, 0.0)})
    Traceback (most recent call last):
    quantflux.core.errors.InvalidRequest: ridge has no parameter 'alfa'; similar: alpha
    """
    other = aliases or {}
    found: dict[str, Any] = {}
    for name, value in given.items():
        meant = other.get(name, name)
        if meant not in known:
            raise InvalidRequest(f"{kind} has no parameter {name!r}; {_hint(name, known, other)}")
        if meant in found:
            raise InvalidRequest(f"{kind}: {name!r} and another name of {meant!r} are both given; give one")
        if not (known[meant].valid(value) or (value is None and known[meant].default is None)):
            raise InvalidRequest(f"{kind}: {name} is {value!r}; valid is {known[meant]}")
        found[meant] = value
    return {name: found.get(name, parameter.default) for name, parameter in known.items()}


def _hint(name: str, known: Mapping[str, Parameter], aliases: Mapping[str, str]) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    near = get_close_matches(name, [*known, *aliases], n=3)
    return f"similar: {', '.join(near)}" if near else f"there are: {', '.join(known)}"


_ELSEWHERE = {
    **dict.fromkeys(
        ("seed", "random_state", "random_seed"), "the seed is a key of the model, not one of its parameters"
    ),
    **dict.fromkeys(
        ("n_jobs", "num_threads", "nthread", "thread_count"), "threads are chosen where the model is fitted"
    ),
    **dict.fromkeys(("num_class", "metric"), "the task of the model decides that"),
}
