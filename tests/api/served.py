"""A real `quantflux serve` in a process of its own, for tests that need its sockets and signals."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
START_SECONDS = 60.0


@dataclass
class Served:
    """A running server.

    Attributes
    ----------
    process : Popen
    port : int
    printed : str
        What it had printed on standard output when it was ready: the first password, or nothing.
    errors : list of str
        Lines of its log so far.
    """

    process: subprocess.Popen[str]
    port: int = 0
    printed: str = ""
    errors: list[str] = field(default_factory=list)

    def connect(self, timeout: float = 15.0) -> socket.socket:
        """Return a connected socket."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def exchange(self, sent: bytes, timeout: float = 15.0) -> bytes:
        """Send bytes and return all that comes back until the server closes the connection."""
        with self.connect(timeout) as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(sent)  # it may refuse before it has read all
            return drain(sock)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)


def drain(sock: socket.socket) -> bytes:
    """Read until the other end closes."""
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing of the machine's own configuration is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTFLUX")}
    return kept | {"QUANTFLUX_DATA_DIR": str(folder / "data"), "HOME": str(folder), "COLUMNS": "200"}


def command(arguments: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    """Return the command line of a server on a free port."""
    return [sys.executable, "-m", "quantflux", *options, "serve", "--port", "0", *arguments]


@contextmanager
def serve(
    folder: Path, *arguments: str, options: Sequence[str] = (), descriptors: int | None = None
) -> Iterator[Served]:
    """Start a server, wait until it answers, and end it if the test did not.

    Parameters
    ----------
    descriptors : int, optional
        How many files and sockets it may have open; without it, as many as the test.
    """
    asked = command(arguments, options)
    if descriptors is not None:
        asked = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *asked]
    process = subprocess.Popen(
        asked,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
        cwd=folder,
    )
    served = Served(process)
    reader = threading.Thread(target=_read_log, args=(served,), daemon=True)
    reader.start()
    try:
        _wait_until_ready(served)
        yield served
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        reader.join(30)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _read_log(served: Served) -> None:
    assert served.process.stderr is not None
    for line in served.process.stderr:
        served.errors.append(line)
        if found := _LISTENING.search(line):
            served.port = int(found[1])


def _wait_until_ready(served: Served) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and served.process.poll() is None:
        with contextlib.suppress(TimeoutError):  # it listens before it answers
            if served.port and b" 200 OK" in served.exchange(request("/health/ready")):
                served.printed = _printed(served)
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start:\n" + "".join(served.errors))


def _printed(served: Served) -> str:
    assert served.process.stdout is not None
    if select.select([served.process.stdout], [], [], 0)[0]:
        return served.process.stdout.readline().strip()
    return ""


def request(path: str, *headers: str, close: bool = True) -> bytes:
    """Return a GET request as bytes."""
    lines = [f"GET {path} HTTP/1.1", "Host: test", *(["Connection: close"] if close else []), *headers]
    return "\r\n".join([*lines, "", ""]).encode()
