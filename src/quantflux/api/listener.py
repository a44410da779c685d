"""The socket that listens: bound at the start, closed at the stop without resetting who waits in its queue."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys

_BACKLOG = 2048

# Linux numbers this option 26 on every architecture that Python's wheels are built for; Python has no name for it.
_SO_ATTACH_FILTER = 26
_NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte of the TCP header that holds its flags
    (0x54, 0, 0, 0x12),  # of them SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone opens a connection:
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFF),  # keep everything else
)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    OSError
        If the address cannot be had; the message names it.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with contextlib.ExitStack() as unless_bound:
            listener = unless_bound.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(_BACKLOG)
            listener.set_inheritable(True)
            unless_bound.pop_all()
    except OSError as exc:
        raise OSError(exc.errno, f"cannot listen on {host}:{port}: {exc.strerror}") from exc
    return listener


def turn_away_newcomers(listener: socket.socket) -> None:
    """Let nobody else into a socket's queue, in whichever process it is open; who waits there can still be taken.

    A client that comes now is not answered, tries again a second later and finds the socket closed. Without this there
    is always a moment between the last look at the queue and the end of the socket, and who comes in it is reset.
    Where the system has no filters the moment remains.
    """
    if not sys.platform.startswith("linux"):
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_SYN))
    attached = struct.pack("@HP", len(_NO_SYN), ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
