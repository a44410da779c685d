"""Passwords: which are taken, and how they are kept. Argon2id, at the full length, never cut or changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from quantflux.core.errors import Busy, InvalidRequest

SHORTEST, LONGEST = 8, 128
_AT_ONCE = 2
_WAITING = 16
_WAIT_SECONDS = 10.0
_LEET = str.maketrans("0134578@$!+", "oieastbasit")
_CONTEXT = ("quantflux", "quant")


class Passwords:
    """Hashes and verifies passwords, two at once and no more, so that log-ins cannot take the machine.

    Parameters
    ----------
    rounds, memory_kib : int
        Cost of one hash. As given it takes about 110 ms and 45 MiB on a server of 2020, above the 19 MiB and two
        rounds that OWASP's cheat sheet asks for.

    Examples
    --------
    >>> passwords = Passwords(rounds=1, memory_kib=64)
    >>> kept = passwords.hash("rain over nine hills")
    >>> passwords.verify(kept, "rain over nine hills"), passwords.verify(kept, "rain over nine hill")
    (True, False)
    """

    def __init__(self, rounds: int = 3, memory_kib: int = 46_080) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._queue = threading.BoundedSemaphore(_AT_ONCE + _WAITING)
        self._nobodys = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """Return what is kept of a password. See `check_new` for which ones are taken."""
        with self._slot():
            return self._hasher.hash(password)

    def verify(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one of which `kept` is left; for None, as long a time later, False."""
        try:
            encoded = password.encode()
        except UnicodeEncodeError:  # half a surrogate pair: nobody's password, but it must cost the same
            encoded, kept = b"", None
        with self._slot():
            try:
                return self._hasher.verify(kept or self._nobodys, encoded) and kept is not None
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, kept: str) -> bool:
        """Whether a password was hashed at another cost than is asked for now."""
        return self._hasher.check_needs_rehash(kept)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._queue.acquire(blocking=False):
            raise Busy("Too many log-ins are waiting; try again in a few seconds.")
        try:
            if not self._slots.acquire(timeout=_WAIT_SECONDS):
                raise Busy("Too many log-ins are waiting; try again in a few seconds.")
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._queue.release()


def check_length(password: str) -> None:
    """Refuse what no password can be, before any work is spent on it.

    Raises
    ------
    InvalidRequest
        If it is longer than 128 characters.
    """
    if len(password) > LONGEST:
        raise InvalidRequest(f"the password has {len(password)} characters; valid are at most {LONGEST}")


def check_new(password: str, name: str) -> None:
    """Refuse a new password that can be guessed. There are no rules on what characters it must have.

    Parameters
    ----------
    name : str
        Of the user, which may not be what the password is made of.

    Raises
    ------
    InvalidRequest
        If it is shorter than 8 or longer than 128 characters, no text, or one that many people use.

    Examples
    --------
    >>> check_new("rain over nine hills", "li.wei")
    >>> check_new("P@ssw0rd2024!", "li.wei")
    Traceback (most recent call last):
    quantflux.core.errors.InvalidRequest: the password is one of the first that are tried; ...
    """
    check_length(password)
    if len(password) < SHORTEST:
        raise InvalidRequest(f"the password has {len(password)} characters; valid are at least {SHORTEST}")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("the password holds half a character; valid is any Unicode text") from None
    if _is_common(password.casefold(), name.casefold()):
        raise InvalidRequest(
            "the password is one of the first that are tried; valid is one that is not made of a common word, the "
            "user's or the program's name, a row of keys or a repetition. Several unrelated words do well."
        )


def _is_common(text: str, name: str) -> bool:
    if len(set(text)) < 4 or _is_run(text) or _is_repetition(text):
        return True
    common = _common_words()
    parts = name.replace("-", ".").replace("_", ".").split(".")
    words = {*_CONTEXT, name, "".join(parts), *parts} - {""}
    for core in _cores(text):
        if len(core) > 4 and _is_run(core):
            return True
        for spelling in (core, core.translate(_LEET)):
            if spelling in common or spelling in words or _made_of_two(spelling, common):
                return True
    # What is left of a name or of the program's may be long enough to be a password, but adds little to it.
    return any(len(word) >= 4 and word in text and len(text) - len(word) < SHORTEST for word in words)


def _cores(text: str) -> Iterator[str]:
    """Yield a text as it is, and without the digits and signs that people add in front and behind."""
    yield text
    edges = "".join({c for c in text if not c.isalpha()})
    for core in (text.rstrip(edges), text.lstrip(edges), text.strip(edges)):
        if core and len(text) - len(core) <= 8:
            yield core
    yield "".join(c for c in text if c.isalnum())


def _made_of_two(core: str, common: frozenset[str]) -> bool:
    return any(core[:i] in common and core[i:] in common for i in range(3, len(core) - 2)) and len(core) < 14


def _is_repetition(text: str) -> bool:
    return text in (text + text)[1:-1] or any(
        text == (text[:size] * len(text))[: len(text)] for size in range(1, 5)
    )


def _is_run(text: str) -> bool:
    """Whether a text goes along the alphabet, the digits or a row of keys, forth or back, perhaps in two pieces."""
    rows = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb",
            "qazwsxedcrfvtgb", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "!@#$%^&*()")  # fmt: skip
    pieces = [piece for row in rows for piece in (row, row[::-1])]
    cuts = range(3, len(text) - 2)
    whole = any(text in piece for piece in pieces)
    return whole or any(
        any(text[:i] in piece for piece in pieces) and any(text[i:] in piece for piece in pieces)
        for i in cuts
    )


@cache
def _common_words() -> frozenset[str]:
    text = files("quantflux.accounts").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
