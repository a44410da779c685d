"""Where a request comes from, as far as that can be known."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from quantflux.core.hosts import Network, lies_in

_MOST_HOPS = 20
_FORWARDED = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"})
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d{1,5})?|(?P<v4>\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}")


def client_address(scope: Mapping[str, Any], trusted: tuple[Network, ...]) -> str:
    """Return the address of the client of an ASGI request.

    That is the other end of the connection, unless it is a trusted proxy. Each proxy appends to `X-Forwarded-For` whom
    it was asked by, so the header is read from the right for as long as those who wrote it are trusted; what stands
    further left was written by the client itself and may say anything. `Forwarded`, `X-Real-IP` and the like are never
    read: proxies pass them on as they came.

    Parameters
    ----------
    scope : mapping
        Of an ASGI connection.
    trusted : tuple of Network
        Addresses of proxies.

    Returns
    -------
    str
        An IPv4 or IPv6 address; empty if the connection has none (a Unix socket) and no proxy tells.

    Examples
    --------
    >>> from quantflux.core.hosts import network_of
    >>> asked = {"client": ("10.0.0.5", 4711), "headers": [(b"x-forwarded-for", b"1.1.1.1, 203.0.113.9")]}
    >>> client_address(asked, ()), client_address(asked, (network_of("10.0.0.0/8"),))
    ('10.0.0.5', '203.0.113.9')
    """
    client = scope.get("client")
    peer = "" if client is None else _address_of(client[0])
    if not trusted or (peer and not _is_trusted(peer, trusted)):
        return peer
    for hop in reversed(_hops(scope["headers"])):
        address = _address_of(hop)
        if not address:
            return peer  # whoever wrote this is trusted, and nothing further left can be told from it
        peer = address
        if not _is_trusted(address, trusted):
            return peer
    return peer


def is_clients_own(scope: Mapping[str, Any], trusted: tuple[Network, ...]) -> bool:
    """Whether `client_address` is the client's, and not that of a proxy which does not say whom it asks for.

    To be asked before an address opens a door: a proxy that the settings do not name lends its own to everybody.

    Examples
    --------
    >>> is_clients_own({"client": ("10.0.0.5", 4711), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}, ())
    False
    """
    if not any(name in _FORWARDED for name, _ in scope["headers"]):
        return True
    client = scope.get("client")
    peer = "" if client is None else _address_of(client[0])
    hops = _hops(scope["headers"])
    if not trusted or not hops or (peer and not _is_trusted(peer, trusted)):
        return False
    for hop in reversed(hops):
        address = _address_of(hop)
        if not address or not _is_trusted(address, trusted):
            return bool(address)
    return True


def _hops(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    lines = [value for name, value in headers if name == b"x-forwarded-for"]
    if not lines:
        return []
    # The end alone matters; a header may hold thousands of addresses.
    return [hop.strip() for hop in b",".join(lines).decode("latin-1").rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]]


@lru_cache(maxsize=8192)
def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    return lies_in(address, trusted)


@lru_cache(maxsize=8192)
def _address_of(text: str) -> str:
    """Return an address in its one usual form, without port, or an empty text if it is none."""
    if len(text) > 60:
        return ""
    port = _WITH_PORT.fullmatch(text)
    if port is not None:
        text = port["v6"] or port["v4"]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        found = ipaddress.IPv6Address(int(found))  # without a zone such as %eth0
    return str(found)
