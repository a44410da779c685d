"""Starts a server from Debian's packages as a child process, waits until it answers, and stops or kills it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require(binary: str, package: str) -> str:
    """Return the path of a server binary; skip without it on a user's machine, fail under CI=true."""
    path = shutil.which(binary, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if path is None:
        reason = f"{binary} is not installed (Debian package {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


class ServerProcess:
    """One server process that can be started, stopped, frozen, thawed, killed and started again."""

    def __init__(
        self, command: Sequence[str], log: Path, answers: Callable[[], bool], cwd: Path | None = None
    ) -> None:
        self.command = list(command)
        self.log = log
        self.cwd = cwd
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self, timeout: float = 60.0) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.cwd,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"{self.command[0]} ended with {self._process.returncode}:\n{self.log.read_text()[-2000:]}"
                )
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(
                    f"{self.command[0]} did not answer in {timeout} s:\n{self.log.read_text()[-2000:]}"
                )
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        """Send a signal to the server."""
        os.kill(self.pid, number)

    def freeze(self) -> None:
        """SIGSTOP: the port stays open, nothing answers."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(30)

    def stop(self, timeout: float = 20.0) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        if self._process is None or self._process.poll() is not None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()


def accepts_connections(port: int) -> bool:
    """Whether something listens on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False
