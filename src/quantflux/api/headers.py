"""Headers that keep browsers from doing harm with our answers."""

from __future__ import annotations

from collections.abc import Collection

Header = tuple[bytes, bytes]

SECURITY: tuple[Header, ...] = (
    # An answer of the API is data: it may load, run, frame and send nothing, should a browser ever show it.
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
"""On every answer. The first is left out where an answer brings a policy of its own."""

HSTS: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def is_private(names: Collection[bytes]) -> bool:
    """Whether an answer with these headers must not be kept by anybody: all that do not say how they may be."""
    return b"cache-control" not in names
