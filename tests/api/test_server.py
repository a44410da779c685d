"""The server as a process: its sockets under attack, its signals, its first start."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quantflux.api.connection import MOST_HEADER_BYTES, MOST_HEADERS
from tests.api.served import Served, command, drain, environment, request, serve

UNLIMITED = ("--set", "limits.address_per_minute=10000000", "--set", "limits.reads_per_minute=10000000")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("served")) as running:
        yield running


def test_the_first_password_lets_in_once_and_must_be_changed(served: Served) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}") as client:
        answer = client.post("/api/v2/auth/login", json={"name": "admin", "password": served.printed})
        token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        refused = client.get("/api/v2/users", headers=token)
        changed = client.post(
            "/api/v2/account/password",
            json={"current_password": served.printed, "new_password": "rain over nine hills"},
            headers=token,
        )
        users = client.get(
            "/api/v2/users", headers={"Authorization": f"Bearer {changed.json()['access_token']}"}
        )

    assert answer.json()["must_change_password"] is True
    assert refused.status_code == 403
    assert [user["name"] for user in users.json()["items"]] == ["admin"]
    log = "".join(served.errors)
    assert served.printed not in log and answer.json()["access_token"] not in log


# What is no HTTP, or too much of it. The server answers others in the meantime, which `alive` looks at.


@pytest.fixture(autouse=True)
def alive(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "served" in request.fixturenames:
        running: Served = request.getfixturevalue("served")
        assert b" 200 OK" in running.exchange(
            b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )


TOO_LARGE = {
    "a header of 64 kB": request("/health/live", "X-Large: " + "a" * MOST_HEADER_BYTES),
    "a header of 1 MB": request("/health/live", "X-Large: " + "a" * 1_000_000),
    "a line of 64 kB": request("/" + "a" * MOST_HEADER_BYTES),
    "10^4 headers": request("/health/live", *(f"X-{i}: {i}" for i in range(10_000))),
    "more headers than allowed": request("/health/live", *(f"X-{i}: {i}" for i in range(MOST_HEADERS))),
    "a header that never ends": b"GET / HTTP/1.1\r\nX-Large: " + b"a" * 200_000,
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_headers_beyond_the_limits(served: Served, name: str) -> None:
    answer = served.exchange(TOO_LARGE[name])

    # Nothing at all is what a client sees that was still sending when it was cut off.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    if answer:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"x-content-type-options: nosniff" in head and b"connection: close" in head
        assert json.loads(body)["code"] == "headers_too_large"


def test_headers_within_the_limits(served: Served) -> None:
    answer = served.exchange(request("/health/live", *(f"X-{i}: {'a' * 500}" for i in range(90))))

    assert answer.startswith(b"HTTP/1.1 200 ")


_POST = b"POST /api/v2/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
NO_HTTP = {
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a space in a header's name": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "a bare line feed in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "two lengths": _POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": _POST
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a negative length": _POST + b"Content-Length: -1\r\n\r\n{}",
    "a length that is no number": _POST + b"Content-Length: 2e1\r\n\r\n{}",
    "a chunk's size that is none": _POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk's size beyond 64 bits": _POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n{}",
    "chunked twice": _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_no_http_is_refused(served: Served, name: str) -> None:
    answer = served.exchange(NO_HTTP[name])

    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"422"), answer
    assert answer.count(b"HTTP/1.1 ") <= 1, "nothing may be read as a second request"


def test_an_upgrade_to_h2c_is_not_followed(served: Served) -> None:
    answer = served.exchange(
        request("/health/live", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", close=False)
        + request("/health/live")
    )

    assert b"101 Switching" not in answer


def test_slow_headers_and_silent_connections_are_cut(served: Served) -> None:
    """Both at once, as each takes ten seconds: one never says anything, one sends a byte a second."""
    began = time.monotonic()
    with served.connect(30) as silent, served.connect(30) as slow:
        ended = threading.Event()

        def trickle() -> None:
            for byte in b"GET /health/live HTTP/1.1\r\nX-Slow: " + b"a" * 60:
                if ended.wait(0.5):
                    return
                try:
                    slow.sendall(bytes([byte]))
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        heard = drain(slow)
        took = time.monotonic() - began
        ended.set()
        thread.join()
        assert drain(silent) == b""

    assert heard == b"" or heard.startswith(b"HTTP/1.1 408 ")
    assert took < 15


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_without_descriptors_it_sheds_and_recovers(tmp_path: Path) -> None:
    with serve(tmp_path, options=UNLIMITED, descriptors=128) as running:
        held = Path(f"/proc/{running.process.pid}/fd")

        def asked() -> bytes:
            try:
                return running.exchange(request("/health"))[:13]
            except ConnectionResetError:
                return b""

        before = len(list(held.iterdir()))
        for _ in range(3):
            with contextlib.ExitStack() as crowd:
                for _ in range(300):
                    crowd.enter_context(running.connect(30))
                # Who keeps silent within the room is cut off after ten seconds.
                deadline = time.monotonic() + 8
                while (heard := asked()) != b"HTTP/1.1 503 ":
                    assert heard == b"" and time.monotonic() < deadline, "nobody is told to come back"
                    assert len(list(held.iterdir())) < 128
                    time.sleep(0.1)
            deadline = time.monotonic() + 15
            while asked() != b"HTTP/1.1 200 ":
                assert time.monotonic() < deadline, "it does not recover"
                time.sleep(0.1)
        while len(list(held.iterdir())) > before + 2:
            assert time.monotonic() < deadline, "descriptors leak"
            time.sleep(0.1)
        assert running.stop() == 0
        assert "Traceback" not in "".join(running.errors)


# Signals.


class Caller(threading.Thread):
    """Asks again and again on connections that it keeps, until nobody listens any more."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.answered = 0
        self.lost = ""
        self.ended = threading.Event()

    def run(self) -> None:
        sock: socket.socket | None = None
        while not self.ended.is_set():
            try:
                sock = sock or socket.create_connection(("127.0.0.1", self.port), 30)
            except OSError:
                return  # never accepted
            try:
                closed = self._ask(sock)
            except (OSError, ValueError) as exc:
                self.lost = repr(exc)
                break
            if closed:
                sock.close()
                sock = None
        if sock is not None:
            sock.close()

    def _ask(self, sock: socket.socket) -> bool:
        sock.sendall(request("/health", close=False))
        heard = b""
        while b"\r\n\r\n" not in heard or not heard.endswith(b"}}"):
            part = sock.recv(65536)
            if not part:
                raise ValueError(f"closed after {heard!r}")
            heard += part
        if not heard.startswith(b"HTTP/1.1 200 "):
            raise ValueError(heard[:100])
        self.answered += 1
        return b"connection: close" in heard


