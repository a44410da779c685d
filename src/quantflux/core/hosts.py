"""Which addresses can only be this machine."""

from __future__ import annotations

import ipaddress


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
