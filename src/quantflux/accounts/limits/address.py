"""Where a request comes from, behind proxies that are trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantflux.core.hosts import Network, lies_in


def client_address(scope: Mapping[str, Any], trusted: tuple[Network, ...]) -> str:
    """Return the client's address: the right-most one that no trusted proxy has.

    Parameters
    ----------
    scope : mapping
        Of ASGI.
    trusted : tuple of Network
        Proxies whose X-Forwarded-For is taken.
    """
    client = scope.get("client")
    found: str = client[0] if client else ""
    if not trusted or not lies_in(found, trusted):
        return found
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for hop in reversed(",".join(named).split(",")):
        address = hop.strip()
        if not address:
            continue
        found = address
        if not lies_in(address, trusted):
            break
    return found
