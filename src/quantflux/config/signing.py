"""How the keys of access tokens are written in a setting."""

from __future__ import annotations

import re

from quantflux.core.hosts import split_list

SHORTEST_KEY = 32
"""Bytes. HMAC-SHA-256 is as strong as its key, up to this length."""

_KID = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)


def parse_signing_keys(text: str) -> dict[str, bytes]:
    """Return the keys by name, in the order in which they stand: newest first.

    Raises
    ------
    ValueError
        Says what is wrong, without showing a key.

    Examples
    --------
    >>> list(parse_signing_keys("2024b:" + "x7" * 16 + ", 2024a:" + "y8" * 16))
    ['2024b', '2024a']
    """
    keys: dict[str, bytes] = {}
    for number, part in enumerate(split_list(text), start=1):
        kid, colon, key = part.partition(":")
        if not colon or not _KID.fullmatch(kid):
            raise ValueError(f"key {number} does not begin with a name of letters and digits, and a colon")
        if kid in keys:
            raise ValueError(f"two keys are called {kid}")
        if len(key.encode()) < SHORTEST_KEY:
            raise ValueError(
                f"the key {kid} has {len(key.encode())} bytes; valid are at least {SHORTEST_KEY}"
            )
        keys[kid] = key.encode()
    return keys
