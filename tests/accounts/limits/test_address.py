from __future__ import annotations

import pytest

from quantflux.accounts.limits.address import client_address, is_clients_own
from quantflux.core.hosts import network_of

PROXIES = (network_of("10.0.0.0/8"), network_of("2001:db8:ffff::/48"))


def scope(peer: str | None, *forwarded: str, **others: str) -> dict[str, object]:
    headers = [(b"host", b"desk.example")]
    headers += [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in others.items()]
    return {"client": None if peer is None else (peer, 4711), "headers": headers}


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        (scope("10.0.0.5", "203.0.113.9"), "203.0.113.9"),
        (scope("10.0.0.5", "1.2.3.4, 203.0.113.9"), "203.0.113.9"),  # the left one is the client's own word
        (scope("10.0.0.5", "1.2.3.4", "203.0.113.9"), "203.0.113.9"),  # in two lines
        (scope("10.0.0.5", "203.0.113.9, 10.0.0.7"), "203.0.113.9"),  # two proxies
        (scope("10.0.0.5", "203.0.113.9, 10.0.0.7, 10.0.0.6"), "203.0.113.9"),
        (scope("10.0.0.5", "10.0.0.8, 10.0.0.7"), "10.0.0.8"),  # a client inside
        (scope("10.0.0.5", "203.0.113.9:5123"), "203.0.113.9"),
        (scope("10.0.0.5", "[2001:db8::9]:5123"), "2001:db8::9"),
        (scope("10.0.0.5", "2001:DB8:0::9"), "2001:db8::9"),
        (scope("10.0.0.5", "fe80::1%eth0"), "fe80::1"),
        (scope("10.0.0.5", "::ffff:203.0.113.9"), "203.0.113.9"),
        (scope("::ffff:10.0.0.5", "203.0.113.9"), "203.0.113.9"),
        (scope("2001:db8:ffff::1", "203.0.113.9"), "203.0.113.9"),
        (scope(None, "203.0.113.9"), "203.0.113.9"),  # a proxy on a Unix socket
        (scope("10.0.0.5"), "10.0.0.5"),
        (scope("10.0.0.5", ""), "10.0.0.5"),
        (scope("10.0.0.5", "1.2.3.4, unknown"), "10.0.0.5"),  # nothing to the left of nonsense is believed
        (scope("10.0.0.5", "1.2.3.4, 10.0.0.7, ,"), "10.0.0.5"),
        (scope("10.0.0.5", "1.2.3.4, x, 10.0.0.7"), "10.0.0.7"),
        (scope("10.0.0.5", "1.2.3.4, ' OR 1=1 --\r\n"), "10.0.0.5"),
        (scope("10.0.0.5", "é" * 100_000), "10.0.0.5"),
    ],
)
def test_the_header_of_a_trusted_proxy_is_read_from_the_right(asked, address):
    assert client_address(asked, PROXIES) == address


@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "2001:db8::9"])
@pytest.mark.parametrize("trusted", [(), PROXIES])
def test_nobody_else_is_believed(peer, trusted):
    spoofed = scope(peer, "1.2.3.4", forwarded="for=1.2.3.4", x_real_ip="1.2.3.4", cf_connecting_ip="1.2.3.4")

    assert client_address(spoofed, trusted) == peer


def test_headers_that_proxies_pass_on_unread_are_not_read_here():
    spoofed = scope("10.0.0.5", forwarded="for=1.2.3.4", x_real_ip="1.2.3.4", true_client_ip="1.2.3.4")

    assert client_address(spoofed, PROXIES) == "10.0.0.5"


def test_an_unnamed_peer_has_no_address():
    assert client_address(scope(None, "203.0.113.9"), ()) == ""
    assert client_address(scope("testclient"), ()) == ""


@pytest.mark.parametrize(
    ("peer", "headers", "certain"),
    [
        ("203.0.113.9", [], True),
        ("203.0.113.9", [(b"x-forwarded-for", b"198.51.100.1")], False),  # a proxy that nobody named
        ("203.0.113.9", [(b"via", b"1.1 squid")], False),
        ("10.0.0.5", [(b"x-forwarded-for", b"203.0.113.9")], True),
        ("10.0.0.5", [(b"x-forwarded-for", b"203.0.113.9, 10.0.0.6")], True),
        ("10.0.0.5", [(b"x-forwarded-for", b"unknown")], False),
        ("10.0.0.5", [(b"x-forwarded-for", b"203.0.113.9, unknown")], False),
        ("10.0.0.5", [(b"x-forwarded-for", b"unknown, 203.0.113.9")], True),
        ("10.0.0.5", [(b"forwarded", b"for=203.0.113.9")], False),  # it forwards, and does not say whom
        ("10.0.0.5", [], True),  # the proxy's own machine, calling by itself
    ],
)
def test_whether_the_address_is_the_clients(
    peer: str, headers: list[tuple[bytes, bytes]], certain: bool
) -> None:
    assert is_clients_own({"client": (peer, 1), "headers": headers}, (network_of("10.0.0.0/8"),)) is certain