def lost_in_a_stop(running: Served) -> list[str]:
    """Stop a server while sixteen callers ask; return what became of requests that were accepted and not answered."""
    callers = [Caller(running.port) for _ in range(16)]
    for caller in callers:
        caller.start()
    deadline = time.monotonic() + 60
    while not all(caller.answered for caller in callers):
        assert time.monotonic() < deadline, "somebody is not answered"
        time.sleep(0.01)
    time.sleep(0.3)

    code = running.stop()

    for caller in callers:
        caller.ended.set()
        caller.join()
    assert code == 0, "".join(running.errors)
    return [caller.lost for caller in callers if caller.lost]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_loses_no_request(tmp_path: Path, workers: str) -> None:
    with serve(tmp_path, "--workers", workers, options=UNLIMITED) as running:
        assert lost_in_a_stop(running) == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_fifty_stops_lose_no_request(tmp_path: Path, workers: str) -> None:
    for _ in range(50):
        with serve(tmp_path, "--workers", workers, options=UNLIMITED) as running:
            assert lost_in_a_stop(running) == []


def test_after_a_kill_it_starts_again_and_prints_no_password(tmp_path: Path) -> None:
    with serve(tmp_path) as first:
        assert len(first.printed) == 20
        assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    with serve(tmp_path) as second:
        assert second.printed == ""
        assert second.stop() == 0


def test_a_changed_file_takes_effect_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "quantflux.toml"
    file.write_text("[limits]\nreads_per_minute = 1000\naddress_per_minute = 5000\n")
    with serve(tmp_path) as running:
        before = running.exchange(request("/health"))
        file.write_text("[limits]\nreads_per_minute = 1000\naddress_per_minute = 777\n")
        deadline = time.monotonic() + 20
        while b"ratelimit-limit: 777" not in (after := running.exchange(request("/health"))):
            assert time.monotonic() < deadline, after
            time.sleep(0.2)

    assert b"ratelimit-limit: 5000" in before


@pytest.mark.parametrize(
    "override",
    ["accounts.signing_keys=k1:changeme", "audit.key=hunter2", "accounts.signing_keys=k1:" + "a" * 31],
)
def test_production_does_not_start_on_a_weak_secret(tmp_path: Path, override: str) -> None:
    done = subprocess.run(
        command((), ("--env", "production", "--set", override)),
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert override.split("=", maxsplit=1)[0] in done.stderr and "Traceback" not in done.stderr
    assert override.split("=")[1] not in done.stderr


def test_an_address_in_use_is_one_clear_line(served: Served, tmp_path: Path) -> None:
    done = subprocess.run(
        [*command(()), "--port", str(served.port)],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{served.port}" in done.stderr and "Traceback" not in done.stderr
