"""The listening socket, at the moment of a stop."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from quantflux.api.listener import bind, turn_away_newcomers


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bind("127.0.0.1", 0) as bound:
        yield bound


def test_an_address_in_use_is_named(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        bind("127.0.0.1", port)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the filter is Linux's")
def test_who_waits_is_served_and_who_comes_later_is_turned_away(listener: socket.socket) -> None:
    address = listener.getsockname()
    with socket.create_connection(address, 10) as early:
        early.sendall(b"before")

        turn_away_newcomers(listener)

        with pytest.raises(TimeoutError):
            socket.create_connection(address, 0.3)
        early.sendall(b" and after")
        accepted, _ = listener.accept()
        listener.close()
        with accepted:
            accepted.settimeout(10)
            assert accepted.recv(16, socket.MSG_WAITALL) == b"before and after"
            accepted.sendall(b"answer")
        assert early.recv(100) == b"answer"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 10)
