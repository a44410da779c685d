"""Starts the process in which a model is tried, and reads its answer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import quantflux
from quantflux.core.errors import MissingDependency, StoreCorrupt, StoreUnavailable

_CHILD = Path(__file__).with_name("child.py")
_MOST_ANSWER = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What the child process gets.

    Attributes
    ----------
    seconds : int
        Of processor time.
    patience : float
        Seconds by the wall, after which it is ended.
    memory : int
        Bytes of address space, beside eight times the size of the model's files.
    """

    seconds: int = 10
    patience: float = 60.0
    memory: int = 4 << 30


def predictions_of(
    folder: Path, kind: str, rows: np.ndarray, *, missing: bool, size: int, limits: Limits
) -> np.ndarray:
    """Return what a predictor predicts in a child process.

    Parameters
    ----------
    folder : Path
        The predictor's.
    rows : array of float32, shape (C, F)
        After scaling.
    missing : bool
        Whether values may be missing after scaling.
    size : int
        Bytes of the model's files.

    Raises
    ------
    StoreCorrupt
        If the model cannot be loaded or used, or breaks the child.
    MissingDependency
        If the library that made it is not installed.
    StoreUnavailable
        If no process can be started.
    """
    request = {
        "folder": str(folder),
        "kind": kind,
        "rows": [[float(value).hex() for value in row] for row in rows],
        "missing": missing,
        "memory": limits.memory + 8 * size,
        "seconds": limits.seconds,
    }
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as words:
        status = _run(json.dumps(request), answer.fileno(), words.fileno(), limits)
        answer.seek(0)
        words.seek(0)
        told, said = answer.read(_MOST_ANSWER), words.read(_MOST_ANSWER).decode(errors="replace")
    if status != 0:
        raise StoreCorrupt(f"the model cannot be used: {_ending(status, limits)}{_last_line(said)}")
    try:
        values = json.loads(told)
        if "missing" in values:
            raise MissingDependency(*values["missing"])
        if "predictions" in values:
            return np.array([float.fromhex(each) for each in values["predictions"]])
        problem = values["problem"]
    except (ValueError, TypeError, KeyError) as error:
        problem = f"the process that tried it gave no answer ({error})"
    raise StoreCorrupt(f"the model cannot be used: {problem}{_last_line(said)}")


def _run(request: str, answer: int, words: int, limits: Limits) -> int | None:
    """Run the child; return how it ended, None if it was ended."""
    # Nothing is inherited: no secret of the parent's, and one thread, so that memory and results are the same anywhere.
    environment = {
        "PYTHONPATH": str(Path(quantflux.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }
    try:
        with subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-P", "-s", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=words,
            env=environment,
            cwd="/",
            start_new_session=True,
            text=True,
        ) as child:
            try:
                child.communicate(request, timeout=limits.patience)
            except subprocess.TimeoutExpired:
                child.kill()
                return None
            return child.returncode
    except OSError as error:
        raise StoreUnavailable(f"no process can be started: {error.strerror or error}") from error


def _ending(status: int | None, limits: Limits) -> str:
    if status is None:
        return f"it was not loaded within {limits.patience:g} s"
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it took more than {limits.seconds} s of processor time, or was killed"
    if status < 0:
        return f"it ended the process that tried it ({signal.Signals(-status).name})"
    return f"the process that tried it ended with {status}"


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return ""
    shown = "".join(each if each.isprintable() else "?" for each in lines[-1][:200])
    return f"; its last words were {shown!r}"
