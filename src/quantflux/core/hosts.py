"""Addresses and networks: which can only be this machine, and which lie in which."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine.

    Any other name counts as remote, even one that happens to lead here: who answers for it may change.

    Examples
    --------
    >>> [is_loopback(h) for h in ("localhost", "127.0.0.9", "::1", "influx.example", "0.0.0.0")]
    [True, True, True, False, False]
    """
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_list(text: str) -> list[str]:
    """Return the parts of a list that is written with commas.

    Examples
    --------
    >>> split_list("10.0.0.0/8, ::1,")
    ['10.0.0.0/8', '::1']
    """
    return [part for part in (part.strip() for part in text.split(",")) if part]


def network_of(text: str) -> Network:
    """Return a network, or an address as a network of one.

    Raises
    ------
    ValueError
        If the text is neither, or has bits set beyond its mask.

    Examples
    --------
    >>> str(network_of("192.168.1.7"))
    '192.168.1.7/32'
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("holds something that is no address or network") from None


def lies_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of some networks; what is no address lies in none.

    Examples
    --------
    >>> inside = (network_of("10.0.0.0/8"),)
    >>> lies_in("10.1.2.3", inside), lies_in("11.1.2.3", inside), lies_in("testclient", inside)
    (True, False, False)
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found.version == network.version and found in network for network in networks)


@lru_cache(maxsize=4096)
def subscriber_of(address: str) -> str:
    """Return what stands for one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address.

    A provider gives a household or a machine 64 bits of IPv6 to choose from, and systems change theirs daily. What is
    no address stands for itself.

    Examples
    --------
    >>> subscriber_of("203.0.113.9"), subscriber_of("2001:db8:1:2:3:4:5:6"), subscriber_of("::ffff:203.0.113.9")
    ('203.0.113.9', '2001:db8:1:2::/64', '203.0.113.9')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))
