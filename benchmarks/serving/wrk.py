"""wrk, the load generator of Debian's package, and what it measured."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("send.lua")


@dataclass(frozen=True)
class Asking:
    """One request that the generator sends."""

    path: str
    method: str = "GET"
    body: str = ""


@dataclass(frozen=True)
class Load:
    """What one run of the generator saw.

    Attributes
    ----------
    requests : int
        Answered.
    seconds : float
    failed : int
        Answers of 400 and above, and connections that broke or waited more than two seconds.
    p50, p99, p999, most : float
        Milliseconds from request to answer.
    megabytes : float
        Of answers, headers included.
    """

    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float
    p999: float
    most: float
    megabytes: float

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


def write_requests(path: Path, asked: Iterable[Asking]) -> Path:
    """Write the file that the generator's script reads."""
    lines = ("\t".join((each.method, each.path, each.body)).rstrip("\t") for each in asked)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(
    url: str,
    requests: Path,
    seconds: float,
    *,
    connections: int = 16,
    headers: Sequence[str] = (),
    number: int = 0,
) -> Load:
    """Send requests for some seconds over connections that stay open.

    Parameters
    ----------
    number : int
        Of the run: where in the file it begins, and what its unique bodies hold.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:g}s"]
    command += [word for header in headers for word in ("--header", header)]
    command += ["--script", str(_SCRIPT), url, "--", str(requests), str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Load(
        requests=found["requests"],
        seconds=found["seconds"],
        failed=sum(found[kind] for kind in ("connect", "read", "write", "status", "timeout")),
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        p999=found["p999"] / 1000,
        most=found["max"] / 1000,
        megabytes=found["bytes"] / 1e6,
    )
